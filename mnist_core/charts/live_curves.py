"""A run's curves while it trains, as plain numbers for whatever draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_core.basis import numbers
from mnist_core.design.spec import RunSpec
from mnist_core.statistics.smoothing import smoothed
from mnist_core.training import course, events

from .plotting import thinned

METRICS = ("loss", "accuracy")
CLOSE = 40  # batches that are shown one by one when they are trained so
MARKS = 40  # of the last things done to a run
_WORDS = {"paused": "paused", "resumed": "on", course.SLOW: "slow", course.FULL: "full speed"}


def curves(spec: RunSpec, history: Sequence[events.Event]) -> dict[str, Any]:
    """Loss (nats) and accuracy (0…1) of a run so far, by its timeline.

    "x" is what of the run to show, in "unit": epochs, from its start to where it is; or, if its
    last batches were trained one by one, in batches, the last CLOSE of them. "batches" are chunks
    of steps, "train" their smoothed line, "epochs" whole epochs as trained, "validation" after
    each: lists of one length each, None for what is no number. "best" is the best epoch, "marks"
    what was done to the run, "summary" a sentence for who cannot see it.
    """
    started, chunks = course.of(events.Started, history), course.of(events.Progress, history)
    ends, per_epoch = course.of(events.EpochEnded, history), _per_epoch(started)
    close = len(chunks) > 1 and all(e.steps == 1 for e in chunks[-2:]) and per_epoch > 1
    scale = 1 if close else 1 / per_epoch
    x = np.array([(e.step - (e.steps - 1 if close else e.steps) / 2) * scale for e in chunks])
    raw = {name: np.array([getattr(e, name) for e in chunks]) for name in METRICS}
    steps = [e.steps for e in chunks]
    kept = np.arange(max(0, len(x) - CLOSE), len(x)) if close else thinned(len(x))
    line = raw if close else {name: smoothed(raw[name], steps) for name in METRICS}
    at = [e.step * scale for e in ends]
    best, now = course.best_epoch(spec, history), course.step(history) * scale
    return {
        "unit": "batch" if close else "epoch",
        "x": [max(0.0, now - CLOSE), max(now + 1, 2)] if close else [0.0, now * 1.02 or 1.0],
        "batches": _part(x[kept], {name: raw[name][kept] for name in METRICS}),
        "train": _part(x[kept], {name: line[name][kept] for name in METRICS}),
        "epochs": _part(at, {name: [getattr(e, name) for e in ends] for name in METRICS}),
        "validation": _part(at, {name: [getattr(e, f"val_{name}") for e in ends]
                                 for name in METRICS}) | {"epoch": [e.epoch for e in ends]},
        "best": best.epoch if best and len(ends) > 1 else None,
        "marks": _marks(history, scale, best if len(ends) > 1 else None),
        "summary": _summary(ends, started),
    }  # fmt: skip


def _per_epoch(started: Sequence[events.Started]) -> int:
    return started[-1].steps_per_epoch if started else 1


def _part(x: Any, values: dict[str, Any]) -> dict[str, list]:
    return {"x": _plain(x), **{name: _plain(found) for name, found in values.items()}}


def _plain(values: Any) -> list[float | None]:
    """As JSON takes it, with five digits; None for what is no finite number."""
    return [float(f"{v:.5g}") if math.isfinite(v) else None for v in values]


def _marks(
    history: Sequence[events.Event], scale: float, best: events.EpochEnded | None
) -> list[dict[str, Any]]:
    """What was done to the run and what befell it, by its place."""
    found = []
    for event in history:
        if isinstance(event, events.Marked):
            rate = event.what == course.RATE and event.value is not None
            text = numbers.plain(event.value or 0) if rate else _WORDS.get(event.what, event.what)
            found.append((event.step, text))
        elif isinstance(event, events.Failed) and event.diverged:
            found.append((event.step, "no number"))
    if best:
        found.append((best.step, f"best: {best.epoch}"))
    found.sort(key=lambda mark: mark[0])
    return [{"x": round(step * scale, 4), "text": text} for step, text in found[-MARKS:]]


def _summary(ends: Sequence[events.EpochEnded], started: Sequence[events.Started]) -> str:
    if not ends:
        return "Loss and accuracy of the run: no epoch has ended yet."
    last = ends[-1]
    return (f"Loss and accuracy after epoch {last.epoch} of {started[-1].epochs}: training "
            f"{numbers.loss(last.loss)} and {numbers.percent(last.accuracy)}, validation "
            f"{numbers.loss(last.val_loss)} and {numbers.percent(last.val_accuracy)}."
            )  # fmt: skip
