"""What of a design can be varied, in a race or a sweep: one table, from which the controls, the
search and the words are made. Pure Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mnist_core.basis.numbers import plain

from .choices import ACTIVATIONS, INITIALIZERS, OPTIMIZERS, SCHEDULES, Layer
from .spec import RunSpec


@dataclass(frozen=True)
class Setting:
    """One thing that may differ between two designs.

    `options` are usual values; `get` reads a design's own, None where the design has no such thing,
    and `put` gives the design with another. `scale` is "linear" or "log" where there are values
    between two others, a multiple of `step` if that is not 0.
    """

    label: str
    options: tuple[Any, ...]
    get: Callable[[RunSpec], Any]
    put: Callable[[RunSpec, Any], RunSpec]
    write: Callable[[Any], str] = str
    scale: str = ""
    step: int = 0


def _own(name: str, label: str, options: tuple, **how: Any) -> Setting:
    """A field of the design itself."""
    return Setting(label, options, lambda spec: getattr(spec, name),
                   lambda spec, value: replace(spec, **{name: value}), **how)  # fmt: skip


def _of_layers(name: str, label: str, options: tuple, **how: Any) -> Setting:
    """A field of all hidden layers alike: where they differ, the first one speaks for them."""

    def get(spec: RunSpec) -> Any:
        return getattr(spec.layers[0], name) if spec.layers else None

    def put(spec: RunSpec, value: Any) -> RunSpec:
        return replace(spec, layers=tuple(replace(x, **{name: value}) for x in spec.layers))

    return Setting(label, options, get, put, **how)


def _distortion(name: str, label: str, options: tuple) -> Setting:
    return Setting(
        label, options, lambda spec: getattr(spec.augment, name),
        lambda spec, value: replace(spec, augment=replace(spec.augment, **{name: value})),
        write=plain, scale="linear",
    )  # fmt: skip


def _with_usual_rate(spec: RunSpec, optimizer: str) -> RunSpec:
    if optimizer == spec.optimizer:
        return spec
    return replace(spec, optimizer=optimizer, learning_rate=OPTIMIZERS[optimizer].learning_rate)


def _deep(spec: RunSpec, depth: int) -> RunSpec:
    """With so many hidden layers; more are like the last one."""
    last = spec.layers[-1] if spec.layers else Layer()
    return replace(spec, layers=(*spec.layers, *[last] * depth)[:depth])


def _smoothed(spec: RunSpec, share: float) -> RunSpec:
    loss = "categorical" if share else spec.loss  # labels must be one-hot to be smoothed
    return replace(spec, label_smoothing=share, loss=loss)


def _labels(table: Mapping[str, Any]) -> Callable[[str], str]:
    return lambda name: table[name].label


def _on(value: bool) -> str:
    return "on" if value else "off"


SETTINGS: dict[str, Setting] = {
    "optimizer": Setting(
        "Optimizer, each at its usual learning rate", tuple(OPTIMIZERS),
        lambda spec: spec.optimizer, _with_usual_rate, _labels(OPTIMIZERS),
    ),
    "optimizer_alone": _own(
        "optimizer", "Optimizer, at the same learning rate", tuple(OPTIMIZERS),
        write=_labels(OPTIMIZERS),
    ),
    "learning_rate": _own(
        "learning_rate", "Learning rate", (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
        write=plain, scale="log",
    ),
    "batch_size": _own("batch_size", "Batch size", (16, 32, 64, 128, 256, 512)),
    "depth": Setting("Hidden layers", (0, 1, 2, 3, 4), lambda spec: len(spec.layers), _deep),
    "units": _of_layers("units", "Units in each hidden layer", (16, 32, 64, 128, 256, 512),
                        scale="linear", step=8),
    "activation": _of_layers("activation", "Activation", tuple(ACTIVATIONS),
                             write=_labels(ACTIVATIONS)),
    "batch_norm": _of_layers("batch_norm", "Batch normalisation", (False, True), write=_on),
    "dropout": _of_layers("dropout", "Dropout", (0.0, 0.1, 0.2, 0.3, 0.5), write=plain,
                          scale="linear"),
    "epochs": _own("epochs", "Epochs", (1, 2, 3, 5, 10, 20)),
    "schedule": _own("schedule", "Learning rate over time", tuple(SCHEDULES),
                     write=_labels(SCHEDULES)),
    "initializer": _own("initializer", "Initial weights", tuple(INITIALIZERS),
                        write=_labels(INITIALIZERS)),
    "l2": _own("l2", "L2 penalty", (0.0, 1e-5, 1e-4, 1e-3, 1e-2), write=plain, scale="linear"),
    "label_smoothing": Setting("Label smoothing", (0.0, 0.05, 0.1, 0.2),
                               lambda spec: spec.label_smoothing, _smoothed, plain, "linear"),
    "shift": _distortion("shift", "Augmentation: shift (pixels)", (0.0, 1.0, 2.0, 3.0)),
    "rotation": _distortion("rotation", "Augmentation: rotation (°)", (0.0, 5.0, 10.0, 20.0)),
    "seed": _own("seed", "Seed", (0, 1, 2, 3, 4)),
}  # fmt: skip


def applicable(spec: RunSpec) -> dict[str, Setting]:
    """The settings that a design has."""
    return {name: s for name, s in SETTINGS.items() if s.get(spec) is not None}


def varied(spec: RunSpec, values: Mapping[str, Any]) -> RunSpec:
    """The design with these settings, whatever order they come in."""
    for name, setting in SETTINGS.items():
        if name in values:
            spec = setting.put(spec, values[name])
    return spec


def written(values: Mapping[str, Any]) -> dict[str, str]:
    """Settings by their labels, in words."""
    return {SETTINGS[name].label: SETTINGS[name].write(value) for name, value in values.items()}
