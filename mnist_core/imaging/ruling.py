"""What is printed and not written: ruled lines from edge to edge, boxes of a form, tables.

Lines are found as peaks of a Radon transform, in the whole picture and in each connected part, and
erased except where a stroke meets them, so that a digit that touches its box stays whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

SMALLEST_RULED = 100  # pixels a side; no lines across it are looked for in a smaller picture
MOST_TILT = 0.09  # rows a column: 5.1 degrees


class Kind(NamedTuple):
    """What counts as a line: the share of the width that is ink along it, the share at either end
    within which it must have ink, and how thick it may be, as a share of its length and at least in
    pixels."""

    cover: float
    ends: float
    thickest: float
    pixels: int = 0


ACROSS = Kind(0.75, 0.05, 0.025)  # from edge to edge of the picture
SIDE = Kind(0.75, 1.0, 0.06, 4)  # of a box or a table: tilted, it does not reach its own corners
MOST_OF_A_SHORT_LINE = 0.1  # of its length, where a few pixels are more than the usual share
LEAST_FRAME, LEAST_TABLE = 12, 60  # pixels a side of what holds a part, and of what has cells
FRAME_SHARE = 0.5  # of a part's ink that its lines hold, if it is a frame
LEAST_INSIDE, LEAST_MARK = 0.05, 6  # of a frame's side, and pixels: what is in it is no speck
INSIDE = 0.9  # of a part that lies within a frame's box


def without_lines(marks: np.ndarray) -> np.ndarray:
    """`marks` float32 (h, w) without ruled lines: straight, thin, nearly level or upright, and
    from edge to edge. Where a stroke crosses one it is kept, so that digits stay whole."""
    if min(marks.shape) < SMALLEST_RULED:
        return marks
    ink = marks > 0
    level, _ = _without_level(ink, ACROSS)
    upright, _ = _without_level(level.T, ACROSS)
    return marks if upright.T is ink else np.where(upright.T, marks, np.float32(0))


def without_frames(marks: np.ndarray) -> np.ndarray:
    """`marks` float32 (h, w) without boxes, tables and their corners: parts that are mostly lines
    and have other parts within them, or that have two lines each way. What touches one is kept."""
    parts, count = ndimage.label(marks > 0, structure=np.ones((3, 3)))
    boxes = ndimage.find_objects(parts)
    kept = marks
    for i in range(count):
        height, width = (side.stop - side.start for side in boxes[i])
        if min(height, width) < LEAST_FRAME:
            continue
        own = parts[boxes[i]] == i + 1
        level, across = _without_level(own, SIDE)
        upright, down = _without_level(level.T, SIDE)
        left = upright.T
        lines = across + down
        if not lines or left.sum() > (1 - FRAME_SHARE) * own.sum():
            continue
        cells = min(height, width) >= LEAST_TABLE and across >= 2 and down >= 2
        table = cells and lines > 4
        if not (table or _holds(i, boxes) or (cells and _large(left, min(height, width)))):
            continue
        if kept is marks:
            kept = marks.copy()
        kept[boxes[i]][own & ~left] = 0
    return kept


def _holds(i: int, boxes: list) -> bool:
    """Whether another part of some size lies within the box of part i."""
    rows, columns = boxes[i]
    for j, (other_rows, other_columns) in enumerate(boxes):
        height, width = (side.stop - side.start for side in (other_rows, other_columns))
        down = min(rows.stop, other_rows.stop) - max(rows.start, other_rows.start)
        across = min(columns.stop, other_columns.stop) - max(columns.start, other_columns.start)
        side = min(rows.stop - rows.start, columns.stop - columns.start)
        large = max(height, width) > max(side * LEAST_INSIDE, LEAST_MARK)
        if j != i and large and down >= INSIDE * height and across >= INSIDE * width:
            return True
    return False


def _large(left: np.ndarray, side: int) -> bool:
    """Whether what is left without the lines has a part of some size: else it was a box-like 0."""
    parts, count = ndimage.label(left, structure=np.ones((3, 3)))
    return any(4 * (part[0].stop - part[0].start) > side / count**0.5
               for part in ndimage.find_objects(parts))  # fmt: skip


def _without_level(ink: np.ndarray, kind: Kind) -> tuple[np.ndarray, int]:
    """The mask (h, w) without nearly level lines, and how many there were: peaks of a Radon
    transform, the ink in each row after the rows are sheared by each tilt."""
    height, width = ink.shape
    rows, columns = np.nonzero(ink)
    ends = max(1, int(kind.ends * width))
    thickest = max(kind.thickest * width, min(kind.pixels, MOST_OF_A_SHORT_LINE * width))
    kept, found = ink.copy(), np.zeros(height, bool)
    reach = int(MOST_TILT * width / 2) + 1
    for tilt in np.linspace(-MOST_TILT, MOST_TILT, 2 * int(MOST_TILT * width / 2) + 1):
        moved = np.rint(tilt * (np.arange(width) - width / 2)).astype(int)
        level = rows - moved[columns] + reach

        def cover(part, level=level):
            return np.bincount(level[part], minlength=height + 2 * reach)

        full = cover(slice(None)) >= kind.cover * width
        if not full.any():
            continue
        full &= (cover(columns < ends) > 0) & (cover(columns >= width - ends) > 0)
        for first, last in _runs(full):
            if last - first + 1 <= thickest:
                _erase(kept, ink, moved + first - reach, moved + last - reach)
                found[np.clip(np.arange(first, last + 1) - reach, 0, height - 1)] = True
    return kept, len(_runs(found))


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def _erase(kept: np.ndarray, ink: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> None:
    """Blank the band from row `top` to `bottom` of each column, except where a stroke meets it:
    where ink goes on beyond the band's soft edge."""
    height, width = ink.shape
    columns = np.arange(width)
    soft = 2 + (bottom[0] - top[0]) // 2

    def inked(row: np.ndarray) -> np.ndarray:
        return ink[np.clip(row, 0, height - 1), columns] & (row >= 0) & (row < height)

    crossed = inked(top - soft - 1) | inked(bottom + soft + 1)
    for offset in range(-soft, bottom[0] - top[0] + soft + 1):
        row = top + offset
        inside = (row >= 0) & (row < height) & ~crossed
        kept[row[inside], columns[inside]] = False
