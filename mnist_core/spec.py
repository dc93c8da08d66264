"""What to train: the frozen RunSpec, its tables of choices, its rules and its URL form.

Everything that offers, checks, draws, writes down or executes a design reads the tables and the
`stack()` of this file, so the widgets, the link, the diagram, the Keras code and the engine cannot
disagree. Standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple


class Choice(NamedTuple):
    """One option of a table: its name on the page and one sentence on what it does."""

    label: str
    says: str


ACTIVATIONS: dict[str, Choice] = {
    "relu": Choice("ReLU", "max(0, z): cheap, does not saturate, the usual first choice."),
    "leaky_relu": Choice("Leaky ReLU", "Like ReLU, but lets a fifth of a negative input through."),
    "elu": Choice("ELU", "Like ReLU with a smooth negative side that levels off at −1."),
    "silu": Choice("SiLU", "z · sigmoid(z): a smooth relative of ReLU."),
    "tanh": Choice("tanh", "Squashes to −1 … 1; saturates for large inputs."),
    "sigmoid": Choice("Sigmoid", "Squashes to 0 … 1; its small derivative slows deep stacks."),
    "linear": Choice("None", "No activation: stacked linear layers are one linear layer."),
}


@dataclass(frozen=True)
class Optimizer:
    """A Keras optimizer: its class, the arguments that set it apart, and a usual learning rate."""

    label: str
    keras: str
    learning_rate: float
    says: str
    arguments: tuple[tuple[str, Any], ...] = ()


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer("SGD", "SGD", 0.1, "Follows the gradient of each batch, nothing else."),
    "momentum": Optimizer(
        "SGD with momentum", "SGD", 0.02, "Keeps rolling: 90 % of the last step is added.",
        (("momentum", 0.9),),
    ),
    "rmsprop": Optimizer(
        "RMSprop", "RMSprop", 0.001, "Divides each weight's step by its recent gradient size."
    ),
    "adam": Optimizer("Adam", "Adam", 0.001, "Momentum and RMSprop together; hard to get wrong."),
    "adamw": Optimizer(
        "AdamW", "AdamW", 0.001, "Adam that also shrinks the weights a little at each step.",
        (("weight_decay", 0.004),),
    ),
    "nadam": Optimizer("Nadam", "Nadam", 0.001, "Adam that looks one step ahead (Nesterov)."),
    "adagrad": Optimizer(
        "Adagrad", "Adagrad", 0.05, "Steps shrink for weights that have moved a lot already."
    ),
}

VALIDATIONS: dict[str, Choice] = {
    "share": Choice(
        "a share of the training images",
        "The last images of the training set are kept apart and never trained on.",
    ),
    "test": Choice(
        "the test set",
        "Validating on the test set, as some tutorials do, is not clean: whoever picks the best "
        "epoch or design by it has picked on the test images, and the test accuracy no longer says "
        "how new digits will fare.",
    ),
}


class Limit(NamedTuple):
    """The smallest and largest value that a shared host accepts."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and math.isfinite(value)
            and self.low <= value <= self.high
        )


LIMITS: dict[str, Limit] = {
    "layers": Limit(1, 6),
    "units": Limit(8, 1024),
    "dropout": Limit(0.0, 0.9),
    "learning_rate": Limit(1e-6, 10.0),
    "batch_size": Limit(1, 1024),
    "epochs": Limit(1, 100),
    "validation_share": Limit(0.05, 0.5),
    "seed": Limit(0, 2**31 - 1),
    "parameters": Limit(1, 4_000_000),
}
IMAGE_SHAPE = (28, 28)
CLASSES = 10


class Problem(str):
    """One plain sentence about a design; `blocking` if the design cannot be trained at all."""

    blocking: bool

    def __new__(cls, sentence: str, blocking: bool = True) -> Problem:
        problem = super().__new__(cls, sentence)
        problem.blocking = blocking
        return problem


class SpecError(ValueError):
    """A design, or its URL form, that cannot be used; the message is one plain sentence."""


