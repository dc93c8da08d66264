"""The network in NumPy: a stack of layers, made of a design and its weights.

Runs, differentiates and trains any network that a RunSpec can describe; NumPy only, so that it can
be read alone and answers a drawing in the web process without TensorFlow.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import numpy as np

from .initial import Block, Design, initial_weights, weight_shapes
from .layers import (
    Activation,
    Array,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Layer,
    MaxPooling,
    Rescaling,
    Reshape,
)
from .losses import cross_entropy, softmax


class Network:
    """A stack of layers from uint8 images (n, 28, 28) to logits (n, 10).

    `dtype` is float32, as Keras computes, or float64, for checking gradients.
    """

    def __init__(self, layers: list[Layer], dtype: type = np.float32) -> None:
        self.layers, self.dtype = layers, dtype

    @classmethod
    def from_spec(
        cls, spec: Design, rng: np.random.Generator, dtype: type = np.float32
    ) -> Network:
        """A fresh network of this RunSpec, as `initial_weights` begins it."""
        return cls.from_weights(spec, initial_weights(spec, rng), dtype, rng)

    @classmethod
    def from_weights(
        cls,
        spec: Design,
        weights: Mapping[str, Array],
        dtype: type = np.float32,
        rng: np.random.Generator | None = None,
    ) -> Network:
        """The network that `spec` describes with trained `weights` ("layer/variable": array).

        `rng` is what dropout draws from, if the network is trained further. Raises ValueError
        naming the weight that is missing, left over or of another shape.
        """
        _match(weights, weight_shapes(spec))
        cast = {name: np.array(value, dtype) for name, value in weights.items()}
        rng = rng or np.random.default_rng(0)
        return cls([layer for b in spec.stack() for layer in _build(b, cast, dtype, rng)], dtype)

    def private(self) -> Network:
        """The same network with a memory of its own: the weights are shared, the layers are not,
        which keep what their backward needs while other threads ask this one."""
        return Network([copy.copy(layer) for layer in self.layers], self.dtype)

    def forward(self, images: Array, training: bool = False) -> Array:
        """Logits (n, 10) for uint8 (or 0…255 float) images (n, 28, 28)."""
        x = np.asarray(images)
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def trace(self, images: Array, training: bool = False) -> Iterator[tuple[Layer, Array]]:
        """Each layer with its output, from the image to the logits."""
        x = np.asarray(images)
        for layer in self.layers:
            x = layer.forward(x, training)
            yield layer, x

    def backward(self, d_logits: Array) -> Array:
        """∂L/∂image (n, 28, 28), leaving ∂L/∂parameter in each layer's `gradients`."""
        d = d_logits
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return d

    def step(
        self, images: Array, labels: Array, learning_rate: float, training: bool = True
    ) -> float:
        """One step of gradient descent on a batch; the batch's mean loss before it, in nats.

        Without `training`, dropout and batch normalisation do as at inference: for a small change
        to a trained network, whose moving averages a few batches would spoil.
        """
        loss, d_logits = cross_entropy(self.forward(images, training), labels)
        self.backward(d_logits)
        for layer in self.layers:
            for name, gradient in layer.gradients.items():
                layer.parameters[name] -= np.asarray(learning_rate, self.dtype) * gradient
        return loss

    def predict(self, images: Array, batch: int = 0) -> Array:
        """Probabilities (n, 10) in the network's dtype, `batch` images at a time; by default as
        many as take neither long nor much memory, which each thread keeps that has once had it."""
        batch = batch or (10 if any(isinstance(x, Convolution) for x in self.layers) else 50)
        parts = [self.forward(images[i : i + batch]) for i in range(0, len(images), batch)]
        return softmax(np.concatenate(parts)) if parts else np.empty((0, 10), self.dtype)

    def weights(self) -> dict[str, Array]:
        """All parameters and moving averages by the names that `from_weights` takes."""
        return {
            f"{layer.name}/{name}": value
            for layer in self.layers
            for name, value in (layer.parameters | getattr(layer, "moving", {})).items()
        }


def _match(weights: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        if name not in weights:
            raise ValueError(f"The weights lack {name!r}, which this design has.")
        if np.shape(weights[name]) != shape:
            found = np.shape(weights[name])
            raise ValueError(f"The weight {name!r} has shape {found}; this design needs {shape}.")
    if extra := sorted(set(weights) - set(shapes)):
        raise ValueError(f"The weights hold {extra[0]!r}, which this design does not have.")


def _build(
    block: Block, weights: Mapping[str, Array], dtype: type, rng: np.random.Generator
) -> Iterator[Layer]:
    """The layer that a Block stands for, or the two, if its activation is a layer of its own."""
    name, given = block.name, block.arguments
    match block.kind:
        case "Rescaling":
            yield Rescaling(name, given["scale"], dtype)
        case "Reshape":
            yield Reshape(name, given["target_shape"])
        case "Flatten":
            yield Reshape(name, (-1,))
        case "MaxPooling2D":
            yield MaxPooling(name, given["pool_size"])
        case "Dense" | "Conv2D":
            kind = Dense if block.kind == "Dense" else Convolution
            yield kind(name, weights[f"{name}/kernel"], weights[f"{name}/bias"])
            if "activation" in given:
                yield Activation(f"{name}/{given['activation']}", given["activation"])
        case "BatchNormalization":
            keys = ("gamma", "beta", "moving_mean", "moving_variance")
            yield BatchNormalization(name, *(weights[f"{name}/{key}"] for key in keys))
        case "Dropout":
            yield Dropout(name, given["rate"], rng)
        case kind:
            raise ValueError(f"There is no NumPy layer for {kind!r}.")
