"""What a network was on its way: a few copies of its weights, so that a run can be played again.

A run's loss falls by powers of ten of steps, so the copies are taken at evenly spaced logarithms of
the step. They are kept as float16, which is exact enough to look at and to answer with, and their
number follows from a budget of bytes: a large network has fewer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mnist_core.storage import npz

MOST = 24
FEWEST = 4  # with fewer there is no film to see
BUDGET = 16_000_000  # bytes for all snapshots of a run


@dataclass(frozen=True)
class Snapshot:
    """The weights after `step` batches, float16 by the names that `Network.from_weights` takes."""

    step: int
    weights: Mapping[str, np.ndarray] = field(repr=False, compare=False)


def marks(total: int, parameters: int) -> tuple[int, ...]:
    """After which of `total` steps a network of so many parameters is copied, 0 and the last one
    among them; none if the budget allows too few."""
    count = min(MOST, BUDGET // (2 * parameters))
    if count < FEWEST or total < 1:
        return ()
    spread = np.geomspace(1, total, count - 1).round().astype(int)
    return tuple(int(step) for step in np.unique([0, *spread]))


def take(step: int, weights: Mapping[str, np.ndarray]) -> Snapshot:
    """A copy of weights that may go on changing."""
    with np.errstate(over="ignore"):  # a run that diverges is copied too
        return Snapshot(step, {name: value.astype(np.float16) for name, value in weights.items()})


def merged(before: Sequence[Snapshot], after: Sequence[Snapshot]) -> list[Snapshot]:
    """The snapshots of a run that was taken up again, thinned to the same number as any run's."""
    kept = {snapshot.step: snapshot for snapshot in (*before, *after)}
    steps = sorted(kept)
    most = max(len(before), len(after))
    chosen = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))
    return [kept[steps[i]] for i in chosen]


def to_bytes(snapshots: Sequence[Snapshot]) -> bytes:
    """All of them as an .npz file: keys "step/layer/variable"."""
    return npz(
        {f"{snapshot.step}/{name}": value
         for snapshot in snapshots for name, value in snapshot.weights.items()},
        compressed=True,
    )  # fmt: skip


def from_arrays(arrays: Mapping[str, np.ndarray]) -> list[Snapshot]:
    """Those that `to_bytes` wrote, from the arrays of its file, by step."""
    steps: dict[int, dict[str, np.ndarray]] = {}
    for key, value in arrays.items():
        step, _, name = key.partition("/")
        steps.setdefault(int(step), {})[name] = value
    return [Snapshot(step, steps[step]) for step in sorted(steps)]
