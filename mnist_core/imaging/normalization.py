"""Two more ways to make digits alike, which MNIST's makers did not use: upright, and of one pen.

Images are white ink on black, as `drawing.to_mnist` gives them: float32 (28, 28) in [0, 1].
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

FINE = 8  # the strokes' outline is moved on a grid this much finer
TYPICAL_PEN = 2.4  # pixels, the median stroke of MNIST's training images


def deslant(images: np.ndarray) -> np.ndarray:
    """Each image (n, h, w) sheared along its rows, about its centre of mass, until the second
    moment μ₁₁ of its ink is 0: the digit stands upright (LeCun, Bottou, Bengio & Haffner 1998,
    section III.A). float32 (n, h, w) in the given range; a blank image stays blank."""
    value = images.astype(np.float32)
    rows, columns = (np.arange(size, dtype=np.float32) for size in images.shape[1:])
    mass = np.maximum(value.sum(axis=(1, 2)), 1e-9)
    down = rows - ((value.sum(axis=2) @ rows) / mass)[:, None]
    across = columns - ((value.sum(axis=1) @ columns) / mass)[:, None]
    lean = np.einsum("nij,ni,nj->n", value, down, across, optimize=True)
    height = np.maximum((value.sum(axis=2) * down**2).sum(axis=1), 1e-9)
    from_column = columns + (lean / height)[:, None, None] * down[:, :, None]
    left = np.floor(from_column).astype(np.intp)
    part = from_column - left
    return (1 - part) * _taken(value, left) + part * _taken(value, left + 1)


def _taken(value: np.ndarray, column: np.ndarray) -> np.ndarray:
    """value[n, i, column[n, i, j]], 0 outside the frame."""
    inside = (column >= 0) & (column < value.shape[2])
    return np.take_along_axis(value, np.where(inside, column, 0), axis=2) * inside


def pen_width(image: np.ndarray) -> float:
    """How wide the pen was, in pixels: twice the median distance from the middle of the strokes,
    the ridge of the distance transform (Rosenfeld & Pfaltz 1966), to their outline; 0 for a blank
    image. A blot counts little, unlike in the stroke thickness of `shapes`, area by outline."""
    inside = _depth(_fine(image))
    ridge = (inside > 0) & (inside == ndimage.maximum_filter(inside, 3))
    return float(2 * np.median(inside[ridge]) / FINE) if ridge.any() else 0.0


def with_pen(image: np.ndarray, pixels: float = TYPICAL_PEN) -> np.ndarray:
    """The same strokes with a pen of `pixels`: their outline moved in or out by the same distance
    everywhere, but never so far in that the thinnest stroke would go."""
    fine = _fine(image)
    inside = _depth(fine)
    if not inside.any():
        return image
    grow = FINE * (pixels - pen_width(image)) / 2
    signed = np.where(fine, inside, -ndimage.distance_transform_edt(~fine))
    moved = np.clip(signed + max(grow, 1 - np.percentile(inside[inside > 0], 90)) + 0.5, 0, 1)
    small = moved.reshape(image.shape[0], FINE, image.shape[1], FINE).mean(axis=(1, 3))
    return (small / max(small.max(), 1e-6)).astype(np.float32)


def _fine(image: np.ndarray) -> np.ndarray:
    """Where there is ink on the finer grid, bool (8h, 8w): half of the peak or more."""
    size = (FINE * image.shape[1], FINE * image.shape[0])
    large = Image.fromarray(image.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(large) > 0.5 * max(float(image.max()), 1e-6)


def _depth(ink: np.ndarray) -> np.ndarray:
    """How far inside the ink each point is, in fine pixels; 0 outside."""
    return ndimage.distance_transform_edt(ink)
