"""Label errors: which labels an honest model would not have given.

Each image is judged by a model that was trained without it (out of fold), and images are ranked by
how much more that model believes in another digit than in the label: the "normalized margin" of
Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 2021.
Northcutt, Athalye, Mueller (2021) found 15 wrong labels in MNIST's test set this way.

The model is quick rather than best: digits set upright by their second moments, their first
principal components, and ridge regression onto the ten digits over radial basis functions at
randomly drawn images (Broomhead, Lowe 1988). Ridge needs only sums over images, which are kept
by fold and added up without the fold in question: one pass over the images serves all folds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core.basis import LabError
from mnist_core.imaging import normalization
from mnist_core.network.losses import softmax

from . import projections

SEED = 0
CLASSES = 10
FOLDS = 5
CENTRES = 2500
COMPONENTS = 60
SHARPNESS = 3.0  # over the median squared distance: the best accuracy of 1, 1.5, 3 and 4
RIDGE = 0.1
CHUNK = 1000
TEMPERATURES = np.geomspace(1, 60, 30, dtype=np.float32)
FITTED_ON = 20_000  # images from which the principal components are taken: they change little

Report = Callable[[float], None]


def out_of_fold(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    folds: int = FOLDS,
    centres: int = CENTRES,
    seed: int = SEED,
    report: Report | None = None,
) -> np.ndarray:
    """How likely each digit is for each image, by a model that never saw that image's label.

    images uint8 (n, 28, 28), labels 0…9 (n,); returns float32 (n, 10), rows of sum 1. About half a
    minute for 70,000 images on one core. Raises LabError for fewer than 2 images a fold.
    """
    if len(labels) < 2 * folds:
        raise LabError(f"{folds} folds need at least {2 * folds} images, not {len(labels)}.")
    report = report or (lambda share: None)
    rng = np.random.default_rng(seed)
    points = _points(images, rng, report)
    fold = rng.permutation(len(points)) % folds
    basis = _Basis(points, min(centres, len(points)), rng)
    grams, moments = _sums(basis, points, labels, fold, folds, report)
    scores = np.empty((len(points), CLASSES), np.float32)
    for k in range(folds):
        others = [j for j in range(folds) if j != k]
        weights = _ridge(np.sum(grams[others], axis=0), np.sum(moments[others], axis=0))
        for rows in _chunks(np.flatnonzero(fold == k)):
            scores[rows] = basis(points[rows]) @ weights
        report(0.7 + 0.3 * (k + 1) / folds)
    return _probabilities(scores, labels)


def _points(images: np.ndarray, rng: np.random.Generator, report: Report) -> np.ndarray:
    """Upright images by their first principal components: float32 (n, at most 60)."""
    some = projections.sample(len(images), FITTED_ON, int(rng.integers(2**31)))
    parts = [upright(images[rows]) for rows in _chunks(some)]
    found = projections.pca(np.concatenate(parts))
    points = []
    for rows in _chunks(np.arange(len(images))):
        points.append(found.project(upright(images[rows]), COMPONENTS))
        report(0.35 * (rows[-1] + 1) / len(images))
    return np.concatenate(points)


def upright(images: np.ndarray) -> np.ndarray:
    """Each image deslanted: uint8 (n, h, w) again."""
    return np.round(normalization.deslant(images)).astype(np.uint8)


class _Basis:
    """Radial basis functions exp(−γ |x − c|²) at centres drawn from the points."""

    def __init__(self, points: np.ndarray, count: int, rng: np.random.Generator) -> None:
        self.centres = points[rng.choice(len(points), count, replace=False)]
        self.squares = np.square(self.centres).sum(axis=1)
        between = self._squared(points[rng.choice(len(points), min(500, len(points)))])
        self.gamma = SHARPNESS / max(float(np.median(between)), 1e-9)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return np.exp(-self.gamma * self._squared(points))

    def _squared(self, points: np.ndarray) -> np.ndarray:
        own = np.square(points).sum(axis=1)[:, None]
        return np.maximum(own + self.squares - 2 * points @ self.centres.T, 0)


def _sums(
    basis: _Basis, points: np.ndarray, labels: np.ndarray, fold: np.ndarray, folds: int,
    report: Report,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """ΦᵀΦ and ΦᵀY of each fold: float32 (folds, m, m) and (folds, m, 10)."""
    size, wanted = len(basis.centres), np.eye(CLASSES, dtype=np.float32)
    grams = np.zeros((folds, size, size), np.float32)
    moments = np.zeros((folds, size, CLASSES), np.float32)
    done = 0
    for k in range(folds):
        for rows in _chunks(np.flatnonzero(fold == k)):
            features = basis(points[rows])
            grams[k] += features.T @ features
            moments[k] += features.T @ wanted[labels[rows]]
            done += len(rows)
            report(0.35 + 0.35 * done / len(points))
    return grams, moments


def _ridge(gram: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """(G + λ1)⁻¹ M, in float64 because G is nearly singular: float32 (m, 10)."""
    from scipy import linalg  # here: who only ranks need not load it

    matrix = gram.astype(np.float64)
    matrix.flat[:: len(matrix) + 1] += RIDGE
    solved = linalg.solve(matrix, moment.astype(np.float64), assume_a="pos", overwrite_a=True)
    return solved.astype(np.float32)


def _probabilities(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """softmax(t · scores), the one number t chosen for the least cross-entropy: least squares ranks
    the digits well but is too modest about them (Guo et al. 2017, temperature scaling)."""
    rows = np.arange(len(labels))
    sharper = (softmax(t * scores) for t in TEMPERATURES)
    return min(sharper, key=lambda p: -np.log(np.maximum(p[rows, labels], 1e-12)).mean())


def _chunks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)]


# --------------------------------------------------------------------- ranking


@dataclass(frozen=True, eq=False)
class Ranking:
    """All images, the most suspicious label first. Arrays of length n, in that order:
    `index`; `label` and `predicted` digits; `margin`, the label's probability less the best
    other's, in [-1, 1]; `confident`, whether confident learning counts it as another digit."""

    index: np.ndarray
    label: np.ndarray
    predicted: np.ndarray
    margin: np.ndarray
    confident: np.ndarray


def rank(probabilities: np.ndarray, labels: np.ndarray) -> Ranking:
    """Rank labels 0…9 (n,) by out-of-fold probabilities (n, 10)."""
    rows, margin = np.arange(len(labels)), margins(probabilities, labels)
    order = np.argsort(margin, kind="stable")
    likeliest = probabilities.argmax(axis=1)
    found = (rows, labels, likeliest, margin, off_diagonal(probabilities, labels))
    return Ranking(*(values[order] for values in found))


def margins(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label's probability less the best other's, in [-1, 1]: float (n,)."""
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -1
    return probabilities[rows, labels] - others.max(axis=1)


def off_diagonal(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which images the confident joint counts under another digit than their label: bool (n,).

    A digit is believed if its probability reaches the mean that it has among images so labelled;
    of several believed, the likeliest counts (Northcutt et al. 2021, section 3.1).
    """
    sums = np.zeros(CLASSES)
    np.add.at(sums, labels, probabilities[np.arange(len(labels)), labels])
    counts = np.bincount(labels, minlength=CLASSES)
    threshold = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    believed = np.where(probabilities >= threshold, probabilities, 0)
    return (believed.max(axis=1) > 0) & (believed.argmax(axis=1) != labels)
