"""The digits as points: projections to a plane, principal components, nearest neighbours.

An image is a point in a space with an axis for each of its 784 pixels; all values here are in
[0, 1]. scikit-learn does the mathematics, and is imported where it is used: it takes a second and
60 MB, which a process that only reads results need not spend.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mnist_core.basis import LabError

SEED = 0
SAMPLE = 3000  # points of a map: more take minutes and cover each other
FEATURES = 50  # principal components that t-SNE and UMAP start from, as van der Maaten advises
WHITE = 255
CHUNK = 256  # images turned to floating point at a time: what stays in a processor's cache

Report = Callable[[float], None]


@dataclass(frozen=True)
class Method:
    """A way to a plane: what it is called, what its picture can and cannot say, its source."""

    label: str
    says: str
    source: str


METHODS: Mapping[str, Method] = {
    "pca": Method(
        "PCA",
        "The plane on which the images spread widest: a shadow of the whole, with true distances "
        "in the plane and none of what lies across it.",
        "Pearson 1901",
    ),
    "tsne": Method(
        "t-SNE",
        "Near neighbours stay neighbours; how far apart two groups are, and how large, says "
        "little.",
        "van der Maaten, Hinton 2008",
    ),
    "umap": Method(
        "UMAP",
        "Near neighbours stay neighbours, and groups keep somewhat more of their arrangement than "
        "under t-SNE.",
        "McInnes, Healy, Melville 2018",
    ),
}


def methods() -> dict[str, Method]:
    """The methods that this machine has. UMAP's library brings a compiler of 150 MB (numba) for
    one more picture, so it is used where it is installed and not asked for."""
    there = importlib.util.find_spec("umap") is not None
    return {name: method for name, method in METHODS.items() if name != "umap" or there}


def sample(n: int, count: int = SAMPLE, seed: int = SEED) -> np.ndarray:
    """At most `count` of the indices 0…n−1, in order, drawn without replacement: int64."""
    return np.sort(np.random.default_rng(seed).choice(n, min(n, count), replace=False))


def flat(images: np.ndarray) -> np.ndarray:
    """uint8 (n, h, w) -> float32 (n, h·w) in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(WHITE)


# ------------------------------------------------------------------------- PCA


@dataclass(frozen=True, eq=False)
class Pca:
    """Principal components: mean (d,), components (k, d) with orthonormal rows, the one that
    explains most first, and variances (k,), the variance along each. All float32."""

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray

    @property
    def explained(self) -> np.ndarray:
        """The share of all variance along each component: float64 (k,), 0 where nothing varies."""
        total = self.variances.sum(dtype=np.float64)
        return self.variances / (total if total > 0 else 1.0)

    def project(self, images: np.ndarray, k: int | None) -> np.ndarray:
        """Coordinates of uint8 (n, h, w) along the first `k` components, None for all of them:
        float32 (n, k)."""
        return (flat(images) - self.mean) @ self.components[:k].T

    def rebuild(self, image: np.ndarray, k: int) -> np.ndarray:
        """A uint8 image (h, w) from its first `k` coordinates and the mean: float32 (h, w), about
        in [0, 1]; with all components it is the image again."""
        coordinates = self.project(image[None], k)[0]
        return (self.mean + coordinates @ self.components[:k]).reshape(image.shape)

    def errors(self, image: np.ndarray) -> np.ndarray:
        """Root mean square error over the pixels of `rebuild` with 0, 1, … all components: float64
        (k + 1,), in [0, 1]. The components are orthonormal, so each takes the square of its
        coordinate off the squared error."""
        gone = np.cumsum(np.square(self.project(image[None], None)[0].astype(np.float64)))
        start = np.square(flat(image[None])[0].astype(np.float64) - self.mean).sum()
        return np.sqrt(np.maximum(start - np.concatenate([[0], gone]), 0) / image.size)


def pca(images: np.ndarray) -> Pca:
    """All principal components of uint8 (n, h, w), at most h·w or n of them.

    Through the covariance matrix (sklearn's `covariance_eigh`): exact, without chance, a few
    seconds for 60,000 images. Raises LabError for fewer than two images.
    """
    from sklearn.decomposition import PCA

    if len(images) < 2:
        raise LabError(f"Components need at least two images, but there are {len(images)}.")
    fitted = PCA(svd_solver="covariance_eigh", copy=False).fit(flat(images))
    return Pca(*(np.asarray(a, np.float32) for a in (fitted.mean_, fitted.components_,
                                                fitted.explained_variance_)))  # fmt: skip


