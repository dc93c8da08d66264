"""What the pixels say: statistics of a split, a class or an image.

Images are uint8 (n, h, w), labels whole numbers 0..9 of shape (n,). Every sum is a whole number
and exact; 60,000 images take a fraction of a second and a few megabytes of scratch memory. A mean
over no images is NaN, a count over none is 0; neither warns. Any other kind of array raises a
ValueError that says what was wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CLASSES = 10
LEVELS = 256
WHITE = LEVELS - 1
PERCENT = (5, 25, 50, 75, 95)

# Images summed at a time. float32 holds whole numbers up to 2**24 exactly, and 256 squares of 255
# stay below that, so a matrix product, the fastest way to sum by class, makes no error.
CHUNK = 256


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


# --- all pixels at once --------------------------------------------------------------------------


def histogram(images: np.ndarray) -> np.ndarray:
    """How many pixels have each gray level: int64 (256,). Takes uint8 of any shape."""
    _check_uint8(images)
    counts = np.zeros(LEVELS, np.int64)
    for chunk in np.split(images, range(CHUNK, len(images), CHUNK)):
        counts += np.bincount(chunk.ravel(), minlength=LEVELS)  # widens to int64: hence in chunks
    return counts


def intensity(histogram: np.ndarray) -> tuple[float, float]:
    """Mean and population standard deviation of the pixels in [0, 1], from their histogram.

    MNIST's training set gives the 0.1307 and 0.3081 that many scripts normalise with.
    """
    level = np.arange(LEVELS)
    count, total, squares = (int((histogram * level**power).sum()) for power in range(3))
    mean, std = _mean(total, count), _std(count, total, squares)
    return float(mean) / WHITE, float(std) / WHITE


# --- pixel by pixel ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over images from which means and deviations follow, for each class or pooled.

    count: int64 (10,); total and squares, the sums of x and of x * x with x in 0..255: int64
    (10, h, w). Pooled: () and (h, w).
    """

    count: np.ndarray
    total: np.ndarray
    squares: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """float64, shaped as `total`, in 0..255; NaN for a class without images."""
        return _mean(self.total, self._images)

    @property
    def std(self) -> np.ndarray:
        """Population deviation: float64, shaped as `total`; NaN for a class without images."""
        return _std(self._images, self.total, self.squares)

    def pooled(self) -> Moments:
        """The same sums over all classes together."""
        return Moments(*(sums.sum(axis=0) for sums in (self.count, self.total, self.squares)))

    @property
    def _images(self) -> np.ndarray:
        return np.asarray(self.count)[..., None, None]


def moments(images: np.ndarray, labels: np.ndarray) -> Moments:
    """Count, sum and sum of squares of each pixel by class, in one pass over the images."""
    _check_images(images)
    count = class_counts(labels)
    _check_same_length(images, labels)
    height, width = images.shape[1:]
    sums = np.zeros((2, CLASSES, height * width), np.int64)
    for start, pixels in _chunks(images):
        member = labels[start : start + CHUNK] == np.arange(CLASSES)[:, None]
        member = member.astype(np.float32)
        sums[0] += (member @ pixels).astype(np.int64)
        sums[1] += (member @ np.square(pixels)).astype(np.int64)
    total, squares = sums.reshape(2, CLASSES, height, width)
    return Moments(count, total, squares)


def mean_image(images: np.ndarray) -> np.ndarray:
    """Mean of each pixel in 0..255: float64 (h, w)."""
    return _pooled_moments(images).mean


def std_image(images: np.ndarray) -> np.ndarray:
    """Population standard deviation of each pixel in 0..255: float64 (h, w)."""
    return _pooled_moments(images).std


def inked(images: np.ndarray) -> np.ndarray:
    """In how many images each pixel is above 0: int64 (h, w)."""
    _check_images(images)
    counts = np.zeros(images.shape[1:], np.int64)
    for start in range(0, len(images), WHITE):  # as many as a uint8 sum can count
        chunk = images[start : start + WHITE] > 0
        counts += chunk.view(np.uint8).sum(axis=0, dtype=np.uint8)
    return counts


def never_inked(images: np.ndarray) -> np.ndarray:
    """Which pixels are 0 in every image: bool (h, w)."""
    _check_images(images)
    return images.max(axis=0, initial=0) == 0


# --- image by image, class by class --------------------------------------------------------------


def ink(images: np.ndarray) -> np.ndarray:
    """Mean intensity of each image, as a share of full white in [0, 1]: float64 (n,)."""
    _check_images(images)
    height, width = images.shape[1:]
    return images.sum(axis=(1, 2), dtype=np.int64) / (height * width * WHITE)


def ink_by_class(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Quantiles of `ink` in each class, at 5, 25, 50, 75 and 95 percent: float64 (10, 5)."""
    _check_labels(labels)
    _check_same_length(images, labels)
    share = ink(images)
    quantiles = np.full((CLASSES, len(PERCENT)), np.nan)
    for digit in np.unique(labels):
        quantiles[digit] = np.percentile(share[labels == digit], PERCENT)
    return quantiles


def class_counts(labels: np.ndarray) -> np.ndarray:
    """How many labels each class has: int64 (10,)."""
    _check_labels(labels)
    return np.bincount(labels, minlength=CLASSES).astype(np.int64)


# --- arithmetic and checks -----------------------------------------------------------------------


def _mean(total: np.ndarray | int, count: np.ndarray | int) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # 0 / 0: the mean of nothing is NaN
        return np.true_divide(total, count)


def _std(count: np.ndarray | int, total: np.ndarray | int, squares: np.ndarray | int) -> np.ndarray:
    """From whole-number sums: the difference under the root is exact, so it cannot turn negative
    or lose digits, as the textbook mean(x * x) - mean(x)**2 does in floating point."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.asarray(count * squares - total * total, np.float64)) / count


def _pooled_moments(images: np.ndarray) -> Moments:
    return moments(images, np.zeros(len(images), np.uint8)).pooled()


def _chunks(images: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        yield start, chunk.reshape(len(chunk), -1).astype(np.float32)


def _check_uint8(images: np.ndarray) -> None:
    if images.dtype != np.uint8:
        raise ValueError(f"Pixels are uint8 (0 to 255), but these are {images.dtype}.")


def _check_images(images: np.ndarray) -> None:
    _check_uint8(images)
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