@dataclass(frozen=True)
class Layer:
    """A hidden layer: Dense with its activation, then batch normalisation, then dropout."""

    units: int = 128
    activation: str = "relu"
    batch_norm: bool = False
    dropout: float = 0.0


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


@dataclass(frozen=True)
class RunSpec:
    """All that decides a training run, so that equal specs on equal data give equal runs.

    `validation` is "share" (the last `validation_share` of the training images, as in Keras's
    `validation_split`) or "test". `learning_rate` has the optimizer's own unit (step per gradient).
    """

    layers: tuple[Layer, ...] = (Layer(128, batch_norm=True),)
    optimizer: str = "adam"
    learning_rate: float = 0.001
    batch_size: int = 32
    epochs: int = 10
    validation: Literal["share", "test"] = "share"
    validation_share: float = field(default=0.2)
    seed: int = 0

    def stack(self) -> tuple[Block, ...]:
        """The Keras layers from the uint8 image (28, 28) to the ten logits, in order."""
        blocks = [
            Block("Rescaling", "rescaling", {"scale": 1 / 255}, IMAGE_SHAPE),
            Block("Flatten", "flatten", {}, (math.prod(IMAGE_SHAPE),)),
        ]
        width = math.prod(IMAGE_SHAPE)
        for i, layer in enumerate(self.layers, 1):
            blocks.extend(_hidden(i, layer, width))
            width = layer.units
        arguments = {"units": CLASSES}
        blocks.append(Block("Dense", "logits", arguments, (CLASSES,), (width + 1) * CLASSES))
        return tuple(blocks)

    @property
    def parameters(self) -> int:
        """Trainable and fixed parameters of the whole network."""
        return sum(block.trainable + block.fixed for block in self.stack())

    def problems(self) -> tuple[Problem, ...]:
        """What is impossible (`blocking`) or unwise about this design, a sentence each.

        An impossible value is reported alone: advice on a design that cannot run is noise.
        """
        return tuple(_impossible(self)) or tuple(_unwise(self))

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


def _hidden(i: int, layer: Layer, width: int) -> list[Block]:
    shape = (layer.units,)
    dense = {"units": layer.units, "activation": layer.activation}
    blocks = [Block("Dense", f"dense_{i}", dense, shape, (width + 1) * layer.units)]
    if layer.batch_norm:
        two = 2 * layer.units
        blocks.append(Block("BatchNormalization", f"batch_norm_{i}", {}, shape, two, two))
    if layer.dropout:
        blocks.append(Block("Dropout", f"dropout_{i}", {"rate": layer.dropout}, shape))
    return blocks


def _whole(value: object, name: str) -> bool:
    return isinstance(value, int) and value in LIMITS[name]


def _impossible(spec: RunSpec):
    """Blocking problems, in the order in which the page shows the controls."""
    if not isinstance(spec.layers, tuple) or not all(isinstance(x, Layer) for x in spec.layers):
        yield Problem("The layers must be a tuple of Layer.")
        return
    if len(spec.layers) not in LIMITS["layers"]:
        low, high = LIMITS["layers"]
        yield Problem(f"The network needs {low} to {high} hidden layers, not {len(spec.layers)}.")
    for i, layer in enumerate(spec.layers, 1):
        yield from _impossible_layer(i, layer)
    if spec.optimizer not in OPTIMIZERS:
        yield Problem(f"There is no optimizer {spec.optimizer!r}: choose {_any_of(OPTIMIZERS)}.")
    if spec.learning_rate not in LIMITS["learning_rate"]:
        yield Problem("The learning rate must be a number from 0.000001 to 10.")
    for name, words in _WHOLE_NUMBERS.items():
        if not _whole(getattr(spec, name), name):
            low, high = LIMITS[name]
            yield Problem(f"The {words} must be a whole number from {low:,} to {high:,}.")
    if spec.validation not in VALIDATIONS:
        yield Problem(f"There is no validation {spec.validation!r}: choose {_any_of(VALIDATIONS)}.")
    if spec.validation_share not in LIMITS["validation_share"]:
        yield Problem("The share kept for validation must be from 0.05 to 0.5.")