# ------------------------------------------------------------- t-SNE and UMAP


def tsne(images: np.ndarray, seed: int = SEED, report: Report | None = None) -> np.ndarray:
    """t-SNE of uint8 (n, h, w): float32 (n, 2); the same seed gives the same map.

    Perplexity 30, or less for under 91 images; it begins from the PCA plane, so that groups keep
    their places from seed to seed (Kobak, Berens 2019). `report` gets the share that is done. It
    listens to standard output, which is the process's own: do not run it beside other threads
    that write there. Raises LabError for fewer than five images.
    """
    from sklearn.manifold import TSNE

    near = TSNE(random_state=seed, init="pca", perplexity=min(30.0, (len(images) - 1) / 3),
                verbose=2)  # fmt: skip
    report = report or (lambda share: None)
    with contextlib.redirect_stdout(_Iterations(near.max_iter, report)):
        plane = np.asarray(near.fit_transform(_features(images, seed)))
    report(1.0)  # it may have ended early, because nothing moved any more
    return plane.astype(np.float32)


def umap(images: np.ndarray, seed: int = SEED, report: Report | None = None) -> np.ndarray:
    """UMAP of uint8 (n, h, w): float32 (n, 2), with 15 neighbours. It says nothing on the way.
    Raises LabError for fewer than five images, ImportError without its library."""
    UMAP = importlib.import_module("umap").UMAP

    features = _features(images, seed)
    near = UMAP(n_neighbors=min(15, len(images) - 1), random_state=seed, n_jobs=1)
    return near.fit_transform(features).astype(np.float32)


def _features(images: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA

    if len(images) < 5:
        raise LabError(f"A map needs at least five images, but there are {len(images)}.")
    count = min(FEATURES, len(images))
    return PCA(count, svd_solver="randomized", random_state=seed).fit_transform(flat(images))


class _Iterations(io.TextIOBase):
    """What scikit-learn prints while it iterates, as the share that is done."""

    def __init__(self, most: int, report: Report) -> None:
        self.most, self.report = most, report

    def write(self, text: str) -> int:
        if found := re.search(r"Iteration (\d+)", text):
            self.report(min(1.0, int(found[1]) / self.most))
        return len(text)


# ----------------------------------------------------------- nearest neighbours


def distances(images: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Euclidean distance of uint8 (n, h, w) to one gray (h, w), 0…255: float64 (n,), 1 for a
    pixel that is black in one and white in the other. From whole-number sums: equal images are at
    0."""
    rows, wanted = images.reshape(len(images), -1), image.ravel().astype(np.float64)
    buffer, squares = np.empty((CHUNK, wanted.size)), np.empty(len(rows))
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        difference = np.subtract(chunk, wanted, out=buffer[: len(chunk)])
        squares[start : start + CHUNK] = np.einsum("ij,ij->i", difference, difference)
    return np.sqrt(squares) / WHITE


def nearest(
    images: np.ndarray, image: np.ndarray, count: int, but: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The `count` images nearest to a gray image (h, w), 0…255, the nearest first and of equal ones
    the earlier first: indices int64 (count,) and distances float64 (count,). The one at the index
    `but` is left out."""
    found = distances(images, image)
    if but is not None:
        found[but] = np.inf
    order = np.argsort(found, kind="stable")[: min(count, len(images) - (but is not None))]
    return order, found[order]


def agreement(points: np.ndarray, labels: np.ndarray) -> float:
    """The share of points (n, d), n above 1, whose nearest other point has the same label."""
    points = points.astype(np.float32) - points.mean(axis=0, dtype=np.float32)
    squares, same = np.square(points).sum(axis=1), 0
    for start in range(0, len(points), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(points)))
        away = squares - 2 * points[rows] @ points.T
        away[np.arange(len(rows)), rows] = np.inf
        same += int((labels[away.argmin(axis=1)] == labels[rows]).sum())
    return same / len(points)
