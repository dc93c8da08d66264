"""What became of a run, in a sentence or two computed from its own events, and at most one remedy.

Each kind of verdict is a function below, with its rule in the docstring; the first that holds is
the run's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mnist_core.basis import numbers
from mnist_core.design.spec import LIMITS, OPTIMIZERS, RunSpec
from mnist_core.training import course, events
from mnist_core.training.inside import Inside

MOST_FREQUENT = 0.1135  # the share of MNIST's most frequent digit: who says always 1 reads so much
RISE = 1.05  # times its lowest value, from which on the validation loss counts as risen
STILL = 0.03  # relative fall of the validation loss over the last third that is worth going on for
DEAD, VANISHED = 0.9, 300.0  # share of dead units, ratio of gradients: enough to stop all learning
Kind = Literal["diverged", "guessing", "overfitting", "improving", "settled"]


@dataclass(frozen=True)
class Remedy:
    """One thing to try: `spec` is to be trained anew, or, without it, the run goes on for `epochs`
    more, from its last checkpoint, at the learning rate `rate` if that is to be another."""

    label: str
    spec: RunSpec | None = None
    epochs: int = 0
    rate: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What a run came to; `remedy` is None where nothing is to be mended."""

    kind: Kind
    sentence: str
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Course:
    """What a verdict is given by: the design, the run's timeline, and a look inside, if there are
    weights; `kept` says whether there is a checkpoint to go on from."""

    spec: RunSpec
    history: Sequence[events.Event]
    inside: Inside | None = None
    kept: bool = False

    @property
    def ends(self) -> list[events.EpochEnded]:
        return course.of(events.EpochEnded, self.history)

    @property
    def rate(self) -> float:
        return course.steering(self.spec, self.history).rate


def verdict(spec: RunSpec, history: Sequence[events.Event], inside: Inside | None = None,
            kept: bool = False) -> Verdict | None:  # fmt: skip
    """The verdict on a run that has ended, by its timeline; None for one that said too little, such
    as one that was stopped before its first epoch's end."""
    seen = Course(spec, history, inside, kept)
    for rule in RULES:
        if found := rule(seen):
            return found
    return None


def diverged(run: Course) -> Verdict | None:
    """The run failed at a loss that is no finite number. Remedy: a tenth of the rate, from the last
    checkpoint if there is one, which was taken while the loss was finite, else anew."""
    failed = course.of(events.Failed, run.history)
    losses = course.of(events.Progress, run.history)
    if not failed or not failed[-1].diverged:
        return None
    step, lower = failed[-1].step, max(run.rate / 10, LIMITS["learning_rate"].low)
    worst = max((e.loss for e in losses), default=math.nan)
    rose = "" if math.isnan(worst) else f" after it had reached {numbers.loss(worst)}"
    said = (f"It diverged: at step {step:,} the loss was no number any more{rose}. At a learning "
            f"rate of {numbers.plain(run.rate)} each step overshoots.")  # fmt: skip
    if run.kept:
        return Verdict("diverged", said, Remedy(
            f"Go on from the last checkpoint at {numbers.plain(lower)}", rate=lower))  # fmt: skip
    return Verdict("diverged", said, Remedy(
        f"Train again at {numbers.plain(lower)}", replace(run.spec, learning_rate=lower)
    ))  # fmt: skip


def guessing(run: Course) -> Verdict | None:
    """Its accuracy, on the test images or else on the last epoch's validation, is not more than
    three standard errors above MOST_FREQUENT. Why, by the first that holds: most units of a layer
    are dead (DEAD); the first layer's gradient is VANISHED times smaller than the last one's; the
    rate is a thirtieth of the optimizer's usual one or less; it is ten times that or more."""
    done, ends = course.of(events.Finished, run.history), run.ends
    accuracy = done[-1].test_accuracy if done else ends[-1].val_accuracy if ends else None
    if accuracy is None or accuracy >= guess(run.history):
        return None
    why, remedy = _why_guessing(run)
    said = f"It reads {numbers.percent(accuracy)}, no better than guessing"
    return Verdict("guessing", f"{said}: {why}." if why else f"{said}.", remedy)


def guess(history: Sequence[events.Event]) -> float:
    """The accuracy up to which a run may as well have guessed, by its number of images."""
    started = course.of(events.Started, history)
    n = max(1, started[-1].validation_images if started else 1)
    return MOST_FREQUENT + 3 * math.sqrt(MOST_FREQUENT * (1 - MOST_FREQUENT) / n)


def _why_guessing(run: Course) -> tuple[str, Remedy | None]:
    optimizer, rate = OPTIMIZERS[run.spec.optimizer], run.rate
    usual = numbers.plain(optimizer.learning_rate)
    anew = replace(run.spec, learning_rate=optimizer.learning_rate)
    at_usual, seen = Remedy(f"Train again at {usual}", anew), run.inside
    if seen and seen.dead > DEAD:
        worst = max(seen.layers[:-1], key=lambda x: x.dead / x.units)
        return (f"{worst.dead} of {worst.units} units of {_words(worst.name)} are dead, flat for "
                "every image, so that no gradient passes them",
                at_usual if rate > 3 * optimizer.learning_rate else _alive(run.spec),
                )  # fmt: skip
    if seen and len(seen.layers) > 1 and seen.vanishing > VANISHED:
        times = seen.vanishing
        there = f"{times:,.0f} times smaller than at the last" if np.isfinite(times) else "zero"
        return (f"the gradient vanishes on its way back; at the first layer it is {there}",
                _alive(run.spec))  # fmt: skip
    if rate <= optimizer.learning_rate / 30:
        steps = numbers.some(course.step(run.history), "step")
        return (f"{steps} at a learning rate of {numbers.plain(rate)} lead nowhere; "
                f"{optimizer.label} usually takes {usual}", at_usual)  # fmt: skip
    if rate >= 10 * optimizer.learning_rate:
        return f"a learning rate of {numbers.plain(rate)} throws it about", at_usual
    return "", _alive(run.spec)


