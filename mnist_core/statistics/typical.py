"""How far apart classes lie, and which members of a class are typical or odd.

Distances are taken in the space of all pixels, each from 0 to 1: two images that differ in one
pixel by all of its range are 1 apart.
"""

from __future__ import annotations

import math

import numpy as np

COMPONENTS = 50
WHITE = 255


def between(means: np.ndarray) -> np.ndarray:
    """Euclidean distances between class means (10, h, w) in 0..255: float64 (10, 10).
    NaN where a class has no mean."""
    flat = means.reshape(len(means), -1) / WHITE
    return np.linalg.norm(flat[:, None] - flat[None], axis=2)


def from_mean(images: np.ndarray) -> np.ndarray:
    """Euclidean distance of each image from the mean of all given: float32 (n,).

    Small is typical. It grows with the ink, so that its odd ones are bold or sprawling.
    """
    return np.linalg.norm(_centred(images), axis=1)


def mahalanobis(images: np.ndarray, components: int = COMPONENTS) -> np.ndarray:
    """Distance from the mean in standard deviations, over the first principal components of the
    images at half their size: float32 (n,); at most `components`, as many as they span.

    Mahalanobis 1936: each direction counts by how much the images usually vary along it, so that
    its odd ones are oddly built, whatever their ink. Halved, because that keeps what is seen and
    makes the eigenvalues sixty times cheaper.
    """
    centred = _centred(_halved(images))
    variance, directions = np.linalg.eigh(centred.T @ centred / max(1, len(centred)))
    kept = np.flatnonzero(variance > 1e-6 * variance[-1])[-components:]
    scores = centred @ directions[:, kept]
    return np.linalg.norm(scores / np.sqrt(variance[kept]), axis=1)


MEASURES = {"usual variation": mahalanobis, "plain distance": from_mean}


def _halved(images: np.ndarray) -> np.ndarray:
    """The mean of each 2×2 block, of images (n, h, w) whose sides are even: float32."""
    n, height, width = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2)
    return blocks.mean(axis=(2, 4), dtype=np.float32)


def _centred(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), math.prod(images.shape[1:])) / np.float32(WHITE)
    return flat - flat.mean(axis=0) if len(flat) else flat
