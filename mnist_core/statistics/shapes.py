"""The shape of each digit: how much ink, where, how slanted, how thick, how large.

Images are uint8 (n, h, w). 70,000 of them take less than a second: a matrix product gives all
moments of a batch at once. A blank image has no ink (0) and no shape: its other measures are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

# Images at a time: half a megabyte of float32, which stays in the processor's cache. So small a
# matrix product is also left to one thread, by far the faster way on a busy machine.
BATCH = 128
CLASSES = 10
PERCENT = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Measure:
    """What a measure is called, its unit ("" for a pure number), and how it is taken."""

    title: str
    unit: str
    says: str


MEASURES: Mapping[str, Measure] = {
    "ink": Measure("Ink", "% of full white", "the mean of the pixels"),
    "thickness": Measure(
        "Stroke thickness", "pixels", "2 × area / outline, both taken from the gray values"
    ),
    "slant": Measure(
        "Slant", "degrees", "the shear that deslanting would undo; to the right is positive"
    ),
    "height": Measure("Height", "pixels", "rows from the first with ink to the last"),
    "width": Measure("Width", "pixels", "columns from the first with ink to the last"),
    "aspect": Measure("Aspect", "width / height", "of the bounding box"),
    "row": Measure("Centre of mass, row", "pixels from the top", "the mean row of the ink"),
    "column": Measure(
        "Centre of mass, column", "pixels from the left", "the mean column of the ink"
    ),
}


def measures(images: np.ndarray) -> dict[str, np.ndarray]:
    """Every measure of every image: float32 (n,) under each name of MEASURES.

    - slant: atan(−μ₁₁ / μ₀₂) of the central second moments (x to the right, y down), the shear
      with which deslanting (LeCun et al. 1998, section III.A) makes a digit upright.
    - thickness: a long ribbon of width t has area / outline = t / 2. The area is the sum of the
      gray values, the outline their total variation: by the coarea formula (Federer 1959) the
      mean perimeter over all thresholds, so that no threshold has to be chosen.

    Raises ValueError for anything but uint8 images (n, h, w).
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            f"Images are uint8 (n, h, w), but these are {images.dtype} {images.shape}."
        )
    starts = range(0, max(len(images), 1), BATCH)
    batches = [_measures(images[start : start + BATCH]) for start in starts]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in MEASURES}


def by_class(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Quantiles of a measure in each class, at 5, 25, 50, 75 and 95 percent: float64 (10, 5).
    NaN values are left out; NaN for a class of which nothing is left."""
    quantiles = np.full((CLASSES, len(PERCENT)), np.nan)
    for digit in range(CLASSES):
        members = values[(labels == digit) & ~np.isnan(values)]
        if len(members):
            quantiles[digit] = np.percentile(members, PERCENT)
    return quantiles


def _measures(images: np.ndarray) -> dict[str, np.ndarray]:
    n, height, width = images.shape
    gray = np.zeros((n, height + 2, width + 2), np.float32)  # a blank frame closes every outline
    gray[:, 1:-1, 1:-1] = images
    # A blank image becomes NaN here, and with it all that is divided by its ink.
    ink, *moments = (gray[:, 1:-1, 1:-1].reshape(n, height * width) @ _moments(height, width)).T
    area = np.where(ink > 0, ink, np.nan)
    x, y, xy, yy = (moment / area for moment in moments)
    tall, wide = _extent(images.max(axis=2) > 0), _extent(images.max(axis=1) > 0)
    return {
        "ink": ink / np.float32(height * width * 2.55),
        "thickness": 2 * area / _outline(gray),
        "slant": np.degrees(np.arctan2(x * y - xy, yy - y * y)),
        "height": tall,
        "width": wide,
        "aspect": wide / tall,
        "row": y + np.float32((height - 1) / 2),
        "column": x + np.float32((width - 1) / 2),
    }


@cache
def _moments(height: int, width: int) -> np.ndarray:
    """1, x, y, xy and yy of each pixel from the middle of the image: float32 (h·w, 5)."""
    y, x = np.mgrid[:height, :width].astype(np.float32).reshape(2, -1)
    x, y = x - np.float32((width - 1) / 2), y - np.float32((height - 1) / 2)
    return np.stack([np.ones_like(x), x, y, x * y, y * y], axis=1)


def _outline(gray: np.ndarray) -> np.ndarray:
    """Total variation of each framed image, by differences along both diagonals (Roberts 1963):
    they meet in one place, the corner between four pixels, so that every angle measures alike."""
    falling = gray[:, 1:, 1:] - gray[:, :-1, :-1]
    rising = gray[:, 1:, :-1] - gray[:, :-1, 1:]
    falling *= falling
    rising *= rising
    falling += rising
    length = np.sqrt(falling, out=falling).sum(axis=(1, 2))
    return length / np.float32(np.sqrt(2))


def _extent(inked: np.ndarray) -> np.ndarray:
    """From the first True to the last, of bool (n, length): float32 (n,)."""
    length = inked.shape[1]
    extent = length - inked.argmax(axis=1) - inked[:, ::-1].argmax(axis=1)
    return np.where(inked.any(axis=1), extent, np.nan).astype(np.float32)
