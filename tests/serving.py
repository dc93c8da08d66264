"""A real server process and a real browser, for the tests that need them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from mnist_core.estimates import estimate, host
from mnist_core.tools import browser
from mnist_core.tools.bench_app import IDLE, App

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
WAIT = 30.0  # seconds; what a shared machine may need for what takes one


def wait_for(condition: Callable[[], object], what: str, seconds: float = WAIT) -> float:
    """Poll until `condition` holds; how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


# ------------------------------------------------------------------ the server


def measured(folder: Path) -> Path:
    """A folder of runs with figures of this machine, which a worker would else begin to measure."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = estimate.Calibration(host.identity(), estimate.REFERENCE, 0.5, 0.25, 800_000_000)
    figures.save(folder / "calibration.json")
    return folder


class Server(App):
    """The app, with what a test asks about its processes."""

    def start(self) -> Server:
        """Start it and wait until it answers."""
        measured(self.home / "runs")
        return super().start()

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


def _home_of(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get("MNIST_LAB_HOME")
    except psutil.Error:
        return None


# ----------------------------------------------------------------- the browser


@contextmanager
def chromium(*flags: str) -> Iterator:
    """A Chromium driven by Playwright, with these flags beside the usual ones. Without either the
    test is skipped, or fails under REQUIRE_BROWSER=1."""
    try:
        import playwright.sync_api  # noqa: F401

        browser.find()
    except (ImportError, RuntimeError) as error:
        _missing(str(error))
    with browser.opened(*flags) as opened:
        yield opened


def _missing(reason: str) -> None:
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason} REQUIRE_BROWSER=1 asks for the browser tests.")
    pytest.skip(reason)


def settle(page) -> None:
    """Wait until the page's script has run, nothing on it is still being replaced, and each
    widget's own code, which the browser loads when it is first needed, has come."""
    page.locator(IDLE).wait_for(timeout=1000 * WAIT)
    unsettled = "[data-stale=true], [data-testid=stSkeleton]"
    page.wait_for_function(f"!document.querySelector('{unsettled}')", timeout=1000 * WAIT)


def poll(page, condition: Callable[[], object], what: str, seconds: float = WAIT) -> float:
    """`wait_for` that lets the browser go on meanwhile."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        page.wait_for_timeout(50)
    return time.monotonic() - began
