"""A real server process and a real browser, for the tests that need them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

from mnist_core.runs import Runs

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
WAIT = 30.0  # seconds; what a shared machine may need for what takes one


def wait_for(condition: Callable[[], object], what: str, seconds: float = WAIT) -> float:
    """Poll until `condition` holds; how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


# ------------------------------------------------------------------ the server


class Server:
    """`streamlit run app.py` in a session of its own, its runs and cache under `home`."""

    def __init__(self, home: Path, data: str) -> None:
        self.home, self.data = Path(home), data
        self.started = 0.0

    def start(self) -> Server:
        """Start it and wait until it answers."""
        self.port = _free_port()
        command = [
            sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true",
            "--server.address", "127.0.0.1", "--server.port", str(self.port),
            "--server.fileWatcherType", "none",
        ]  # fmt: skip
        environment = os.environ | {"MNIST_DATA": self.data, "MNIST_LAB_HOME": str(self.home)}
        environment.pop("MNIST_LAB_SCHEDULER", None)
        self.home.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        with open(self.home / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log,
                                            stderr=log, start_new_session=True)  # fmt: skip
        wait_for(self._healthy, "the server answers")
        return self

    def _healthy(self) -> bool:
        assert self.process.poll() is None, (self.home / "server.log").read_text()
        try:
            return urllib.request.urlopen(self.url("_stcore/health"), timeout=1).status == 200
        except OSError:
            return False

    def url(self, page: str = "", **query: str) -> str:
        """The address of a page, by its file stem ("home" is at the root)."""
        path = "" if page == "home" else page
        return f"http://127.0.0.1:{self.port}/{path}{'?' + urlencode(query) if query else ''}"

    @property
    def runs(self) -> Runs:
        """The run records, which this process may read beside the server."""
        return Runs(self.home / "runs")

    def processes(self) -> list[psutil.Process]:
        """What runs for this server: whatever inherited its unique home from its environment."""
        return [p for p in psutil.process_iter() if _home_of(p) == str(self.home)]

    def worker(self) -> psutil.Process:
        """The process that trains: of the workers' the one with TensorFlow, hence the largest."""
        others = [p for p in self.processes() if p.pid != self.process.pid]
        return max(others, key=lambda p: p.memory_info().rss)

    def end(self, how: signal.Signals) -> None:
        """Send the server itself a signal and wait for its own end."""
        self.process.send_signal(how)
        self.process.wait(timeout=WAIT)

    def close(self) -> None:
        """End the server and everything of its process group, whatever state they are in."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait(timeout=WAIT)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _home_of(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get("MNIST_LAB_HOME")
    except psutil.Error:
        return None


# ----------------------------------------------------------------- the browser


@contextmanager
def chromium() -> Iterator:
    """A Chromium driven by Playwright. Without either the test is skipped, or fails under
    REQUIRE_BROWSER=1."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("Playwright is not installed (pip install playwright).")
    if not shutil.which(CHROMIUM):
        _missing(f"There is no {CHROMIUM}.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def _missing(reason: str) -> None:
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason} REQUIRE_BROWSER=1 asks for the browser tests.")
    pytest.skip(reason)


def settle(page) -> None:
    """Wait until the page's script has run and nothing on it is still being replaced."""
    page.locator(IDLE).wait_for(timeout=1000 * WAIT)
    page.wait_for_function("!document.querySelector('[data-stale=true]')", timeout=1000 * WAIT)


def poll(page, condition: Callable[[], object], what: str, seconds: float = WAIT) -> float:
    """`wait_for` that lets the browser go on meanwhile."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        page.wait_for_timeout(50)
    return time.monotonic() - began
