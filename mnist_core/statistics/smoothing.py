"""A curve's line: a moving average over steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def smoothed(values: Sequence[float] | np.ndarray, steps: Sequence[float]) -> np.ndarray:
    """An exponential moving average over the steps that each value covers, unbiased at its start
    (Kingma, Ba 2015, section 3). Its memory is a sixtieth of all steps; same length as `values`."""
    memory = max(1.0, sum(steps) / 60)
    total = weight = 0.0
    line = []
    for value, n in zip(values, steps, strict=True):
        kept = math.exp(-n / memory)
        total, weight = kept * total + (1 - kept) * value, kept * weight + (1 - kept)
        line.append(total / weight)
    return np.array(line)
