"""What comes and goes on the dashboard: in which scenes each element is there, and in which it is absent.

The tests bring a page into a scene and call `check`. `marks` reads out of the page's own files whatever can make
something come and go, so that nothing new is without a place here.
"""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from playwright.sync_api import Page, expect

FILES = Path(__file__).parents[2] / "runtime/daemon/src/http/assets/files"


@dataclass(frozen=True)
class Condition:
    """Something that is `there` in some scenes and `absent` in others; `marks` are what makes it come and go.

    It is there where it can be seen; with `by="text"` where it has any, with `by="element"` where it exists (a dot has
    no size), and with `by="viewport"` where it lies within what is shown.
    """

    selector: str
    there: str
    absent: str
    marks: str = ""
    by: str = "sight"


def text(selector: str, there: str, absent: str, marks: str) -> Condition:
    return Condition(selector, there, absent, marks, "text")


def element(selector: str, there: str, absent: str, marks: str = "") -> Condition:
    return Condition(selector, there, absent, marks, "element")


TOKEN_FIELD = "#token-form :is(button, input)"
CHANGES = "#controls :is(button, input, select):not(#token-form *)"

CONDITIONS = [
    # the head
    Condition("#simulated", "simulated", "file missing undated unanswered scriptless", "hidden:simulated"),
    Condition("#source-state", "simulated file found unanswered", "missing", "hidden:source-state"),
    Condition("#readiness", "simulated file found unanswered", "missing", "hidden:readiness"),
    Condition(
        "#trouble", "file missing lost", "simulated found regained ended unanswered", "hidden:trouble empty:trouble"
    ),
    Condition("noscript p", "scriptless", "simulated unanswered", "noscript"),
    element('#connection[data-kind="bad"]', "lost", "simulated regained ended unanswered", "data:kind"),
    element('#connection[title]:not([title=""])', "lost ended", "simulated regained unanswered", "title"),
    element("main.stale", "lost ended unanswered", "simulated regained", "class:stale"),
    Condition(".skip", "focused", "simulated", by="viewport"),
    # what the wearer does, and did
    Condition("#activities li", "simulated missing", "unanswered scriptless", "empty:activities"),
    Condition("#activities.list", "many", "simulated", "class:list"),
    element("#activities li[hidden]", "many", "simulated", "hidden:entry"),
    Condition("#activities [aria-current]", "simulated found many", "missing", "attribute:aria-current"),
    Condition("#others", "many", "simulated missing unanswered scriptless", "hidden:others empty:others"),
    text("#announcement", "simulated found", "missing unanswered", "empty:announcement"),
    text("#timeline-note", "simulated missing undated", "scriptless", "empty:timeline-note"),
    element("#minutes .spans", "simulated found", "missing undated", "empty:minutes"),
    Condition("#today-figure", "simulated found", "missing undated unanswered scriptless", "hidden:today-figure"),
    element("#today .spans", "simulated found", "missing undated", "empty:today"),
    Condition("#shares-title", "simulated undated", "missing unanswered", "hidden:shares-title empty:shares-title"),
    Condition("#shares li", "simulated undated", "missing unanswered", "empty:shares"),
    # latency
    element("#chart .dots.small", "simulated found", "missing unanswered", "empty:chart"),
    element('#chart .misses[d^="M"]', "late", "missing undated"),
    element("#chart .crosshair", "pointed", "simulated"),
    element("#chart .ring", "pointed", "simulated"),
    Condition("#readout .swatch", "simulated found", "missing unanswered", "empty:readout"),
    text("#chart-summary", "simulated missing", "scriptless", "empty:chart-summary"),
    Condition("#ladder-legend li", "simulated missing", "unanswered", "empty:ladder-legend"),
    Condition("#ladder-legend [aria-current]", "simulated found", "missing", "attribute:aria-current"),
    Condition("#latency-table tr", "late punctual", "simulated", "empty:latency-table"),
    Condition("#latency-table tr:first-child.miss", "late", "punctual", "class:miss"),
    # sensors
    text("#sensors-note", "simulated missing", "unanswered", "empty:sensors-note"),
    Condition("#traces figure", "simulated missing", "unanswered", "empty:traces"),
    # the configuration
    Condition("#configuration-swatch.rung", "simulated found", "missing", "class:rung empty:configuration-swatch"),
    text("#reason", "simulated found", "missing unanswered", "empty:reason"),
    # the controls
    Condition("#no-token", "tokenless", "simulated linked unanswered", "hidden:no-token"),
    Condition("#token-form", "simulated refused", "tokenless linked again", "hidden:token-form"),
    element(f"{TOKEN_FIELD}:disabled", "tokenless", "simulated", "disabled"),
    element(f"{TOKEN_FIELD}:enabled", "simulated mistaken", "tokenless", "disabled"),
    element(f"{CHANGES}:disabled", "tokenless simulated refused", "linked again pinned", "disabled"),
    element(f"{CHANGES}:enabled", "linked again pinned", "tokenless simulated refused", "disabled"),
    element("#token[aria-invalid]", "mistaken", "simulated corrected", "attribute:aria-invalid"),
    element("#pin-width option", "simulated", "unanswered", "empty:pin-width"),
    element("#pin-resolution option", "simulated", "unanswered", "empty:pin-resolution"),
    element('#pin-form[data-state="pinned"]', "pinned", "simulated automatic unanswered", "data:state"),
    element('#pin-form[data-state="automatic"]', "simulated automatic", "pinned unanswered", "data:state"),
    Condition("#answer", "pinned automatic mistaken", "simulated missing", "empty:answer"),
    element('#answer[data-kind="bad"]', "mistaken", "simulated pinned", "data:kind"),
    # the foot
    text("#version", "simulated missing", "unanswered", "empty:version"),
]

