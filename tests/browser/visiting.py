"""What a visitor does in the browser: looks, draws, taps, reads the answer."""

import re

import numpy as np
from scipy import ndimage

from mnist_core.design.spec import Layer, RunSpec
from mnist_core.runs import models
from tests.serving import poll, settle

# Most of a minute on a fast machine, its epochs half a second: many steps, each too small to take
# both cores from the pages.
LONG = RunSpec((Layer(128),), batch_size=1, epochs=100)
CANVAS = "[class*=st-key-canvas_] canvas.upper-canvas"
TILES = ".st-key-grid [role=option]"
LINE = ".run-line"  # the one line of a run
CURVES = ".st-key-curves svg"


def drawn(page):
    """Whether both curves have a line."""
    lines = page.locator(f"{CURVES} path.line.train")
    return lines.count() == 2 and all(x.get_attribute("d") for x in lines.all())


def heading(page):
    return page.locator("h1").inner_text()


def parameters(page):
    """The URL's."""
    return page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")


def turn_to(page, name):
    """Go to another page by the navigation."""
    page.get_by_test_id("stTopNavLink").filter(has_text=name).click()
    settle(page)


def digit_shown(page):
    """Index and label of the digit that is shown large."""
    said = page.get_by_role("heading", name="Index").inner_text()
    return tuple(int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", said))


def surest(data, label):
    """The test image of this label of which the default model is surest."""
    images = data.test.images[data.test.labels == label]
    return images[models.default().network.predict(images)[:, label].argmax()]


def pen_path(image, level=200):
    """A walk over all well-inked pixels, from neighbour to neighbour and back where it must:
    (row, column) pairs. So a real digit is drawn in one stroke, without knowing how it was written.
    """
    regions, _ = ndimage.label(image >= level, np.ones((3, 3)))
    ink = np.pad(regions == np.bincount(regions[regions > 0]).argmax(), 1)
    way = [tuple(np.argwhere(ink)[0])]
    path, seen = way[:], set(way)
    while len(seen) < ink.sum():
        around = ((way[-1][0] + a, way[-1][1] + b) for a in (-1, 0, 1) for b in (-1, 0, 1))
        step = next((n for n in around if ink[n] and n not in seen), None)
        if step:
            seen.add(step)
            way.append(step)
        else:
            way.pop()
        path.append(way[-1])
    return [(row - 1, column - 1) for row, column in path]


def places(page, image):
    """The pen's path over the canvas in page coordinates."""
    page.locator(CANVAS).scroll_into_view_if_needed()
    box = page.locator(CANVAS).bounding_box()
    unit = box["width"] / 28
    return [
        (box["x"] + (column + 0.5) * unit, box["y"] + (row + 0.5) * unit)
        for row, column in pen_path(image)
    ]


def draw(page, image):
    """Draw with the mouse, in one stroke."""
    first, *others = places(page, image)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place)
    page.mouse.up()


def answered(page, label, seconds=5.0):
    """Wait for this answer; how long it took."""
    said = page.locator("#answer")
    return poll(page, lambda: said.count() and said.inner_text() == str(label),
                f"the answer {label}", seconds)  # fmt: skip


def seen(page):
    """The picture that the model got."""
    return page.get_by_alt_text("what the model sees").get_attribute("src")


class Finger:
    """Touches as the browser's own input layer gets them, so that they can scroll."""

    def __init__(self, page):
        self.devtools = page.context.new_cdp_session(page)

    def _send(self, kind, *points):
        touches = [{"x": x, "y": y} for x, y in points]
        self.devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def trace(self, path):
        first, *others = path
        self._send("touchStart", first)
        for place in others:
            self._send("touchMove", place)
        self._send("touchEnd")
