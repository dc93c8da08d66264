"""Runs side by side: in which settings they differ, how each ended, and its curves on an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnist_core.basis import numbers
from mnist_core.basis.numbers import plain
from mnist_core.design import recipes
from mnist_core.design.choices import (
    ACTIVATIONS,
    AUGMENTATIONS,
    FRAMEWORKS,
    INITIALIZERS,
    KEEPS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
)
from mnist_core.design.spec import RunSpec
from mnist_core.runs.records import Run
from mnist_core.statistics.smoothing import smoothed
from mnist_core.training import course
from mnist_core.training.events import EpochEnded, Event, Marked, Progress, Started, timeline

AXES: dict[str, str] = {  # what a curve may run along -> the axis's words
    "epochs": "epochs",
    "batches": "batches",
    "images": "images seen",
    "seconds": "seconds of training",
}
METRICS: dict[str, tuple[str, str]] = {  # field of the events -> name, unit
    "loss": ("Training loss", "nats"),
    "accuracy": ("Training accuracy", "%"),
    "val_loss": ("Validation loss", "nats"),
    "val_accuracy": ("Validation accuracy", "%"),
}


def described(spec: RunSpec) -> dict[str, str]:
    """Every setting of a design in words, so that designs whose words are equal are equal."""
    blocks = (*spec.convolutions, *spec.layers)
    kinds = "-".join(ACTIVATIONS[block.activation].label for block in blocks) or "none"
    kernels = ", ".join(f"{x.kernel} × {x.kernel}, pool {x.pool}" for x in spec.convolutions)
    share = f"the last {100 * spec.validation_share:.4g} % of the training images"
    given = {name: getattr(spec.augment, name) for name in AUGMENTATIONS}
    bends = ", ".join(
        f"{AUGMENTATIONS[name].label.lower()} {plain(most)}" for name, most in given.items() if most
    )
    return {
        "Computed by": FRAMEWORKS[spec.framework].label,
        "Network": recipes.network(spec),
        "Activations": kinds,
        "Kernels": kernels or "none",
        "Optimizer": OPTIMIZERS[spec.optimizer].label,
        "Learning rate": plain(spec.learning_rate),
        "Rate over time": SCHEDULES[spec.schedule].label,
        "Batch size": f"{spec.batch_size:,}",
        "Epochs": str(spec.epochs),
        "Initial weights": INITIALIZERS[spec.initializer].label,
        "L2": plain(spec.l2) or "0",
        "Cross-entropy": LOSSES[spec.loss].label,
        "Label smoothing": plain(spec.label_smoothing),
        "Augmentation": bends or "none",
        "Validation": "the test set" if spec.validation == "test" else share,
        "Keeps": KEEPS[spec.keep].label,
        "Patience": str(spec.patience),
        "Seed": str(spec.seed),
    }


HAND = "Changed by hand"


def by_hand(history: Sequence[Event]) -> str:
    """What was changed of a run's settings while it trained, in words: its learning rate."""
    marks = [e for e in course.of(Marked, timeline(history)) if e.what == course.RATE]
    said = (f"learning rate {numbers.plain(mark.value or 0)} after "
            f"{numbers.some(mark.step, 'batch', 'batches')}" for mark in marks)  # fmt: skip
    return ", ".join(said) or "nothing"


def differences(
    specs: Sequence[RunSpec], histories: Sequence[Sequence[Event]] = ()
) -> dict[str, list[str]]:  # fmt: skip
    """The settings in which designs differ, each with the designs' values in order; with the runs'
    histories also what was changed while they trained."""
    words = [described(spec) for spec in specs]
    for settings, history in zip(words, histories, strict=False):
        settings[HAND] = by_hand(history)
    columns = {label: [w[label] for w in words] for label in (words[0] if words else ())}
    return {label: values for label, values in columns.items() if len(set(values)) > 1}


SETTING_LABELS = frozenset({*described(RunSpec()), HAND})


# ------------------------------------------------------------------- how they ended


