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
    CLASSES,
    IMAGE_SHAPE,
    INITIALIZERS,
    KEEPS,
    LIMITS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    VALIDATIONS,
    Layer,
    Limit,
)
from .rules import Problem

__all__ = [
    "ACTIVATIONS",
    "CLASSES",
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
    "Block",
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
    moving averages of batch normalisation are fixed: kept, but not trained).
    """

    kind: str
    name: str
    arguments: dict[str, Any]
    output: tuple[int, ...]
    trainable: int = 0
    fixed: int = 0


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
    without a better one the run ends early.
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

    def stack(self) -> tuple[Block, ...]:
        """The Keras layers from the uint8 image (28, 28) to the ten logits, in order."""
        blocks = [
            Block("Rescaling", "rescaling", {"scale": 1 / 255}, IMAGE_SHAPE),
            Block("Flatten", "flatten", {}, (math.prod(IMAGE_SHAPE),)),
        ]
        width = math.prod(IMAGE_SHAPE)
        for i, layer in enumerate(self.layers, 1):
            blocks.extend(_hidden(i, layer, width, self._kernel))
            width = layer.units
        arguments = {"units": CLASSES, **self._kernel}
        blocks.append(Block("Dense", "logits", arguments, (CLASSES,), (width + 1) * CLASSES))
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
    def parameters(self) -> int:
        """Trainable and fixed parameters of the whole network."""
        return sum(block.trainable + block.fixed for block in self.stack())

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


def _hidden(i: int, layer: Layer, width: int, kernel: dict[str, Any]) -> list[Block]:
    shape = (layer.units,)
    dense = {"units": layer.units, "activation": layer.activation, **kernel}
    blocks = [Block("Dense", f"dense_{i}", dense, shape, (width + 1) * layer.units)]
    if layer.batch_norm:
        two = 2 * layer.units
        blocks.append(Block("BatchNormalization", f"batch_norm_{i}", {}, shape, two, two))
    if layer.dropout:
        blocks.append(Block("Dropout", f"dropout_{i}", {"rate": layer.dropout}, shape))
    return blocks


# The URL form. A layer is written as 128-relu-bn-d0.2, layers are joined by "~": both separators
# need no escaping in a URL. The version changes whenever a default or a meaning does.
VERSION = "1"
_LAYER = re.compile(
    r"(?P<units>\d{1,5})-(?P<activation>[a-z_]+)(?P<bn>-bn)?(?:-d(?P<drop>[\d.e-]+))?"
)


def _write_layers(layers: tuple[Layer, ...]) -> str:
    return "~".join(
        f"{x.units}-{x.activation}{'-bn' * x.batch_norm}"
        f"{f'-d{_write_number(x.dropout)}' if x.dropout else ''}"
        for x in layers
    )


def _write_number(value: float) -> str:
    return repr(float(value))  # the shortest text that reads back equal; NumPy's repr does not


def _read_layers(text: str) -> tuple[Layer, ...]:
    layers = []
    for part in text.split("~"):
        match = _LAYER.fullmatch(part)
        if not match:
            raise ValueError(part)
        dropout = float(match["drop"] or 0.0)
        layers.append(Layer(int(match["units"]), match["activation"], bool(match["bn"]), dropout))
    return tuple(layers)


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
}
QUERY_KEYS = frozenset({"v", *_QUERY})
_DEFAULT = RunSpec()
assert {name for name, *_ in _QUERY.values()} == {f.name for f in fields(RunSpec)}
