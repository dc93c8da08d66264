"""The layers of the NumPy network: each forward beside its backward.

Shapes: n images, `d` inputs and `m` outputs of a layer. A layer's `forward` keeps what its
`backward` needs, but computes with local values, so that visitors may share a network for
answers; `backward` takes ∂L/∂output, fills `gradients` and returns ∂L/∂input. The formulas
are those of Goodfellow, Bengio, Courville, "Deep Learning" (2016), chapters 6 to 8.
"""

from __future__ import annotations

from collections.abc import Callable

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
