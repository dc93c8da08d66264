"""Which pixels of a gray picture are ink: on even ground, and on photographed paper.

Photographed paper has shadows, grain and ruled lines. The paper under the ink is estimated by a
closing, the ink taken as the share of the paper's light that it swallows (so that ink in a shadow
counts as much as ink in the light), and lines that are long, straight and thin are taken away.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from .pictures import EmptyDrawing

PALEST_MARK = 0.3  # of a photo's typical ink; below it: shadows, ruled lines, show-through
LEAST_CONTRAST = 12  # gray levels between paper and ink in a photo that is not blank
FULL_SHARE = 0.15  # of a stroke's area; with less above half of full ink it is no stroke
BLUR = 350  # a photo's longer side in standard deviations of the blur that takes off the grain
SMALLEST_PART = 0.01  # of the largest stroke's area; below it a photo's mark is a speck

THUMBNAIL = 192  # pixels on the longer side, where the paper is estimated
WINDOWS = (9, 15, 25, 41)  # its pixels: how wide a stroke may be, up to a fifth of the picture
DARKEST_PAPER = 55  # gray levels; below it, dividing by the light would only raise the noise

SMALLEST_RULED = 100  # pixels a side; no lines are looked for in a smaller picture
MOST_TILT = 0.08  # rows a column: 4.6 degrees
THICKEST_LINE = 0.025  # of its length
LINE_COVER = 0.75  # of the picture's width that is ink along a ruled line
LINE_ENDS = 0.05  # of the picture's width, at both ends, where a ruled line must have ink


def ink_of(gray: np.ndarray, ink: str) -> np.ndarray:
    """Share of full ink at each pixel, float32 (h, w) in [0, 1], of a gray picture 0..255.

    `ink` is "light", "dark" or "auto". Raises `EmptyDrawing` where there is none.
    """
    background = median(_border(gray))
    difference = gray - background
    if median(np.abs(_border(difference))) > 0:  # no even background: a photo
        return _photo_ink(gray, ink)
    side = _side(difference)
    if ink not in ("auto", side):  # strokes along most of the border
        side, difference = ink, gray - _far_side(gray, ink)
        background = None
    marks = over_peak(np.maximum(difference if side == "light" else -difference, 0))
    ruled = background is not None and _border(marks).any()
    left = without_lines(marks) if ruled else marks
    return left if left.any() else marks  # a thin 1 across the whole canvas is no ruled line


def _border(gray: np.ndarray) -> np.ndarray:
    return np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])


def median(values: np.ndarray) -> float:
    """A value that occurs (never the mean of two), so an even background is exactly itself."""
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None).flat[middle])


def _side(difference: np.ndarray) -> str:
    """Which side of the background the ink is on. The third moment asks for both area and
    contrast: even noise cancels, and one bright speck does not outweigh a dark stroke."""
    return "light" if np.vdot(difference, np.square(difference)) > 0 else "dark"


def _far_side(gray: np.ndarray, ink: str) -> float:
    """The background as the typical gray on the side of the middle gray where the ink is not."""
    middle = (gray.min() + gray.max()) / 2
    return median(gray[gray <= middle] if ink == "light" else gray[gray >= middle])


def over_peak(marks: np.ndarray) -> np.ndarray:
    """Stretched so that the strongest mark is 1. Raises `EmptyDrawing` without any."""
    peak = marks.max()
    if peak <= 0:
        raise EmptyDrawing
    return np.clip(marks / peak, 0, 1)


# --- photos --------------------------------------------------------------------------------------


def _photo_ink(gray: np.ndarray, ink: str) -> np.ndarray:
    """Ink on uneven, noisy paper: divide by the light, then stretch the contrast until most of a
    stroke is full ink, as in MNIST, whose originals were black and white."""
    blurred = ndimage.gaussian_filter(gray, max(gray.shape) / BLUR)
    side = _side(blurred - _typical_gray(gray)) if ink == "auto" else ink
    dark = blurred if side == "dark" else 255 - blurred
    marks = _swallowed(dark)
    noise = 1.4826 * median(np.abs(marks))  # the standard deviation, if it were normal
    full = median(marks[marks >= marks.max() / 2])
    if full < max(LEAST_CONTRAST, 5 * noise):
        raise EmptyDrawing
    palest = max(PALEST_MARK * full, 4 * noise)
    return _only_strokes(without_lines(np.clip((marks - palest) / (full - palest), 0, 1)))


def _swallowed(dark: np.ndarray) -> np.ndarray:
    """Gray levels by which each pixel would be darker than the paper if all of the paper had the
    same, typical light; 0 for typical paper."""
    paper = _paper(dark)
    share = (paper - dark) / np.maximum(paper, DARKEST_PAPER)
    marks = median(paper) * share
    return marks - median(marks)


def _paper(dark: np.ndarray) -> np.ndarray:
    """The gray of the paper under dark ink, float32 (h, w): a closing (Serra 1982) just too wide
    for the strokes, which keeps the edge of a shadow where it is."""
    thumbnail = _thumbnail(dark, THUMBNAIL)
    closed = [
        ndimage.grey_closing(thumbnail, size=(side, side), mode="nearest") for side in WINDOWS
    ]
    return _enlarged(closed[_fitting(thumbnail, closed)], dark.shape)


def _fitting(dark: np.ndarray, closed: list[np.ndarray]) -> int:
    """The narrowest window that covers the strokes: a wider one finds hardly more dark ink. Wider
    than needed, a closing takes the rim of a shadow for ink."""
    depth = [(paper - dark) / np.maximum(paper, 1) for paper in closed]
    strong = np.percentile(depth[-1], 99.5) / 2
    area = [max(int((d > strong).sum()), 1) for d in depth]
    fits = (i for i in range(len(area) - 1) if area[i + 1] < 1.2 * area[i] > area[-1] / 8)
    return next(fits, len(area) - 1)


def _typical_gray(gray: np.ndarray) -> np.ndarray:
    """The median gray around each pixel, in a window that no stroke fills, whichever side the ink
    is on: float32 (h, w)."""
    thumbnail = _thumbnail(gray, 40)
    window = max(thumbnail.shape) // 2 | 1  # odd: the median of an even number leans to one side
    return _enlarged(ndimage.median_filter(thumbnail, size=window, mode="nearest"), gray.shape)


def _thumbnail(gray: np.ndarray, side: int) -> np.ndarray:
    thumbnail = Image.fromarray(gray)
    thumbnail.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(thumbnail)


def _enlarged(thumbnail: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape
    large = Image.fromarray(thumbnail).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(large)


def _only_strokes(marks: np.ndarray) -> np.ndarray:
    """Without the parts that are pale all over (what a shadow's edge leaves) or tiny (dust); each
    part that stays is stretched to full ink, for a pen may press less here than there."""
    parts, _ = ndimage.label(marks > 0, structure=np.ones((3, 3)))
    area, full = np.bincount(parts.flat), np.bincount(parts.flat, weights=(marks > 0.5).flat)
    area[full < FULL_SHARE * area] = 0
    area[0] = 0  # the paper
    stroke = area > SMALLEST_PART * area.max()
    if not stroke.any():
        raise EmptyDrawing
    peak = ndimage.maximum(marks, parts, np.arange(len(area)))
    gain = np.where(stroke, 1 / np.maximum(peak, 0.5), 0).astype(np.float32)
    return np.minimum(marks * gain[parts], 1)


# --- ruled lines ---------------------------------------------------------------------------------


def without_lines(marks: np.ndarray) -> np.ndarray:
    """`marks` float32 (h, w) without ruled lines: straight, thin, nearly level or upright, and
    from edge to edge. Where a stroke crosses one it is kept, so that digits stay whole."""
    if min(marks.shape) < SMALLEST_RULED:
        return marks
    ink = marks > 0
    upright = _without_level(_without_level(ink).T).T
    return marks if upright is ink else np.where(upright, marks, np.float32(0))


def _without_level(ink: np.ndarray) -> np.ndarray:
    """The mask (h, w) without nearly level lines, found as peaks of a Radon transform: the ink in
    each row, after the rows are sheared by each tilt."""
    height, width = ink.shape
    rows, columns = np.nonzero(ink)
    ends = int(LINE_ENDS * width)
    kept = ink.copy()
    reach = int(MOST_TILT * width / 2) + 1
    for tilt in np.linspace(-MOST_TILT, MOST_TILT, 2 * int(MOST_TILT * width / 2) + 1):
        moved = np.rint(tilt * (np.arange(width) - width / 2)).astype(int)
        level = rows - moved[columns] + reach

        def cover(part, level=level):
            return np.bincount(level[part], minlength=height + 2 * reach)

        full = cover(slice(None)) >= LINE_COVER * width
        if not full.any():
            continue
        full &= (cover(columns < ends) > 0) & (cover(columns >= width - ends) > 0)
        for first, last in _runs(full):
            if last - first + 1 <= THICKEST_LINE * width:
                _erase(kept, ink, moved + first - reach, moved + last - reach)
    return kept


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
