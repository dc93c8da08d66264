"""Pictures of each page, light and dark, as the README shows them: needs Playwright and Chromium.

A server of its own on a home of its own, so that the pictures show nobody's runs.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from mnist_core.design.spec import Conv, Layer, RunSpec

from . import browser
from .bench_app import IDLE, ROOT, WARM, App

if TYPE_CHECKING:
    from playwright.sync_api import Page

THEMES = ("light", "dark")
WIDTH, HEIGHT = 1280, 800
COLOURS = 96  # a palette: half the bytes, and nobody sees it
TRAINED = RunSpec(convolutions=(Conv(8, 3),), layers=(Layer(64),), epochs=8, batch_size=128)
# The pen's way over the canvas, as shares of its side: a 3.
THREE = ((0.32, 0.24), (0.45, 0.16), (0.60, 0.20), (0.64, 0.32), (0.56, 0.43), (0.44, 0.48),
         (0.58, 0.52), (0.68, 0.64), (0.62, 0.78), (0.46, 0.84), (0.32, 0.76))  # fmt: skip


def take(folder: Path, say: Callable[[str], None] = lambda words: None) -> Iterator[Path]:
    """Write `<page>-<theme>.png`, 1280×800 pixels, for each page and theme; yields each path.

    Raises RuntimeError, in one sentence, without a browser, and OSError for a folder that cannot
    be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with browser.opened() as chromium, tempfile.TemporaryDirectory() as home:
        app = App(Path(home)).start()
        try:
            for theme in THEMES:
                page = chromium.new_page(color_scheme=theme,
                                         viewport={"width": WIDTH, "height": HEIGHT})
                for stem in filter(_exists, VIEWS):
                    say(f"{stem}, {theme} …")
                    yield _keep(_view(app, page, stem), folder / f"{stem}-{theme}.png")
        finally:
            app.stop()


def _exists(stem: str) -> bool:
    return (ROOT / "pages" / f"{stem}.py").exists()


def _view(app: App, page: Page, stem: str) -> bytes:
    """A PNG of one page, after what is done there."""
    query, act = VIEWS[stem]
    page.goto(app.url(stem, **query))
    _settle(page)
    act(page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)  # charts fade in
    return page.screenshot()


def _settle(page: Page) -> None:
    page.locator(IDLE).wait_for()
    page.wait_for_function("!document.querySelector('[data-stale=true]')")


def _keep(png: bytes, path: Path) -> Path:
    """The picture with a palette."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


# ------------------------------------------------------------ what is done there


def _nothing(page: Page) -> None:
    page.wait_for_timeout(1000)


def _leave_the_tour(page: Page) -> None:
    page.get_by_role("button", name="Skip the tour").click()
    _settle(page)


def _train(page: Page) -> None:
    """Press Train and wait until the curves are half drawn."""
    page.get_by_role("button", name="Train", exact=True).click()
    drawn = re.compile(r"Epoch [5-8] of|Finished in")
    page.get_by_text(drawn).first.wait_for(timeout=2000 * WARM)


def _wait_for_the_matrix(page: Page) -> None:
    page.locator(".st-key-confusion button").first.wait_for(timeout=1000 * WARM)
    page.locator(".st-key-grid_cell [role=option]").first.wait_for()


def _draw(page: Page) -> None:
    """Write a 3 with the mouse and wait for the answer."""
    canvas = page.locator("[class*=st-key-canvas_] canvas.upper-canvas")
    left, top, width, height = browser.box_of(canvas)
    first, *others = ((left + x * width, top + y * height) for x, y in THREE)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    page.locator("#answer").wait_for()
    _settle(page)


# page: what its link says, and what is done there. The order is that of the visit: a run is there
# when the pages about runs are opened.
VIEWS: dict[str, tuple[dict[str, str], Callable[[Page], None]]] = {
    "home": ({}, _leave_the_tour),
    "dataset": ({"split": "test"}, _nothing),
    "builder": (TRAINED.to_query(), _train),
    "draw": ({}, _draw),
    "evaluate": ({"part": "Confusion"}, _wait_for_the_matrix),
    "backprop": ({}, _nothing),
    "runs": ({}, _nothing),
}
