"""Is a gradient right? The backward passes of `network` beside two other ways to the same numbers.

One is TensorFlow's GradientTape, which a worker asks (`jobs.tapes`). The other needs no calculus:
the central difference (L(w + h) − L(w − h)) / 2h, in float64, one weight at a time. It is off by
h² L‴ / 6, so h is small; and by the rounding of L divided by h, so it is not too small.

Where a ReLU switches or a pooling changes its winner, L has a kink and no derivative. Each
difference is therefore taken with the largest step of STEPS that switches nothing; a weight for
which there is none sits on a kink and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mnist_core.design.spec import ACTIVATIONS, Conv, RunSpec
from mnist_core.design.spec import Layer as Hidden
from mnist_core.network.initial import initial_weights
from mnist_core.network.layers import Activation, Array, Dropout, Layer, MaxPooling
from mnist_core.network.network import Network
from mnist_core.network.optimizers import Objective

IMAGE = "image"  # the name of ∂L/∂pixel among the gradients
STEPS = (3e-5, 1e-5, 3e-6, 1e-6, 3e-7)  # of weights; of pixels 255 times as much
FLOOR = 1e-3
TOLERANCE = 1e-6
BENT = ("relu", "leaky_relu", "elu")  # with a kink, or one in their derivative
TIE = 1e-12  # values so close are one winner: they come from equal pixels and move together


@dataclass(frozen=True)
class Question:
    """A loss to differentiate, in plain values for the way to a worker: the design's URL form, its
    weights, images (n, 28, 28) in 0…255 and labels (n,). In `training`, batch normalisation takes
    the batch's own statistics and each dropout layer multiplies by its array of `masks`."""

    query: Mapping[str, str]
    weights: Mapping[str, Array] = field(repr=False)
    images: Array = field(repr=False)
    labels: Array = field(repr=False)
    training: bool = False
    masks: Mapping[str, Array] = field(default_factory=dict, repr=False)


class Case:
    """A design with its weights and a few images of which the loss is taken, all in float64. In
    `training`, dropout draws the same mask at each pass, from `seed`."""

    def __init__(
        self, spec: RunSpec, weights: Mapping[str, Array], images: Array, labels: Array,
        training: bool = False, seed: int = 0,
    ) -> None:  # fmt: skip
        self.spec, self.weights, self.training, self.seed = spec, weights, training, seed
        self.images, self.labels = np.array(images, np.float64), labels
        self.network = Network.from_weights(spec, weights, np.float64)
        self.objective = Objective.of(spec)
        self._inputs = [self.images]  # of each layer, and the logits
        for i in range(len(self.network.layers)):
            self._inputs.append(self._through(i, self._inputs[-1]))
        self.loss = self.objective.loss(self.network, self._inputs[-1], labels)
        self._cross_entropy = Objective(self.objective.smoothing)
        self._switches = [_switch(layer) for layer in self.network.layers]

    def _through(self, i: int, x: Array) -> Array:
        layer = self.network.layers[i]
        if isinstance(layer, Dropout):
            layer.rng = np.random.default_rng((self.seed, i))
        return layer.forward(x, self.training)

    @cached_property
    def by_hand(self) -> dict[str, Array]:
        """The backward passes' ∂L/∂parameter by "layer/parameter", and ∂L/∂pixel as IMAGE."""
        for i, x in enumerate(self._inputs[:-1]):
            self._through(i, x)
        _, d_image = self.objective.differentiate(self.network, self._inputs[-1], self.labels)
        found = {
            f"{layer.name}/{name}": gradient
            for layer in self.network.layers
            for name, gradient in layer.gradients.items()
        }
        return found | {IMAGE: d_image}

    def question(self) -> Question:
        """What `jobs.tapes.tape` is asked for the same gradients."""
        masks = {x.name: x.mask for x in self.network.layers if isinstance(x, Dropout)}
        return Question(self.spec.to_query(), self.weights, self.images, self.labels,
                        self.training, masks if self.training else {})  # fmt: skip

    def sample(self, count: int, rng: np.random.Generator) -> dict[str, Array]:
        """`count` places of each gradient, flat, or all if there are no more: half of them drawn
        evenly, half by the size of the gradient, since most pixels have none."""
        return {name: _places(g.ravel(), count, rng) for name, g in self.by_hand.items()}

    def slope(self, name: str, place: int) -> float:
        """The central difference by the parameter or pixel at a flat place; NaN on a kink."""
        first, values = self._home(name)
        kept = values.flat[place]
        try:
            for step in STEPS:
                h = step * (255 if name == IMAGE else 1)
                above = self._at(first, values, place, kept + h)
                below = self._at(first, values, place, kept - h)
                if above is not None and below is not None:
                    width = (kept + h) - (kept - h)
                    return (above - below + self._penalty(name, kept, h)) / width
        finally:
            values.flat[place] = kept
        return np.nan

    def _penalty(self, name: str, kept: float, h: float) -> float:
        """The difference of λ Σ W²: all squares but this weight's cancel, so they are not added
        only to be taken away again."""
        factor = self.objective.l2 if name.endswith("/kernel") else 0.0
        return factor * ((kept + h) ** 2 - (kept - h) ** 2)

    def _home(self, name: str) -> tuple[int, Array]:
        """The layer that a value is first needed in, and the array that it is in."""
        if name == IMAGE:
            return 0, self.images
        at, _, parameter = name.rpartition("/")
        first = next(i for i, x in enumerate(self.network.layers) if x.name == at)
        return first, self.network.layers[first].parameters[parameter]

    def _at(self, first: int, values: Array, place: int, value: float) -> float | None:
        """The cross-entropy with another value there; None if a switch is not where it was."""
        values.flat[place] = value
        x = self._inputs[first]
        for i in range(first, len(self.network.layers)):
            x = self._through(i, x)
            if not np.array_equal(_switch(self.network.layers[i]), self._switches[i]):
                return None
        return self._cross_entropy.loss(self.network, x, self.labels)

    def slopes(
        self, places: Mapping[str, Array], report: Callable[[float], None] = lambda share: None
    ) -> dict[str, Array]:
        """The central difference at each place, as `sample` gives them. `report` gets the share
        that is done."""
        total, found = sum(map(len, places.values())), {}
        for name, some in places.items():
            found[name] = np.array([self.slope(name, place) for place in some])
            report(sum(map(len, found.values())) / total)
        return found


