"""How a network begins: the weights that a design has, and their first values, as Keras's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from .layers import Array


class Block(Protocol):
    """One layer of a design, as `design.Block` is: `kind` is Keras's name of its class, with its
    `arguments`; `output` its shape without the batch."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def arguments(self) -> dict[str, Any]: ...
    @property
    def output(self) -> tuple[int, ...]: ...


class Design(Protocol):
    """What a network is made of, as a RunSpec says it."""

    @property
    def initializer(self) -> str: ...
    @property
    def l2(self) -> float: ...
    @property
    def label_smoothing(self) -> float: ...
    def stack(self) -> Sequence[Block]: ...


def weight_shapes(spec: Design) -> dict[str, tuple[int, ...]]:
    """The name and shape of each weight of a RunSpec's network, in Keras's order."""
    shapes: dict[str, tuple[int, ...]] = {}
    width = 0
    for block in spec.stack():
        size = block.output[-1]
        if block.kind in ("Dense", "Conv2D"):
            k = block.arguments.get("kernel_size")
            kernel = (k, k, width, size) if k else (width, size)
            shapes |= {f"{block.name}/kernel": kernel, f"{block.name}/bias": (size,)}
        elif block.kind == "BatchNormalization":
            names = ("gamma", "beta", "moving_mean", "moving_variance")
            shapes |= {f"{block.name}/{name}": (size,) for name in names}
        width = size
    return shapes


def initial_weights(spec: Design, rng: np.random.Generator) -> dict[str, Array]:
    """Keras's initial values for every weight of a RunSpec's network, float64: kernels by the
    spec's initializer, zero biases, unit scales."""
    return {
        name: initial_weight(name, shape, spec.initializer, rng)
        for name, shape in weight_shapes(spec).items()
    }


def initial_weight(
    name: str, shape: tuple[int, ...], initializer: str, rng: np.random.Generator
) -> Array:
    """The initial values of one weight of `weight_shapes`, float64."""
    if name.endswith("/kernel"):
        return INITIALIZERS[initializer](shape, rng)
    return _initial(name, shape)


def _truncated_normal(variance: float, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal values of this variance, those beyond two deviations drawn again, as Keras does."""
    values = rng.standard_normal(shape)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(far.sum())
    return values * np.sqrt(variance) / 0.87962566103423978  # the deviation that is left of 1


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs an output has, and how many outputs an input: (d, m) for a kernel (d, m),
    (k · k · c, k · k · m) for one of (k, k, c, m)."""
    *places, fan_in, fan_out = shape
    return math.prod(places) * fan_in, math.prod(places) * fan_out


# Glorot, Bengio (2010); He et al. (2015); LeCun et al. (1998)
INITIALIZERS: dict[str, Callable[[tuple[int, ...], np.random.Generator], Array]] = {
    "glorot_uniform": lambda s, rng: rng.uniform(-1, 1, s) * np.sqrt(6 / sum(_fans(s))),
    "he_normal": lambda s, rng: _truncated_normal(2 / _fans(s)[0], s, rng),
    "lecun_normal": lambda s, rng: _truncated_normal(1 / _fans(s)[0], s, rng),
    "zeros": lambda s, rng: np.zeros(s),
}


def _initial(name: str, shape: tuple[int, ...]) -> Array:
    return np.ones(shape) if name.endswith(("/gamma", "/moving_variance")) else np.zeros(shape)
