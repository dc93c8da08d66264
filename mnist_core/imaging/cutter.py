"""Digits that touch, cut apart: a path from top to bottom through as little ink as possible.

Each path is found by dynamic programming over the rows, as Lee, Lee and Park cut touching letters
("A new methodology for gray-scale character segmentation and recognition", IEEE PAMI 18, 1996). A
reader may judge whether the pieces look more like digits than the whole (segmentation by
recognition: Casey, Lecolinet, IEEE PAMI 18, 1996); without one the shapes decide alone, and only a
part too wide for a digit is cut. What it cannot do: digits that overlap by more than a stroke, that
lie one above the other, or a 1 close along another digit, whose cut would leave no digit's width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

Better = Callable[[np.ndarray, np.ndarray, np.ndarray], bool]

WIDE = 1.2  # of its height: a wider part is too wide for most digits
WIDE_ENOUGH = 0.7  # a reader is asked about narrower parts too, which may be a 1 and another
NARROWEST = 0.12  # of the height: how wide the piece on either side of a cut must be
LOWEST = 0.7  # of the height: how tall it must be
MOST = 2.0  # strokes: how much ink a cut may go through
LEAST_STROKES = 2.5  # that a digit is tall
AGAIN = 1.0  # strokes for each time beyond the first that a cut meets ink, as it would in a 0
UNEVEN = 1.5  # strokes that a piece of no height would cost
BALANCE = 0.3  # strokes for pieces whose widths differ by the height
PLACES = 31  # paths that are tried
ASKED = 3  # cuts that a reader is asked about, the cheapest ones
ALONE = np.ones((3, 3))


def pieces(ink: np.ndarray, better: Better | None = None) -> np.ndarray:
    """The digits that one connected part, bool (h, w), is made of: int (h, w), 0 where there is no
    ink, else 1, 2, … from left to right; all 1 if it seems to be one.

    `better` says of a part and the two pieces of a cut, all bool (h, w), whether to make it.
    """
    found, whole = np.zeros(ink.shape, int), [ink]
    while whole:
        piece = whole.pop(0)
        cut = _halves(piece, better)
        if cut is None:
            found[piece] = found.max() + 1
        else:
            whole[:0] = cut
    return found


def _halves(ink: np.ndarray, better: Better | None) -> tuple[np.ndarray, np.ndarray] | None:
    """What is left and right of the best cut; None if there is no reason or no place for one."""
    rows, columns = _extent(ink, 0), _extent(ink, 1)
    box = ink[rows, columns]
    if box.shape[1] < (WIDE_ENOUGH if better else WIDE) * box.shape[0]:
        return None
    for _, left in sorted(_cuts(box), key=lambda cut: cut[0])[:ASKED]:
        halves = np.zeros((2, *ink.shape), bool)
        halves[:, rows, columns] = box & left, box & ~left
        if better is None or better(ink, *halves):
            return halves[0], halves[1]
    return None


def _extent(ink: np.ndarray, axis: int) -> slice:
    """The rows (axis 0) or columns (1) from the first to the last with ink."""
    where = np.flatnonzero(np.any(ink, axis=1 - axis))
    return slice(where[0], where[-1] + 1)


def _cuts(box: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Every cut that leaves two pieces of a digit's size: its price in strokes, and what lies to
    its left, bool (h, w)."""
    height, width = box.shape
    # Across a ribbon of width t the distance to its edge is t / 4 in the mean.
    stroke = 4 * ndimage.distance_transform_edt(np.pad(box, 1))[1:-1, 1:-1][box].mean()
    if height < LEAST_STROKES * stroke:
        return  # a bar, or a blot
    for path in np.unique(_paths(box), axis=0):
        met = np.concatenate([[False], box[np.arange(height), path]])
        through = met.sum() / stroke + AGAIN * ((met[1:] & ~met[:-1]).sum() - 1)
        if through > MOST:
            continue
        left = _tidied(box, np.arange(width) < path[:, None])
        tall, wide = zip(*(_size(box & side) for side in (left, ~left)), strict=True)
        if min(tall) >= LOWEST * height and min(wide) >= NARROWEST * height:
            uneven, apart = 2 - sum(tall) / height, abs(wide[0] - wide[1]) / height
            yield through + UNEVEN * uneven + BALANCE * apart, left


def _size(ink: np.ndarray) -> tuple[int, int]:
    if not ink.any():
        return 0, 0
    rows, columns = _extent(ink, 0), _extent(ink, 1)
    return rows.stop - rows.start, columns.stop - columns.start


def _paths(ink: np.ndarray) -> list[np.ndarray]:
    """Ways down through as little ink as possible, each through another column of the middle row:
    the column in each row, int (h,), one step aside a row at most."""
    middle = ink.shape[0] // 2
    up, down = _steps(ink[middle::-1]), _steps(ink[middle:])
    starts = np.linspace(0, ink.shape[1] - 1, PLACES + 2)[1:-1].round().astype(int)
    return [np.concatenate([_followed(up, s)[:0:-1], _followed(down, s)]) for s in starts]


def _steps(ink: np.ndarray) -> np.ndarray:
    """The best step aside, -1, 0 or 1, from each pixel (h, w) to the next row, by the ink that lies
    on the way from there to the last row."""
    aside = np.array([0, -1, 1])
    steps = np.zeros(ink.shape, int)
    total = ink[-1].astype(float)
    for row in range(len(ink) - 2, -1, -1):
        around = np.pad(total, 1, constant_values=np.inf)
        ways = np.stack([around[1:-1], around[:-2] + 0.01, around[2:] + 0.01])
        steps[row] = aside[ways.argmin(axis=0)]
        total = ways.min(axis=0) + ink[row]
    return steps


def _followed(steps: np.ndarray, start: int) -> np.ndarray:
    path = np.empty(len(steps), int)
    path[0] = start
    for row in range(len(steps) - 1):
        path[row + 1] = path[row] + steps[row, path[row]]
    return path


def _tidied(ink: np.ndarray, left: np.ndarray) -> np.ndarray:
    """The left side with what the cut has severed from the right digit given back, and the other
    way round: all but the largest connected part of a side changes sides."""
    strayed = np.zeros_like(ink)
    for side in (left, ~left):
        labels, count = ndimage.label(ink & side, ALONE)
        if count > 1:
            largest = np.bincount(labels.flat)[1:].argmax() + 1
            strayed |= (labels > 0) & (labels != largest)
    return left ^ strayed
