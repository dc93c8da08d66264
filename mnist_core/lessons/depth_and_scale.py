"""What depth, the size of a batch and the scale of the inputs do to gradients, computed.

Networks of `network`, gradients of its own `backward`; the figures of three concepts of the
Backprop page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network.layers import Dense, Rescaling
from mnist_core.network.losses import cross_entropy, softmax
from mnist_core.network.network import Network

from . import overfitting
from .overfitting import Course, Examples

Array = np.ndarray


# ------------------------------------------------------------ the vanishing gradient


def flow(activation: str, depth: int, examples: Examples, units: int = 64, seed: int = 0) -> Array:
    """The root mean square of ∂L/∂W of each layer, first to last, float64 (depth + 1,): of a fresh
    network of `depth` hidden layers of so many units, over these images. The initial weights are
    Glorot's for every activation, so that only the activation differs (Glorot, Bengio 2010)."""
    spec = RunSpec((Layer(units, activation),) * depth)
    network = Network.from_spec(spec, np.random.default_rng(seed), np.float64)
    _, d_logits = cross_entropy(network.forward(examples[0]), examples[1])
    network.backward(d_logits)
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    return np.array([np.sqrt(np.mean(layer.gradients["kernel"] ** 2)) for layer in dense])


def learned(
    activation: str, depth: int, train: Examples, test: Examples, units: int = 64
) -> float:  # fmt: skip
    """The accuracy (0…1) of the same network on `test` after one epoch on `train`, by plain SGD of
    rate 0.1 in batches of 32."""
    spec = RunSpec((Layer(units, activation),) * depth)
    rng = np.random.default_rng(0)
    network = Network.from_spec(spec, rng)
    course = overfitting.follow(network, train, test, 1, rng, 0.1, optimizer="sgd")
    return float(course.validation_accuracy[-1])


# ------------------------------------------------------------------- one and a batch


@dataclass(frozen=True, eq=False)
class Shares:
    """What each of m images adds to one weight's gradient, float64 (m,) each: the unit's activation
    `a`, `delta` = p − y of the class, and their product, `alone`, the gradient if it were the only
    one. `together` is the gradient of the whole batch, by one backward of all of them."""

    a: Array
    delta: Array
    alone: Array
    together: float

    @property
    def averaged(self) -> float:
        """1/m · Σ of the single ones."""
        return float(self.alone.sum() / len(self.alone))


def shares(network: Network, examples: Examples, unit: int, digit: int) -> Shares:
    """The gradient of the weight from hidden `unit` to the logit of `digit`, taken apart image by
    image. `network` ends in a Dense layer of logits."""
    images, labels = examples
    logits = network.forward(images)
    network.backward(cross_entropy(logits, labels)[1])
    last = network.layers[-1]
    assert isinstance(last, Dense)
    a = last.x[:, unit].copy()
    together = float(last.gradients["kernel"][unit, digit])
    delta = softmax(logits)[:, digit] - (labels == digit)
    single = []
    for i in range(len(labels)):
        one = cross_entropy(network.forward(images[i : i + 1]), labels[i : i + 1])[1]
        network.backward(one)
        single.append(float(last.gradients["kernel"][unit, digit]))
    return Shares(a, delta, np.array(single), together)


# ------------------------------------------------------------- divided by 255 or not


def scaled(
    divide: bool, train: Examples, validation: Examples, optimizer: str, rate: float, epochs: int,
    report: Callable[[float], None] = lambda share: None,
) -> Course:  # fmt: skip
    """One training of 784-32-10, the pixels divided by 255 or as they are; weights, order and all
    else are the same. It ends where the loss is no number any more: the rest is NaN."""
    rng = np.random.default_rng(0)
    network = Network.from_spec(RunSpec((Layer(32),)), rng)
    if not divide:
        first = network.layers[0]
        network.layers[0] = Rescaling(first.name, 1.0, np.float32)
    with np.errstate(all="ignore"):
        return overfitting.follow(network, train, validation, epochs, rng, rate,
                                  report=report, optimizer=optimizer)  # fmt: skip
