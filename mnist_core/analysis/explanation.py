"""What a trained model sees: activations, weights, saliency, and what damage does to it.

All through the NumPy network, for images uint8 (28, 28) or (n, 28, 28). Visitors share a network,
and its layers keep what their backward needs: whatever goes backward here works on a private copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mnist_core.network.layers import (
    Activation,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Layer,
    MaxPooling,
)
from mnist_core.network.losses import softmax
from mnist_core.network.network import Network

SIDE = 28
BATCH = 64  # images at a time: small products stay in the processor's cache
_SHOWN = (Dense, Convolution, Activation, BatchNormalization, MaxPooling)
_NEUTRAL = "Dropout", "Reshape"


# --- activations and weights ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Step:
    """What one layer makes of an image. `index` is its place in `network.layers`; `values` are
    (units,), or maps (h, w, channels)."""

    index: int
    name: str
    values: np.ndarray

    @property
    def units(self) -> int:
        return self.values.shape[-1]


def steps(network: Network, image: np.ndarray) -> list[Step]:
    """The output of each layer that computes something, from the first to the logits. A layer and
    its activation function are one step."""
    traced = list(network.trace(image[None]))
    following = [layer for layer, _ in traced[1:]] + [None]
    return [
        Step(i, layer.name, values[0])
        for i, ((layer, values), after) in enumerate(zip(traced, following, strict=True))
        if isinstance(layer, _SHOWN) and not isinstance(after, Activation)
    ]


def filters(network: Network) -> np.ndarray:
    """The weights of the first layer, one picture a unit: (units, 28, 28) of a dense layer,
    (filters, k, k) of a convolution."""
    kernel = next(layer for layer in network.layers if layer.parameters).parameters["kernel"]
    if kernel.ndim == 2:
        return kernel.T.reshape(-1, SIDE, SIDE)
    return kernel[:, :, 0].transpose(2, 0, 1)


def most_exciting(
    network: Network, images: np.ndarray, index: int, most: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """The images that excite each unit of layer `index` most: their indices and the unit's values,
    both (units, most), the highest first. Of a map its highest value counts."""
    parts = [_peaks(output(network, images[i : i + BATCH], index))
             for i in range(0, len(images), BATCH)]  # fmt: skip
    peaks = np.concatenate(parts)
    first = np.argsort(-peaks, axis=0, kind="stable")[:most]
    return first.T, np.take_along_axis(peaks, first, axis=0).T


def output(network: Network, images: np.ndarray, index: int) -> np.ndarray:
    """What layer `index` of `network.layers` gives out for images (n, 28, 28)."""
    for i, (_, values) in enumerate(network.trace(images)):
        if i == index:
            return values
    raise ValueError(f"This network has {len(network.layers)} layers: there is no {index}.")


def _peaks(values: np.ndarray) -> np.ndarray:
    return values.max(axis=(1, 2)) if values.ndim == 4 else values


# --- saliency -------------------------------------------------------------------------------------


def gradient(network: Network, image: np.ndarray, digit: int) -> np.ndarray:
    """∂ logit[digit] / ∂ pixel: (28, 28), in logits a gray level (Simonyan et al. 2014)."""
    mine = network.private()
    d_logits = np.zeros_like(mine.forward(image[None]))
    d_logits[0, digit] = 1
    return mine.backward(d_logits)[0]


def gradient_times_input(network: Network, image: np.ndarray, digit: int) -> np.ndarray:
    """What each pixel adds to the logit of `digit`, to first order: gradient × pixel value,
    (28, 28) (Shrikumar et al. 2016). Black pixels add nothing."""
    return gradient(network, image, digit) * image


def occlusion(network: Network, image: np.ndarray, size: int = 5) -> np.ndarray:
    """The logits (28, 28, 10) with a black patch of `size` × `size` pixels (odd) centred on each
    pixel, cut off at the border (Zeiler, Fergus 2014)."""
    if size % 2 == 0 or size < 1:
        raise ValueError(f"A patch has an odd size, so that it has a middle; {size} has none.")
    near = np.abs(np.arange(SIDE)[:, None] - np.arange(SIDE)) <= size // 2  # (place, pixel)
    covered = near[:, None, :, None] & near[None, :, None, :]
    hidden = np.where(covered.reshape(-1, SIDE, SIDE), 0, image).astype(image.dtype)
    return logits(network, hidden).reshape(SIDE, SIDE, -1)


def logits(network: Network, images: np.ndarray) -> np.ndarray:
    """(n, 10), a small batch at a time."""
    return np.concatenate([network.forward(part) for part in _batches(images)])


def _batches(images: np.ndarray) -> Iterator[np.ndarray]:
    return (images[i : i + BATCH] for i in range(0, len(images), BATCH))


# --- damage ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Damage:
    """What is done to a network and to the images it is shown.

    layer: which of `damage_points`, by its index in `network.layers`; removed: units of it that
    are silenced; dropout: share of its units silenced at random, anew for each image, the others
    scaled up as in training. noise: standard deviation in gray levels; right, down: shift in
    pixels; angle: degrees, counter-clockwise; invert: black on white; seed: of all that is random.
    """

    layer: int = 0
    removed: tuple[int, ...] = ()
    dropout: float = 0.0
    noise: float = 0.0
    right: float = 0.0
    down: float = 0.0
    angle: float = 0.0
    invert: bool = False
    seed: int = 0


def damage_points(network: Network) -> list[int]:
    """Where units can be silenced: the indices of the layers that are the last to change what goes
    into a layer with weights, without the image itself."""
    weighted = [i for i, layer in enumerate(network.layers) if "kernel" in layer.parameters]
    return [_last_that_counts(network, i) for i in weighted[1:]]


def _last_that_counts(network: Network, before: int) -> int:
    return next(i for i in reversed(range(before))
                if type(network.layers[i]).__name__ not in _NEUTRAL)  # fmt: skip


class Silence(Layer):
    """x with the units `removed` set to 0; units are the last axis."""

    def __init__(self, removed: tuple[int, ...]) -> None:
        super().__init__("silence")
        self.removed = list(removed)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        kept = np.ones(x.shape[-1], x.dtype)
        kept[self.removed] = 0
        return x * kept


class AlwaysDropout(Dropout):
    """Dropout that does not wait for training (Gal, Ghahramani 2016 use it so)."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        return super().forward(x, training=True)


