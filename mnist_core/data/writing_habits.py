"""Digits as other people write them: habits that MNIST's writers, Americans of 1990, did not have.

A network trained on MNIST alone misreads a crossed 7, a 1 with a foot or a 9 with a curved tail,
however much its images are shifted and bent: the habit itself must be in the data. Two sources add
them. `pen` writes digits from strokes: each way to write a digit is a few curves through points,
which are moved, leant, stretched and inked at random. `digits` takes scikit-learn's 1,797 scanned
digits of 43 other writers (Alpaydin, Kaynak 1998) and inks their 8×8 pixels with a pen. Both end in
`drawing.to_mnist`, as every drawing does.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_core.imaging import drawing

if TYPE_CHECKING:
    from sklearn.utils import Bunch

# The ways to write each digit: points "x,y" (to the right and down, in hundredths of the height)
# that a curve goes through; "/" lifts the pen, and a point that is written twice is a corner.
WAYS: dict[int, tuple[str, ...]] = {
    0: (
        "30,0  5,25  2,60  25,100  50,80  58,40  30,0",
        "45,10  20,0  0,40  12,90  40,100  62,60  50,12  30,2",
        "20,2  50,5  60,50  42,95  12,95  0,50  20,2  35,0",
        "30,0  0,30  5,85  35,100  60,70  55,20  30,0 / 60,0  0,100",
        "35,6  10,10  0,50  20,97  50,90  60,45  42,5  30,10  60,0",
    ),
    1: (
        "10,0  10,100",
        "35,0  5,100",
        "0,28  25,0  25,0  25,100",
        "0,45  30,0  30,0  30,100",
        "5,22  28,0  28,0  28,100 / 0,100  56,100",
        "0,40  35,0  35,0  33,100 / 2,98  62,100",
        "25,0  25,100 / 0,100  50,100",
        "0,30  30,0  30,0  25,100  25,100  40,93",
        "0,10  22,0  22,0  25,100",
    ),
    2: (
        "2,22  25,0  50,15  42,50  0,100  0,100  60,100",
        "5,15  35,0  50,25  30,60  2,92  15,75  30,90  60,95",
        "0,20  20,0  45,10  40,50  15,85  0,90  10,75  35,100  62,85",
        "0,5  50,2  50,2  0,100  0,100  55,98",
        "2,30  10,5  40,0  52,25  35,60  5,98  5,98  30,90  60,100",
    ),
    3: (
        "2,10  30,0  50,20  35,42  18,47  18,47  45,55  55,80  30,100  0,90",
        "0,0  50,0  50,0  20,40  20,40  50,50  55,80  30,100  0,92",
        "5,15  25,0  48,15  30,45  15,50  25,42  50,60  45,92  15,100  0,85",
        "0,5  40,2  50,20  25,48  25,48  55,70  35,100  5,95",
    ),
    4: (
        "15,0  0,55  0,55  60,55 / 45,15  42,100",
        "5,5  2,50  2,50  55,50 / 52,0  50,100",
        "40,0  0,65  0,65  62,65 / 42,0  42,100",
        "45,100  45,0  45,0  0,68  0,68  65,68",
        "30,0  2,60  2,60  60,58 / 40,35  30,100",
        "5,2  2,35  15,50  45,40  50,0  50,0  45,100",
        "10,0  10,50  10,50  60,45 / 50,10  30,100",
    ),
    5: (
        "50,0  10,0  10,0  6,42  6,42  40,40  55,70  35,98  0,92",
        "10,2  6,42  6,42  40,40  52,72  30,100  0,90 / 10,2  55,0",
        "12,5  8,45  8,45  42,45  50,75  25,100  0,88 / 15,0  60,5",
        "55,0  25,5  10,30  35,50  50,72  30,100  0,92",
        "52,3  15,2  15,2  2,50  2,50  35,45  50,65  35,92  10,100  0,92",
    ),
    6: (
        "40,0  10,35  2,75  25,100  50,80  35,55  5,75",
        "50,5  30,0  5,40  5,85  35,100  52,72  30,52  5,70",
        "10,0  2,60  15,100  50,95  52,65  25,55  2,80",
        "45,0  0,75  20,100  50,85  40,60  15,62  10,90",
    ),
    7: (
        "0,2  55,0  55,0  20,100",
        "0,2  55,0  55,0  20,100 / 10,50  60,48",
        "0,15  2,0  2,0  55,0  55,0  25,100",
        "0,18  3,0  3,0  58,2  58,2  25,100 / 15,45  65,50",
        "0,8  25,0  55,5  40,45  30,100",
        "0,5  50,0  50,0  32,40  25,100 / 5,55  50,45",
        "0,0  50,2  50,2  48,100",
    ),
    8: (
        "45,12  20,0  8,22  30,48  50,75  25,100  2,78  25,50  48,25  42,8",
        "28,0  8,20  28,45  50,22  28,0 / 28,45  0,75  28,100  55,75  28,45",
        "50,5  15,2  10,30  42,60  40,95  10,98  8,70  35,40  55,2",
        "30,48  5,25  30,0  52,25  28,50  2,80  30,100  52,78  30,48",
    ),
    9: (
        "48,12  20,0  0,25  20,48  48,25  50,5  50,5  48,100",
        "48,15  22,0  2,25  22,48  48,22  50,60  35,95  5,95",
        "50,10  20,0  0,28  25,50  50,20  50,20  52,75  30,100  2,88",
        "45,30  30,50  2,35  10,5  42,2  48,35  20,100",
        "45,20  25,2  2,30  25,50  45,20  45,20  30,100",
        "25,0  0,20  22,45  50,25  25,0 / 50,20  48,70  25,100  0,90",
    ),
}
SIDE = 112  # pixels of the sheet that a pen writes on


def curve(points: np.ndarray, per_piece: int = 8) -> np.ndarray:
    """A curve through points (n, 2): centripetal would be rounder, but uniform Catmull–Rom splines
    (Catmull, Rom 1974) make a corner of a point that comes twice. Float (m, 2)."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, per_piece, endpoint=False)[:, None]
    pieces = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        if (p1 == p2).all():
            continue
        # A tangent across a corner would round it off.
        m1 = np.zeros(2) if (p0 == p1).all() else (p2 - p0) / 2
        m2 = np.zeros(2) if (p2 == p3).all() else (p3 - p1) / 2
        a, b = 2 * t**3 - 3 * t**2, t**3 - 2 * t**2 + t
        pieces.append((a + 1) * p1 + b * m1 - a * p2 + (t**3 - t**2) * m2)
    return np.concatenate([*pieces, points[-1:]])


