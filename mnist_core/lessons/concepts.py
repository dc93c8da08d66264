"""Small ideas of the field as functions of their own, so that a page can show them at work.

What the networks themselves compute with is in `network`; here is what it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_core.network.layers import ACTIVATIONS, BatchNormalization, Dropout
from mnist_core.network.losses import softmax

Array = np.ndarray

NATS_PER_BIT = float(np.log(2))
LARGEST_EXPONENT = float(np.log(np.finfo(np.float32).max))  # e to more than this is no float32


def naive_softmax(logits: Array) -> Array:
    """e^z / Σ e^z as the formula stands, (k,) in the dtype of the logits: where e^z overflows it
    is inf / inf, which is NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(logits)
        return e / e.sum()


def tempered(logits: Array, temperature: float) -> Array:
    """softmax(z / T), (k,): sharper below T = 1, flatter above (Hinton et al. 2015)."""
    return softmax(logits / temperature)


def entropy(p: Array) -> float:
    """−Σ p log p in nats, with 0 log 0 = 0."""
    some = p[p > 0]
    return float(-(some * np.log(some)).sum())


def categorical_cross_entropy(logits: Array, targets: Array) -> float:
    """Mean −Σ y log p in nats, for logits and targets y (n, k), each target adding up to 1."""
    top = logits.max(axis=1, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return float(-(targets * log_p).sum(axis=1).mean())


def sparse_cross_entropy(logits: Array, labels: Array) -> float:
    """Mean −log p[label] in nats, for logits (n, k) and labels (n,): p is looked up, not summed."""
    p = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(p).mean())


def derivative(activation: str, z: float) -> tuple[float, float]:
    """An activation of `network.ACTIVATIONS` and its derivative at z."""
    function, slope = ACTIVATIONS[activation]
    at = np.array([z])
    a = function(at)
    return float(a[0]), float(slope(at, a)[0])


def difference_quotient(f: Callable[[float], float], z: float, h: float = 1e-5) -> float:
    """(f(z + h) − f(z − h)) / 2h, which differs from the derivative by about h²."""
    return (f(z + h) - f(z - h)) / (2 * h)


def normalised(z: Array, gamma: float = 1.0, beta: float = 0.0) -> Array:
    """Pre-activations (n, m) as batch normalisation hands them on in training."""
    m, dtype = z.shape[1], z.dtype
    layer = BatchNormalization("norm", np.full(m, gamma, dtype), np.full(m, beta, dtype),
                               np.zeros(m, dtype), np.ones(m, dtype))  # fmt: skip
    return layer.forward(z, training=True)


def dropped(a: Array, rate: float, draws: int, rng: np.random.Generator) -> Array:
    """Activations (m,) after so many draws of dropout's mask: (draws, m)."""
    return Dropout("dropout", rate, rng).forward(np.tile(a, (draws, 1)), training=True)


def running_mean(values: Array) -> Array:
    """The mean of the first 1, 2, …, n of values (n,)."""
    return np.cumsum(values) / np.arange(1, len(values) + 1)
