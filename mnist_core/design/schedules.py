"""How the learning rate moves over a run: a factor for each step, from 0 to the base rate.

The same values as Keras's schedule objects, but computed outside the compiled step, so that another
schedule, or a hand on the learning rate, needs no new compilation. NumPy only.
"""

from __future__ import annotations

import numpy as np

WARM_UP = 0.1  # of all steps
DROPS = (0.5, 0.75)  # of all steps; each divides the rate by ten


def factors(schedule: str, first: int, count: int, total: int) -> np.ndarray:
    """Factors of the learning rate for `count` of `total` steps, from `first` on: float32 (count,).

    `schedule` is a name of `choices.SCHEDULES`; KeyError for another.
    """
    step = np.arange(first, first + count, dtype=np.float64)
    return _SCHEDULES[schedule](step, total).astype(np.float32)


def boundaries(total: int) -> list[int]:
    """After which steps the stepwise schedule drops."""
    return [int(share * total) for share in DROPS]


def warm_up_steps(total: int) -> int:
    """How many steps the warm-up takes."""
    return int(WARM_UP * total)


def _constant(step: np.ndarray, total: int) -> np.ndarray:
    return np.ones_like(step)


def _steps(step: np.ndarray, total: int) -> np.ndarray:
    dropped = np.searchsorted(boundaries(total), step, side="left")  # boundaries below the step
    return 0.1**dropped.astype(float)


def _cosine(step: np.ndarray, total: int) -> np.ndarray:
    """Loshchilov, Hutter (2017), without restarts."""
    return 0.5 * (1 + np.cos(np.pi * np.minimum(step / total, 1)))


def _warm_up(step: np.ndarray, total: int) -> np.ndarray:
    """Linear from 0 over the first tenth, then a cosine over the rest (Goyal et al. 2017)."""
    rising = warm_up_steps(total)
    falling = _cosine(np.maximum(step - rising, 0), total - rising)
    return np.where(step < rising, step / max(1, rising), falling)


_SCHEDULES = {"constant": _constant, "step": _steps, "cosine": _cosine, "warmup": _warm_up}
