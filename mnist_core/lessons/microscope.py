"""Backpropagation of one image, step by step: what goes in, what comes out, and by which code.

A step is one forward or one backward of a layer of `network.py`, or what lies between: softmax,
loss, δ. Nothing is computed in a second way: the network's own methods take the steps, and `source`
shows where they stand. One image, in float64, dropout and batch normalisation as at inference.
"""

from __future__ import annotations

import copy
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_core.basis import LabError
from mnist_core.network.initial import Design
from mnist_core.network.layers import (
    Activation,
    Array,
    Convolution,
    Dense,
    Layer,
    MaxPooling,
    Reshape,
)
from mnist_core.network.losses import cross_entropy, softmax
from mnist_core.network.network import Network
from mnist_core.network.optimizers import Optimizer

CORE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, eq=False)
class Step:
    """One step, its arrays without the axis of images.

    kind: input, forward, softmax, loss, delta, gradient, backward or update. `place` counts the
    stations of the way: 0 the input, then the layers, softmax, loss, update. `origin` is the shape
    in which a dense layer's inputs were before they were laid in one row, to be shown as a picture.
    """

    kind: str
    place: int
    layer: Layer | None
    given: Array
    result: Array
    origin: tuple[int, ...] = ()

    @property
    def own_layer(self) -> Layer:
        """The layer of a step of one. Raises ValueError for those between them."""
        if self.layer is None:
            raise ValueError(f"A step of {self.kind} belongs to no layer.")
        return self.layer


def steps(network: Network, x: Array, label: int) -> list[Step]:
    """The whole pass of one input x (28, 28), or of whatever shape the first layer takes: forward,
    loss, backward to the first layer that learns, update."""
    layers = network.layers
    found = [Step("input", 0, None, x, x)]
    for place, (layer, out) in enumerate(network.trace(x[None]), 1):
        before = found[-1]
        found.append(Step("forward", place, layer, before.result, out[0], _origin(layer, before)))
    logits = found[-1].result
    n, p = len(layers), softmax(logits[None])[0]
    loss, d = cross_entropy(logits[None], np.array([label]))
    found += [
        Step("softmax", n + 1, None, logits, p),
        Step("loss", n + 2, None, p, np.array([loss])),
        Step("delta", n + 2, None, p, d[0]),
    ]
    found += _backward(layers, d, {step.place: step.origin for step in found})
    return [*found, Step("update", n + 3, None, d[0], d[0])]


def _backward(layers: list[Layer], d: Array, origins: dict[int, tuple[int, ...]]) -> list[Step]:
    found = []
    first = next(i for i, layer in enumerate(layers) if layer.parameters)
    for i in range(len(layers) - 1, first - 1, -1):
        layer, d_out, where = layers[i], d, origins[i + 1]
        d = layer.backward(d_out)
        if layer.parameters:
            gradient = next(iter(layer.gradients.values()))
            found.append(Step("gradient", i + 1, layer, d_out[0], gradient, where))
        if i > first:
            found.append(Step("backward", i + 1, layer, d_out[0], d[0], where))
    return found


def _origin(layer: Layer, before: Step) -> tuple[int, ...]:
    if isinstance(before.layer, Reshape) and isinstance(layer, Dense):
        return before.given.shape
    return before.result.shape if isinstance(layer, Dense) else ()


# ------------------------------------------------------------------- one number


@dataclass(frozen=True, eq=False)
class Sum:
    """One number as a sum: `terms` in the shape of what they come from, plus `rest`, the bias."""

    terms: Array
    rest: float
    total: float


def sum_of(step: Step, index: tuple[int, ...]) -> Sum | None:
    """The products that add up to one entry of the step's result; None where nothing is summed.

    Forward the entry is a unit's z, backward ∂L/∂(an input of the layer), and of a gradient step
    ∂L/∂(a weight of a convolution), which is used at many places.
    """
    ways: dict[tuple[str, type], Callable[..., tuple[Array, float]]] = {
        ("forward", Dense): _dense_forward,
        ("backward", Dense): _dense_backward,
        ("forward", Convolution): _convolution_forward,
        ("backward", Convolution): _convolution_backward,
        ("gradient", Convolution): _convolution_gradient,
    }
    way = ways.get((step.kind, type(step.layer)))
    if way is None:
        return None
    terms, rest = way(step.layer, step, index)
    return Sum(terms, float(rest), float(step.result[index]))


def _dense_forward(layer: Dense, step: Step, index: tuple[int, ...]) -> tuple[Array, float]:
    weights = layer.parameters
    terms = step.given * weights["kernel"][:, index[0]]
    return terms.reshape(step.origin), weights["bias"][index[0]]


def _dense_backward(layer: Dense, step: Step, index: tuple[int, ...]) -> tuple[Array, float]:
    return layer.parameters["kernel"][index[0]] * step.given, 0.0


def _convolution_forward(
    layer: Convolution, step: Step, index: tuple[int, ...]
) -> tuple[Array, float]:
    y, x, filter_ = index
    kernel = layer.parameters["kernel"]
    k = len(kernel)
    window = step.given[y : y + k, x : x + k]
    return window * kernel[..., filter_], layer.parameters["bias"][filter_]