def overfitting(run: Course) -> Verdict | None:
    """The validation loss was lowest at epoch n, at least two before the last, and ends more than
    RISE times as high, while the training loss fell on. Remedy: the same training to its epoch n,
    whose weights it then keeps, unless the run keeps its best epoch's anyway."""
    ends = run.ends
    if len(ends) < 3:
        return None
    best, last = min(ends, key=lambda e: e.val_loss), ends[-1]
    if last.epoch - best.epoch < 2 or last.val_loss <= RISE * best.val_loss:
        return None
    if last.loss >= best.loss:
        return None
    said = (f"It overfits since epoch {best.epoch}: from there the training loss still fell "
            f"to {numbers.loss(last.loss)}, but the validation loss rose from "
            f"{numbers.loss(best.val_loss)} to {numbers.loss(last.val_loss)}.")  # fmt: skip
    if run.spec.keep != "last":
        kept = course.best_epoch(run.spec, run.history) or best
        return Verdict("overfitting", f"{said} The weights of epoch {kept.epoch} were kept.")
    label = f"Train again, keeping epoch {best.epoch}"
    return Verdict("overfitting", said, Remedy(label, replace(run.spec, keep="val_loss")))


def improving(run: Course) -> Verdict | None:
    """The validation loss fell by more than STILL of itself over the last third of the epochs, and
    is lowest at the last; after a single epoch, the training loss fell so over its second half.
    Remedy: as many epochs more as it had, within the limit."""
    ends = run.ends
    if not ends:
        return None
    if len(ends) == 1:
        before, now = _halves(run.history)
        words = "its only epoch: over the second half of it the training loss still fell"
    else:
        first = ends[-1 - max(1, len(ends) // 3)]
        before, now = first.val_loss, ends[-1].val_loss
        words = f"epoch {first.epoch} the validation loss still fell"
        if now > min(e.val_loss for e in ends):
            return None
    if not now < (1 - STILL) * before:
        return None
    said = f"Still improving: since {words} from {numbers.loss(before)} to {numbers.loss(now)}."
    more = min(run.spec.epochs, int(LIMITS["epochs"].high) - run.spec.epochs)
    if more < 1 or not run.kept:
        return Verdict("improving", said)
    return Verdict("improving", said, Remedy(f"Train {numbers.some(more, 'epoch')} more",
                                             epochs=more))  # fmt: skip


def settled(run: Course) -> Verdict | None:
    """None of the others holds: the best epoch is named, with the 95 % interval that its validation
    images leave, below which a difference between designs may be chance."""
    started, best = course.of(events.Started, run.history), course.best_epoch(run.spec, run.history)
    if best is None or not started:
        return None
    n, p = started[-1].validation_images, best.val_accuracy
    error = 196 * math.sqrt(max(p * (1 - p), 0.0) / max(n, 1))
    return Verdict("settled", (
        f"As good as this design gets: epoch {best.epoch} of {run.ends[-1].epoch} was best, with "
        f"{numbers.percent(p)} of the validation images. With {numbers.some(n, 'image')}, a "
        f"difference below {error:.2f} points may be chance."
    ))  # fmt: skip


RULES: tuple[Callable[[Course], Verdict | None], ...] = (
    diverged, guessing, overfitting, improving, settled,
)  # fmt: skip


def _halves(history: Sequence[events.Event]) -> tuple[float, float]:
    """The mean training loss of the third and of the last quarter of the steps."""
    chunks = course.of(events.Progress, history)
    whole = course.step(history)
    third = [e.loss for e in chunks if whole / 2 < e.step <= 3 * whole / 4]
    last = [e.loss for e in chunks if e.step > 3 * whole / 4]
    return (float(np.mean(third)), float(np.mean(last))) if third and last else (0.0, 0.0)


def _words(name: str) -> str:
    kind, _, i = name.rpartition("_")
    return f"layer {i}" if kind == "dense" else f"convolution {i}"


def _alive(spec: RunSpec) -> Remedy | None:
    """The one change that keeps the gradient alive: random kernels for zeros, ReLU for what
    squashes, else batch normalisation; None if the design has all of them."""
    if spec.initializer == "zeros":
        label = "Train again with random initial weights"
        return Remedy(label, replace(spec, initializer="glorot_uniform"))
    blocks = (*spec.convolutions, *spec.layers)
    if any(block.activation in ("sigmoid", "tanh") for block in blocks):
        return Remedy("Train again with ReLU", _changed(spec, activation="relu"))
    if not blocks or all(block.batch_norm for block in blocks) or spec.batch_size < 2:
        return None
    return Remedy("Train again with batch normalisation", _changed(spec, batch_norm=True))


def _changed(spec: RunSpec, **setting: Any) -> RunSpec:
    """The design with this setting in each of its blocks."""
    return replace(
        spec, layers=tuple(replace(x, **setting) for x in spec.layers),
        convolutions=tuple(replace(x, **setting) for x in spec.convolutions),
    )  # fmt: skip
