"""Fixtures: a real daemon in a real browser. Console messages and failed requests of a page fail its test."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon import TOKEN, Daemon, launch, running
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

# A window is decided every 1.28 s; this is many of them, for a busy machine.
PATIENCE_MS = 30_000


@pytest.fixture(scope="session")
def binary() -> Path:
    named = os.environ.get("GAITD_BINARY")
    if not named:
        pytest.exit("GAITD_BINARY must name the gaitd to test, such as target/release/gaitd", returncode=4)
    return Path(named).resolve()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(binary, tmp_path_factory.mktemp("daemon")) as daemon:
        yield daemon


@pytest.fixture
def daemon(shared: Daemon) -> Iterator[Daemon]:
    """The daemon that the tests share; its settings are restored after each test."""
    before = shared.ask("/api/control")
    yield shared
    shared.ask("/api/control", "PATCH", {"pin": before["pin"], "budget_ms": before["budget_ms"]}, TOKEN)


class Watch:
    """Collects the errors and warnings of a page, and its requests that fail or go to other servers."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.found: list[str] = []
        self.expected: list[re.Pattern[str]] = []
        self.over = False

    def attach(self, page: Page) -> None:
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self._note(f"uncaught: {error}"))
        page.on("requestfailed", lambda request: self._note(f"failed: {request.url} {request.failure}"))
        page.on("request", lambda request: self._request(request.url))
        page.on("response", lambda response: self._response(response.status, response.url))

    def expect(self, pattern: str) -> None:
        """Complaints that match `pattern` are part of the test."""
        self.expected.append(re.compile(pattern))

    def complaints(self) -> list[str]:
        return [line for line in self.found if not any(pattern.search(line) for pattern in self.expected)]

    def _note(self, line: str) -> None:
        if not self.over:  # closing a page cuts its event stream off, which is no error
            self.found.append(line)

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self._note(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if not url.startswith(self.origin + "/"):
            self._note(f"third party: {url}")

    def _response(self, status: int, url: str) -> None:
        if status >= 400:
            self._note(f"refused: {status} {url}")


@pytest.fixture
def watch() -> Iterator[Callable[[str], Watch]]:
    """Makes a watch for an origin; its complaints at the end fail the test."""
    watches: list[Watch] = []

    def make(origin: str) -> Watch:
        watches.append(Watch(origin))
        return watches[-1]

    yield make
    assert [line for watch in watches for line in watch.complaints()] == []


@pytest.fixture
def visit(browser: Browser, watch: Callable[[str], Watch]) -> Iterator[Callable[..., tuple[Page, Watch]]]:
    """Opens a daemon's dashboard in a fresh context, and waits until it shows a decision, unless there is none.

    Where it is not `answered`, nothing comes of what the page asks for.
    """
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_dashboard(
        daemon: Daemon,
        clock: bool = False,
        decided: bool = True,
        answered: bool = True,
        path: str = "/",
        **options: object,
    ) -> tuple[Page, Watch]:
        context = browser.new_context(base_url=daemon.url, **options)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        observer = watch(daemon.url)
        opened.append((context, observer))
        observer.attach(page)
        if clock:
            page.clock.install()  # runs as usual, but can be put forward
        if not answered:
            page.route("**/api/**", lambda route: None)
        page.goto(path)
        if not answered:
            expect(page.get_by_text("connecting", exact=True)).to_be_visible()
        elif decided:
            expect(page.get_by_text(re.compile("^Recognised: "))).to_be_visible()
        else:
            expect(page.get_by_text("connected", exact=True)).to_be_visible()
        return page, observer

    yield open_dashboard
    for context, observer in opened:
        observer.over = True
        context.close()


@pytest.fixture(params=[signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def ending(request: pytest.FixtureRequest) -> signal.Signals:
    """The signal that ends a daemon."""
    return request.param
