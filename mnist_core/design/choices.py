"""What a design can be made of: the tables of choices, their limits, and a layer.

Widgets, links, diagrams, exported code, rules and tests read these tables, so a choice is added in
one place. Standard library only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple


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


class Framework(NamedTuple):
    """What computes a training: its name, one sentence, and which of OPTIMIZERS it has."""

    label: str
    says: str
    optimizers: tuple[str, ...]


FRAMEWORKS: dict[str, Framework] = {
    "keras": Framework(
        "Keras", "TensorFlow, compiled for exactly this design: the fast way.",
        tuple(OPTIMIZERS),
    ),
    "numpy": Framework(
        "NumPy", "Every forward and backward pass by hand, in code that the Backprop page shows.",
        ("sgd", "momentum", "rmsprop", "adam"),
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


INITIALIZERS: dict[str, Choice] = {
    "glorot_uniform": Choice("Glorot uniform", "Keras's default: made for tanh, good for all."),
    "he_normal": Choice("He normal", "Twice the variance, made for ReLU, which silences half."),
    "lecun_normal": Choice("LeCun normal", "Variance 1 / inputs, the oldest of the three."),
    "zeros": Choice("Zeros", "All units start alike and stay alike: see why nobody does it."),
}

LOSSES: dict[str, Choice] = {
    "sparse": Choice("sparse categorical", "Cross-entropy with the label as a number, 0 to 9."),
    "categorical": Choice("categorical", "The same cross-entropy, with the label one-hot."),
}

SCHEDULES: dict[str, Choice] = {
    "constant": Choice("Constant", "The learning rate stays as it is."),
    "step": Choice("Steps", "A tenth after half of the run, a hundredth after three quarters."),
    "cosine": Choice("Cosine", "Falls to 0 along half a cosine."),
    "warmup": Choice("Warm-up, cosine", "Rises over the first tenth, then falls along a cosine."),
}

KEEPS: dict[str, Choice] = {
    "last": Choice("the last epoch", "The weights at the end answer."),
    "val_accuracy": Choice("the epoch of best validation accuracy", "As ModelCheckpoint does it."),
    "val_loss": Choice("the epoch of lowest validation loss", "Lowest loss is often earlier."),
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
    "layers": Limit(0, 6),
    "convolutions": Limit(0, 3),
    "filters": Limit(4, 64),
    "kernel": Limit(1, 7),
    "pool": Limit(1, 3),
    "units": Limit(8, 1024),
    "dropout": Limit(0.0, 0.9),
    "learning_rate": Limit(1e-6, 10.0),
    "batch_size": Limit(1, 1024),
    "epochs": Limit(1, 100),
    "validation_share": Limit(0.05, 0.5),
    "l2": Limit(0.0, 0.1),
    "label_smoothing": Limit(0.0, 0.5),
    "patience": Limit(0, 20),
    "seed": Limit(0, 2**31 - 1),
    "parameters": Limit(1, 4_000_000),
    "multiplications": Limit(1, 20_000_000),
    "windows": Limit(1, 128_000_000),
    "shift": Limit(0.0, 6.0),
    "rotation": Limit(0.0, 45.0),
    "zoom": Limit(0.0, 0.5),
    "shear": Limit(0.0, 45.0),
    "elastic": Limit(0.0, 4.0),
    "pen": Limit(0.0, 1.0),
}
IMAGE_SHAPE = (28, 28)
CLASSES = 10


@dataclass(frozen=True)
class Conv:
    """A convolution block: Conv2D (no padding, stride 1) with its activation, then batch
    normalisation, then max-pooling over `pool` × `pool` pixels (1: none), then dropout."""

    filters: int = 32
    kernel: int = 3
    activation: str = "relu"
    batch_norm: bool = False
    pool: int = 2
    dropout: float = 0.0


class Distortion(NamedTuple):
    """One way to distort a training image: its name, its unit, one sentence on what it does."""

    label: str
    unit: str
    says: str


AUGMENTATIONS: dict[str, Distortion] = {
    "shift": Distortion("Shift", "pixels", "Moves the digit, at most so far in each direction."),
    "rotation": Distortion("Rotation", "degrees", "Turns it about its middle, either way."),
    "zoom": Distortion("Zoom", "share", "Enlarges or shrinks it by up to this share."),
    "shear": Distortion("Shear", "degrees", "Leans it like a slanted hand, either way."),
    "elastic": Distortion("Elastic", "pixels", "Bends it like rubber, typically by so much."),
    "pen": Distortion("Pen width", "pixels", "Makes strokes thicker or thinner, on each side."),
}


@dataclass(frozen=True)
class Augment:
    """How far each image of a batch may be distorted, drawn anew each time it is shown; 0 is not
    at all. The fields are the keys of AUGMENTATIONS, in their units."""

    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    pen: float = 0.0

    def __bool__(self) -> bool:
        return self != NO_AUGMENT


NO_AUGMENT = Augment()

@dataclass(frozen=True)
class Layer:
    """A hidden layer: Dense with its activation, then batch normalisation, then dropout."""

    units: int = 128
    activation: str = "relu"
    batch_norm: bool = False
    dropout: float = 0.0
