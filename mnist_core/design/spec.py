"""What to train: the frozen RunSpec, its stack of layers and its URL form.

Everything that offers, checks, draws, writes down or executes a design reads the tables of
`choices` and the `stack()` of this file, so the widgets, the link, the diagram, the Keras code and
the engine cannot disagree. Standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from . import rules
from .choices import (
    ACTIVATIONS,
    AUGMENTATIONS,
    CLASSES,
    FRAMEWORKS,
    IMAGE_SHAPE,
    INITIALIZERS,
    KEEPS,
    LIMITS,
    LOSSES,
    NO_AUGMENT,
    OPTIMIZERS,
    SCHEDULES,
    VALIDATIONS,
    Augment,
    Conv,
    Layer,
    Limit,
)
from .rules import Problem

__all__ = [
    "ACTIVATIONS",
    "AUGMENTATIONS",
    "CLASSES",
    "FRAMEWORKS",
    "IMAGE_SHAPE",
    "INITIALIZERS",
    "KEEPS",
    "L2",
    "LIMITS",
    "LOSSES",
    "OPTIMIZERS",
    "QUERY_KEYS",
    "SCHEDULES",
    "VALIDATIONS",
    "VERSION",
    "Augment",
    "Block",
    "Conv",
    "Layer",
    "Limit",
    "Problem",
    "RunSpec",
    "SpecError",
]  # fmt: skip


class SpecError(ValueError):
    """A design, or its URL form, that cannot be used; the message is one plain sentence."""


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


@dataclass(frozen=True)
class RunSpec:
    """All that decides a training run, so that equal specs on equal data give equal runs.

    `validation` is "share" (the last `validation_share` of the training images, as in Keras's
    `validation_split`) or "test". `learning_rate` has the optimizer's own unit (step per gradient)
    and moves along `schedule`. `l2` is the factor of the kernels' summed squares in the loss.
    `keep` says which epoch's weights answer in the end; `patience`, if not 0, after how many epochs
    without a better one the run ends early. `framework` is what computes it.
    """

    layers: tuple[Layer, ...] = (Layer(128, batch_norm=True),)
    optimizer: str = "adam"
    learning_rate: float = 0.001
    batch_size: int = 32
    epochs: int = 10
    validation: Literal["share", "test"] = "share"
    validation_share: float = 0.2
    seed: int = 0
    schedule: str = "constant"
    initializer: str = "glorot_uniform"
    l2: float = 0.0
    loss: Literal["sparse", "categorical"] = "sparse"
    label_smoothing: float = 0.0
    keep: Literal["last", "val_accuracy", "val_loss"] = "last"
    patience: int = 0
    convolutions: tuple[Conv, ...] = ()
    augment: Augment = NO_AUGMENT
    framework: Literal["keras", "numpy"] = "keras"

    def stack(self) -> tuple[Block, ...]:
        """The Keras layers from the uint8 image (28, 28) to the ten logits, in order."""
        blocks = [Block("Rescaling", "rescaling", {"scale": 1 / 255}, IMAGE_SHAPE)]
        if self.convolutions:
            shape = (*IMAGE_SHAPE, 1)
            blocks.append(Block("Reshape", "reshape", {"target_shape": shape}, shape))
        for i, layer in enumerate(self.convolutions, 1):
            blocks.extend(_convolution(i, layer, blocks[-1].output, self._kernel))
        width = math.prod(blocks[-1].output)
        blocks.append(Block("Flatten", "flatten", {}, (width,)))
        for i, layer in enumerate(self.layers, 1):
            blocks.extend(_hidden(i, layer, width, self._kernel))
            width = layer.units
        arguments = {"units": CLASSES, **self._kernel}
        blocks.append(_dense("logits", arguments, width))
        return tuple(blocks)

    @property
    def _kernel(self) -> dict[str, Any]:
        """The arguments that all kernels share, where they are not Keras's defaults."""
        given: dict[str, Any] = {}
        if self.initializer != "glorot_uniform":
            given["kernel_initializer"] = self.initializer
        if self.l2:
            given["kernel_regularizer"] = L2(self.l2)
        return given

    @property
    def sizes(self) -> tuple[str, ...]:
        """Its layers by their size, from the image to the classes: ("784", "128", "10"), or
        ("28x28", "conv32", "128", "10")."""
        height, width = IMAGE_SHAPE
        image = f"{height}x{width}" if self.convolutions else f"{height * width}"
        convolutions = (f"conv{block.filters}" for block in self.convolutions)
        return (image, *convolutions, *(str(layer.units) for layer in self.layers), str(CLASSES))

    @property
    def parameters(self) -> int:
        """Trainable and fixed parameters of the whole network."""
        return sum(block.trainable + block.fixed for block in self.stack())

    @property
    def multiplications(self) -> int:
        """Multiplications of the matrix products for one image, forward."""
        return sum(block.multiplications for block in self.stack())

    @property
    def windows(self) -> int:
        """Numbers under the kernel at all places of one image, in the largest convolution: what
        NumPy lays out to make it one matrix product."""
        maps = (block for block in self.stack() if block.kind == "Conv2D")
        return max((block.multiplications // block.output[-1] for block in maps), default=0)

    def problems(self) -> tuple[Problem, ...]:
        """What is impossible (`blocking`) or unwise about this design, a sentence each.

        An impossible value is reported alone: advice on a design that cannot run is noise.
        """
        return rules.problems(self)

    def check(self) -> None:
        """Raise SpecError with the first blocking problem, if there is one."""
        for problem in self.problems():
            if problem.blocking:
                raise SpecError(str(problem))

    def to_query(self) -> dict[str, str]:
        """The design as URL parameters: readable, lossless, defaults left out."""
        query = {"v": VERSION}
        for key, (name, write, _) in _QUERY.items():
            value = getattr(self, name)
            if value != getattr(_DEFAULT, name):
                query[key] = write(value)
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> RunSpec:
        """The design that `to_query` wrote. Raises SpecError, in one sentence, for anything else:
        an unknown version or key, a value that does not parse, a design that cannot be trained."""
        given = dict(query)
        version = given.pop("v", VERSION)
        if version != VERSION:
            raise SpecError(f"This link is of version {version!r}; only {VERSION} is known here.")
        values = {}
        for key, text in given.items():
            if key not in _QUERY:
                known = ", ".join(_QUERY)
                raise SpecError(f"The link has an unknown part {key!r}; known are {known}.")
            name, _, read = _QUERY[key]
            try:
                values[name] = read(text)
            except (ValueError, TypeError):
                raise SpecError(f"The link's {key}={text!r} cannot be read.") from None
        spec = cls(**values)
        spec.check()
        return spec


def _convolution(
    i: int, layer: Conv, shape: tuple[int, ...], kernel: dict[str, Any]
) -> list[Block]:
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


def _hidden(i: int, layer: Layer, width: int, kernel: dict[str, Any]) -> list[Block]:
    given = {"units": layer.units, "activation": layer.activation, **kernel}
    blocks = [_dense(f"dense_{i}", given, width)]
    shape = blocks[0].output
    if layer.batch_norm:
        blocks.append(_normalisation(f"batch_norm_{i}", shape))
    if layer.dropout:
        blocks.append(Block("Dropout", f"dropout_{i}", {"rate": layer.dropout}, shape))
    return blocks


def _dense(name: str, given: dict[str, Any], width: int) -> Block:
    units = given["units"]
    return Block("Dense", name, given, (units,), (width + 1) * units, multiplications=width * units)


def _normalisation(name: str, shape: tuple[int, ...]) -> Block:
    return Block("BatchNormalization", name, {}, shape, 2 * shape[-1], 2 * shape[-1])


# The URL form. A layer is written as 128-relu-bn-d0.2, a convolution as 32-k3-relu-bn-p2-d0.2, the
# augmentation as shift2-rotation10; layers are joined by "~". None of it needs escaping in a URL.
# The version changes whenever a default or a meaning does.
VERSION = "1"
_LAYER = re.compile(
    r"(?P<units>\d{1,5})-(?P<activation>[a-z_]+)(?P<bn>-bn)?(?:-d(?P<drop>[\d.e-]+))?"
)


_NO_LAYERS = "none"
_CONV = re.compile(
    r"(?P<filters>\d{1,3})-k(?P<kernel>\d)-(?P<activation>[a-z_]+)(?P<bn>-bn)?-p(?P<pool>\d)"
    r"(?:-d(?P<drop>[\d.e-]+))?"
)
_DISTORTION = re.compile(r"(?P<name>[a-z]+)(?P<most>\d[\d.]*(?:e-\d+)?)")


def _write_layers(layers: tuple[Layer, ...]) -> str:
    return _NO_LAYERS if not layers else "~".join(
        f"{x.units}-{x.activation}{'-bn' * x.batch_norm}"
        f"{f'-d{_write_number(x.dropout)}' if x.dropout else ''}"
        for x in layers
    )


def _write_number(value: float) -> str:
    return repr(float(value))  # the shortest text that reads back equal; NumPy's repr does not


def _read_layers(text: str) -> tuple[Layer, ...]:
    if text == _NO_LAYERS:
        return ()
    layers = []
    for part in text.split("~"):
        match = _LAYER.fullmatch(part)
        if not match:
            raise ValueError(part)
        dropout = float(match["drop"] or 0.0)
        layers.append(Layer(int(match["units"]), match["activation"], bool(match["bn"]), dropout))
    return tuple(layers)


def _write_convolutions(blocks: tuple[Conv, ...]) -> str:
    return "~".join(
        f"{x.filters}-k{x.kernel}-{x.activation}{'-bn' * x.batch_norm}-p{x.pool}"
        f"{f'-d{_write_number(x.dropout)}' if x.dropout else ''}"
        for x in blocks
    )


def _read_convolutions(text: str) -> tuple[Conv, ...]:
    blocks = []
    for part in text.split("~"):
        match = _CONV.fullmatch(part)
        if not match:
            raise ValueError(part)
        filters, kernel, pool = (int(match[name]) for name in ("filters", "kernel", "pool"))
        dropout = float(match["drop"] or 0.0)
        blocks.append(Conv(filters, kernel, match["activation"], bool(match["bn"]), pool, dropout))
    return tuple(blocks)


def _write_augment(augment: Augment) -> str:
    given = {name: getattr(augment, name) for name in AUGMENTATIONS}
    return "-".join(f"{name}{_write_number(most)}" for name, most in given.items() if most)


def _read_augment(text: str) -> Augment:
    given = {}
    for part in re.split(r"-(?=[a-z])", text):
        match = _DISTORTION.fullmatch(part)
        if not match or match["name"] in given:
            raise ValueError(part)
        given[match["name"]] = float(match["most"])
    return Augment(**given)


def _read_whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError(text)
    return int(text)


_QUERY: dict[str, tuple[str, Any, Any]] = {
    "net": ("layers", _write_layers, _read_layers),
    "opt": ("optimizer", str, str),
    "lr": ("learning_rate", _write_number, float),
    "batch": ("batch_size", str, _read_whole),
    "epochs": ("epochs", str, _read_whole),
    "val": ("validation", str, str),
    "share": ("validation_share", _write_number, float),
    "seed": ("seed", str, _read_whole),
    "sched": ("schedule", str, str),
    "init": ("initializer", str, str),
    "l2": ("l2", _write_number, float),
    "loss": ("loss", str, str),
    "smooth": ("label_smoothing", _write_number, float),
    "keep": ("keep", str, str),
    "patience": ("patience", str, _read_whole),
    "conv": ("convolutions", _write_convolutions, _read_convolutions),
    "aug": ("augment", _write_augment, _read_augment),
    "fw": ("framework", str, str),
}
QUERY_KEYS = frozenset({"v", *_QUERY})
_DEFAULT = RunSpec()
assert {name for name, *_ in _QUERY.values()} == {f.name for f in fields(RunSpec)}