def _convolution_backward(
    layer: Convolution, step: Step, index: tuple[int, ...]
) -> tuple[Array, float]:
    """Each weight that looked at this place, times the δ of where it stood then."""
    y, x, channel = index
    kernel, (height, width, _) = layer.parameters["kernel"], step.given.shape
    terms = np.zeros((len(kernel), len(kernel), kernel.shape[-1]))
    for i, j in np.ndindex(kernel.shape[:2]):
        if 0 <= y - i < height and 0 <= x - j < width:
            terms[i, j] = kernel[i, j, channel] * step.given[y - i, x - j]
    return terms, 0.0


def _convolution_gradient(
    layer: Convolution, step: Step, index: tuple[int, ...]
) -> tuple[Array, float]:
    i, j, channel, filter_ = index
    height, width, _ = step.given.shape
    seen = layer.x[0, i : i + height, j : j + width, channel]
    return seen * step.given[..., filter_], 0.0


# --------------------------------------------------------------------- the code


@dataclass(frozen=True)
class Source:
    """Lines of a file of this project, as they stand there, and the number of the first; `file` is
    its path inside `mnist_core`."""

    text: str
    file: str
    line: int


def code(step: Step, rule: Optimizer) -> list[Callable]:
    """The functions of this project that compute the step; `rule` is the optimizer's object."""
    layer, kind = step.layer, step.kind
    if layer is not None and kind == "forward":
        helper = {Convolution: ["_rows"], MaxPooling: ["_windows"]}.get(type(layer), [])
        found = [type(layer).forward, *(getattr(type(layer), name) for name in helper)]
        return found + ([layer.function] if isinstance(layer, Activation) else [])
    if layer is not None and kind in ("gradient", "backward"):
        found = [type(layer).backward]
        return found + ([layer.derivative] if isinstance(layer, Activation) else [])
    between = {"softmax": [softmax], "loss": [cross_entropy], "delta": [cross_entropy],
               "update": [type(rule).update], "input": []}  # fmt: skip
    return between[kind]


def source(function: Callable) -> Source | None:
    """Where a function of ours stands, and what it says; None for one of NumPy, written in C."""
    try:
        lines, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function)
    except TypeError:
        return None
    place = Path(file or "").relative_to(CORE).as_posix()
    return Source(textwrap.dedent("".join(lines)).rstrip(), place, first)


# ------------------------------------------------------------- steps of training


class Diverged(LabError):
    """The steps were so large that the numbers overflowed."""


class Trial:
    """A network that learns one image, x (28, 28) with its label, by a rule of `optimizers`.

    `history` has the probability of the label before the first step and after each. The network is
    changed in place: give it a copy.
    """

    def __init__(self, network: Network, x: Array, label: int, rule: Optimizer) -> None:
        self.network, self.x, self.label, self.rule = network, x, label, rule
        self.logits = network.forward(x[None])
        self.history = [self._probability()]

    @property
    def taken(self) -> int:
        """How many steps have been taken."""
        return len(self.history) - 1

    def advance(self, count: int, report: Callable[[float], None] = lambda share: None) -> None:
        """Take `count` steps; `report` gets the share that is done. Raises Diverged if the numbers
        overflow, and leaves the network as it was before that step."""
        with np.errstate(all="ignore"):
            for i in range(count):
                self._step()
                report((i + 1) / count)

    def _step(self) -> None:
        before = [dict(layer.parameters) for layer in self.network.layers]
        self.network.backward(cross_entropy(self.logits, np.array([self.label]))[1])
        for layer in self.network.layers:
            for name in layer.parameters:
                layer.parameters[name] = self._updated(self.rule, layer, name)
        self.logits = self.network.forward(self.x[None])
        p = self._probability()
        if not np.isfinite(p):
            for layer, kept in zip(self.network.layers, before, strict=True):
                layer.parameters = kept
            self.logits = self.network.forward(self.x[None])
            raise Diverged(
                f"Step {self.taken + 1} overflowed: at this learning rate the steps are too large. "
                "Choose a smaller one and reset."
            )
        self.history.append(p)

    def after(self, layer: Layer, name: str) -> Array:
        """What the next step would make of a parameter, without taking it. The layer's gradients
        must be those of this image: `steps` leaves them so."""
        return self._updated(copy.deepcopy(self.rule), layer, name)

    @staticmethod
    def _updated(rule: Optimizer, layer: Layer, name: str) -> Array:
        full = f"{layer.name}/{name}"
        return rule.update(full, layer.parameters[name], layer.gradients[name])

    def _probability(self) -> float:
        return float(softmax(self.logits)[0, self.label])


# ------------------------------------------------------------------ the networks

# Chosen so that no two weights are alike and every number has one decimal.
TOY = {
    "hidden": (np.array([[0.8, -0.5, 0.3], [0.2, 0.9, -0.7]]), np.array([0.1, -0.2, 0.4])),
    "logits": (np.array([[0.6, -0.4], [-0.3, 0.7], [0.5, 0.2]]), np.array([0.0, 0.1])),
}


def toy(function: str) -> Network:
    """A network of 2 inputs, 3 hidden units with this activation, and 2 logits, float64."""
    (w1, b1), (w2, b2) = TOY.values()
    return Network([
        Dense("hidden", w1.copy(), b1.copy()), Activation(f"hidden/{function}", function),
        Dense("logits", w2.copy(), b2.copy()),
    ], np.float64)  # fmt: skip


def fresh(spec: Design, seed: int) -> Network:
    """An untrained network of this design in float64, its weights drawn from `seed`."""
    return Network.from_spec(spec, np.random.default_rng(seed), np.float64)


def double(spec: Design, trained: Network) -> Network:
    """A copy in float64 of a network of this design."""
    return Network.from_weights(spec, trained.weights(), np.float64)
