"""The dashboard by mouse, by keyboard alone, for a screen reader, and on narrow screens."""

import json
import math
import os
import re
import signal
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest
from conditions import CONDITIONS, check, marks, scenes
from conftest import Watch
from daemon import TOKEN, Daemon, running
from playwright.sync_api import Browser, Locator, Page, Route, expect

Visit = Callable[..., tuple[Page, Watch]]

# Chromium's failure of an event stream whose page or server has ended.
CUT_OFF = r"/api/events net::ERR_ABORTED$"

# The browser's own console message when a connection is refused or cut off; a page cannot prevent it.
LOST_CONNECTION = r"net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)"


def fact(page: Page, region: str, term: str) -> Locator:
    """The value beside `term` in the list of facts of a region."""
    pairs = page.get_by_role("region", name=region).locator("dl > div")
    return pairs.filter(has_text=re.compile(f"^\\s*{term}")).locator("dd").first


def controls(page: Page) -> Locator:
    return page.get_by_role("region", name="Controls")


def give_token(page: Page, token: str = TOKEN) -> None:
    controls(page).get_by_label("Control token").fill(token)


def pick(page: Page, configuration: dict[str, float]) -> None:
    controls(page).get_by_label("Width").select_option(label=f"{configuration['width']:.2f}x")
    controls(page).get_by_label("Resolution").select_option(label=f"{configuration['resolution']} steps")


def tabled_windows(page: Page) -> list[int]:
    """The numbers of the windows in the table, in its order."""
    page.get_by_text("The latest windows as a table").click()
    expect(page.get_by_role("cell").first).to_be_visible()
    return [int(number) for number in page.locator("#latency-table td:first-child").all_inner_texts()]


