"""Going downhill by hand: what a RunSpec minimises, and the four rules by which it descends.

Each optimizer is Keras's of the same name with its default values, so that a run here and a run
there differ in nothing but who computes it. NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .initial import Design
from .layers import Array
from .losses import cross_entropy
from .network import Network


class Optimizer:
    """A rule that turns gradients into steps; θ is a parameter, g its gradient, η the learning
    rate, which may change between two steps.

    `state` keeps what a rule remembers of each parameter, by its name. Arrays keep the dtype of
    their parameter, and none that was given or returned is written into.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.state: dict[str, dict[str, Array]] = {}

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        """The parameter after one step."""
        raise NotImplementedError

    def _kept(self, name: str, like: Array, *what: str) -> dict[str, Array]:
        if name not in self.state:
            self.state[name] = {key: np.zeros_like(like) for key in what}
        return self.state[name]


class GradientDescent(Optimizer):
    """θ ← θ − η g. With the gradient of a batch: stochastic gradient descent."""

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        return parameter - self.learning_rate * gradient


class Momentum(Optimizer):
    """v ← 0.9 v − η g, θ ← θ + v (Polyak 1964)."""

    momentum = 0.9

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        kept = self._kept(name, parameter, "v")
        kept["v"] *= self.momentum
        kept["v"] -= self.learning_rate * gradient
        return parameter + kept["v"]


class RMSprop(Optimizer):
    """v ← 0.9 v + 0.1 g², θ ← θ − η g / √(v + ε) (Hinton, Coursera lecture 6e, 2012)."""

    rho, epsilon = 0.9, 1e-7

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        kept = self._kept(name, parameter, "v")
        kept["v"] *= self.rho
        kept["v"] += (1 - self.rho) * (gradient * gradient)
        step = np.add(kept["v"], self.epsilon, out=np.empty_like(parameter))
        np.divide(gradient, np.sqrt(step, out=step), out=step)
        step *= self.learning_rate
        return np.subtract(parameter, step, out=step)


class Adam(Optimizer):
    """m ← 0.9 m + 0.1 g, v ← 0.999 v + 0.001 g², θ ← θ − η √(1 − 0.999ᵗ) / (1 − 0.9ᵗ) · m /
    (√v + ε) at the t-th step (Kingma, Ba 2015, the form before its section 2.1)."""

    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-7

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        kept = self._kept(name, parameter, "m", "v")
        t = kept["t"] = kept.get("t", np.zeros((), np.int64)) + 1
        # One array for all that is in between: memory costs most here.
        step = np.subtract(gradient, kept["m"], out=np.empty_like(parameter))
        step *= 1 - self.beta_1
        kept["m"] += step
        np.multiply(gradient, gradient, out=step)
        step -= kept["v"]
        step *= 1 - self.beta_2
        kept["v"] += step
        np.sqrt(kept["v"], out=step)
        step += self.epsilon
        np.divide(kept["m"], step, out=step)
        step *= self.learning_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        return np.subtract(parameter, step, out=step)


OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "sgd": GradientDescent, "momentum": Momentum, "rmsprop": RMSprop, "adam": Adam,
}  # fmt: skip


@dataclass(frozen=True)
class Objective:
    """What is minimised over a batch: the mean cross-entropy in nats with labels smoothed by
    `smoothing`, plus `l2` times the summed squares of all kernels."""

    smoothing: float = 0.0
    l2: float = 0.0

    @classmethod
    def of(cls, spec: Design) -> Objective:
        """That of a RunSpec."""
        return cls(spec.label_smoothing, spec.l2)

    def penalty(self, network: Network) -> float:
        """λ Σ W²."""
        return self.l2 and float(self.l2 * sum(np.vdot(w, w) for w in _kernels(network).values()))

    def loss(self, network: Network, logits: Array, labels: Array) -> float:
        """Its value, when the network gives these logits (n, 10) for images of these labels."""
        return cross_entropy(logits, labels, self.smoothing)[0] + self.penalty(network)

    def differentiate(
        self, network: Network, logits: Array, labels: Array
    ) -> tuple[float, Array]:
        """Its value after a `forward` that gave these logits, and its gradient by the network's
        input; that by each parameter is left in its layer's `gradients`."""
        loss, d_logits = cross_entropy(logits, labels, self.smoothing)
        d_input = network.backward(d_logits)
        if self.l2:
            for layer in network.layers:
                if "kernel" in layer.parameters:  # ∂(λ W²)/∂W
                    layer.gradients["kernel"] += 2 * self.l2 * layer.parameters["kernel"]
        return loss + self.penalty(network), d_input


def _kernels(network: Network) -> Mapping[str, Array]:
    return {
        layer.name: layer.parameters["kernel"]
        for layer in network.layers
        if "kernel" in layer.parameters
    }
