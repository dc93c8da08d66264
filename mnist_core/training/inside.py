"""A look inside a network in training: what its layers hold, what flows through them, how it reads.

One forward and one backward pass of the NumPy network over a few images, so that a look costs
milliseconds whoever trains: it is taken between two chunks of steps, and after the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mnist_core.design.spec import RunSpec
from mnist_core.network import losses
from mnist_core.network.layers import Activation, Convolution, Dense
from mnist_core.network.network import Network

IMAGES = 100  # that flow through the network in a look
SHOWN = 12  # of them, with the answers to each
PICTURES = 16  # kernels of the first layer
BINS = 24
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
    root mean square of the loss's gradient by its kernel; and histograms."""

    name: str
    units: int
    dead: int
    gradient: float
    weights: Histogram
    gradients: Histogram
    activations: Histogram


@dataclass(frozen=True)
class Inside:
    """What was seen after `step` batches. `kernels` are pictures of the first layer, uint8
    (k, side, side), 128 for zero; `p` float (SHOWN, 10) the probabilities of the first images and
    `labels` (SHOWN,) what they are."""

    step: int
    layers: tuple[LayerInside, ...]
    kernels: np.ndarray = field(repr=False)
    p: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)

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
        p = losses.softmax(logits[:SHOWN])
    return Inside(step, tuple(_layers(network, logits)), _kernels(network), p, labels[:SHOWN])


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
