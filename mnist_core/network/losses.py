"""What a network's logits are worth: softmax, and the cross-entropy with its gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from .layers import Array


def softmax(logits: Array) -> Array:
    """Probabilities (n, 10) from logits (n, 10); the maximum is subtracted so that no e^x
    overflows, which changes nothing: it cancels in the fraction."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def one_hot(labels: Array, classes: int = 10, dtype: DTypeLike = np.float32) -> Array:
    """Labels (n,) as rows (n, classes) of zeros with a 1 in the place of the label."""
    return np.eye(classes, dtype=dtype)[labels]


def cross_entropy(logits: Array, labels: Array, smoothing: float = 0.0) -> tuple[float, Array]:
    """Mean −log p[label] in nats over n images, and its gradient (p − one-hot) / n by the logits.

    logits (n, 10), labels (n,) whole numbers. `smoothing` spreads this share of each label over
    all classes: −Σ t log p with t = (1 − s) one-hot + s / 10 (Szegedy et al. 2016).
    """
    rows, largest = np.arange(len(labels)), logits.argmax(axis=1)
    shifted = logits - logits[rows, largest, None]
    others = np.exp(shifted)
    others[rows, largest] = 0
    # log(1 + others) by log1p: a sure answer's loss is tiny, and the 1 would swallow its digits.
    loss = np.log1p(others.sum(axis=1)) - shifted[rows, labels]
    d_logits = softmax(logits)
    d_logits[rows, labels] -= 1
    if smoothing:
        loss += smoothing * (shifted[rows, labels] - shifted.mean(axis=1))
        d_logits += smoothing * (one_hot(labels, 10, logits.dtype) - 0.1)
    return float(loss.mean()), d_logits / np.asarray(len(labels), logits.dtype)
