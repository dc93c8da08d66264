"""Canvas or photo -> the 28x28 the model sees, stage by stage.

MNIST's makers "size normalized [the digits] to fit in a 20x20 pixel box while preserving their
aspect ratio", let the anti-aliasing of that step make the gray levels, and centred them "in a
28x28 image by computing the center of mass of the pixels" (LeCun, Bottou, Bengio & Haffner 1998,
http://yann.lecun.com/exdb/mnist/). This module does the same to any picture, so that a model
meets at prediction what it met in training: an MNIST image comes back as itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from . import finder, paper, pictures
from .pictures import BadImage, EmptyDrawing, read_image

__all__ = [
    "BOX", "CENTRE", "INKS", "SIDE", "BadImage", "Digit", "EmptyDrawing", "Reading",
    "bounding_box", "centre", "fit_in_box", "read_digits", "read_image", "read_page", "stages",
    "to_mnist",
]  # fmt: skip

SIDE = 28
BOX = 20
# A pixel's index is its centre. In all but 2 of the 70,000 images the centre of mass lies in
# [13.5, 14.5): at pixel 14, half a pixel right of and below the middle of the frame.
CENTRE = 14
INKS = ("auto", "light", "dark")
Reader = Callable[[np.ndarray], np.ndarray]
FAINTEST_EDGE = 0.1  # of full ink; what a large drawing's bounding box may leave outside


def to_mnist(image: np.ndarray, ink: str = "auto") -> np.ndarray:
    """The picture as MNIST's makers would have stored it.

    Takes uint8 (h, w), (h, w, 3) or (h, w, 4); returns float32 (28, 28) in [0, 1], white ink on
    black. `ink` says which side the ink is on: "light", "dark", or "auto" to judge by the border.
    Raises `EmptyDrawing` without ink, `BadImage` for another kind of array.
    """
    return stages(image, ink)["centred"]


def stages(image: np.ndarray, ink: str = "auto") -> dict[str, np.ndarray]:
    """Every step from the picture to the model's 28x28, in order, each float32 in [0, 1].

    "ink" (h, w): gray, light ink on black; "cropped": its bounding box; "boxed": that, resized
    with its aspect kept until the longer side is 20; "centred" (28, 28): that, moved by whole
    pixels until its centre of mass is at pixel 14. Arguments and errors as in `to_mnist`.
    """
    marks = _marks(image, ink)
    cropped = marks[bounding_box(marks)]
    boxed = fit_in_box(cropped)
    return {"ink": marks, "cropped": cropped, "boxed": boxed, "centred": centre(boxed)}


@dataclass(frozen=True, eq=False)
class Digit:
    """One digit of a picture: `image` float32 (28, 28) as `to_mnist` gives it, and where it was:
    `box` (top, left, bottom, right) in pixels of the picture, `line` 0 for the topmost."""

    box: finder.Box
    image: np.ndarray
    line: int = 0


@dataclass(frozen=True, eq=False)
class Reading:
    """What stands on a picture: its digits by lines from top to bottom, each from left to right."""

    lines: tuple[tuple[Digit, ...], ...]

    @property
    def digits(self) -> list[Digit]:
        """All of them, in reading order."""
        return [digit for line in self.lines for digit in line]


def read_digits(image: np.ndarray, read: Reader | None = None, ink: str = "auto") -> list[Digit]:
    """All digits of the picture in reading order; arguments and errors as in `read_page`."""
    return read_page(image, read, ink).digits


def read_page(image: np.ndarray, read: Reader | None = None, ink: str = "auto") -> Reading:
    """The digits of the picture, line by line. `image`, `ink` and errors as in `to_mnist`.

    `read` gives probabilities (n, 10) for uint8 images (n, 28, 28). With it, strokes that hang
    together are cut where it is surer of both digits than of the whole; without it, only where they
    are too wide for one digit.
    """
    marks = _marks(image, ink)
    scale = np.asarray(image).shape[0] / marks.shape[0]
    found = finder.lines(marks, _surer(read) if read else None)
    return Reading(tuple(
        tuple(Digit(_scaled(box, scale), _framed(own), at) for box, own in line)
        for at, line in enumerate(found)
    ))  # fmt: skip


def _scaled(box: finder.Box, scale: float) -> finder.Box:
    top, left, bottom, right = (round(scale * side) for side in box)
    return top, left, bottom, right


def _framed(own: np.ndarray) -> np.ndarray:
    return centre(fit_in_box(own))


def _surer(read: Reader) -> Callable[..., bool]:
    """Whether a reader is surer of either piece of a part than of the whole part."""

    def better(*masks: np.ndarray) -> bool:
        inks = (np.where(mask, np.float32(1), np.float32(0)) for mask in masks)
        images = [np.round(255 * _framed(ink[bounding_box(ink)])) for ink in inks]
        whole, *pieces = read(np.stack(images).astype(np.uint8)).max(axis=1)
        return min(pieces) > whole

    return better


def _marks(image: np.ndarray, ink: str) -> np.ndarray:
    if ink not in INKS:
        raise ValueError(f'ink is "auto", "light" or "dark", not {ink!r}.')
    return paper.ink_of(pictures.gray(pictures.checked(image), ink), ink)


# --- "cropped", "boxed", "centred" ---------------------------------------------------------------


def bounding_box(marks: np.ndarray) -> tuple[slice, slice]:
    """All ink at MNIST's own scale; of anything larger, all but the faintest edge, which shrinks
    to nothing anyway (a JPEG's ripples around a stroke, say)."""
    box = _extent(marks > 0)
    if max(side.stop - side.start for side in box) > SIDE:
        box = _extent(marks > FAINTEST_EDGE)
    return box


def _extent(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def fit_in_box(cropped: np.ndarray) -> np.ndarray:
    """Longer side 20, aspect kept, peak 1; the filter's averaging makes the gray levels.

    Plain area averages come nearest to MNIST's shares of full and faint pixels (of the inked, 41 %
    and 9 % against 36 % and 9 %, on 1,500 test digits enlarged to black and white); other filters
    blur. Near the final scale they would only repeat and drop pixels, so there it is bicubic.
    """
    height, width = cropped.shape
    scale = BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resampling = Image.Resampling.BOX if scale <= 0.5 else Image.Resampling.BICUBIC
    resized = Image.fromarray(np.ascontiguousarray(cropped)).resize(size, resampling)
    return paper.over_peak(np.clip(np.asarray(resized), 0, 1))


def centre(boxed: np.ndarray) -> np.ndarray:
    """Moved by whole pixels, as MNIST, and never so far that ink would leave the frame."""
    mass = boxed.sum(dtype=np.float64)
    start = []
    for axis, length in enumerate(boxed.shape):
        middle = boxed.sum(axis=1 - axis, dtype=np.float64) @ np.arange(length) / mass
        # Rounded first, so that a symmetric drawing does not hang on the last bit of its sum.
        start.append(min(max(math.ceil(CENTRE - 0.5 - round(middle, 6)), 0), SIDE - length))
    top, left = start
    frame = np.zeros((SIDE, SIDE), np.float32)
    frame[top : top + boxed.shape[0], left : left + boxed.shape[1]] = boxed
    return frame
