"""The app as a visitor meets it, timed in a real browser: needs Playwright and Chromium.

A server of its own, on a home of its own, so that nobody's runs are touched.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import RunSpec
from mnist_core.runs.records import Run, Runs

from . import browser

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
WARM = 60.0  # seconds that a worker may need to start
WATCHED = RunSpec(epochs=12)
LOOK_SECONDS = 6.0  # that a visitor looks at a design first: it is compiled meanwhile
GOAL = 0.98
STROKES = 10


class App:
    """`streamlit run app.py` on a free port, its runs and cache under `home`."""

    def __init__(self, home: Path, data: str | None = None) -> None:
        """`data` is a data file for MNIST_DATA; None leaves that variable as it is."""
        self.home, self.data = Path(home), data

    def start(self) -> App:
        """Start it and wait until it answers. Raises RuntimeError if it ends or takes 30 s."""
        self.port = free_port()
        command = [
            sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true",
            "--server.address", "127.0.0.1", "--server.port", str(self.port),
            "--server.fileWatcherType", "none",
        ]  # fmt: skip
        environment = os.environ | {"MNIST_LAB_HOME": str(self.home)}
        environment |= {"MNIST_DATA": self.data} if self.data else {}
        environment.pop("MNIST_LAB_SCHEDULER", None)
        self.home.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        with open(self.home / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log,
                                            stderr=log, start_new_session=True)  # fmt: skip
        while not self._healthy():
            if self.process.poll() is not None or time.monotonic() - self.started > 30:
                raise RuntimeError((self.home / "server.log").read_text())
            time.sleep(0.05)
        return self

    def _healthy(self) -> bool:
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

    def stop(self) -> None:
        """End the server, and with it the processes that it started."""
        self.process.terminate()
        self.process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def run(progress: Callable[[str], None] | None = None, rounds: int = 3) -> dict[str, Any]:
    """What a visitor waits for, in seconds, and what watching costs.

    `watched_slowdown`: seconds of a training with the page open over seconds with nobody looking,
    less 1, medians of `rounds` each. `first_point_seconds`: from the click on Train to the run's
    speed and its first point on the page, worker warm, of a design that was looked at for
    LOOK_SECONDS. `seconds_to_goal`: from the click to a finished run of the recipe
    `quick`, with its `goal_accuracy` on the test set. `stroke_seconds`: from mouse-up to the answer
    on the Draw page, the canvas's own delay of some 0.2 s included, and `stroke_seconds_training`
    the same while a run trains. Raises RuntimeError, in one sentence, without Chromium.
    """
    say = progress or (lambda words: None)
    with browser.opened() as chromium, tempfile.TemporaryDirectory() as home:
        app = App(Path(home)).start()
        try:
            return _measure(app, chromium.new_context().new_page(), say, rounds)
        finally:
            app.stop()


def picture(figure: go.Figure, path: str | Path, width: int = 900, height: int = 300) -> None:
    """Write a Plotly figure as a PNG picture. Raises RuntimeError without Chromium."""
    with browser.opened() as chromium:
        page = chromium.new_page(viewport={"width": width, "height": height},
                                device_scale_factor=2)  # fmt: skip
        figure.update_layout(width=width, height=height)
        page.set_content(figure.to_html(include_plotlyjs=True, config={"displayModeBar": False}))
        page.locator(".js-plotly-plot .main-svg").first.wait_for()
        page.locator(".js-plotly-plot").screenshot(path=str(path))


def _measure(app: App, page: Page, say: Callable[[str], None], rounds: int) -> dict[str, Any]:
    say("Starting the app and its worker …")
    _finished(app, page, _train(app, page, RunSpec(epochs=1))[0])  # the worker is warm after it
    say("Timing a training that is watched, and one that is not …")
    watched, alone, first = [], [], []
    for i in range(2 * rounds):
        run, clicked = _train(app, page, WATCHED, LOOK_SECONDS)
        if i % 2:
            page.goto("about:blank")
            alone.append(_finished(app, page, run).seconds)
        else:
            page.get_by_text("images/s").first.wait_for()
            first.append(time.monotonic() - clicked)
            watched.append(_finished(app, page, run).seconds)
    say("Timing the recipe `quick` from the click …")
    goal = [_goal(app, page) for _ in range(rounds)]
    say("Timing strokes …")
    page.goto(app.url("draw"))
    quiet = _strokes(page)
    _train(app, other := page.context.new_page(), RunSpec(epochs=100))
    other.goto("about:blank")
    busy = _strokes(page)
    return {
        "watched_slowdown": median(watched) / median(alone) - 1,
        "first_point_seconds": median(first),
        "seconds_to_goal": median(seconds for seconds, _ in goal),
        "goal_accuracy": median(accuracy for _, accuracy in goal),
        "stroke_seconds": quiet,
        "stroke_seconds_training": busy,
    }


def _train(app: App, page: Page, spec: RunSpec, look: float = 0.0) -> tuple[str, float]:
    """Press Train on a design after a look of so many seconds; the run's id as soon as it is taken,
    and the time of the click."""
    known = {run.id for run in app.runs.active()}
    page.goto(app.url("builder", **spec.to_query()))
    page.locator(IDLE).wait_for()
    page.wait_for_timeout(1000 * look)
    page.get_by_role("button", name="Train", exact=True).click()
    clicked = time.monotonic()
    while not (new := {run.id for run in app.runs.active()} - known):
        page.wait_for_timeout(10)
    return new.pop(), clicked


def _finished(app: App, page: Page, run: str) -> Run:
    while (record := app.runs.known(run)).active:
        page.wait_for_timeout(20)
    if record.status != "finished":
        raise RuntimeError(f"A run of the bench ended as {record.status}: {record.message}")
    return record


def _goal(app: App, page: Page) -> tuple[float, float]:
    run, _ = _train(app, page, RECIPES["quick"].spec)
    record = _finished(app, page, run)
    return (record.ended or 0.0) - record.created, record.test_accuracy or 0.0


def _strokes(page: Page) -> float:
    """The median seconds from mouse-up to another answer, over strokes on a cleared canvas."""
    times = []
    for i in range(STROKES):
        page.locator(IDLE).wait_for()
        page.locator(".st-key-clear button").click()
        page.locator("#answer").wait_for(state="detached")
        page.locator(IDLE).wait_for()
        page.wait_for_timeout(500)  # the canvas itself is new
        canvas = page.locator("[class*=st-key-canvas] canvas.upper-canvas")
        canvas.wait_for()
        left, top, width, height = browser.box_of(canvas)
        x, y = left + width * (0.4 + 0.02 * i), top + height * 0.2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x - 8, y + height * 0.6, steps=8)
        began = time.monotonic()
        page.mouse.up()
        page.locator("#answer").wait_for()
        times.append(time.monotonic() - began)
    return median(times)
