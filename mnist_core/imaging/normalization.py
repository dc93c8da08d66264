"""Two more ways to make digits alike, which MNIST's makers did not use: upright, and of one pen.

Images are float32 (28, 28) in [0, 1], white ink on black, as `drawing.to_mnist` gives them.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

FINE = 8  # the strokes' outline is moved on a grid this much finer
TYPICAL_PEN = 2.4  # pixels, the median stroke of MNIST's training images


def deslant(image: np.ndarray) -> np.ndarray:
    """Sheared about its centre of mass until the ink's second moment μ₁₁ is 0 (LeCun, Bottou,
    Bengio & Haffner 1998, section III.A): the digit stands upright. A blank image stays blank."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    mass = image.sum(dtype=np.float64)
    if mass == 0:
        return image
    row, column = (image * y).sum() / mass, (image * x).sum() / mass
    upright = (image * (y - row) ** 2).sum()
    shear = (image * (x - column) * (y - row)).sum() / upright if upright > 1e-9 else 0.0
    matrix, offset = [[1, 0], [shear, 1]], [0, -shear * row]
    return np.clip(ndimage.affine_transform(image, matrix, offset, order=1), 0, 1)


def thickness(image: np.ndarray) -> float:
    """The mean stroke in pixels: area by length of the medial axis, both on the finer grid; 0
    for a blank image."""
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
    grow = FINE * (pixels - thickness(image)) / 2
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
