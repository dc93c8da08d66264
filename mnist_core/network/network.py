"""The NumPy network: every forward beside its backward.

Runs, differentiates and trains any network that a RunSpec can describe; NumPy only, so that it can
be read alone and answers a drawing in the web process without TensorFlow.

Shapes: n images, `d` inputs and `m` outputs of a layer. A layer's `forward` keeps what its
`backward` needs, but computes with local values, so that visitors may share a network for
answers; `backward` takes ∂L/∂output, fills `gradients` and returns ∂L/∂input. The formulas
are those of Goodfellow, Bengio, Courville, "Deep Learning" (2016), chapters 6 to 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray


class Layer:
    """A layer without parameters; the others fill the two dictionaries."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}

    def forward(self, x: Array, training: bool = False) -> Array:
        raise NotImplementedError

    def backward(self, d_out: Array) -> Array:
        raise NotImplementedError


class Rescaling(Layer):
    """x ↦ scale · x, from the pixel values 0…255 to 0…1."""

    def __init__(self, name: str, scale: float, dtype: type) -> None:
        super().__init__(name)
        self.scale, self.dtype = np.asarray(scale, dtype), dtype

    def forward(self, x: Array, training: bool = False) -> Array:
        return x.astype(self.dtype) * self.scale

    def backward(self, d_out: Array) -> Array:
        return d_out * self.scale


class Reshape(Layer):
    """(n, …) ↦ (n, *target), the values in their order: (28, 28) ↦ (28, 28, 1), a map of one
    channel, or with the target (-1,) ↦ (784,), flat."""

    def __init__(self, name: str, target: tuple[int, ...]) -> None:
        super().__init__(name)
        self.target = target

    def forward(self, x: Array, training: bool = False) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), *self.target)

    def backward(self, d_out: Array) -> Array:
        return d_out.reshape(self.shape)


class Dense(Layer):
    """z = x W + b, with W (d, m) and b (m,)."""

    def __init__(self, name: str, kernel: Array, bias: Array) -> None:
        super().__init__(name)
        self.parameters = {"kernel": kernel, "bias": bias}

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        return x @ self.parameters["kernel"] + self.parameters["bias"]

    def backward(self, d_out: Array) -> Array:
        self.gradients = {"kernel": self.x.T @ d_out, "bias": d_out.sum(axis=0)}
        return d_out @ self.parameters["kernel"].T


class Convolution(Layer):
    """z[y, x, f] = Σ_ijc a[y + i, x + j, c] W[i, j, c, f] + b[f], only where all of W lies inside.

    a (n, h, w, c), W (k, k, c, m), b (m,), z (n, h − k + 1, w − k + 1, m). Strictly it is a
    cross-correlation (Goodfellow et al., formula 9.6). Laying out the k·k·c values under the kernel
    at each place as a row (im2col; Chellapilla et al. 2006) makes it one matrix product.
    """

    def __init__(self, name: str, kernel: Array, bias: Array) -> None:
        super().__init__(name)
        self.parameters = {"kernel": kernel, "bias": bias}

    def _rows(self, x: Array) -> Array:
        """The values under the kernel at each place: (n · (h − k + 1) · (w − k + 1), k · k · c)."""
        k, _, channels, _ = self.parameters["kernel"].shape
        windows = sliding_window_view(x, (k, k), axis=(1, 2))  # (n, h', w', c, k, k)
        return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, k * k * channels)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        kernel, (n, height, width, _) = self.parameters["kernel"], x.shape
        k, filters = len(kernel), kernel.shape[-1]
        z = self._rows(x) @ kernel.reshape(-1, filters) + self.parameters["bias"]
        return z.reshape(n, height - k + 1, width - k + 1, filters)

    def backward(self, d_out: Array) -> Array:
        kernel = self.parameters["kernel"]
        _, height, width, filters = d_out.shape
        d_z = d_out.reshape(-1, filters)
        self.gradients = {
            "kernel": (self._rows(self.x).T @ d_z).reshape(kernel.shape),
            "bias": _over_batch(np.sum, d_z),
        }
        d_x = np.zeros_like(self.x)
        for i, j in np.ndindex(kernel.shape[:2]):  # each weight gives back to where it looked
            d_x[:, i : i + height, j : j + width] += d_out @ kernel[i, j].T
        return d_x