@dataclass(frozen=True)
class Figure:
    """One number of several runs, in order, None where a run has none: `digits` after the point,
    times 100 with `percent`; `best` is "high", "low" or "" if neither is better."""

    label: str
    values: tuple[float | None, ...]
    best: str = ""
    digits: int = 0
    percent: bool = False

    def write(self, value: float | None) -> str:
        if self.percent:
            return numbers.percent(value, self.digits)
        return numbers.NONE if value is None else numbers.fixed(value, self.digits)

    def winners(self) -> set[int]:
        """The places of the best value; none if all are equal."""
        known = [value for value in self.values if value is not None]
        if not self.best or len(known) < 2 or min(known) == max(known):
            return set()
        top = max(known) if self.best == "high" else min(known)
        return {i for i, value in enumerate(self.values) if value == top}


def figures(runs: Sequence[Run], histories: Sequence[Sequence[Event]]) -> list[Figure]:
    """How the runs ended, and what they took."""
    ends = [[e for e in timeline(h) if isinstance(e, EpochEnded)] for h in histories]
    last = [x[-1] if x else None for x in ends]

    def of(name: str) -> tuple[float | None, ...]:
        return tuple(getattr(e, name) if e else None for e in last)

    return [
        Figure("Test accuracy", tuple(r.test_accuracy for r in runs), "high", 2, True),
        Figure("Test loss (nats)", tuple(r.test_loss for r in runs), "low", 4),
        Figure("Validation accuracy", of("val_accuracy"), "high", 2, True),
        Figure("Validation loss (nats)", of("val_loss"), "low", 4),
        Figure("Training accuracy", of("accuracy"), "high", 2, True),
        Figure("Training loss (nats)", of("loss"), "low", 4),
        Figure("Epochs done", tuple(float(len(x)) for x in ends)),
        Figure("Training time (s)", tuple(r.seconds for r in runs), "low", 1),
        Figure("Parameters", tuple(float(r.spec.parameters) for r in runs), "low"),
    ]


# ----------------------------------------------------------------------- the curves


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric along an axis: `x` and `y` float (n,) of one length, which may be 0. `end` is what
    it came to, of the whole last epoch, as `figures` has it; None before one has ended."""

    x: np.ndarray
    y: np.ndarray
    end: float | None = None


def curve(history: Sequence[Event], batch_size: int, metric: str, axis: str) -> Curve:
    """A metric of METRICS along one of AXES. That of the training is smoothed over its batches,
    that of the validation has a point an epoch. Accuracy is 0…1, loss in nats."""
    history = timeline(history)
    chunks = [e for e in history if isinstance(e, Progress)]
    ends = [e for e in history if isinstance(e, EpochEnded)]
    end = float(getattr(ends[-1], metric)) if ends else None
    if metric.startswith("val_"):
        steps = np.array([e.step for e in ends], float)
        values = np.array([getattr(e, metric) for e in ends], float)
    else:
        steps = np.array([e.step - e.steps / 2 for e in chunks], float)
        values = smoothed([getattr(e, metric) for e in chunks], [e.steps for e in chunks])
    x = _along(axis, steps, history, chunks, batch_size)
    return Curve(x, np.asarray(values, float), end)


def _along(
    axis: str, steps: np.ndarray, history: Sequence[Event], chunks: Sequence[Progress],
    batch_size: int,
) -> np.ndarray:  # fmt: skip
    """The steps in another unit."""
    if axis == "images":
        return steps * batch_size
    if axis == "epochs":
        started = next((e for e in history if isinstance(e, Started)), None)
        return steps / (started.steps_per_epoch if started else 1)
    if axis == "seconds" and chunks:
        known = np.array([(0, 0.0), *((e.step, e.seconds) for e in chunks)], float)
        return np.interp(steps, known[:, 0], known[:, 1])
    return steps


def curves(
    runs: Mapping[str, Run], histories: Sequence[Sequence[Event]], metric: str, axis: str
) -> dict[str, Curve]:
    """The curves of runs by their names; histories in the same order."""
    return {
        name: curve(history, run.spec.batch_size, metric, axis)
        for (name, run), history in zip(runs.items(), histories, strict=True)
    }
