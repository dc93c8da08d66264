"""What the pixels say: statistics of a split, a class or an image.

Images are uint8 (n, h, w), labels whole numbers 0..9 of shape (n,). Every sum is a whole number
and exact; 60,000 images take a fraction of a second and a few megabytes of scratch memory. A mean
over no images is NaN, a count over none is 0; neither warns. Any other kind of array raises a
ValueError that says what was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASSES = 10
LEVELS = 256
WHITE = LEVELS - 1


@dataclass(frozen=True)
class ArrayFacts:
    """One row of a table of arrays. `minimum` and `maximum` are None for an empty array."""

    name: str
    shape: tuple[int, ...]
    rank: int
    dtype: str
    minimum: int | float | None
    maximum: int | float | None
    nbytes: int


def facts(name: str, array: np.ndarray) -> ArrayFacts:
    """Shape, rank, dtype, range and size in bytes of any numeric array."""
    low, high = (array.min().item(), array.max().item()) if array.size else (None, None)
    return ArrayFacts(name, array.shape, array.ndim, str(array.dtype), low, high, array.nbytes)


# --- pixel by pixel ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Levels:
    """How many images have each gray level at each pixel: whole numbers (10, h, w, 256) by class,
    or (h, w, 256) for one class or all together. Everything about single pixels follows from it,
    exactly. Means, medians, deviations and entropies over no images are NaN.
    """

    table: np.ndarray

    @property
    def count(self) -> np.ndarray:
        """Images: int64, (10,) by class, else ()."""
        return self.table[..., 0, 0, :].sum(axis=-1, dtype=np.int64)

    def pooled(self) -> Levels:
        """All classes together."""
        return Levels(self.table.sum(axis=0))

    def of(self, digit: int) -> Levels:
        """One class alone."""
        return Levels(self.table[digit])

    @property
    def histogram(self) -> np.ndarray:
        """How many pixels have each gray level, over all images: int64 (256,)."""
        return self.table.reshape(-1, LEVELS).sum(axis=0, dtype=np.int64)

    @property
    def mean(self) -> np.ndarray:
        """float64 (…, h, w), in 0..255."""
        return _mean(self._power(1), self._images)

    @property
    def std(self) -> np.ndarray:
        """Population deviation: float64 (…, h, w), in 0..255."""
        return _std(self._images, self._power(1), self._power(2))

    @property
    def median(self) -> np.ndarray:
        """float64 (…, h, w), in 0..255; between the two middle values of an even number."""
        below = np.cumsum(self.table, axis=-1)
        middle = [(below < rank[..., None]).sum(axis=-1)
                  for rank in ((self._images + 1) // 2, self._images // 2 + 1)]  # fmt: skip
        return np.where(self._images > 0, np.add(*middle) / 2, np.nan)

    @property
    def entropy(self) -> np.ndarray:
        """Shannon's entropy of the 256 levels in bits, 0 (always the same) to 8: (…, h, w)."""
        share = _mean(self.table, self._images[..., None])
        logarithm = np.log2(share, out=np.zeros_like(share), where=share > 0)
        return np.abs((share * logarithm).sum(axis=-1))  # a sum of nothing but zeros is -0.0

    @property
    def never_inked(self) -> np.ndarray:
        """Which pixels are 0 in every image: bool (…, h, w)."""
        return self.table[..., 0] == self._images

    @property
    def _images(self) -> np.ndarray:
        return self.count[..., None, None]

    def _power(self, exponent: int) -> np.ndarray:
        # In float64 for its fast product; no sum comes near the 2**53 up to which it is exact.
        return (self.table @ np.arange(LEVELS, dtype=np.float64) ** exponent).astype(np.int64)


def levels(images: np.ndarray, labels: np.ndarray) -> Levels:
    """The gray levels of each pixel by class, in one pass: int32 (10, h, w, 256)."""
    _check_images(images)
    _check_labels(labels)
    _check_same_length(images, labels)
    height, width = images.shape[1:]
    table = np.zeros((CLASSES, height * width, LEVELS), np.int32)
    for digit in np.unique(labels):
        members = images[labels == digit].reshape(-1, height * width)
        for pixel, values in enumerate(np.ascontiguousarray(members.T)):
            table[digit, pixel] = np.bincount(values, minlength=LEVELS)
    return Levels(table.reshape(CLASSES, height, width, LEVELS))


def intensity(histogram: np.ndarray) -> tuple[float, float]:
    """Mean and population standard deviation of the pixels in [0, 1], from their histogram.

    MNIST's training set gives the 0.1307 and 0.3081 that many scripts normalise with.
    """
    level = np.arange(LEVELS)
    count, total, squares = (int((histogram * level**power).sum()) for power in range(3))
    mean, std = _mean(total, count), _std(count, total, squares)
    return float(mean) / WHITE, float(std) / WHITE


# --- counts ---------------------------------------------------------------------------------------


def class_counts(labels: np.ndarray) -> np.ndarray:
    """How many labels each class has: int64 (10,)."""
    _check_labels(labels)
    return np.bincount(labels, minlength=CLASSES).astype(np.int64)


# --- arithmetic and checks -----------------------------------------------------------------------


def _mean(total: np.ndarray | int, count: np.ndarray | int) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # 0 / 0: the mean of nothing is NaN
        return np.true_divide(total, count)


def _std(
    count: np.ndarray | int, total: np.ndarray | int, squares: np.ndarray | int
) -> np.ndarray:
    """From whole-number sums: the difference under the root is exact, so it cannot turn negative
    or lose digits, as the textbook mean(x * x) - mean(x)**2 does in floating point."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.asarray(count * squares - total * total, np.float64)) / count


def _check_images(images: np.ndarray) -> None:
    if images.dtype != np.uint8:
        raise ValueError(f"Pixels are uint8 (0 to 255), but these are {images.dtype}.")
    if images.ndim != 3:
        raise ValueError(f"Images have the shape (n, h, w), but these have {images.shape}.")


def _check_labels(labels: np.ndarray) -> None:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"Labels are whole numbers (n,), not {labels.dtype} {labels.shape}.")
    if labels.size and not 0 <= labels.min() <= labels.max() < CLASSES:
        raise ValueError(f"Labels lie in 0 to 9, but these in {labels.min()} to {labels.max()}.")


def _check_same_length(images: np.ndarray, labels: np.ndarray) -> None:
    if len(images) != len(labels):
        raise ValueError(f"Each image has one label, but {len(images)} have {len(labels)}.")
