"""The digits in a picture of several: connected strokes, cut apart where digits touch, merged where
they belong together, in reading order.

Boxes are (top, left, bottom, right) in pixels, the last two exclusive.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from . import cutter

Box = tuple[int, int, int, int]

MOST_DIGITS = 400
SPECK = 0.25  # of the typical digit's height; anything smaller on both sides is a speck
SMALL_PART = 0.6  # of the larger part's height; below it a part may be a bar or a dot of the digit
PART_OVERLAP = 0.3  # of the small part's width that lies over or under the large one
DIGIT_OVERLAP = 0.7  # the same for two large parts, which are rather two digits
BROKEN = 1.2  # typical heights that two parts of a broken digit may have together
WHOLE = 0.6  # of the typical height; lower parts are strokes of a digit, and are not cut
SAME_LINE = 0.5  # of the lower digit's height that two of a line share
MOST_FALL = 0.25  # rows a column that a line may rise or fall: 14 degrees
NEIGHBOUR = 4  # heights from one digit to the next, at most
FEWEST_NEIGHBOURS = 4  # that say how a line runs
PART_GAP = 0.3  # of the large part's height, at most, between it and a small part


Found = tuple[Box, np.ndarray]  # a digit's box, and its own ink in that box


def lines(marks: np.ndarray, better: cutter.Better | None = None) -> list[list[Found]]:
    """The digits in `marks` float32 (h, w), lines from top to bottom, each from left to right. At
    most 60, the largest. `better` judges cuts between digits that touch, as in `cutter.pieces`."""
    parts, _ = ndimage.label(marks > 0, structure=np.ones((3, 3)))
    boxes = _cut_apart(parts, better)
    groups = _without_specks(_merged(boxes), boxes) if boxes else []
    order = _in_reading_order(groups, boxes)
    return [[_cut(marks, parts, group, boxes) for group in line] for line in order]


def _cut_apart(parts: np.ndarray, better: cutter.Better | None) -> list[Box]:
    """The box of each part, after those of several digits have been numbered anew in `parts`."""
    boxes = [_box(slices) for slices in ndimage.find_objects(parts)]
    if not boxes:
        return boxes
    lowest = WHOLE * _typical([_height(box) for box in boxes])
    largest = sorted(range(len(boxes)), key=lambda i: -_size(boxes[i]))[:MOST_DIGITS]
    count = len(boxes)
    for i in (i for i in largest if _height(boxes[i]) >= lowest):
        top, left, bottom, right = boxes[i]
        inside = parts[top:bottom, left:right]
        found = cutter.pieces(inside == i + 1, better)
        inside[found > 1] = found[found > 1] + count - 1
        count += max(found.max() - 1, 0)
    return [_box(slices) for slices in ndimage.find_objects(parts)] if count > len(boxes) else boxes


def _box(slices: tuple[slice, ...]) -> Box:
    rows, columns = slices
    return rows.start, columns.start, rows.stop, columns.stop


def _around(boxes: Iterable[Box]) -> Box:
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def _height(box: Box) -> int:
    return box[2] - box[0]


def _overlap(first: Box, second: Box, axis: int) -> int:
    """Pixels that both boxes share along an axis; below 0, the gap between them."""
    return min(first[axis + 2], second[axis + 2]) - max(first[axis], second[axis])


def _belong(first: Box, second: Box, typical: float) -> bool:
    """Whether two parts are strokes of one digit: a 5's bar over its body, a broken loop."""
    small, large = sorted((first, second), key=_height)
    width = min(box[3] - box[1] for box in (small, large))
    across, down = _overlap(small, large, 1), _overlap(small, large, 0)
    together = _height(_around((small, large)))
    if _height(small) < SMALL_PART * _height(large) or (
        together < BROKEN * typical and down < 0.2 * _height(small)
    ):
        return across >= PART_OVERLAP * width and down >= -PART_GAP * _height(large)
    return across >= DIGIT_OVERLAP * width and down >= 0.5 * _height(small)


def _merged(boxes: list[Box]) -> list[list[int]]:
    """Groups of parts, the largest part first and the others one by one to what they belong to."""
    groups: list[list[int]] = []
    typical = _typical([_height(box) for box in boxes])
    for index in sorted(range(len(boxes)), key=lambda i: -_size(boxes[i]))[: 4 * MOST_DIGITS]:
        part = boxes[index]
        home = next((g for g in groups if _belong(part, _of(g, boxes), typical)), None)
        if home is None:
            groups.append([index])
        else:
            home.append(index)
    return groups


def _typical(sizes: list[int]) -> float:
    """The median by share of all that is there, so that many specks do not outvote the digits."""
    order = np.sort(sizes)
    return float(order[np.searchsorted(np.cumsum(order), order.sum() / 2)])


def _size(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def _of(group: list[int], boxes: list[Box]) -> Box:
    return _around(boxes[i] for i in group)


def _without_specks(groups: list[list[int]], boxes: list[Box]) -> list[list[int]]:
    sizes = [_size(_of(group, boxes)) for group in groups]
    typical = _typical(sizes)
    kept = [g for g, size in zip(groups, sizes, strict=True) if size >= SPECK * typical]
    return kept[:MOST_DIGITS]


def _in_reading_order(groups: list[list[int]], boxes: list[Box]) -> list[list[list[int]]]:
    """Lines from top to bottom, each from left to right. A line may rise or fall across the page:
    its slope is that from each digit to the next, the median of the page, and a digit is on the
    line whose last digit's rows it shares, by half of the lower one, once both are level."""
    found = [(group, _of(group, boxes)) for group in groups]
    slope = _slope([box for _, box in found])

    def level(box: Box) -> Box:
        fall = round(slope * (box[1] + box[3]) / 2)
        return box[0] - fall, box[1], box[2] - fall, box[3]

    lines: list[list[tuple[list[int], Box]]] = []
    for group, box in sorted(((g, level(b)) for g, b in found), key=lambda x: x[1][1]):
        shared = [_overlap(box, line[-1][1], 0) / min(_height(box), _height(line[-1][1]))
                  for line in lines]  # fmt: skip
        best = max(range(len(lines)), key=shared.__getitem__, default=None)
        if best is not None and shared[best] >= SAME_LINE:
            lines[best].append((group, box))
        else:
            lines.append([(group, box)])
    middle = [np.mean([(box[0] + box[2]) / 2 for _, box in line]) for line in lines]
    return [[group for group, _ in lines[i]] for i in np.argsort(middle, kind="stable")]


def _slope(boxes: list[Box]) -> float:
    """By how many rows a column the lines fall, from each digit to its right neighbour: the nearest
    one that a line of MOST_FALL could join. 0 with too few of them."""
    slopes = []
    for box in boxes:
        near = []
        for other in boxes:
            across = (other[1] + other[3] - box[1] - box[3]) / 2
            down = (other[0] + other[2] - box[0] - box[2]) / 2
            height = min(_height(box), _height(other))
            if 0 < across < NEIGHBOUR * height and abs(down) < MOST_FALL * across + 0.2 * height:
                near.append((across, down / across))
        if near:
            slopes.append(min(near)[1])
    return float(np.median(slopes)) if len(slopes) >= FEWEST_NEIGHBOURS else 0.0


def _cut(
    marks: np.ndarray, parts: np.ndarray, group: list[int], boxes: list[Box]
) -> Found:
    top, left, bottom, right = box = _of(group, boxes)
    own = np.isin(parts[top:bottom, left:right], [i + 1 for i in group])
    return box, np.where(own, marks[top:bottom, left:right], np.float32(0))
