"""How good a model is, from its answers alone: scores, intervals, tests, calibration, ranking.

Labels are whole numbers 0…9 (n,), probabilities (n, 10) with rows that sum to 1, n at least 1; any
other array raises a ValueError that says what was wrong. Shares lie in 0…1; one of nothing is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, ndtri

from mnist_core.basis import numbers

CLASSES = 10
CONFIDENCE = 0.95
CALIBRATION_BINS = 15  # as Guo et al. take; another number gives another error
TREND_BINS = 8
LEAST = np.finfo(np.float32).tiny  # a probability of 0 would cost an infinite loss


@dataclass(frozen=True)
class Scores:
    """Of `n` images: `right` and `top2` count those whose label came first, or first or second.
    `low` and `high` are the accuracy's 95 % Wilson interval; `loss` is the mean −log p in nats."""

    n: int
    right: int
    top2: int
    low: float
    high: float
    loss: float

    @property
    def accuracy(self) -> float:
        return self.right / self.n

    @property
    def top2_accuracy(self) -> float:
        return self.top2 / self.n


def scores(labels: np.ndarray, probabilities: np.ndarray) -> Scores:
    """The figures that a model is usually summed up by."""
    _check(labels, probabilities)
    right = int((probabilities.argmax(axis=1) == labels).sum())
    top2 = int((rank(labels, probabilities) < 2).sum())
    low, high = wilson(right, len(labels))
    truth = probabilities[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(truth, LEAST), dtype=np.float64).mean())
    return Scores(len(labels), right, top2, float(low), float(high), loss)


