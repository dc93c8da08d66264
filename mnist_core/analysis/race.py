"""A fair race: the same beginning, the same images in the same order, one setting changed; and who
won, by a paired test on the same test images.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import ndtri

from mnist_core.basis import numbers
from mnist_core.design.spec import RunSpec
from mnist_core.network import initial

from . import evaluation
from .evaluation import CONFIDENCE

FEWEST, MOST = 2, 6  # racers


# --------------------------------------------------------------------- the beginning


def initial_weights(spec: RunSpec) -> dict[str, np.ndarray]:
    """Initial weights of a design, float32, by the names of `initial.weight_shapes`. Each follows
    from the seed, its name and its shape alone, so that what two designs share begins alike."""
    return {
        name: initial.initial_weight(
            name, shape, spec.initializer,
            np.random.default_rng([spec.seed, zlib.crc32(name.encode()), *shape]),
        ).astype(np.float32)
        for name, shape in initial.weight_shapes(spec).items()
    }  # fmt: skip


def fairness(specs: Sequence[RunSpec]) -> list[str]:
    """What is the same for all racers and what is not, in plain sentences."""
    return [_beginnings(specs), _orders(specs)]


def _beginnings(specs: Sequence[RunSpec]) -> str:
    kernels = [
        {n: s for n, s in initial.weight_shapes(x).items() if n.endswith("/kernel")} for x in specs
    ]
    shared = set.intersection(*(set(shapes.items()) for shapes in kernels))
    every = set.union(*(set(shapes.items()) for shapes in kernels))
    if len({spec.seed for spec in specs}) > 1:
        return "Initial weights and the order of the images differ: the seed decides both."
    if len({spec.initializer for spec in specs}) > 1:
        return "Initial weights are drawn from the same seed, in the way that is compared."
    if shared == every:
        return "All begin with the same weights."
    if not shared:
        return "No layer has the same shape in all of them, so none begins with the same weights."
    names = ", ".join(sorted(name.split("/")[0] for name, _ in shared))
    return f"What has the same shape in all begins with the same weights ({names})."


def _orders(specs: Sequence[RunSpec]) -> str:
    if len({(spec.validation, spec.validation_share) for spec in specs}) > 1:
        return "They train on different images: the share kept for validation differs."
    if len({spec.seed for spec in specs}) > 1:
        return "They see the same images, each in an order of its own."
    if len({spec.batch_size for spec in specs}) > 1:
        return "They see the same images in the same order, cut into batches of different size."
    return "They see the same images in the same order, in the same batches."


# ------------------------------------------------------------------------ the verdict


@dataclass(frozen=True)
class Pair:
    """Two racers on `n` test images, the better one first: it has `ahead` more right, as a share
    `difference` with its 95 % interval `low`…`high`. `p` is McNemar's, `adjusted` Holm's."""

    better: str
    other: str
    n: int
    ahead: int
    difference: float
    low: float
    high: float
    p: float
    adjusted: float

    @property
    def differs(self) -> bool:
        return self.adjusted < 1 - CONFIDENCE


def verdict(right: Mapping[str, np.ndarray]) -> list[Pair]:
    """All pairs of racers, by name who was right, bool (n,) each. With more than two racers the p
    values are corrected for the number of pairs (Holm 1979)."""
    pairs = [_pair(a, b, right[a], right[b]) for a, b in combinations(right, 2)]
    adjusted = holm([pair.p for pair in pairs])
    return [replace(x, adjusted=p) for x, p in zip(pairs, adjusted, strict=True)]


def _pair(a: str, b: str, first: np.ndarray, second: np.ndarray) -> Pair:
    if second.sum() > first.sum():
        a, b, first, second = b, a, second, first
    found = evaluation.mcnemar(first, second)
    n = len(first)
    low, high = interval(found.only_first, found.only_second, n)
    ahead = found.only_first - found.only_second
    return Pair(a, b, n, ahead, ahead / n, low, high, found.p, found.p)


def interval(only_first: int, only_second: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a difference of paired shares: Wald's with half an image added to each
    of the four counts (Agresti, Min 2005), which holds where few images differ."""
    b, c, m = only_first + 0.5, only_second + 0.5, n + 2
    half = ndtri((1 + CONFIDENCE) / 2) * np.sqrt(b + c - (b - c) ** 2 / m) / m
    return float((b - c) / m - half), float((b - c) / m + half)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): below 0.05 all of these are told from chance together
    with an error of at most 5 %."""
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(np.argsort(p, kind="stable")):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


def sentence(pairs: Sequence[Pair]) -> str:
    """Who won, in plain words."""
    if len(pairs) == 1:
        return _one(pairs[0])
    told = [pair for pair in pairs if pair.differs]
    after = f"after Holm's correction for {len(pairs)} comparisons"
    if not told:
        return f"No two of them can be told apart: every difference would often be chance, {after}."
    words = "; ".join(f"{x.better} is better than {x.other} ({_more(x)})" for x in told)
    rest = len(pairs) - len(told)
    others = f" The other {rest} pair{'s' * (rest > 1)} may differ by chance." if rest else ""
    return f"More than chance, {after}: {words}.{others}"


def winner(accuracies: Mapping[str, float | None]) -> str:
    """Who of the racers read most test images right (0…1); "" while one of them has no accuracy,
    and where several share the first place."""
    there = [x for x in accuracies.values() if x is not None]
    if not there or len(there) < len(accuracies):
        return ""
    first = [name for name, x in accuracies.items() if x == max(there)]
    return first[0] if len(first) == 1 else ""


def guessed(guess: str, accuracies: Mapping[str, float | None]) -> str:
    """A guess at the winner beside what came, in a sentence; "" without both."""
    won = winner(accuracies)
    if not guess or None in accuracies.values():
        return ""
    if not won:
        return f"You guessed {guess}; several share the first place."
    if won == guess:
        return f"You guessed {guess}, and so it came."
    return f"You guessed {guess}; {won} read more of the test images right."


def _one(pair: Pair) -> str:
    if not pair.ahead:
        return f"{pair.better} and {pair.other} read equally many of {pair.n:,} images right."
    if pair.differs:
        chance = numbers.significant(pair.p, 2)
        return (f"{pair.better} is better than {pair.other}: {_more(pair)}. So large a difference "
                f"comes by chance with probability {chance}.")  # fmt: skip
    return (f"{pair.better} did better than {pair.other}: {_more(pair)}, but so small a difference "
            "would often be chance (with probability "
            f"{numbers.significant(pair.p, 2)}).")  # fmt: skip


def _more(pair: Pair) -> str:
    """How far the better one is ahead, in images, with the interval."""
    low, high = (round(pair.n * share) for share in (pair.low, pair.high))
    least = f"{-low:,} fewer" if low < 0 else f"{low:,}"
    return f"{pair.ahead:,} more right out of {pair.n:,} (95 % interval: {least} to {high:,} more)"
