"""Which pixels of a gray picture are ink: on even ground, and on photographed paper.

Photographed paper has shadows, grain and ruled lines. The paper under the ink is estimated by a
closing, the ink taken as the share of the paper's light that it swallows (so that ink in a shadow
counts as much as ink in the light), and what else lies on the page is left aside. What is printed
on it goes in `ruling`.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from . import ruling
from .pictures import EmptyDrawing

PALEST_MARK = 0.3  # of a photo's typical ink; below it: shadows, ruled lines, show-through
# How a photo is freed of its grain, one way after the other until there is ink: how much more than
# BLUR; the gray levels between paper and ink that it then must have; how many times the noise; and
# how sharp its edge must be, or it is the paper's own shading.
GRAIN = ((1, 12, 5, 0.0), (3, 6, 8, 0.2), (4.5, 6, 10, 0.25))
FULL_SHARE = 0.15  # of a stroke's area; with less above half of full ink it is no stroke
BLUR = 350  # a photo's longer side in standard deviations of the blur that takes off the grain
ROUGHLY = 0.15  # of the darkest mark: enough to tell one part from another
FEWEST_STROKES = 3  # beside which an object can be told
MOST_PARTS = 2000  # in which objects are looked for
RING, RIM_SHARE, AS_DARK = 6, 0.2, 0.25  # pixels round a part; of them, as dark as the part itself
LONG = 3  # strokes: what is longer and reaches the picture's edge is no digit
LEAST_STROKE = 0.02  # of a photo's longer side
PALEST_PEN = 0.55  # of full ink: a part that is nowhere darker is none, however thin
THIN_PEN = 0.012  # of a photo's longer side: a stroke so thin is pale by the camera's blur alone
SMALLEST_PART = 0.01  # of the largest stroke's area; below it a photo's mark is a speck

THUMBNAIL = 192  # pixels on the longer side, where the paper is estimated
WINDOWS = (9, 15, 25, 41)  # its pixels: how wide a stroke may be, up to a fifth of the picture
DARKEST_PAPER = 55  # gray levels; below it, dividing by the light would only raise the noise


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
    left = ruling.without_lines(marks) if ruled else marks
    left = ruling.without_frames(left if left.any() else marks)
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
    typical = _typical_gray(gray) if ink == "auto" else gray
    for times, least, above, sharp in GRAIN:
        width = times * max(gray.shape) / BLUR
        blurred = ndimage.gaussian_filter(gray, width)
        side = _side(blurred - typical) if ink == "auto" else ink
        dark = blurred if side == "dark" else 255 - blurred
        marks = _without_objects(_swallowed(dark), dark)
        noise = 1.4826 * median(np.abs(marks))  # the standard deviation, if it were normal
        full = median(marks[marks >= marks.max() / 2])
        if full < max(least, above * noise) or _sharpness(blurred, marks, full, width) < sharp:
            continue  # perhaps there is pale ink under the grain
        palest = max(PALEST_MARK * full, 4 * noise)
        strokes = np.clip((marks - palest) / (full - palest), 0, 1)
        return _only_strokes(ruling.without_frames(ruling.without_lines(strokes)))
    raise EmptyDrawing


def _sharpness(blurred: np.ndarray, marks: np.ndarray, full: float, width: float) -> float:
    """How steep the edge of the marks is, as a share of their depth in a blur's own width: some 0.4
    for an edge that was sharp before the blur."""
    dark = marks > full / 2
    edge = dark ^ ndimage.binary_erosion(dark)
    slope = ndimage.gaussian_gradient_magnitude(blurred, 1.0)[edge].mean() if edge.any() else 0.0
    return float(slope * max(width, 1.0) / max(full, 1e-6))


def _without_objects(marks: np.ndarray, dark: np.ndarray) -> np.ndarray:
    """Without what else lies on the page (a pen, a table's edge, a coloured photo): parts that are
    far thicker than the pen of the strokes beside them, and rims, which have something as dark as
    themselves along one side. A thick digit among a few stays."""
    noise = 1.4826 * median(np.abs(marks))
    parts, count = ndimage.label(marks > max(6 * noise, ROUGHLY * marks.max()),
                                 structure=np.ones((3, 3)))  # fmt: skip
    if not FEWEST_STROKES < count < MOST_PARTS:
        return marks
    boxes = ndimage.find_objects(parts)
    size = np.array([max(side.stop - side.start for side in box) for box in boxes])
    depth = ndimage.maximum(ndimage.distance_transform_edt(parts), parts, range(1, count + 1))
    large = size > LEAST_STROKE * max(marks.shape)
    rims = np.array([large[i] and _is_rim(parts, boxes[i], i + 1, dark) for i in range(count)])
    strokes = large & ~rims & (size > 4 * depth)
    if strokes.sum() < FEWEST_STROKES:
        return marks
    pen, typical = np.median(np.asarray(depth)[strokes]), np.median(size[strokes])
    reaches = np.isin(np.arange(1, count + 1), np.unique(_border(parts)))
    thick = (depth > np.where(reaches, 2, 4) * pen) & (size > np.where(reaches, 1, 2) * typical)
    alien = np.flatnonzero(rims | thick | (reaches & (size > LONG * typical))) + 1
    if not len(alien):
        return marks
    gone = ndimage.binary_dilation(np.isin(parts, alien), iterations=4)
    return np.where(gone, np.float32(0), marks)


def _is_rim(parts: np.ndarray, box: tuple[slice, ...], number: int, dark: np.ndarray) -> bool:
    """Whether a good part of what surrounds a part is as dark as itself: that of a stroke is paper
    all round."""
    near = tuple(slice(max(side.start - RING, 0), side.stop + RING) for side in box)
    own, gray = parts[near] == number, dark[near]
    ring = ndimage.binary_dilation(own, iterations=RING)
    ring &= ~ndimage.binary_dilation(own, iterations=2)
    ring &= parts[near] == 0
    if not ring.any():
        return False
    level, light = np.percentile(gray[own], 30), np.percentile(gray[ring], 90)
    return bool((gray[ring] < level + AS_DARK * (light - level)).mean() > RIM_SHARE)


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
    peak = ndimage.maximum(marks, parts, np.arange(len(area)))
    thin = (peak > PALEST_PEN) & (_half_width(marks, parts, peak) < THIN_PEN * max(marks.shape))
    area[(full < FULL_SHARE * area) & ~thin] = 0
    area[0] = 0  # the paper
    stroke = area > SMALLEST_PART * area.max()
    if not stroke.any():
        raise EmptyDrawing
    gain = np.where(stroke, 1 / np.maximum(peak, 0.5), 0).astype(np.float32)
    return np.minimum(marks * gain[parts], 1)


def _half_width(marks: np.ndarray, parts: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """How wide each part is where it is half as dark as at its darkest, float (parts,): across a
    ribbon of width t the distance to its edge is t / 4 in the mean."""
    dark = marks > peak[parts] / 2
    depth = ndimage.distance_transform_edt(dark)
    many = np.maximum(np.bincount(parts.flat, weights=dark.flat), 1)
    return 4 * np.bincount(parts.flat, weights=(depth * dark).flat) / many