def _switch(layer: Layer) -> Array:
    """On which side of its kinks a layer was, at its last forward pass; empty if it has none."""
    if isinstance(layer, Activation) and layer.name.rpartition("/")[2] in BENT:
        return layer.z > 0
    if isinstance(layer, MaxPooling):
        windows = layer._windows(layer.x)
        return windows >= windows.max(axis=(2, 4), keepdims=True) - TIE
    return np.empty(0)


def _places(gradient: Array, count: int, rng: np.random.Generator) -> Array:
    if gradient.size <= count:
        return np.arange(gradient.size)
    evenly = rng.choice(gradient.size, count // 2, replace=False)
    size = np.abs(gradient)
    if not size.any():
        return np.sort(evenly)
    some = min(count - count // 2, np.count_nonzero(size))
    return np.union1d(evenly, rng.choice(gradient.size, some, replace=False, p=size / size.sum()))


def relative(a: Array, b: Array, largest: float) -> float:
    """The largest |a − b| / max(|a|, |b|, FLOOR · largest) of two gradients, 0 if there is none.

    `largest` is that of the whole array: entries a thousand times smaller are compared as if they
    were that size, since their own last digits are those of the sums that they come from.
    """
    size = np.maximum(np.maximum(np.abs(a), np.abs(b)), FLOOR * largest)
    return float((np.abs(a - b) / np.where(size, size, 1)).max(initial=0.0))


class Row(NamedTuple):
    """One array's check: its size, how many of its values the differences took, how many of these
    sit on kinks, and the largest relative difference for each pair of ways; None without tape."""

    name: str
    size: int
    tried: int
    kinks: int
    hand_slope: float
    hand_tape: float | None
    tape_slope: float | None

    @property
    def worst(self) -> float:
        return max(x for x in self[4:] if x is not None)


def rows(
    case: Case, places: Mapping[str, Array], slopes: Mapping[str, Array],
    tape: Mapping[str, Array] | None,
) -> list[Row]:  # fmt: skip
    """Each array of a case by the three ways; of hand and tape all of its values are compared."""
    found = []
    for name, hand in case.by_hand.items():
        smooth = np.isfinite(slopes[name])
        at, slope, largest = places[name][smooth], slopes[name][smooth], np.abs(hand).max()
        told = None if tape is None else tape[name]
        found.append(Row(
            name, hand.size, len(smooth), int((~smooth).sum()),
            relative(hand.ravel()[at], slope, largest),
            None if told is None else relative(hand, told, largest),
            None if told is None else relative(told.ravel()[at], slope, largest),
        ))  # fmt: skip
    return found


# ------------------------------------------------------------------- every layer type

_SMOOTH = "tanh"
# What is checked: a design, and whether as in training.
KINDS: dict[str, tuple[RunSpec, bool]] = {
    **{
        f"Dense, {'no activation' if name == 'linear' else words.label}":
            (RunSpec((Hidden(12, name),)), False)
        for name, words in ACTIVATIONS.items()
    },
    "Batch normalisation, training": (RunSpec((Hidden(12, _SMOOTH, True),)), True),
    "Batch normalisation, inference": (RunSpec((Hidden(12, _SMOOTH, True),)), False),
    "Dropout, its mask held": (RunSpec((Hidden(16, _SMOOTH, dropout=0.4),)), True),
    "Convolution": (RunSpec((), convolutions=(Conv(4, 3, _SMOOTH, pool=1),)), False),
    "Convolution, max-pooling": (RunSpec((), convolutions=(Conv(4, 5, _SMOOTH),)), False),
    "Two convolutions with all of it, training": (
        RunSpec((Hidden(8),), convolutions=(Conv(4, 5, "relu", True, 2, 0.2),) * 2), True,
    ),
    "Softmax, cross-entropy": (RunSpec(()), False),
    "The same, labels one-hot": (RunSpec((), loss="categorical"), False),
    "The same, labels smoothed by 0.1": (
        RunSpec((), loss="categorical", label_smoothing=0.1), False,
    ),
    "L2 penalty of 0.01": (RunSpec((Hidden(12, _SMOOTH),), l2=0.01), False),
}  # fmt: skip


def kind(name: str, images: Array, labels: Array, rng: np.random.Generator) -> Case:
    """The case of KINDS, with random weights in every array."""
    spec, training = KINDS[name]
    weights = {
        key: value + rng.uniform(0.05, 0.2, value.shape) * rng.choice([-1, 1], value.shape)
        * (not key.endswith("/kernel"))
        for key, value in initial_weights(spec, rng).items()
    }  # fmt: skip
    return Case(spec, weights, images, labels, training)