_WHOLE_NUMBERS = {"batch_size": "batch size", "epochs": "number of epochs", "seed": "seed"}


def _impossible_layer(i: int, layer: Layer):
    if not _whole(layer.units, "units"):
        low, high = LIMITS["units"]
        yield Problem(f"Layer {i} must have a whole number of units from {low} to {high:,}.")
    if layer.activation not in ACTIVATIONS:
        yield Problem(f"Layer {i}: there is no activation {layer.activation!r}; choose "
                      f"{_any_of(ACTIVATIONS)}.")
    if not isinstance(layer.batch_norm, bool):
        yield Problem(f"Layer {i}: batch normalisation must be True or False.")
    if layer.dropout not in LIMITS["dropout"]:
        yield Problem(f"Layer {i}: dropout must be from 0 to 0.9, the share of units left out.")


def _any_of(table: Mapping[str, object]) -> str:
    return ", ".join(table)


def _unwise(spec: RunSpec):
    """What can be trained, or almost, but that its designer should hear about first."""
    if spec.parameters not in LIMITS["parameters"]:
        yield Problem(
            f"This network has {spec.parameters:,} parameters; a shared host takes at most "
            f"{LIMITS['parameters'].high:,}: use fewer or narrower layers."
        )
    norm = any(layer.batch_norm for layer in spec.layers)
    if norm and spec.batch_size == 1:
        yield Problem(
            "Batch normalisation needs a batch of at least 2: over a single image every value "
            "equals its own mean, and the layer puts out zeros."
        )
    elif norm and spec.batch_size < 8:
        yield _advice(f"Batch normalisation over only {spec.batch_size} images is very noisy.")
    yield from _unwise_rate(spec)
    if len(spec.layers) > 1 and all(layer.activation == "linear" for layer in spec.layers):
        yield _advice(
            "Without an activation the layers collapse into a single linear one: depth adds "
            "nothing but cost."
        )
    yield from _unwise_layers(spec)
    if spec.validation == "test":
        yield _advice(VALIDATIONS["test"].says)


def _unwise_rate(spec: RunSpec):
    optimizer = OPTIMIZERS[spec.optimizer]
    ratio = spec.learning_rate / optimizer.learning_rate
    usual = f"{optimizer.label}'s usual {optimizer.learning_rate:g}"
    if ratio > 9.9:
        yield _advice(
            f"A learning rate of {spec.learning_rate:g} is {ratio:.0f} times {usual}: the loss may "
            "jump about or become NaN."
        )
    elif ratio < 0.0101:
        yield _advice(
            f"A learning rate of {spec.learning_rate:g} is {1 / ratio:.0f} times smaller than "
            f"{usual}: the loss will hardly move in {spec.epochs} epochs."
        )


def _unwise_layers(spec: RunSpec):
    squashing = [x for x in spec.layers if x.activation in ("sigmoid", "tanh") and not x.batch_norm]
    if len(squashing) >= 4:
        yield _advice(
            f"{len(squashing)} sigmoid or tanh layers without batch normalisation: the gradient "
            "shrinks at each, so the first layers will learn slowly (vanishing gradients)."
        )
    for i, layer in enumerate(spec.layers, 1):
        if layer.dropout > 0.6:
            yield _advice(
                f"Layer {i} drops {layer.dropout:.0%} of its units at every step: it will probably "
                "underfit."
            )
        if layer.units < CLASSES:
            yield _advice(
                f"Layer {i} squeezes every digit through {layer.units} numbers, fewer than the "
                f"{CLASSES} classes: expect a lower accuracy."
            )


def _advice(sentence: str) -> Problem:
    return Problem(sentence, blocking=False)


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
}
QUERY_KEYS = frozenset({"v", *_QUERY})
_DEFAULT = RunSpec()
assert {name for name, *_ in _QUERY.values()} == {f.name for f in fields(RunSpec)}