class MaxPooling(Layer):
    """The largest of each p × p values of a map: (n, h, w, c) ↦ (n, ⌊h/p⌋, ⌊w/p⌋, c).

    Rows and columns that fill no window are left out. Of equal values the first, row by row, gets
    the gradient, as in TensorFlow.
    """

    def __init__(self, name: str, size: int) -> None:
        super().__init__(name)
        self.size = size

    def _windows(self, x: Array) -> Array:
        """x without its remainder, in windows: (n, ⌊h/p⌋, p, ⌊w/p⌋, p, c)."""
        n, height, width, channels = x.shape
        p, rows, columns = self.size, height // self.size, width // self.size
        return x[:, : rows * p, : columns * p].reshape(n, rows, p, columns, p, channels)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        return self._windows(x).max(axis=(2, 4))

    def backward(self, d_out: Array) -> Array:
        p, windows = self.size, self._windows(self.x)
        inside = windows.transpose(0, 1, 3, 5, 2, 4)
        first = inside.reshape(*d_out.shape, p * p).argmax(axis=-1)
        chosen = first[..., None] == np.arange(p * p)
        d_windows = (chosen * d_out[..., None]).reshape(inside.shape).transpose(0, 1, 4, 2, 5, 3)
        d_x = np.zeros_like(self.x)
        n, rows, _, columns, _, channels = windows.shape
        d_x[:, : rows * p, : columns * p] = d_windows.reshape(n, rows * p, columns * p, channels)
        return d_x


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^−z) through tanh, which cannot overflow."""
    return 0.5 * (np.tanh(0.5 * z) + 1)


# name: (a(z), ∂a/∂z from z and a), for each activation that a RunSpec can name
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: z > 0),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, z * 0.2),
        lambda z, a: np.where(z > 0, 1, 0.2).astype(z.dtype),
    ),
    "elu": (
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda z, a: np.where(z > 0, 1, a + 1),
    ),
    "silu": (
        lambda z: z * sigmoid(z),
        lambda z, a: (s := sigmoid(z)) * (1 + z * (1 - s)),
    ),
    "tanh": (np.tanh, lambda z, a: 1 - a * a),
    "sigmoid": (sigmoid, lambda z, a: a * (1 - a)),
    "linear": (lambda z: z, lambda z, a: np.ones_like(z)),
}


class Activation(Layer):
    """a = f(z), element by element."""

    def __init__(self, name: str, function: str) -> None:
        super().__init__(name)
        self.function, self.derivative = ACTIVATIONS[function]

    def forward(self, x: Array, training: bool = False) -> Array:
        a = self.function(x)
        self.z, self.a = x, a
        return a

    def backward(self, d_out: Array) -> Array:
        return d_out * self.derivative(self.z, self.a)


class BatchNormalization(Layer):
    """γ (x − μ) / √(σ² + ε) + β over the batch (Ioffe, Szegedy 2015); moving averages at inference.

    Each unit, or each channel of a map, has its own μ, σ², γ and β: (m,) for x (n, …, m).
    `momentum` and `epsilon` are Keras's defaults, so that a Keras network computes the same here.
    """

    momentum, epsilon = 0.99, 1e-3

    def __init__(self, name: str, gamma: Array, beta: Array, mean: Array, variance: Array) -> None:
        super().__init__(name)
        self.parameters = {"gamma": gamma, "beta": beta}
        self.moving = {"moving_mean": mean, "moving_variance": variance}

    def forward(self, x: Array, training: bool = False) -> Array:
        mean, variance = self.moving.values()
        if training:
            mean, variance = _over_batch(np.mean, x), _over_batch(np.var, x)
            for name, batch in zip(self.moving, (mean, variance), strict=True):
                self.moving[name] = self.momentum * self.moving[name] + (1 - self.momentum) * batch
        scale = 1 / np.sqrt(variance + self.epsilon)
        normal = (x - mean) * scale
        self.training, self.scale, self.normal = training, scale, normal
        return self.parameters["gamma"] * normal + self.parameters["beta"]

    def backward(self, d_out: Array) -> Array:
        self.gradients = {
            "gamma": _over_batch(np.sum, d_out * self.normal),
            "beta": _over_batch(np.sum, d_out),
        }
        d_normal = d_out * self.parameters["gamma"]
        if self.training:  # μ and σ² depend on x too
            d_normal = (
                d_normal
                - _over_batch(np.mean, d_normal)
                - self.normal * _over_batch(np.mean, d_normal * self.normal)
            )
        return d_normal * self.scale


def _over_batch(statistic: Callable[..., Array], x: Array) -> Array:
    """A statistic of each last-axis entry over all other axes: (n, …, m) ↦ (m,). Summed in float64,
    because NumPy adds rows one by one and maps have tens of thousands of them."""
    return statistic(x.reshape(-1, x.shape[-1]), axis=0, dtype=np.float64).astype(x.dtype)


class Dropout(Layer):
    """In training, zero a random share of the values and scale up the rest (Srivastava 2014)."""

    def __init__(self, name: str, rate: float, rng: np.random.Generator) -> None:
        super().__init__(name)
        self.rate, self.rng = rate, rng

    def forward(self, x: Array, training: bool = False) -> Array:
        if training:
            kept = self.rng.random(x.shape) >= self.rate
            mask = kept.astype(x.dtype) / np.asarray(1 - self.rate, x.dtype)
        else:
            mask = np.ones((), x.dtype)
        self.mask = mask
        return x * mask

    def backward(self, d_out: Array) -> Array:
        return d_out * self.mask


def softmax(logits: Array) -> Array:
    """Probabilities (n, 10) from logits (n, 10); the maximum is subtracted so that no e^x
    overflows, which changes nothing: it cancels in the fraction."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def one_hot(labels: Array, classes: int = 10, dtype: type = np.float32) -> Array:
    """Labels (n,) as rows (n, classes) of zeros with a 1 in the place of the label."""
    return np.eye(classes, dtype=dtype)[labels]


