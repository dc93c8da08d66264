"""The layers of a design as data: one Block a Keras layer, with its shape and its parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

from .choices import Conv, Layer


class Block(NamedTuple):
    """One Keras layer of the stack.

    `output` is its shape without the batch; `trainable` and `fixed` count its parameters (the
    moving averages of batch normalisation are fixed: kept, but not trained). `multiplications`
    are those of its matrix products for one image.
    """

    kind: str
    name: str
    arguments: dict[str, Any]
    output: tuple[int, ...]
    trainable: int = 0
    fixed: int = 0
    multiplications: int = 0


class L2(NamedTuple):
    """Keras's L2 regularizer as data: `factor` times the sum of the squares."""

    factor: float


def convolution(
    i: int, layer: Conv, shape: tuple[int, ...], kernel: dict[str, Any]
) -> list[Block]:
    """A convolution of a map (side, side, channels), and what follows it in its block."""
    side, size = shape[0] - layer.kernel + 1, layer.kernel
    weights = size * size * shape[2] * layer.filters
    given = {"filters": layer.filters, "kernel_size": size, "activation": layer.activation}
    shape = (side, side, layer.filters)
    blocks = [Block("Conv2D", f"conv_{i}", given | kernel, shape, weights + layer.filters,
                    multiplications=side * side * weights)]  # fmt: skip
    if layer.batch_norm:
        blocks.append(_normalisation(f"conv_norm_{i}", shape))
    if layer.pool > 1:
        shape = (side // layer.pool, side // layer.pool, layer.filters)
        blocks.append(Block("MaxPooling2D", f"pool_{i}", {"pool_size": layer.pool}, shape))
    if layer.dropout:
        blocks.append(Block("Dropout", f"conv_dropout_{i}", {"rate": layer.dropout}, shape))
    return blocks


def hidden(i: int, layer: Layer, width: int, kernel: dict[str, Any]) -> list[Block]:
    """A hidden dense layer of `width` inputs, and what follows it in its block."""
    given = {"units": layer.units, "activation": layer.activation, **kernel}
    blocks = [dense(f"dense_{i}", given, width)]
    shape = blocks[0].output
    if layer.batch_norm:
        blocks.append(_normalisation(f"batch_norm_{i}", shape))
    if layer.dropout:
        blocks.append(Block("Dropout", f"dropout_{i}", {"rate": layer.dropout}, shape))
    return blocks


def dense(name: str, given: dict[str, Any], width: int) -> Block:
    """A dense layer of `width` inputs."""
    units = given["units"]
    return Block("Dense", name, given, (units,), (width + 1) * units, multiplications=width * units)


def _normalisation(name: str, shape: tuple[int, ...]) -> Block:
    return Block("BatchNormalization", name, {}, shape, 2 * shape[-1], 2 * shape[-1])