def damaged(network: Network, damage: Damage) -> Network:
    """The network with units silenced, for answers only; the given one is left as it is."""
    cut = damage.layer + 1
    added: list[Layer] = [Silence(damage.removed)] if damage.removed else []
    if damage.dropout:
        rng = np.random.default_rng(damage.seed)
        added.append(AlwaysDropout("dropped", damage.dropout, rng))
    layers = network.private().layers
    return Network([*layers[:cut], *added, *layers[cut:]], network.dtype)


def disturbed(images: np.ndarray, damage: Damage) -> np.ndarray:
    """The images uint8 (n, 28, 28) turned about their middle, shifted, inverted, then noisy; what
    comes in from outside is paper."""
    moved = _moved(images, damage) if damage.right or damage.down or damage.angle else images
    moved = 255 - moved if damage.invert else moved
    if not damage.noise:
        return moved
    rng = np.random.default_rng(damage.seed)
    noise = rng.standard_normal(images.shape, np.float32) * np.float32(damage.noise)
    return np.clip(np.rint(moved + noise), 0, 255).astype(np.uint8)


def _moved(images: np.ndarray, damage: Damage) -> np.ndarray:
    """Each pixel is looked up where it came from, bilinearly between its four neighbours there."""
    middle = (SIDE - 1) / 2
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1) - middle
    x, y = x - damage.right, y - damage.down
    cos, sin = np.cos(np.radians(damage.angle)), np.sin(np.radians(damage.angle))
    from_x, from_y = cos * x - sin * y + middle, sin * x + cos * y + middle
    left, top = np.floor(from_x).astype(int), np.floor(from_y).astype(int)
    flat = images.reshape(len(images), -1)
    total = np.zeros(flat.shape, np.float32)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = left + dx, top + dy
        weight = (1 - np.abs(from_x - column)) * (1 - np.abs(from_y - row))
        inside = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE)
        place = np.where(inside, row * SIDE + column, 0)
        total += flat[:, place] * np.where(inside, weight, 0).astype(np.float32)
    return np.rint(total).astype(np.uint8).reshape(images.shape)


def answers(network: Network, images: np.ndarray, damage: Damage) -> np.ndarray:
    """The digits (n,) that the damaged network reads in the images when they are disturbed."""
    return logits(damaged(network, damage), disturbed(images, damage)).argmax(axis=1)


def answer(network: Network, image: np.ndarray, damage: Damage) -> np.ndarray:
    """The probabilities (10,) that the damaged network gives the disturbed image (28, 28)."""
    return softmax(damaged(network, damage).forward(disturbed(image[None], damage)))[0]
