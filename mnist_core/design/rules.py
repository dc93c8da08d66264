"""What is impossible or unwise about a design, in plain sentences. Pure Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mnist_core.basis import numbers

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
    OPTIMIZERS,
    SCHEDULES,
    VALIDATIONS,
    Augment,
    Conv,
    Layer,
)

if TYPE_CHECKING:  # a RunSpec asks for its own problems
    from .spec import RunSpec


class Problem(str):
    """One plain sentence about a design; `about` is the field of the RunSpec that is to be changed,
    and `blocking` says whether the design cannot be trained at all."""

    about: str
    blocking: bool

    def __new__(cls, about: str, sentence: str, blocking: bool = True) -> Problem:
        problem = super().__new__(cls, sentence)
        problem.about, problem.blocking = about, blocking
        return problem


def problems(spec: RunSpec) -> tuple[Problem, ...]:
    """All that there is to say about a RunSpec before it is trained.

    An impossible value is reported alone: advice on a design that cannot run is noise.
    """
    return tuple(_impossible(spec)) or tuple(_unwise(spec))


def _whole(value: object, name: str) -> bool:
    return isinstance(value, int) and value in LIMITS[name]


def _impossible(spec: RunSpec) -> Iterator[Problem]:
    """Blocking problems, in the order in which the page shows the controls."""
    if not isinstance(spec.layers, tuple) or not all(isinstance(x, Layer) for x in spec.layers):
        yield Problem("layers", "The layers must be a tuple of Layer.")
        return
    if len(spec.layers) not in LIMITS["layers"]:
        low, high = LIMITS["layers"]
        yield Problem("layers", f"The network takes {low} to {high} hidden layers, not "
                                f"{len(spec.layers)}.")  # fmt: skip
    for i, layer in enumerate(spec.layers, 1):
        yield from _impossible_layer(i, layer)
    yield from _impossible_convolutions(spec.convolutions)
    yield from _impossible_augmentation(spec.augment)
    for name, (words, table) in _CHOICES.items():
        value = getattr(spec, name)
        if value not in table:
            yield Problem(name, f"There is no {words} {value!r}: choose {', '.join(table)}.")
    yield from _impossible_optimizer(spec)
    if spec.learning_rate not in LIMITS["learning_rate"]:
        yield Problem("learning_rate", "The learning rate must be a number from 0.000001 to 10.")
    for name, words in _WHOLE_NUMBERS.items():
        if not _whole(getattr(spec, name), name):
            low, high = LIMITS[name]
            yield Problem(name, f"The {words} must be a whole number from {low:,} to {high:,}.")
    if spec.validation_share not in LIMITS["validation_share"]:
        yield Problem("validation", "The share kept for validation must be from 0.05 to 0.5.")
    if spec.l2 not in LIMITS["l2"]:
        yield Problem("l2", "L2 must be from 0 to 0.1.")
    if spec.label_smoothing not in LIMITS["label_smoothing"]:
        yield Problem("loss", "Label smoothing must be from 0 to 0.5.")
    elif spec.label_smoothing and spec.loss == "sparse":
        yield Problem(
            "loss", "Label smoothing spreads a one-hot label: it needs the categorical loss."
        )


_CHOICES: dict[str, tuple[str, Mapping[str, object]]] = {
    "optimizer": ("optimizer", OPTIMIZERS),
    "validation": ("validation", VALIDATIONS),
    "schedule": ("schedule", SCHEDULES),
    "initializer": ("initializer", INITIALIZERS),
    "loss": ("loss", LOSSES),
    "keep": ("rule for the weights to keep", KEEPS),
    "framework": ("framework", FRAMEWORKS),
}
_WHOLE_NUMBERS = {
    "batch_size": "batch size",
    "epochs": "number of epochs",
    "seed": "seed",
    "patience": "patience",
}


def _impossible_optimizer(spec: RunSpec) -> Iterator[Problem]:
    if spec.framework not in FRAMEWORKS or spec.optimizer not in OPTIMIZERS:
        return
    framework = FRAMEWORKS[spec.framework]
    if spec.optimizer not in framework.optimizers:
        *others, last = (OPTIMIZERS[name].label for name in framework.optimizers)
        yield Problem(
            "optimizer",
            f"{framework.label} has no {OPTIMIZERS[spec.optimizer].label} here: choose "
            f"{', '.join(others)} or {last}, or train with Keras."
        )


def _impossible_layer(i: int, layer: Layer) -> Iterator[Problem]:
    if not _whole(layer.units, "units"):
        low, high = LIMITS["units"]
        yield Problem("layers", f"Layer {i} must have a whole number of units from {low} to "
                                f"{high:,}.")  # fmt: skip
    yield from _impossible_block("layers", f"Layer {i}", layer)


def _impossible_block(about: str, name: str, block: Layer | Conv) -> Iterator[Problem]:
    """What dense layers and convolutions have in common."""
    if block.activation not in ACTIVATIONS:
        yield Problem(about, f"{name}: there is no activation {block.activation!r}; choose "
                             f"{', '.join(ACTIVATIONS)}.")  # fmt: skip
    if not isinstance(block.batch_norm, bool):
        yield Problem(about, f"{name}: batch normalisation must be True or False.")
    if block.dropout not in LIMITS["dropout"]:
        yield Problem(
            about, f"{name}: dropout must be from 0 to 0.9, the share of units left out."
        )


def _impossible_convolutions(blocks: object) -> Iterator[Problem]:
    if not isinstance(blocks, tuple) or not all(isinstance(x, Conv) for x in blocks):
        yield Problem("convolutions", "The convolutions must be a tuple of Conv.")
        return
    if len(blocks) not in LIMITS["convolutions"]:
        low, high = LIMITS["convolutions"]
        yield Problem("convolutions", f"The network takes {low} to {high} convolution blocks, not "
                                      f"{len(blocks)}.")  # fmt: skip
    side = IMAGE_SHAPE[0]
    for i, block in enumerate(blocks, 1):
        wrong = list(_impossible_convolution(i, block))
        yield from wrong
        if wrong:
            return
        left = (side - block.kernel + 1) // block.pool
        if left < 1:
            yield Problem(
                "convolutions",
                f"Convolution {i} finds only {side} × {side} pixels left of the image: that is too "
                f"little for a kernel of {block.kernel} and pooling of {block.pool}; make the "
                "kernels or the pooling smaller."
            )
            return
        side = left


def _impossible_convolution(i: int, block: Conv) -> Iterator[Problem]:
    for name, words in (("filters", "filters"), ("kernel", "pixels in its kernel's side"),
                        ("pool", "pixels in its pooling's side")):  # fmt: skip
        if not _whole(getattr(block, name), name):
            low, high = LIMITS[name]
            yield Problem("convolutions", f"Convolution {i} must have a whole number of {words}, "
                                          f"{low} to {high}.")  # fmt: skip
    yield from _impossible_block("convolutions", f"Convolution {i}", block)


def _impossible_augmentation(augment: object) -> Iterator[Problem]:
    if not isinstance(augment, Augment):
        yield Problem("augment", "The augmentation must be an Augment.")
        return
    for name, given in AUGMENTATIONS.items():
        if getattr(augment, name) not in LIMITS[name]:
            low, high = LIMITS[name]
            unit = "" if given.unit == "share" else f" {given.unit}"
            yield Problem("augment", f"{given.label} must be from {low:g} to {high:g}{unit}.")


def _unwise(spec: RunSpec) -> Iterator[Problem]:
    """What can be trained, or almost, but that its designer should hear about first."""
    yield from _too_large(spec)
    norm = any(layer.batch_norm for layer in (*spec.convolutions, *spec.layers))
    # Over a feature map each of its pixels counts, over a dense layer only the images.
    if any(layer.batch_norm for layer in spec.layers) and spec.batch_size == 1:
        yield Problem(
            "batch_size",
            "Batch normalisation needs a batch of at least 2: over a single image every value "
            "equals its own mean, and the layer puts out zeros."
        )
    elif norm and spec.batch_size < 8:
        yield _advice(
            "batch_size",
            f"Batch normalisation over only {spec.batch_size} images is very noisy.",
        )
    yield from _unwise_rate(spec)
    if len(spec.layers) > 1 and all(layer.activation == "linear" for layer in spec.layers):
        yield _advice(
            "layers",
            "Without an activation the layers collapse into a single linear one: depth adds "
            "nothing but cost."
        )
    yield from _unwise_layers(spec)
    yield from _unwise_augmentation(spec.augment)
    if spec.initializer == "zeros":
        yield _advice(
            "initializer",
            "Kernels that start at zero give all units of a layer the same gradient, so they never "
            "become different: the network will hardly learn."
        )
    if spec.patience >= spec.epochs:
        yield _advice("patience", f"A patience of {numbers.some(spec.patience, 'epoch')} cannot "
                                  f"end a run of {numbers.some(spec.epochs, 'epoch')} early.")
    if spec.validation == "test":
        yield _advice("validation", VALIDATIONS["test"].says)


def _too_large(spec: RunSpec) -> Iterator[Problem]:
    if spec.parameters not in LIMITS["parameters"]:
        yield Problem(
            "layers",
            f"This network has {spec.parameters:,} parameters; a shared host takes at most "
            f"{LIMITS['parameters'].high:,}: use fewer or narrower layers."
        )
    if spec.multiplications not in LIMITS["multiplications"]:
        yield Problem(
            "convolutions",
            f"This network multiplies {spec.multiplications:,} times for one image; a shared host "
            f"takes at most {LIMITS['multiplications'].high:,}: use fewer filters, smaller kernels "
            "or more pooling."
        )
    if spec.framework == "numpy" and spec.windows:
        most = LIMITS["windows"].high // spec.windows
        if spec.batch_size > most:
            yield Problem(
                "batch_size",
                "NumPy lays out what each kernel sees as one table, which for a batch of "
                f"{spec.batch_size:,} would take {4e-9 * spec.batch_size * spec.windows:.1f} GB: "
                f"use batches of at most {most:,.0f}, or train with Keras."
            )


def _unwise_rate(spec: RunSpec) -> Iterator[Problem]:
    optimizer = OPTIMIZERS[spec.optimizer]
    ratio = spec.learning_rate / optimizer.learning_rate
    usual = f"{optimizer.label}'s usual {numbers.plain(optimizer.learning_rate)}"
    rate = numbers.plain(spec.learning_rate)
    if ratio > 9.9:
        yield _advice(
            "learning_rate",
            f"A learning rate of {rate} is {ratio:,.0f} times {usual}: the loss may "
            "jump about or become NaN."
        )
    elif ratio < 0.0101:
        yield _advice(
            "learning_rate",
            f"A learning rate of {rate} is {1 / ratio:,.0f} times smaller than {usual}: the loss "
            f"will hardly move in {numbers.some(spec.epochs, 'epoch')}.",
        )


def _unwise_layers(spec: RunSpec) -> Iterator[Problem]:
    squashing = [x for x in spec.layers if x.activation in ("sigmoid", "tanh") and not x.batch_norm]
    if len(squashing) >= 4:
        yield _advice(
            "layers",
            f"{len(squashing)} sigmoid or tanh layers without batch normalisation: the gradient "
            "shrinks at each, so the first layers will learn slowly (vanishing gradients)."
        )
    deaf = [i for i, layer in enumerate(spec.layers, 1) if layer.dropout > 0.6]
    if deaf:
        share = numbers.percent(min(spec.layers[i - 1].dropout for i in deaf), 0)
        share = share if len(deaf) == 1 else f"at least {share}"
        yield _advice("layers", f"{_those(deaf, 'drops', 'drop')} {share} of the units at every "
                                "step: expect underfitting.")  # fmt: skip
    narrow = [i for i, layer in enumerate(spec.layers, 1) if layer.units < CLASSES]
    if narrow:
        least = min(spec.layers[i - 1].units for i in narrow)
        yield _advice(
            "layers",
            f"{_those(narrow, 'squeezes', 'squeeze')} every digit through {least} numbers, fewer "
            f"than the {CLASSES} classes: expect a lower accuracy.",
        )


def _those(which: list[int], one: str, several: str) -> str:
    """The layers of these numbers as the subject of a sentence: "Layer 2 drops", "Layers 1, 2 and 5
    drop"."""
    if len(which) == 1:
        return f"Layer {which[0]} {one}"
    *first, last = map(str, which)
    return f"Layers {', '.join(first)} and {last} {several}"


# Above so much, and why not: the digit's box is 20 pixels wide in an image of 28.
_FAR = {
    "shift": (4, "moves strokes out of the image, which has 4 empty pixels on each side"),
    "rotation": (30, "brings 6 and 9, or 1 and 7, close to each other"),
    "zoom": (0.4, "makes digits larger than the image"),
    "shear": (30, "leans digits further than a hand does"),
    "elastic": (2.5, "folds strokes over each other, and some digits cannot be read any more"),
    "pen": (0.7, "wipes thin strokes out"),
}


def _unwise_augmentation(augment: Augment) -> Iterator[Problem]:
    for name, (far, why) in _FAR.items():
        if (most := getattr(augment, name)) > far:
            given = AUGMENTATIONS[name]
            size = numbers.percent(most, 0) if given.unit == "share" else f"{most:g} {given.unit}"
            yield _advice(
                "augment", f"{given.label} by up to {size} {why}: expect a lower accuracy."
            )


def _advice(about: str, sentence: str) -> Problem:
    return Problem(about, sentence, blocking=False)
