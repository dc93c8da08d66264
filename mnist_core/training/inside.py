"""A look inside a network in training: what its layers hold, what flows through them, how it reads.

One forward and one backward pass of the NumPy network over a few images, so that a look costs
milliseconds whoever trains: it is taken between two chunks of steps, and after the end. How often,
a `Looker` decides: looks may take only a small share of a run's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mnist_core.design.spec import RunSpec
from mnist_core.network import losses
from mnist_core.network.layers import Activation, Convolution, Dense
from mnist_core.network.network import Network

IMAGES = 100  # that flow through the network in a look
PICTURES = 16  # kernels of the first layer
BINS = 24
SHARE = 0.02  # of the time between two looks that the first of them may have taken
REST_SECONDS = 1.0  # before the first look, and between two, at least
FLAT = 1e-3  # an activation of a smaller slope passes almost nothing of the gradient on


@dataclass(frozen=True)
class Histogram:
    """How many of the values lie in each of BINS equal parts of `low` … `high`."""

    low: float
    high: float
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> Histogram:
        """Of all finite values; empty if there are none."""
        finite = values[np.isfinite(values)]
        if not finite.size:
            return cls(0.0, 0.0, (0,) * BINS)
        counts, edges = np.histogram(finite, BINS)
        return cls(float(edges[0]), float(edges[-1]), tuple(counts.tolist()))


@dataclass(frozen=True)
class LayerInside:
    """A layer with a kernel: its `units` (filters of a convolution), how many of them are `dead`,
    which is flat for every image that was looked at, so that no gradient reaches their weights; the
    root mean square of the loss's gradient by its kernel; how much that kernel has `moved` since
    the look before, as the root mean square of its change over its own, 0 for the first look; and
    histograms."""

    name: str
    units: int
    dead: int
    gradient: float
    weights: Histogram
    gradients: Histogram
    activations: Histogram
    moved: float = 0.0


@dataclass(frozen=True)
class Inside:
    """What was seen after `step` batches. `kernels` are pictures of the first layer, uint8
    (k, side, side), 128 for zero; `p` float (IMAGES, 10) the probabilities of the images and
    `labels` (IMAGES,) what they are. `since` int (IMAGES,) is the step of the look from which on
    each is read right, -1 where it is not; `batch` the training images of the last batch, by their
    index, if it was trained alone.
    """

    step: int
    layers: tuple[LayerInside, ...]
    kernels: np.ndarray = field(repr=False)
    p: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    since: np.ndarray = field(repr=False)
    batch: Sequence[int] = ()

    @property
    def dead(self) -> float:
        """The largest share of dead units in a hidden layer, 0…1."""
        return max((layer.dead / layer.units for layer in self.layers[:-1]), default=0.0)

    @property
    def vanishing(self) -> float:
        """How many times smaller the first layer's gradient is than the last one's."""
        first, last = self.layers[0].gradient, self.layers[-1].gradient
        return last / first if first else np.inf if last else 1.0


def look(
    spec: RunSpec, weights: Mapping[str, np.ndarray], images: np.ndarray, labels: np.ndarray,
    step: int = 0,
) -> Inside:  # fmt: skip
    """Look into a design with these weights: uint8 images (n, 28, 28), labels (n,), of which the
    first IMAGES are used. Raises ValueError for weights of another design."""
    network = Network.from_weights(spec, weights)
    images, labels = images[:IMAGES], labels[:IMAGES]
    with np.errstate(all="ignore"):  # a network that diverges is looked into as well
        logits = network.forward(images)
        network.backward(losses.cross_entropy(logits, labels)[1])
        p = losses.softmax(logits)
    since = np.where(p.argmax(axis=1) == labels, step, -1)
    return Inside(step, tuple(_layers(network, logits)), _kernels(network), p, labels, since)


class Looker:
    """Looks into one run from time to time, at the first of these images: uint8 (n, 28, 28), labels
    (n,), arrays or tensors."""

    def __init__(self, spec: RunSpec, images: Any, labels: Any) -> None:
        self._spec = spec
        self._images = np.asarray(images[:IMAGES])
        self._labels = np.asarray(labels[:IMAGES])
        self._kernels: dict[str, np.ndarray] = {}
        self._since = np.full(len(self._labels), -1)
        self._next = time.perf_counter() + REST_SECONDS
        self.step = -1  # of the last look

    def due(self) -> bool:
        """Whether looks have rested long enough: what the last one took is SHARE of the time since
        it began, or less."""
        return time.perf_counter() >= self._next

    def look(
        self, weights: Callable[[], Mapping[str, np.ndarray]], step: int, batch: Sequence[int] = ()
    ) -> Inside:
        """As `look`, and what has changed since the look before. The copy of the `weights` is part
        of its cost. Raises ValueError for weights of another design."""
        began = time.perf_counter()
        values = weights()
        seen = look(self._spec, values, self._images, self._labels, step)
        if batch and step != self.step + 1:  # then what has moved was not moved by this batch
            self._kernels = {}
        kernels = {layer.name: values[f"{layer.name}/kernel"] for layer in seen.layers}
        layers = tuple(
            replace(layer, moved=_moved(kernels[layer.name], self._kernels.get(layer.name)))
            for layer in seen.layers
        )
        kept = (self._since >= 0) & (seen.since >= 0)
        self._since = np.where(kept, self._since, seen.since)
        self._kernels, self.step = kernels, step
        ended = time.perf_counter()
        self._next = ended + max(REST_SECONDS, (ended - began) * (1 / SHARE - 1))
        return replace(seen, layers=layers, since=self._since, batch=batch)


def _moved(now: np.ndarray, before: np.ndarray | None) -> float:
    if before is None:
        return 0.0
    with np.errstate(all="ignore"):
        return float(np.linalg.norm(now - before) / max(float(np.linalg.norm(before)), 1e-12))


def _layers(network: Network, logits: np.ndarray) -> list[LayerInside]:
    found = []
    for i, layer in enumerate(network.layers):
        if not isinstance(layer, Dense | Convolution):
            continue
        after: Any = network.layers[i + 1] if i + 1 < len(network.layers) else None
        own = after if isinstance(after, Activation) else None
        kernel, gradient = layer.parameters["kernel"], layer.gradients["kernel"]
        units = kernel.shape[-1]
        if own is None:
            values, dead = logits if after is None else np.empty(0), 0
        else:
            slope = np.abs(own.derivative(own.z, own.a)).reshape(-1, units)
            values, dead = own.a, int((slope < FLAT).all(axis=0).sum())
        found.append(LayerInside(
            layer.name, units, dead, float(np.sqrt(np.mean(np.square(gradient, dtype=float)))),
            Histogram.of(kernel), Histogram.of(gradient), Histogram.of(values),
        ))  # fmt: skip
    return found


def _kernels(network: Network) -> np.ndarray:
    """The first layer's kernels as pictures: of a dense one the weights of the pixels."""
    first = next(x for x in network.layers if isinstance(x, Dense | Convolution))
    kernel = first.parameters["kernel"]
    side = 28 if isinstance(first, Dense) else kernel.shape[0]
    pictures = kernel.reshape(side, side, -1)[..., :PICTURES].transpose(2, 0, 1)
    most = np.abs(pictures).max(initial=0.0)
    scaled = pictures / most if np.isfinite(most) and most else np.zeros_like(pictures)
    return np.round(128 + 127 * scaled).astype(np.uint8)