def rank(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """How many classes each image's true label was placed behind: int (n,), 0 if it came first. Of
    equal probabilities the smaller digit comes first, as in argmax."""
    _check(labels, probabilities)
    truth = probabilities[np.arange(len(labels)), labels][:, None]
    before = np.arange(CLASSES) < np.asarray(labels)[:, None]
    return ((probabilities > truth) | ((probabilities == truth) & before)).sum(axis=1)


def wilson(
    right: np.ndarray | int, n: np.ndarray | int, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """The interval of a share `right / n` (Wilson 1927): it stays within 0…1 and holds near the
    ends, where that of the normal approximation does not. NaN for n = 0."""
    z = ndtri((1 + confidence) / 2)
    right, n = np.asarray(right, np.float64), np.asarray(n, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share, spread = right / n, z * z / n
        middle = (share + spread / 2) / (1 + spread)
        half = np.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)


def difference(
    first: int, of_first: int, second: int, of_second: int
) -> tuple[float, float, float]:
    """Share `first / of_first` less `second / of_second`, of two independent samples, with its 95 %
    interval (Newcombe 1998, method 10: both Wilson intervals together)."""
    a, b = first / of_first, second / of_second
    (low_a, high_a), (low_b, high_b) = wilson(first, of_first), wilson(second, of_second)
    return (a - b, float(a - b - np.hypot(a - low_a, high_b - b)),
            float(a - b + np.hypot(high_a - a, b - low_b)))  # fmt: skip


# --- class by class -------------------------------------------------------------------------------


def confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """How often each true digit (row) was read as each digit (column): int64 (10, 10)."""
    _check_labels(labels)
    _check_labels(predicted)
    if len(labels) != len(predicted):
        raise ValueError(f"{len(labels)} labels cannot go with {len(predicted)} answers.")
    pairs = CLASSES * np.asarray(labels, np.int64) + predicted
    return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def rates(counts: np.ndarray) -> np.ndarray:
    """The confusion as shares of each true digit: float64 (10, 10), rows that sum to 1; NaN in the
    row of a digit that does not occur."""
    return _share(counts, counts.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class PerClass:
    """Float64 (10,) each, NaN where undefined; `support` counts the images of a digit."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def per_class(counts: np.ndarray) -> PerClass:
    """Precision TP / (TP + FP), recall TP / (TP + FN) and F1, their harmonic mean, of each digit,
    from a confusion matrix of counts."""
    hits, said, true = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    return PerClass(_share(hits, said), _share(hits, true), _share(2 * hits, said + true), true)


def errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The misread images, that of which the model was surest first: int (errors,)."""
    _check(labels, probabilities)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


# --- calibration and trends -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Binned:
    """Accuracy along a value that each image has. `edges` (bins + 1,); for each bin its images'
    `count`, the `mean` of their values, their `accuracy` and its Wilson interval `low`…`high`, all
    (bins,) and NaN for an empty bin."""

    edges: np.ndarray
    count: np.ndarray
    mean: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray


def calibration(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS
) -> Binned:
    """How often the model is right when it is so sure: the accuracy in equal steps of its
    confidence, the largest probability, from 0 to 1 (Guo et al. 2017, section 2)."""
    _check(labels, probabilities)
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, bins + 1)
    return _binned(confidence, probabilities.argmax(axis=1) == labels, edges)


def calibration_error(curve: Binned) -> float:
    """Expected calibration error Σ |B| / n · |accuracy(B) − confidence(B)| over the bins B of
    `calibration` (Guo et al. 2017, formula 3)."""
    gaps = curve.count * np.abs(curve.accuracy - curve.mean)
    return float(np.nansum(gaps) / curve.count.sum())


@dataclass(frozen=True)
class Lean:
    """Mean confidence `sure` against the accuracy `right`, and the 95 % interval `low`…`high` of
    their difference, right less sure."""

    sure: float
    right: float
    low: float
    high: float


def lean(labels: np.ndarray, probabilities: np.ndarray) -> Lean:
    """Whether the model is surer than it is right, or less sure: the mean over the images of
    (1 if right, else 0) − confidence, with the interval of a mean by its standard error."""
    _check(labels, probabilities)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    off = right - confidence
    half = ndtri((1 + CONFIDENCE) / 2) * off.std() / np.sqrt(len(off))
    return Lean(float(confidence.mean()), float(right.mean()),
                float(off.mean() - half), float(off.mean() + half))  # fmt: skip


def trend(values: np.ndarray, right: np.ndarray, bins: int = TREND_BINS) -> Binned:
    """The accuracy along a measure of the images, in bins of equally many; `values` float (n,), of
    which NaN are left out, `right` bool (n,). Equal values never part, so bins may be fewer."""
    known = np.isfinite(values)
    if not known.any():
        raise ValueError("None of these images has the measure.")
    edges = np.unique(np.quantile(values[known].astype(np.float64), np.linspace(0, 1, bins + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    return _binned(values[known].astype(np.float64), right[known], edges)


def _binned(values: np.ndarray, right: np.ndarray, edges: np.ndarray) -> Binned:
    """Bins open below and closed above, the first closed at both ends."""
    bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    hits = np.bincount(place, weights=right, minlength=bins)
    mean = _share(np.bincount(place, weights=values, minlength=bins), count)
    return Binned(edges, count, mean, _share(hits, count), *wilson(hits, count))


def worst(binned: Binned, overall: float, looked_at: int) -> tuple[np.ndarray, bool]:
    """The bins (k,) of least accuracy, several where they are alike, and whether that lies below
    the accuracy `overall` by more than chance. The worst of `looked_at` bins was looked for, so its
    interval is that of one in so many (Bonferroni)."""
    least = np.nanmin(binned.accuracy)
    found = np.flatnonzero(binned.accuracy == least)
    hits = binned.accuracy[found] * binned.count[found]
    _, high = wilson(hits, binned.count[found], 1 - (1 - CONFIDENCE) / looked_at)
    return found, bool((high < overall).all())


# --- two models on the same images ----------------------------------------------------------------


@dataclass(frozen=True)
class Paired:
    """Two models on the same images: how many only the first and only the second read right, and
    the probability `p` of a split at least so uneven if neither were better."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: np.ndarray, second: np.ndarray) -> Paired:
    """McNemar's test (1947) in its exact form: of the images on which the two differ, either wins
    each with probability ½; two-sided binomial. `first` and `second` bool (n,): who was right."""
    if len(first) != len(second):
        raise ValueError(
            f"Both models answer the same images, but these are {len(first)} and {len(second)}."
        )
    ahead, behind = int((first & ~second).sum()), int((second & ~first).sum())
    p = 2 * bdtr(float(min(ahead, behind)), ahead + behind, 0.5) if ahead + behind else 1.0
    return Paired(ahead, behind, min(1.0, float(p)))


def verdict(paired: Paired, first: str, second: str) -> str:
    """What a paired test says, in plain words; the names stand at the start of a sentence."""
    a, b = paired.only_first, paired.only_second
    if not a + b:
        return f"{first} and {second} are right and wrong on the same images."
    counted = f"{first} alone is right on {a:,} images, {second} alone on {b:,}."
    chance = numbers.significant(paired.p, 2)
    if paired.p >= 1 - CONFIDENCE:
        return (f"{counted} So uneven a split, or more, comes by chance with probability {chance}: "
                "no evidence that either reads better.")  # fmt: skip
    better = first if a > b else second
    return (f"{counted} {better} reads better: so uneven a split comes by chance with probability "
            f"{chance}.")  # fmt: skip


# --- checks ---------------------------------------------------------------------------------------


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # 0 / 0: a share of nothing is NaN
        return np.true_divide(part, whole)


def _check_labels(labels: np.ndarray) -> None:
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"Labels are whole numbers (n,), not {labels.dtype} {labels.shape}.")
    if not labels.size:
        raise ValueError("There are no images to measure on.")
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(f"Labels lie in 0 to 9, but these in {labels.min()} to {labels.max()}.")


def _check(labels: np.ndarray, probabilities: np.ndarray) -> None:
    _check_labels(labels)
    if probabilities.shape != (len(labels), CLASSES):
        raise ValueError(
            f"{len(labels)} labels need probabilities of the shape ({len(labels)}, {CLASSES}), "
            f"but these have {probabilities.shape}."
        )
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise ValueError("The ten probabilities of each image must sum to 1.")
