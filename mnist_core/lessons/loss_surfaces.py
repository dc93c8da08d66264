"""A loss with two weights, small enough to be drawn whole, and the paths of descent on it.

The model is logistic regression on two features of an image: p = σ(w₁x₁ + w₂x₂), with the loss
−log p of the right class, averaged. Its gradient is mean (p − t) x, its curvature mean p(1 − p) xxᵀ
(Bishop 2006, section 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mnist_core.basis import LabError
from mnist_core.network.layers import sigmoid
from mnist_core.network.optimizers import Optimizer

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Surface:
    """Features float64 (n, 2) with mean zero, so without a bias, and targets 0 or 1 (n,). They were
    made of measures: (measure − `mean`) / `scale`, both (2,)."""

    features: Array
    targets: Array
    mean: Array
    scale: Array

    def accuracy(self, weights: Array) -> float:
        """The share of images of which the class is the likelier one at weights (2,)."""
        return float(((self.features @ weights > 0) == (self.targets > 0.5)).mean())

    def loss(self, weights: Array) -> Array:
        """The mean loss in nats at weights (…, 2): (…)."""
        z = weights @ self.features.T
        return (np.logaddexp(0, z) - self.targets * z).mean(axis=-1)

    def gradient(self, weights: Array, rows: Array | slice = slice(None)) -> Array:
        """∂loss/∂weights (2,) over the images of `rows`."""
        x, t = self.features[rows], self.targets[rows]
        return (sigmoid(x @ weights) - t) @ x / len(x)

    def curvature(self, weights: Array) -> Array:
        """The second derivatives (2, 2) of the loss at weights (2,)."""
        p = sigmoid(self.features @ weights)
        return (self.features * (p * (1 - p))[:, None]).T @ self.features / len(p)

    @cached_property
    def minimum(self) -> Array:
        """The weights (2,) of least loss, by Newton's method. Raises LabError if there are none:
        a line separates the classes, and longer weights are always better."""
        w = np.zeros(2)
        for _ in range(50):
            step = np.linalg.lstsq(self.curvature(w), self.gradient(w), rcond=None)[0]
            w = w - step
            if (self.features @ w * (2 * self.targets - 1) > 0).all():
                break
            if np.abs(step).max() < 1e-10 * (1 + np.abs(w).max()):
                return w
        raise LabError("A line separates these digits perfectly, so the loss has no minimum.")

    @cached_property
    def steepness(self) -> tuple[float, float]:
        """The least and the largest curvature at the minimum: along the valley and across it.
        Optimizer with a rate above 2 / the largest cannot settle there."""
        low, high = np.linalg.eigvalsh(self.curvature(self.minimum))
        return float(low), float(high)

    def rings(self, levels: Array, reach: Array, angles: int = 145) -> Array:
        """Closed lines of equal loss, so many nats above the least: (levels, angles, 2), NaN beyond
        `reach` (2,) from the minimum. The loss is convex, so on every ray from the minimum it only
        rises, and each level is met once."""
        turn = np.linspace(0, 2 * np.pi, angles)[:, None, None]
        rays = np.concatenate([np.cos(turn), np.sin(turn)], axis=-1) * reach  # (angles, 1, 2)
        radii = np.linspace(0, 1, 65)[:, None]
        above = self.loss(self.minimum + radii * rays) - self.loss(self.minimum)
        heights = np.sqrt(np.maximum.accumulate(np.maximum(above, 0), axis=1))  # nearly even
        met = [np.interp(np.sqrt(levels), h, radii[:, 0], right=np.nan) for h in heights]
        return self.minimum + np.array(met).T[..., None] * rays[:, 0]


def surface(features: Array, targets: Array, standardised: bool) -> Surface:
    """The surface of features (n, 2) in their own units, or each divided by its deviation."""
    mean = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64) if standardised else np.ones(2)
    return Surface((features - mean) / scale, np.asarray(targets, np.float64), mean, scale)


def descend(
    surface: Surface, start: Array, optimizer: Optimizer, batch: int, epochs: int,
    rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Weights (steps + 1, 2) from `start` (2,) on, one row after each batch. Every epoch takes all
    images once in a new random order; the last batch of an epoch may be smaller."""
    n = len(surface.targets)
    path = [np.asarray(start, np.float64)]
    for _ in range(epochs):
        order = rng.permutation(n)
        for first in range(0, n, batch):
            gradient = surface.gradient(path[-1], order[first : first + batch])
            path.append(optimizer.update("w", path[-1], gradient))
    return np.array(path)


def seen(n: int, batch: int, epochs: int) -> Array:
    """How many images have been looked at by each row of such a path: int (steps + 1,)."""
    ends = np.append(np.arange(batch, n, batch), n)
    return np.append(0, (np.arange(epochs)[:, None] * n + ends).ravel())


def detour(path: Array) -> float:
    """The length of a path (steps + 1, 2) as a multiple of the straight line between its ends."""
    way = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    return way / (float(np.linalg.norm(path[-1] - path[0])) or 1.0)


def angle(a: Array, b: Array) -> float:
    """The angle between two directions (2,), in degrees: 0…180."""
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(a @ b / lengths, -1, 1))))
