"""How a gradient becomes a step: the update rules of gradient descent, on NumPy arrays.

w is a parameter, g = ∂L/∂w its gradient, η the learning rate. Each rule works element by element,
keeps a state of its own for each name, and has Keras's defaults and formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

Array = np.ndarray


class Optimizer(Protocol):
    """What each of OPTIMIZERS can do."""

    learning_rate: float

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        """The parameter's next value, a new array of its shape and dtype."""
        ...


class GradientDescent:
    """w ← w − η g."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        return parameter - self.learning_rate * gradient


class Momentum:
    """v ← μ v − η g, w ← w + v (Polyak 1964), with μ = 0.9."""

    def __init__(self, learning_rate: float, momentum: float = 0.9) -> None:
        self.learning_rate, self.momentum = learning_rate, momentum
        self.velocity: dict[str, Array] = {}

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        v = self.momentum * self.velocity.get(name, 0.0) - self.learning_rate * gradient
        self.velocity[name] = v
        return parameter + v


class RMSprop:
    """s ← ρ s + (1 − ρ) g², w ← w − η g / √(s + ε) (Tieleman, Hinton 2012), with ρ = 0.9."""

    def __init__(self, learning_rate: float, rho: float = 0.9, epsilon: float = 1e-7) -> None:
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon
        self.square: dict[str, Array] = {}

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        s = self.rho * self.square.get(name, 0.0) + (1 - self.rho) * gradient * gradient
        self.square[name] = s
        return parameter - self.learning_rate * gradient / np.sqrt(s + self.epsilon)


class Adam:
    """m ← β₁ m + (1 − β₁) g, s ← β₂ s + (1 − β₂) g², and at the t-th step
    w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√s + ε) (Kingma, Ba 2015), with β = 0.9, 0.999."""

    def __init__(
        self, learning_rate: float, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:  # fmt: skip
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.state: dict[str, tuple[Array | float, Array | float, int]] = {}

    def update(self, name: str, parameter: Array, gradient: Array) -> Array:
        m, s, t = self.state.get(name, (0.0, 0.0, 0))
        m = self.beta_1 * m + (1 - self.beta_1) * gradient
        s = self.beta_2 * s + (1 - self.beta_2) * gradient * gradient
        t += 1
        self.state[name] = m, s, t
        rate = self.learning_rate * (1 - self.beta_2**t) ** 0.5 / (1 - self.beta_1**t)
        return parameter - rate * m / (np.sqrt(s) + self.epsilon)


# The names are those of `choices.OPTIMIZERS`.
OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "sgd": GradientDescent,
    "momentum": Momentum,
    "rmsprop": RMSprop,
    "adam": Adam,
}
