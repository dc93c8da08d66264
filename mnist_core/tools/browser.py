"""A Chromium to look at the app with: found by its name, driven by Playwright.

`python -m mnist_core.tools.browser` says where it is, or exits with 1: standard library only until
a browser is opened, so that CI can ask before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

# As Debian, Ubuntu, and Google's own packages call it.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def find() -> str:
    """The path of a browser: the environment's `CHROMIUM`, else the first of NAMES that is there.
    Raises RuntimeError, in one sentence, if there is none."""
    chosen = os.environ.get("CHROMIUM")
    for name in [chosen] if chosen else NAMES:
        if path := shutil.which(name):
            return path
    missing = f"no {chosen}" if chosen else f"no {', '.join(NAMES[:-1])} or {NAMES[-1]}"
    raise RuntimeError(f"There is {missing}: install Chromium, or say where it is by "
                       "CHROMIUM=path.")  # fmt: skip


@contextmanager
def opened(*flags: str) -> Iterator[Browser]:
    """A browser, driven by Playwright, with these flags beside FLAGS. Raises RuntimeError, in one
    sentence, without either, and if the browser gives up."""
    try:
        from playwright.sync_api import Error as PlaywrightError
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise RuntimeError("Playwright is not installed: pip install playwright.") from None
    path = find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        try:
            yield browser
        except PlaywrightError as error:
            raise RuntimeError(f"The browser gave up: {error.message.splitlines()[0]}") from error
        finally:
            browser.close()


def box_of(thing: Locator) -> tuple[float, float, float, float]:
    """Where something is on the page: left, top, width and height in CSS pixels. Raises
    RuntimeError if it is not shown."""
    box = thing.bounding_box()
    if box is None:
        raise RuntimeError(f"{thing} is not on the page.")
    return box["x"], box["y"], box["width"], box["height"]


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{find()}\n")
    except RuntimeError as error:
        sys.exit(str(error))