def refusal(daemon: Daemon, token: str | None, settings: dict[str, object]) -> tuple[int, str]:
    """The status and message with which the daemon refuses `settings`, asked without a browser."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        daemon.ask("/api/control", "PATCH", settings, token)
    return refused.value.code, json.load(refused.value)["error"]


def test_it_follows_the_daemon(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    ladder = daemon.ask("/api/ladder")
    expect(page.get_by_text("connected", exact=True)).to_be_visible()
    expect(page.get_by_text("source: streaming")).to_be_visible()
    expect(page.get_by_text("ready", exact=True)).to_be_visible()

    activities = page.get_by_role("region", name="Activity").get_by_role("listitem")
    expect(activities).to_have_count(len(ladder["labels"]))
    for activity, label in zip(activities.all(), ladder["labels"], strict=True):
        expect(activity).to_contain_text(label)
        expect(activity).to_contain_text(re.compile(r"\d\.\d %"))
    expect(page.locator("#activities [aria-current]")).to_have_count(1)

    # the numbers change, and the chart with them
    windows = "() => (document.querySelector('#chart-summary').textContent.match(/^(\\d+) windows?/) ?? [0, 0])[1] - 0"
    before = page.evaluate(windows)
    page.wait_for_function(f"(before) => ({windows})() >= before + 2", arg=before)
    marks = """[...document.querySelectorAll('#chart .dots:not(.small), #chart .misses')]
      .flatMap((path) => path.getAttribute('d').match(/M/g) ?? []).length"""
    page.wait_for_function(f"() => ({windows})() > 0 && {marks} === ({windows})()")
    for term in ("Produced", "Decided", "Dropped", "Failed"):
        expect(fact(page, "Policy and windows", term)).to_have_text(re.compile(r"^\d+$"))
    expect(fact(page, "Load", "Slowdown")).to_have_text(re.compile(r"^[\d.]+ ± [\d.]+$"))
    expect(fact(page, "Configuration", "Misses")).to_have_text(re.compile(r"^\d+ \(\d+\.\d\d %\)$"))
    decided = fact(page, "Policy and windows", "Decided")
    expect(decided).not_to_have_text(decided.inner_text())


def test_it_shows_the_configuration_and_its_cost(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    configurations = {one["id"]: one for one in daemon.ask("/api/ladder")["configurations"]}
    expect(fact(page, "Configuration", "MMACs")).to_have_text(re.compile(r"^[\d.]+$"))
    # read at one instant: another window may bring another configuration
    facts = ["configuration", "width", "resolution", "mmacs"]
    shown = page.evaluate("(ids) => ids.map((id) => document.getElementById(id).textContent)", facts)
    configuration = configurations[shown[0]]
    assert shown[1] == f"{configuration['width']:.2f}x"
    assert shown[2] == f"{configuration['resolution']} steps"
    # of a cascade, with what was asked before
    before = [0, *(one["macs"] for one in configurations.values())]
    costs = [pytest.approx((configuration["macs"] + macs) / 1e6, rel=0.005) for macs in before]
    assert float(shown[3]) in costs
    names = page.get_by_role("list", name="Configurations from the smallest to the largest").get_by_role("listitem")
    expect(names).to_have_text(list(configurations))


def test_the_traces_move(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    channels = daemon.ask("/api/ladder")["channels"]
    sensors = page.get_by_role("region", name="Sensors")
    units = list(dict.fromkeys(channel["unit"] for channel in channels))
    expect(sensors.get_by_role("figure")).to_have_count(len(units))
    for channel in channels:
        entry = sensors.get_by_role("listitem").filter(has_text=channel["name"])
        expect(entry).to_have_text(re.compile(rf"^{channel['name']}\u2212?\d+(\.\d+)?$"))
    picture = "() => document.querySelector('#traces canvas').toDataURL()"
    page.wait_for_function(f"(before) => ({picture})() !== before", arg=page.evaluate(picture))


def test_all_that_comes_and_goes_is_seen_there_and_absent() -> None:
    assert marks() == {mark for one in CONDITIONS for mark in one.marks.split()}, "each has a line in conditions.py"
    assert all(one.there and one.absent for one in CONDITIONS)
    checked = set(re.findall(r'\bcheck\(\w+, "(\w+)"\)', Path(__file__).read_text()))
    assert checked == scenes()


def test_simulated_data_is_marked(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    expect(page.get_by_role("banner").get_by_text("simulated data")).to_be_visible()
    assert daemon.ask("/api/status")["source"]["simulated"] is True
    check(page, "simulated")


def test_what_comes_with_the_focus_or_the_pointer_goes_with_it(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    page.keyboard.press("Tab")
    check(page, "focused")
    page.locator("#chart").hover()
    check(page, "pointed")
    page.keyboard.press("Tab")
    page.get_by_role("heading", level=1).hover()
    check(page, "simulated")


def test_before_the_daemon_answers_nothing_is_claimed(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon, answered=False)
    check(page, "unanswered")


def test_a_file_is_not_called_simulated_and_implausible_samples_are_told(
    binary: Path, tmp_path: Path, visit: Visit
) -> None:
    samples = tmp_path / "samples.csv"
    with samples.open("w") as file:
        # a walker in m/s2, which the file does not say; long enough for a slow machine
        file.write("t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n")
        for number in range(50 * 600):
            time = number / 50
            swing, sway = math.sin(11 * time), math.sin(5.5 * time + 1)
            acc = [9.80665 * value for value in (1 + 0.2 * swing, 0.1 + 0.1 * sway, -0.2 + 0.1 * swing * sway)]
            values = [*acc, 0.5 * swing, 0.2 * sway, 0.1 * swing * sway]
            file.write(f"{time:.2f}," + ",".join(f"{value:.4f}" for value in values) + "\n")
    with running(binary, tmp_path / "daemon", samples=samples) as daemon:
        page, _ = visit(daemon)
        banner = page.get_by_role("banner")
        expect(page.locator("#trouble")).to_contain_text("--units acc=m/s2")
        expect(banner.get_by_text("source: streaming")).to_be_visible()
        expect(page.get_by_text("ready", exact=True)).to_be_visible()
        check(page, "file")
        page.close()


MODELS = Path(__file__).parents[2] / "models"


def walk(seconds: float, hz: int = 50) -> str:
    """Somebody who walks for so long, in g and rad/s."""
    lines = ["t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"]
    for number in range(int(hz * seconds)):
        time = number / hz
        swing, sway = math.sin(11 * time), math.sin(5.5 * time + 1)
        values = [1 + 0.2 * swing, 0.1 + 0.1 * sway, -0.2 + 0.1 * swing * sway, 0.5 * swing, 0.2 * sway, 0.1 * swing]
        lines.append(f"{time:.2f}," + ",".join(f"{value:.4f}" for value in values))
    return "\n".join(lines) + "\n"


def test_the_timeline_shows_what_was_done_and_survives_a_reload_of_the_page(daemon: Daemon, visit: Visit) -> None:
    page, watch = visit(daemon)
    watch.expect(CUT_OFF)
    timeline = page.get_by_role("region", name="Timeline")
    note = re.compile(r"^[a-z ]+ for \d+ (s|min|h \d+ min)$")
    expect(timeline.locator("#timeline-note")).to_have_text(note)
    expect(timeline.get_by_role("img", name="The last 10 minutes")).to_have_accessible_description(note)
    expect(timeline.get_by_role("heading", name="Today, in all")).to_be_visible()
    expect(timeline.locator("#today-figure")).to_be_visible()
    for chart in ("#minutes", "#today"):
        expect(timeline.locator(f"{chart} .spans").first).to_be_visible()
    expect(timeline.locator("#shares li").first).to_contain_text(re.compile(r"\d (s|min)"))

    # it grows with the decisions
    length = """() => [...document.querySelectorAll('#shares .share')]
      .reduce((sum, one) => sum + parseFloat(one.textContent), 0)"""
    page.wait_for_function(f"(before) => ({length})() > before", arg=page.evaluate(length))

    # what was before the page was opened is there at once, and once
    did = daemon.ask("/api/activities")
    assert did["spans"] and did["midnight"] is not None
    page.reload()
    expect(timeline.locator("#minutes .spans").first).to_be_visible()
    windows = sum(one["windows"] for one in did["today"])
    assert windows >= len(did["spans"])
    named = {one["activity"] for one in did["today"] if one["windows"] > 0}
    expect(timeline.locator("#shares li")).to_have_count(len(named))
    loaded = page.evaluate(
        """async () => {
          const did = await (await fetch("/api/activities")).json();
          return did.today.reduce((sum, one) => sum + one.seconds, 0);
        }"""
    )
    shown = page.evaluate(length)
    if all(one["seconds"] < 80 for one in did["today"]):
        assert abs(shown - loaded) < 6, "seconds are rounded, and the page may be a window behind"


def test_a_stream_without_a_time_of_day_has_no_today(binary: Path, tmp_path: Path, visit: Visit) -> None:
    samples = tmp_path / "samples"
    os.mkfifo(samples)
    end = os.open(samples, os.O_RDWR)  # so that neither side waits for the other
    try:
        with running(binary, tmp_path / "daemon", samples=samples, pace="fast", alive=True) as daemon:
            os.write(end, walk(12).encode())
            page, _ = visit(daemon)
            timeline = page.get_by_role("region", name="Timeline")
            expect(timeline.locator("#timeline-note")).to_have_text("The stream has no time of day.")
            expect(timeline.get_by_role("heading", name="Since the start")).to_be_visible()
            check(page, "undated")
            page.close()
    finally:
        os.close(end)


def test_a_fault_is_told_in_one_place_and_before_the_first_decision_there_are_axes(
    binary: Path, tmp_path: Path, visit: Visit
) -> None:
    missing = tmp_path / "no-such-sensor"
    with running(binary, tmp_path / "daemon", samples=missing, alive=True) as daemon:
        page, _ = visit(daemon, decided=False)
        expect(page.locator("#trouble")).to_contain_text("no-such-sensor")
        # neither twice within the sentence, nor as a badge
        assert page.locator("#trouble").inner_text().count("no-such-sensor") == 1
        check(page, "missing")

        expect(page.get_by_text("No window has been decided yet.").first).to_be_visible()
        expect(page.locator("#chart .budget-label")).to_have_text("50")
        expect(page.locator("#chart .grid")).not_to_have_count(0)
        expect(page.locator("#minutes .grid")).not_to_have_count(0)

        # the sensor comes, and with it everything else
        missing.write_text(walk(600))
        expect(page.get_by_text(re.compile("^Recognised: "))).to_be_visible()
        check(page, "found")
        page.close()


def test_many_activities_are_a_list_of_the_most_probable(binary: Path, tmp_path: Path, visit: Visit) -> None:
    samples = tmp_path / "samples.csv"
    samples.write_text(walk(600, hz=20))
    with running(binary, tmp_path / "daemon", samples=samples, models=MODELS / "wisdm-watch-cnn") as daemon:
        page, _ = visit(daemon, viewport={"width": 390, "height": 844})
        check(page, "many")
        expect(page.locator("#activities li")).to_have_count(18)
        expect(page.locator("#activities li:visible")).to_have_count(8)
        expect(page.locator("#others")).to_have_text(re.compile(r"^10 others: \d+\.\d % together$"))
        shares = page.evaluate(
            "[...document.querySelectorAll('#activities .share')].map((one) => parseFloat(one.textContent))"
        )
        assert shares == sorted(shares, reverse=True)
        expect(page.locator("#activities li").first).to_have_attribute("aria-current", "true")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.close()


def test_a_late_window_is_marked_and_no_other(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    page.get_by_text("The latest windows as a table").click()
    latest = page.locator("#latency-table tr").first
    daemon.ask("/api/control", "PATCH", {"budget_ms": 0.01}, TOKEN)
    check(page, "late")
    daemon.ask("/api/control", "PATCH", {"budget_ms": 10_000}, TOKEN)
    expect(latest).to_contain_text("in time")
    check(page, "punctual")


def test_without_scripts_the_page_says_where_else_to_look(browser: Browser, daemon: Daemon) -> None:
    context = browser.new_context(base_url=daemon.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    expect(page.locator("noscript p")).to_contain_text("This page needs JavaScript.")
    check(page, "scriptless")
    context.close()


def test_pin_and_unpin(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    smallest = daemon.ask("/api/ladder")["configurations"][0]
    give_token(page)
    pick(page, smallest)
    controls(page).get_by_role("button", name="Pin").click()
    expect(page.get_by_role("alert")).to_have_text(f"Pinned to {smallest['id']}.")
    expect(controls(page).get_by_text(f"Pinned to {smallest['id']}.").first).to_be_visible()
    assert daemon.ask("/api/control")["pin"] == smallest["id"]
    check(page, "pinned")
    # the next window is decided by it
    expect(page.locator("#configuration")).to_have_text(smallest["id"])
    expect(page.get_by_text(re.compile("^Picked as: pinned"))).to_be_visible()

    controls(page).get_by_role("button", name="Automatic").click()
    expect(page.get_by_role("alert")).to_have_text("Automatic again.")
    assert daemon.ask("/api/control")["pin"] is None
    check(page, "automatic")
    expect(page.get_by_text(re.compile("^Picked as: pinned"))).to_have_count(0)


def test_only_configurations_that_exist_can_be_picked(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    resolutions_of: dict[str, list[str]] = {}
    for one in daemon.ask("/api/ladder")["configurations"]:
        resolutions_of.setdefault(f"{one['width']:.2f}x", []).append(f"{one['resolution']} steps")
    give_token(page)
    width = controls(page).get_by_label("Width")
    expect(width.locator("option")).to_have_text(sorted(resolutions_of))
    for label, resolutions in resolutions_of.items():
        width.select_option(label=label)
        offered = controls(page).get_by_label("Resolution").locator("option")
        expect(offered).to_have_text(sorted(resolutions, key=lambda words: int(words.split()[0])))


def test_the_budget_changes_everywhere(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    second, _ = visit(daemon)
    give_token(page)
    controls(page).get_by_label("Budget, ms").fill("72.5")
    controls(page).get_by_label("Budget, ms").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The budget is 72.5 ms.")
    assert daemon.ask("/api/control")["budget_ms"] == 72.5
    for one in (page, second):
        expect(fact(one, "Configuration", "Budget")).to_have_text("72.5 ms")
        expect(controls(one).get_by_label("Budget, ms")).to_have_value("72.5")
        # the budget of the next window
        expect(one.locator("#chart .budget-label")).to_have_text("72.5")


def test_a_budget_out_of_range_is_refused_with_the_daemons_message(daemon: Daemon, visit: Visit) -> None:
    page, watch = visit(daemon)
    status, words = refusal(daemon, TOKEN, {"budget_ms": 0})
    watch.expect(rf"status of {status}|^refused: {status} .*/api/control$")
    before = daemon.ask("/api/control")
    give_token(page)
    controls(page).get_by_label("Budget, ms").fill("0")
    controls(page).get_by_role("button", name="Set budget").click()
    expect(page.get_by_role("alert")).to_have_text(f"Refused: {words}")
    assert daemon.ask("/api/control") == before


def test_without_the_token_nothing_can_be_changed(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    assert refusal(daemon, None, {"pin": None})[0] == 401
    pin = controls(page).get_by_role("button", name="Pin", exact=True)
    expect(pin).to_be_disabled()
    expect(controls(page)).to_contain_text("Without it nothing can be changed here.")
    give_token(page)
    expect(pin).to_be_enabled()
    give_token(page, "")
    expect(pin).to_be_disabled()


def test_with_a_wrong_token_nothing_changes(daemon: Daemon, visit: Visit) -> None:
    page, watch = visit(daemon)
    token = "not-the-token"
    status, words = refusal(daemon, token, {"pin": None})
    assert status == 403
    watch.expect(rf"status of {status}|^refused: {status} .*/api/(control|reload)$")
    before = daemon.ask("/api/control")
    give_token(page, token)
    for name in ("Pin", "Set budget", "Reload configuration"):
        controls(page).get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text(f"Refused: {words}")
    check(page, "mistaken")
    assert daemon.ask("/api/control") == before
    give_token(page)
    check(page, "corrected")


def test_the_token_stays_in_the_tab(daemon: Daemon, visit: Visit) -> None:
    page, watch = visit(daemon)
    watch.expect(CUT_OFF)
    give_token(page)
    page.reload()
    expect(controls(page).get_by_label("Control token")).to_have_value(TOKEN)
    assert page.evaluate("[localStorage.length, document.cookie, location.href.includes('token')]") == [0, "", False]
    other = page.context.new_page()
    other.goto("/")
    expect(controls(other).get_by_label("Control token")).to_have_value("")


def test_without_any_token_the_controls_are_grey_and_say_why(binary: Path, tmp_path: Path, visit: Visit) -> None:
    with running(binary, tmp_path / "daemon", token=False) as bare:
        assert "#token=" not in bare.log(), "a link is for a terminal"
        page, _ = visit(bare)
        expect(page.locator("#no-token")).to_contain_text("Nothing can be changed here")
        check(page, "tokenless")
        for name in ("Pin", "Automatic", "Set budget", "Reload configuration"):
            expect(controls(page).get_by_role("button", name=name, exact=True)).to_be_disabled()
        for field in ("#budget", "#pin-width", "#pin-resolution"):
            expect(page.locator(field)).to_be_disabled()
        page.close()


def test_the_link_on_the_terminal_opens_the_controls(binary: Path, tmp_path: Path, visit: Visit) -> None:
    reader, terminal = os.openpty()
    with running(binary, tmp_path / "daemon", token=False, terminal=terminal) as bare:
        told = os.read(reader, 1 << 16).decode()
        link = re.search(rf"{re.escape(bare.url)}/#token=[0-9a-f]{{32}}\b", told)
        assert link, told
        page, watch = visit(bare, path=link[0])
        expect(controls(page).get_by_role("button", name="Pin", exact=True)).to_be_enabled()
        check(page, "linked")
        controls(page).get_by_label("Budget, ms").fill("35")
        controls(page).get_by_role("button", name="Set budget").click()
        expect(page.get_by_role("alert")).to_have_text("The budget is 35 ms.")
        assert bare.ask("/api/control")["budget_ms"] == 35
        # in this tab alone, and for as long as it is open
        kept = "[localStorage.length, document.cookie, location.href.includes('token')]"
        assert page.evaluate(kept) == [0, "", False]
        watch.expect(CUT_OFF)
        page.reload()
        check(page, "again")
        other = page.context.new_page()
        other.goto(bare.url)
        expect(controls(other).get_by_role("button", name="Pin", exact=True)).to_be_disabled()
        other.close()
        # the same link in the same tab
        page.goto(link[0])
        expect(page.locator("#token-form")).to_be_hidden()
        # that of an earlier run: refused, and the field for a token is there again
        watch.expect(r"status of 403|^refused: 403 .*/api/control$")
        page.goto(f"{bare.url}/#token={'0' * 32}")
        controls(page).get_by_role("button", name="Set budget").click()
        expect(page.get_by_role("alert")).to_contain_text("the token is wrong")
        check(page, "refused")
        page.close()
    os.close(terminal)
    os.close(reader)


def test_reload(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    give_token(page)
    with page.expect_response("**/api/ladder"):
        controls(page).get_by_role("button", name="Reload configuration").click()
    expect(page.get_by_role("alert")).to_contain_text("Reloaded.")
    decided = fact(page, "Policy and windows", "Decided")
    expect(decided).not_to_have_text(decided.inner_text())


def test_it_comes_back_after_a_restart(binary: Path, tmp_path: Path, visit: Visit, ending: signal.Signals) -> None:
    with running(binary, tmp_path / "daemon") as daemon:
        page, watch = visit(daemon)
        expect(page.get_by_text("source: streaming")).to_be_visible()
        run = daemon.ask("/api/status")["run"]
        expect(page.get_by_role("contentinfo")).to_contain_text(f"run {run}")
        page.get_by_text("The latest windows as a table").click()
        before = page.locator("#latency-table tr").first.text_content()
        watch.expect(LOST_CONNECTION)
        watch.expect(CUT_OFF)
        daemon.stop(ending)
        if ending == signal.SIGTERM:
            # it has said goodbye
            expect(page.get_by_text("this run has ended", exact=True)).to_be_visible()
            check(page, "ended")
        else:
            expect(page.get_by_text("reconnecting", exact=True)).to_be_visible()
            expect(page.get_by_text("Connection lost")).to_be_visible()
            check(page, "lost")
        daemon.start()
        expect(page.get_by_text("connected", exact=True)).to_be_visible()
        check(page, "regained")
        again = daemon.ask("/api/status")["run"]
        assert again != run
        expect(page.get_by_role("contentinfo")).to_contain_text(f"run {again}")
        # the windows of the earlier run are gone: a new run starts a new stream
        rows = "[...document.querySelectorAll('#latency-table tr')].map((row) => row.textContent)"
        page.wait_for_function(f"(before) => {rows}.length > 0 && !{rows}.includes(before)", arg=before)
        decided = fact(page, "Policy and windows", "Decided")
        expect(decided).not_to_have_text(decided.inner_text())


@pytest.mark.parametrize("resumable", [True, False], ids=["resumable", "not-resumable"])
def test_it_resumes_after_a_dead_connection(daemon: Daemon, visit: Visit, resumable: bool) -> None:
    page, watch = visit(daemon, clock=True)
    watch.expect(CUT_OFF)
    run = daemon.ask("/api/status")["run"]
    if not resumable:
        # as behind a proxy that drops the header: all windows of the last minutes are sent again
        def drop_last_event_id(route: Route) -> None:
            route.continue_(headers={**route.request.headers, "last-event-id": ""})

        page.route("**/api/events", drop_last_event_id)
    with page.expect_request("**/api/events") as asked:
        page.clock.fast_forward("00:36")  # longer than the daemon is ever silent
    assert re.fullmatch(rf"{run}-\d+", asked.value.headers["last-event-id"])
    expect(page.get_by_text("connected", exact=True)).to_be_visible()
    decided = fact(page, "Policy and windows", "Decided")
    expect(decided).not_to_have_text(decided.inner_text())
    # each window is there once
    windows = tabled_windows(page)
    assert windows == sorted(set(windows), reverse=True)


def test_a_hidden_tab_ends_its_stream(daemon: Daemon, visit: Visit) -> None:
    page, watch = visit(daemon, clock=True)
    watch.expect(CUT_OFF)
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.clock.fast_forward("01:01")
    expect(page.get_by_text("paused", exact=True)).to_be_visible()
    page.wait_for_function("async () => (await (await fetch('/api/status')).json()).subscribers === 0")
    page.evaluate(hide, False)
    expect(page.get_by_text("connected", exact=True)).to_be_visible()
    decided = fact(page, "Policy and windows", "Decided")
    expect(decided).not_to_have_text(decided.inner_text())


def test_pinning_by_keyboard_alone(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    smallest = daemon.ask("/api/ladder")["configurations"][0]
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the controls")).to_be_focused()
    page.keyboard.press("Enter")

    def go_to(target: Locator) -> None:
        for _ in range(10):
            page.keyboard.press("Tab")
            if target.evaluate("(element) => element === document.activeElement"):
                outline = target.evaluate("(element) => getComputedStyle(element).outlineWidth")
                assert float(outline.removesuffix("px")) >= 2, "the focus must be visible"
                return
        pytest.fail(f"the focus does not reach {target}")

    go_to(controls(page).get_by_label("Control token"))
    page.keyboard.type(TOKEN)
    go_to(controls(page).get_by_label("Width"))
    page.keyboard.press("Home")
    go_to(controls(page).get_by_label("Resolution"))
    page.keyboard.press("Home")
    go_to(controls(page).get_by_role("button", name="Pin"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text(f"Pinned to {smallest['id']}.")
    go_to(controls(page).get_by_role("button", name="Automatic"))
    page.keyboard.press("Space")
    expect(page.get_by_role("alert")).to_have_text("Automatic again.")


def test_everything_has_its_name_and_role(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    give_token(page)
    expect(page).to_have_title(re.compile("^gaitd: "))
    expect(page.get_by_role("heading", level=1)).to_have_text("gaitd")
    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    for name in (
        "Activity",
        "Timeline",
        "Latency",
        "Sensors",
        "Configuration",
        "Load",
        "Controls",
        "Policy and windows",
    ):
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name=name, level=2, exact=True)).to_be_visible()
    chart = page.get_by_role("img", name="Latency")
    expect(chart).to_have_accessible_description(re.compile(r"^\d+ windows?.*median .* ms"))
    for canvas in page.locator("canvas").all():
        expect(canvas).to_have_accessible_name(re.compile("^Traces of "))
    expect(controls(page).get_by_role("combobox")).to_have_count(2)
    expect(controls(page).get_by_role("spinbutton", name="Budget, ms")).to_be_visible()
    for name in ("Pin", "Automatic", "Set budget", "Keep token", "Reload configuration"):
        expect(controls(page).get_by_role("button", name=name, exact=True)).to_be_enabled()
    for name, target in (("Status", "/api/status"), ("Metrics", "/metrics"), ("OpenAPI", "/api/openapi.json")):
        link = page.get_by_role("navigation").get_by_role("link", name=name, exact=True)
        expect(link).to_have_attribute("href", target)
        assert page.request.get(target).ok
    page.get_by_text("The latest windows as a table").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader")).to_have_count(7)
    expect(page.get_by_role("cell", name=re.compile("^(in time|miss)$")).first).to_be_visible()


def test_a_screen_reader_gets_few_announcements(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    live = page.locator("[aria-live], [role=status], [role=alert], [role=log]")
    expect(live).to_have_count(3)  # the activity, the connection, the answer to a request
    expect(page.get_by_text(re.compile("^Activity: "))).to_have_count(1)
    live.evaluate_all(
        """(regions) => {
          window.announcements = 0;
          const observer = new MutationObserver(() => { window.announcements += 1; });
          const changes = { childList: true, characterData: true, subtree: true };
          for (const region of regions) observer.observe(region, changes);
        }"""
    )
    decided = fact(page, "Policy and windows", "Decided")
    before = int(decided.inner_text())
    page.wait_for_function("(count) => Number(document.getElementById('decided').textContent) >= count", arg=before + 4)
    # at most one change of activity fits into four windows and the pause between two announcements
    assert page.evaluate("window.announcements") <= 2


# The contrast of every visible text with its background, and of every colour of a configuration with its panel. A
# canvas gives the colours as displayed, independent of the notation of the style sheet.
CONTRAST = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
    const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return alpha === 0 ? null : 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const found = luminance(getComputedStyle(one).backgroundColor);
      if (found !== null) return found;
    }
    return 1;
  };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const poor = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === "" || element.closest("noscript, option")) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    seen += 1;
    const found = contrast(luminance(colour), behind(element));
    if (found < 4.5) poor.push(`${found.toFixed(2)}: ${walker.currentNode.data.trim()}`);
  }
  for (const swatch of document.querySelectorAll("#ladder-legend .swatch, .traces .swatch")) {
    seen += 1;
    const found = contrast(luminance(getComputedStyle(swatch).backgroundColor), behind(swatch.parentElement));
    if (found < 3) poor.push(`${found.toFixed(2)}: the colour of ${swatch.parentElement.textContent}`);
  }
  return { seen, poor };
}"""


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(daemon: Daemon, visit: Visit, tmp_path: Path, scheme: str, width: int) -> None:
    page, _ = visit(daemon, color_scheme=scheme, viewport={"width": width, "height": 740})
    expect(page.locator("#ladder-legend .rung")).not_to_have_count(0)
    contrast = page.evaluate(CONTRAST)
    assert contrast["seen"] > 60
    assert contrast["poor"] == []
    # nothing is wider than the window
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")
    backdrop = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert (sum(backdrop) < 200) is (scheme == "dark")
    page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)


