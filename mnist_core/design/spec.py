"""What to train: the frozen RunSpec, its stack of layers and its URL form.

Everything that offers, checks, draws, writes down or executes a design reads the tables of
`choices` and the `stack()` of this file, so the widgets, the link, the diagram, the Keras code and
the engine cannot disagree. Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from mnist_core.basis import LabError

from . import rules
from .blocks import L2, Block, convolution, dense, hidden
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
from .link_form import FIELDS, VERSION
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


class SpecError(LabError):
    """A design, or its URL form, that cannot be used; the message is one plain sentence."""


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
            blocks.extend(convolution(i, layer, blocks[-1].output, self._kernel))
        width = math.prod(blocks[-1].output)
        blocks.append(Block("Flatten", "flatten", {}, (width,)))
        for i, layer in enumerate(self.layers, 1):
            blocks.extend(hidden(i, layer, width, self._kernel))
            width = layer.units
        arguments = {"units": CLASSES, **self._kernel}
        blocks.append(dense("logits", arguments, width))
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
        for key, (name, write, _) in FIELDS.items():
            value = getattr(self, name)
            if value != getattr(_DEFAULT, name):
                query[key] = write(value)
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> RunSpec:
        """The design that `to_query` wrote. Raises SpecError, in one sentence, for anything else:
        an unknown version or key, a value that does not parse, a design that cannot be trained."""
        if not isinstance(query, Mapping):
            raise SpecError("This is no design: it has no parts by their names.")
        given = dict(query)
        version = given.pop("v", VERSION)
        if version != VERSION:
            raise SpecError(f"This link is of version {version!r}; only {VERSION} is known here.")
        values = {}
        for key, text in given.items():
            if key not in FIELDS:
                known = ", ".join(FIELDS)
                raise SpecError(f"The link has an unknown part {key!r}; known are {known}.")
            name, _, read = FIELDS[key]
            try:
                values[name] = read(text)
            except (ValueError, TypeError):
                raise SpecError(f"The link's {key}={text!r} cannot be read.") from None
        spec = cls(**values)
        spec.check()
        return spec

    @classmethod
    def salvaged(cls, query: Mapping[str, str]) -> tuple[RunSpec, list[str]]:
        """As much as can be had of a design that a link brings, and a sentence for each part of it
        that cannot be used. Parts that no design has are not its business: links collect them."""
        version = query.get("v", VERSION)
        if version != VERSION:
            return cls(), [f"This link is of version {version!r}; only {VERSION} is known here."]
        spec, amiss = cls(), []
        for key, (name, _, read) in FIELDS.items():
            if key not in query:
                continue
            try:
                tried = replace(spec, **{name: read(query[key])})
                tried.check()
            except SpecError as error:
                amiss.append(f"The link's {key}={query[key]!r} cannot be used: {error}")
            except (ValueError, TypeError):
                amiss.append(f"The link's {key}={query[key]!r} cannot be read.")
            else:
                spec = tried
        return spec, amiss


QUERY_KEYS = frozenset({"v", *FIELDS})
_DEFAULT = RunSpec()
assert {name for name, *_ in FIELDS.values()} == {f.name for f in fields(RunSpec)}