def written(digit: int, rng: np.random.Generator) -> np.ndarray:
    """One of the ways to write `digit`, by an unsteady hand: uint8 (112, 112), white on black."""
    way = rng.choice(WAYS[digit])
    strokes = [_unsteady(_points(stroke), rng) for stroke in way.split("/")]
    points = np.concatenate(strokes) @ _hand(rng)
    low, span = points.min(axis=0), np.ptp(points, axis=0).max()
    width = rng.uniform(0.05, 0.15) * SIDE * 0.75
    sheet = Image.new("L", (SIDE, SIDE))
    pen = ImageDraw.Draw(sheet)
    ends = np.cumsum([len(stroke) for stroke in strokes])
    scaled = (points - low) / span * SIDE * 0.72 + SIDE * 0.12
    for stroke in np.split(scaled, ends[:-1]):
        _ink(pen, stroke, width)
    return np.asarray(sheet)


def _points(stroke: str) -> np.ndarray:
    return np.array([point.split(",") for point in stroke.split()], float) / 100


def _unsteady(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The stroke's curve with each of its points a little elsewhere, a corner staying one."""
    places, which = np.unique(points, axis=0, return_inverse=True)
    moved = places + rng.normal(0, rng.uniform(0.01, 0.05), places.shape)
    return curve(moved[which.ravel()] + rng.normal(0, 0.02, 2))


def _hand(rng: np.random.Generator) -> np.ndarray:
    """How this hand leans, turns and stretches what it writes: a matrix (2, 2) for rows (x, y)."""
    lean, turn = rng.normal(-0.15, 0.2), rng.normal(0, 0.1)
    stretch = np.diag([rng.uniform(0.7, 1.5), 1.0])
    shear = np.array([[1.0, 0.0], [lean, 1.0]])
    c, s = np.cos(turn), np.sin(turn)
    return stretch @ shear @ np.array([[c, s], [-s, c]])


def _ink(pen: ImageDraw.ImageDraw, stroke: np.ndarray, width: float) -> None:
    """A line with round ends and joints, as a felt-tip and the canvas draw it."""
    pen.line([tuple(point) for point in stroke], fill=255, width=max(1, round(width)))
    for x, y in stroke:
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)


def pen(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n digits written from strokes: uint8 (n, 28, 28) and labels uint8 (n,), all digits alike
    often. Takes about a millisecond an image."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 10).astype(np.uint8)
    images = [_as_mnist(written(int(label), rng)) for label in labels]
    return np.array(images, np.uint8).reshape(n, 28, 28), labels


@functools.cache
def _scanned() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # heavy, and a page that draws needs none of it

    found = cast("Bunch", load_digits())  # not the pair that it gives on request
    return found["images"], found["target"].astype(np.uint8)


def digits(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n of scikit-learn's scanned digits, each inked anew: uint8 (n, 28, 28), labels uint8 (n,).

    An 8×8 image counts ink in blocks of 4×4 pixels; enlarged smoothly and cut at a level, its
    stroke has a sharp edge again, and the level is the width of the pen.
    """
    rng = np.random.default_rng(seed)
    images, labels = _scanned()
    rounds = range(n // len(labels) + 1)
    chosen = np.concatenate([rng.permutation(len(labels)) for _ in rounds])[:n]
    inked = [_as_mnist(_inked(images[i] / 16, rng)) for i in chosen]
    return np.array(inked, np.uint8).reshape(n, 28, 28), labels[chosen]


def _inked(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An 8×8 image in 0…1 as a pen would have written it: uint8 (112, 112)."""
    grown = ndimage.zoom(np.pad(image, 1), 11, order=3, mode="nearest", grid_mode=True)
    # Against its surroundings a stroke is a ridge, however dark the block that it crosses.
    ridge = grown - rng.uniform(0.5, 0.9) * ndimage.gaussian_filter(grown, rng.uniform(9, 14))
    sharp = np.clip((ridge / ridge.max() - rng.uniform(0.25, 0.45)) * 8 + 0.5, 0, 1)
    return np.pad(np.round(255 * sharp).astype(np.uint8), 1)


def _as_mnist(sheet: np.ndarray) -> np.ndarray:
    return np.round(255 * drawing.to_mnist(sheet, "light")).astype(np.uint8)
