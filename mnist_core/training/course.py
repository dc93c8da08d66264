"""What the events of a run say of it as it is now: how it is steered, and its best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mnist_core.design import schedules
from mnist_core.design.spec import RunSpec

from . import events

E = TypeVar("E", bound=events.Event)
RATE, SLOW, FULL = "learning rate", "slow motion", "full speed"  # what a mark may say


def of(kind: type[E], history: Sequence[events.Event]) -> list[E]:
    """The events of this kind, in their order."""
    return [event for event in history if isinstance(event, kind)]


@dataclass(frozen=True)
class Steering:
    """How a run goes: whether it is paused, the seconds that it waits between two batches (0 at
    full speed), and the learning rate that its owner set last, before its schedule."""

    paused: bool
    delay: float
    rate: float


def steering(spec: RunSpec, history: Sequence[events.Event]) -> Steering:
    """How the run is steered by its last events. A pause and slow motion end with the process that
    heard of them; a learning rate stays with the run."""
    paused, delay, rate = False, 0.0, spec.learning_rate
    for event in history:
        if isinstance(event, events.Started):
            paused, delay = False, 0.0
        elif isinstance(event, events.Marked):
            paused = {"paused": True, "resumed": False}.get(event.what, paused)
            delay = {SLOW: event.value or 0.0, FULL: 0.0}.get(event.what, delay)
            rate = event.value if event.what == RATE and event.value is not None else rate
    return Steering(paused, delay, rate)


def step(history: Sequence[events.Event]) -> int:
    """How many batches the run has seen."""
    return max((getattr(event, "step", 0) for event in history), default=0)


def present_rate(spec: RunSpec, history: Sequence[events.Event]) -> float:
    """The learning rate of the newest step, where the schedule has brought it."""
    rate, started = steering(spec, history).rate, of(events.Started, history)
    if not started:
        return rate
    per_epoch = started[-1].steps_per_epoch
    last = max(0, step(history) - 1)
    factors = schedules.factors(spec.schedule, last, 1, per_epoch * spec.epochs)
    return rate * float(factors[0])


def measure(spec: RunSpec) -> str:
    """What the design calls an epoch's quality: "val_loss" or "val_accuracy"."""
    return "val_loss" if spec.keep == "last" else spec.keep


def best_epoch(spec: RunSpec, history: Sequence[events.Event]) -> events.EpochEnded | None:
    """The epoch that was best by the design's own measure, the first of equals; None before one has
    ended."""
    ends, by = of(events.EpochEnded, history), measure(spec)
    sign = 1 if by == "val_loss" else -1
    return min(ends, key=lambda end: sign * getattr(end, by), default=None)