# What looks like a condition to `marks` and is none: bars that are always drawn, and a name that is looked up.
CONSTANT = {"empty:cpu-bar", "empty:pressure-bar", "data:id"}


def scenes() -> set[str]:
    """All of them."""
    return {scene for one in CONDITIONS for scene in f"{one.there} {one.absent}".split()}


def check(page: Page, scene: str) -> None:
    """Everything is there that has to be in this scene, and nothing that has not."""
    assert scene in scenes()
    for one in CONDITIONS:
        found = page.locator(one.selector)
        if scene in one.there.split():
            if one.by == "sight":
                expect(found.first).to_be_visible()
            elif one.by == "text":
                expect(found).not_to_have_text("")
            elif one.by == "element":
                expect(found).not_to_have_count(0)
            else:
                expect(found).to_be_in_viewport()
        elif scene in one.absent.split():
            if one.by == "sight":
                expect(page.locator(f"{one.selector}:visible")).to_have_count(0)
            elif one.by == "text":
                expect(found).to_have_text("")
            elif one.by == "element":
                expect(found).to_have_count(0)
            else:
                expect(found).not_to_be_in_viewport()


# Elements that never have anything in them.
VOID = {"img", "input", "link", "meta"}


class Elements(HTMLParser):
    """Finds elements of the page that are hidden at first, or have nothing in them yet."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.empty: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if "hidden" in given:
            self.found.add(f"hidden:{given.get('id')}")
        if tag == "noscript":
            self.found.add("noscript")
        self.empty = None if tag in VOID else given.get("id")

    def handle_data(self, data: str) -> None:
        self.empty = self.empty if data.strip() == "" else None

    def handle_endtag(self, tag: str) -> None:
        if self.empty is not None:
            self.found.add(f"empty:{self.empty}")
        self.empty = None


# What scripts make something come and go by, each with the name of what it is done to.
WAYS = {
    "hidden": r'([\w-]+)(?:"\))?\.hidden\s*=(?!=)',
    "class": r'classList\.(?:add|remove|toggle|replace)\("([\w-]+)"',
    "attribute": r'(?:remove|toggle)Attribute\("([\w-]+)"',
    "data": r"dataset\.(\w+)\s*=(?!=)",
    "style": r"\.style\.(display|visibility|opacity)\b",
    "": r"\.(disabled|title)\s*=(?!=)",
}


def marks() -> set[str]:
    """Whatever the files of the page have that can make something come and go."""
    elements = Elements()
    elements.feed((FILES / "dashboard.html").read_text())
    found = elements.found
    for script in FILES.glob("*.js"):
        text = script.read_text()
        for way, pattern in WAYS.items():
            for name in re.findall(pattern, text):
                # `noToken` is the script's name of `no-token`
                spelled = re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", name)
                found.add(f"{way}:{spelled}".removeprefix(":"))
    return found - CONSTANT
