"""Starts a daemon on a simulated wearer, and a browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright

TOKEN = "a-token-for-tests"

# The first start measures the ladder, which takes a while on a busy machine.
START_S = 120


def free_port() -> int:
    """A free TCP port of the loopback interface."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Daemon:
    """`gaitd run` on a simulated wearer without an end, or on a file at `pace`; its files are in `folder`.

    With `alive` it counts as started before it is ready, as it never is where samples are missing. It has a file with a
    token where it is to have a `token`, and logs to `terminal`, a file descriptor, if any.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        samples: Path | None = None,
        pace: str = "realtime",
        models: Path | None = None,
        alive: bool = False,
        token: bool = True,
        terminal: int | None = None,
    ) -> None:
        self.samples = samples
        self.pace = pace
        self.models = models
        self.alive = alive
        self.terminal = terminal
        self.binary = binary
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(TOKEN + "\n")
        config = {
            "http": {"token_file": "token"} if token else {},
            "outputs": [{"format": "none"}],
            "socket": "control.sock",
            "state": "state",
        }
        if samples is not None:
            config["source"] = {"kind": "file", "path": str(samples), "on_failure": "retry", "pace": pace}
        (folder / "gaitd.json").write_text(json.dumps(config))

    @property
    def url(self) -> str:
        """The address of its HTTP server, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts the daemon and returns when it is ready."""
        assert self.process is None
        command = [self.binary, "run", self.folder / "gaitd.json", f"--http=127.0.0.1:{self.port}"]
        if self.samples is None:
            command += ["--source", "wearer", "--seconds", "0", "--pace", "realtime", "--seed", "4"]
        if self.models is not None:
            command += ["--models", self.models]
        with (self.folder / "log").open("ab") as log:
            told = log if self.terminal is None else self.terminal
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=told)
        for _ in range(START_S * 10):
            try:
                self.ask("/healthz" if self.alive else "/readyz")
                return
            except (urllib.error.URLError, ConnectionError):
                pass  # not listening yet, or not ready
            try:
                self.process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"gaitd has ended with {self.process.returncode}:\n{self.log()}")
        raise RuntimeError(f"gaitd was not ready after {START_S} s:\n{self.log()}")

    def stop(self, ending: signal.Signals = signal.SIGTERM) -> None:
        """Sends the signal `ending` and returns when the daemon has ended."""
        if self.process is not None:
            self.process.send_signal(ending)
            try:
                self.process.wait(timeout=30)
            finally:
                self.process.kill()
                self.process = None

    def ask(self, path: str, method: str = "GET", body: Any = None, token: str | None = None) -> Any:
        """The JSON answer to one request. Raises `urllib.error.HTTPError` where it is refused."""
        request = urllib.request.Request(self.url + path, method=method)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def log(self) -> str:
        """Its log."""
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def running(binary: Path, folder: Path, **options: Any) -> Iterator[Daemon]:
    """A daemon with these options that runs for as long as the context, or as its file of samples lasts."""
    daemon = Daemon(binary, folder, **options)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


def chromium() -> str:
    """The system's Chromium; the environment variable GAITD_CHROMIUM names another."""
    named = os.environ.get("GAITD_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise FileNotFoundError("found no chromium: install it, or name one in GAITD_CHROMIUM")
    return found


def launch(playwright: Playwright) -> Browser:
    """Chromium without a window, with an empty profile, and without connections to other servers than the page's."""
    arguments = ["--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    arguments += ["--disable-background-networking", "--disable-component-update"]
    if os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root, as in a container
        arguments.append("--no-sandbox")
    return playwright.chromium.launch(executable_path=chromium(), args=arguments)