def test_less_motion(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon, reduced_motion="reduce")
    moving = """[...document.querySelectorAll('*')].map((one) => getComputedStyle(one))
      .filter((style) => style.transitionDuration !== '0s' || style.animationName !== 'none').length"""
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) > 0  # otherwise the assertion above proves nothing


def test_the_page_is_confined_to_its_server(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    policy = page.request.get("/").headers["content-security-policy"]
    for directive in ("default-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert directive in policy
    assert "unsafe" not in policy


def test_it_does_not_grow(daemon: Daemon, visit: Visit) -> None:
    """The page keeps a bounded number of decisions and samples, however long it is open."""
    page, _ = visit(daemon)
    kept = page.evaluate(
        """async () => {
          const { LatencyChart } = await import("/chart.js");
          const make = (name) => document.body.appendChild(document.createElement(name));
          const svg = document.body.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
          svg.style.width = svg.style.height = "400px";
          const [summary, readout, table, details] = ["p", "p", "tbody", "details"].map(make);
          const chart = new LatencyChart({ svg, summary, readout, table, details });
          const decision = { activity: "walking", timings_ms: { infer: 1 }, budget_ms: 5, configuration: "1.00x-128" };
          for (let window = 0; window < 100000; window += 1) {
            const late = { latency_ms: 1 + window % 7, miss: window % 7 > 4 };
            chart.push({ ...decision, ...late, window, time_s: window % 1000, reason: "fixed" });
          }
          while (svg.childElementCount === 0) await new Promise(requestAnimationFrame);
          return { summary: summary.textContent, elements: svg.querySelectorAll("*").length };
        }"""
    )
    assert kept["summary"].startswith("300 windows in ")
    assert kept["elements"] < 60


def test_events_are_read_in_pieces_of_any_size(daemon: Daemon, visit: Visit) -> None:
    page, _ = visit(daemon)
    read = page.evaluate(
        """async () => {
          const { EventParser } = await import("/stream.js");
          const text = [
            ": hello", "", "retry: 1000", "id: a-1", "event: hello", 'data: {"a":', "data: 1}", "",
            "id: a-2\\r", "data:2\\r", "\\r", "event: cut off",
          ].join("\\n");
          return [1, 2, 3, 1000].map((size) => {
            const parser = new EventParser();
            const found = [];
            for (let i = 0; i < text.length; i += size) found.push(...parser.push(text.slice(i, i + size)));
            return found;
          });
        }"""
    )
    events = [{"event": "hello", "data": '{"a":\n1}', "id": "a-1"}, {"event": "message", "data": "2", "id": "a-2"}]
    assert read == [events] * 4


def test_activities_have_their_pictures(daemon: Daemon, visit: Visit) -> None:
    """The labels of UCI-HAR, WISDM, UniMiB-SHAR and PAMAP2, as they are written there."""
    page, _ = visit(daemon)
    wanted = {
        "walking": ["WALKING", "Walking", "Nordic walking"],
        "upstairs": ["upstairs", "Upstairs", "WALKING_UPSTAIRS", "GoingUpS", "ascending stairs"],
        "downstairs": ["downstairs", "WALKING_DOWNSTAIRS", "GoingDownS", "descending stairs"],
        "sitting": ["sitting", "Sitting", "watching TV"],
        "standing": ["STANDING", "standing"],
        "lying": ["lying", "LAYING", "Lying"],
        "running": ["Jogging", "Running"],
        "cycling": ["cycling"],
        "jumping": ["Jumping", "rope jumping"],
        "falling": ["FallingForw", "FallingBackSC", "Syncope", "HittingObstacle"],
        "changing": ["StandingUpFS", "SittingDown", "LyingDownFS", "STAND_TO_SIT", "lie_to_sit"],
        "stairs": ["stairs"],
        "typing": ["typing"],
        "teeth": ["brushing-teeth", "Brushing Teeth"],
        "soup": ["eating-soup"],
        "chips": ["eating-chips"],
        "pasta": ["eating-pasta"],
        "drinking": ["drinking", "Drinking from Cup"],
        "sandwich": ["eating-sandwich"],
        "kicking": ["kicking"],
        "catching": ["catching"],
        "dribbling": ["dribbling", "Dribblinlg (Basketball)"],
        "writing": ["writing", "Writing"],
        "clapping": ["clapping"],
        "folding": ["folding-clothes", "folding laundry"],
        "working": ["ironing", "vacuum cleaning", "computer work"],
        "riding": ["car driving"],
        "other": ["playing soccer", "7", ""],
    }
    labels = [label for group in wanted.values() for label in group]
    found = page.evaluate("async (labels) => labels.map((await import('/words.js')).picture)", labels)
    assert dict(zip(labels, found, strict=True)) == {label: name for name, group in wanted.items() for label in group}
    symbols = re.findall(r'<symbol id="([a-z]+)"', page.request.get("/pictures.svg").text())
    assert set(wanted) == set(symbols)

    # each label of a shipped ladder has a mark of its own
    for manifest in MODELS.glob("*/manifest.json"):
        labels = json.loads(manifest.read_text())["task"]["labels"]
        found = page.evaluate("async (labels) => labels.map((await import('/words.js')).picture)", labels)
        assert len(set(found)) == len(labels) and "other" not in found, dict(zip(labels, found, strict=True))