def cross_entropy(logits: Array, labels: Array, smoothing: float = 0.0) -> tuple[float, Array]:
    """Mean −log p[label] in nats over n images, and its gradient (p − one-hot) / n by the logits.

    logits (n, 10), labels (n,) whole numbers. `smoothing` spreads this share of each label over
    all classes: −Σ t log p with t = (1 − s) one-hot + s / 10 (Szegedy et al. 2016).
    """
    rows, largest = np.arange(len(labels)), logits.argmax(axis=1)
    shifted = logits - logits[rows, largest, None]
    others = np.exp(shifted)
    others[rows, largest] = 0
    # log(1 + others) by log1p: a sure answer's loss is tiny, and the 1 would swallow its digits.
    loss = np.log1p(others.sum(axis=1)) - shifted[rows, labels]
    d_logits = softmax(logits)
    d_logits[rows, labels] -= 1
    if smoothing:
        loss += smoothing * (shifted[rows, labels] - shifted.mean(axis=1))
        d_logits += smoothing * (one_hot(labels, 10, logits.dtype) - 0.1)
    return float(loss.mean()), d_logits / np.asarray(len(labels), logits.dtype)


class Network:
    """A stack of layers from uint8 images (n, 28, 28) to logits (n, 10).

    `dtype` is float32, as Keras computes, or float64, for checking gradients.
    """

    def __init__(self, layers: list[Layer], dtype: type = np.float32) -> None:
        self.layers, self.dtype = layers, dtype

    @classmethod
    def from_spec(
        cls, spec: Any, rng: np.random.Generator, dtype: type = np.float32
    ) -> Network:
        """A fresh network of this RunSpec, as `initial_weights` begins it."""
        return cls.from_weights(spec, initial_weights(spec, rng), dtype, rng)

    @classmethod
    def from_weights(
        cls,
        spec: Any,
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

    def predict(self, images: Array, batch: int = 50) -> Array:
        """Probabilities (n, 10) in the network's dtype, `batch` images at a time."""
        parts = [self.forward(images[i : i + batch]) for i in range(0, len(images), batch)]
        return softmax(np.concatenate(parts)) if parts else np.empty((0, 10), self.dtype)

    def weights(self) -> dict[str, Array]:
        """All parameters and moving averages by the names that `from_weights` takes."""
        return {
            f"{layer.name}/{name}": value
            for layer in self.layers
            for name, value in (layer.parameters | getattr(layer, "moving", {})).items()
        }


def weight_shapes(spec: Any) -> dict[str, tuple[int, ...]]:
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


def initial_weights(spec: Any, rng: np.random.Generator) -> dict[str, Array]:
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


def _match(weights: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        if name not in weights:
            raise ValueError(f"The weights lack {name!r}, which this design has.")
        if np.shape(weights[name]) != shape:
            found = np.shape(weights[name])
            raise ValueError(f"The weight {name!r} has shape {found}; this design needs {shape}.")
    if extra := sorted(set(weights) - set(shapes)):
        raise ValueError(f"The weights hold {extra[0]!r}, which this design does not have.")


def _build(block: Any, weights: Mapping[str, Array], dtype: type, rng: np.random.Generator):
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
