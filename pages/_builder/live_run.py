"""A run on the page while it goes on, and after: its one line, its figures, its curves."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from mnist_core.analysis import verdict
from mnist_core.basis import numbers
from mnist_core.charts import live_curves
from mnist_core.design.spec import RunSpec
from mnist_core.runs.records import IMPORTED, Run
from mnist_core.statistics.smoothing import smoothed
from mnist_core.training import course, events
from pages._builder import forecast, state
from pages._components import curves
from pages._shell import shared

Kind = Literal["idle", "moving", "held", "good", "bad"]


@dataclass(frozen=True)
class Line:
    """What there is to say of a run in one line: `share` of it is done, 0…1."""

    kind: Kind
    text: str  # HTML
    share: float = 0.0

    def html(self) -> str:
        """The line with its bar, as high whatever it says."""
        return (f'<div class="run-line {self.kind}" role="status"><p>{self.text}</p>'
                f'<div class="track"><i style="width:{100 * self.share:.1f}%"></i></div></div>'
                )  # fmt: skip


def line(run: Run | None, history: list[events.Event]) -> Line:
    """The one line of a run, or of a page without one."""
    if run is None:
        return Line("idle", "<b>Not trained yet.</b> Train begins with the design beside it.")
    if run.status == "queued":
        return Line("moving", f"<b>In the queue:</b> {_waiting(run, history)}")
    if run.status == "running":
        return _running(run, history)
    read = ""
    if run.test_accuracy is not None:
        read = f" <b>{numbers.percent(run.test_accuracy)}</b> of the test images are read right."
    message, took = html.escape(run.message), numbers.seconds(run.seconds)
    if run.status in ("finished", "stopped") and run.seconds is not None:
        word = "Finished in" if run.status == "finished" else "Stopped after"
        kind: Kind = "good" if (run.test_accuracy or 0) > verdict.guess(history) else "bad"
        return Line(kind if run.status == "finished" else "held",
                    f"{word} {took} of training.{read} {message}",
                    1.0 if run.status == "finished" else _share(history))  # fmt: skip
    if run.status == IMPORTED:
        being = " They are being measured on the test images." if measuring(run) else ""
        return Line("good", f"Imported: these weights came in a file.{read or being}", 1.0)
    return Line("bad", message, _share(history))


def _waiting(run: Run, history: list[events.Event]) -> str:
    """Whom it waits for, for how long, and whether that has changed since it was asked for."""
    service, runs = shared.service(), shared.runs()
    before = runs.line()
    ids = [other.id for other in before]
    ahead = before[: ids.index(run.id)] if run.id in ids else []
    if not ahead:
        return "starting"
    told = [_left(other) for other in ahead]
    text = f"{numbers.some(len(ahead), 'run')} before yours"
    if all(seconds is not None for seconds in told):
        wait = sum(seconds or 0 for seconds in told) / max(1, service.slots)
        text += f", about {forecast.duration(wait)}"
    moved = state.mine().place
    state.mine().place = (run.id, len(ahead))
    if moved and moved[0] == run.id and len(ahead) > moved[1]:
        text += ". Others who have trained less go first"
    return text


def _left(run: Run) -> float | None:
    """The seconds that a run ahead still takes, by what was predicted for it."""
    history = events.timeline(shared.runs().history(run.id))
    told = course.of(events.Predicted, history)
    return told[-1].seconds * (1 - _share(history)) if told else None


def _share(history: list[events.Event]) -> float:
    started = course.of(events.Started, history)
    total = started[-1].steps_per_epoch * started[-1].epochs if started else 0
    return min(1.0, course.step(history) / total) if total else 0.0


def _running(run: Run, history: list[events.Event]) -> Line:
    chunks, started = course.of(events.Progress, history), course.of(events.Started, history)
    share, now = _share(history), course.steering(run.spec, history)
    if started and now.paused:
        done = numbers.some(course.step(history), "batch", "batches")
        return Line("held", f"<b>Paused</b> after {done}", share)
    if not (started and chunks):
        warming = shared.service().state == "starting"
        text = ("<b>Starting the training process:</b> about 10 s after a server start" if warming
                else "<b>Compiling the network:</b> a second or two")  # fmt: skip
        return Line("moving", text)
    begun, last = started[-1], chunks[-1]
    left = begun.steps_per_epoch * begun.epochs - last.step
    epoch = min(begun.epochs, (last.step - 1) // begun.steps_per_epoch + 1)
    if now.delay:
        pace = f"slow motion, a batch of {run.spec.batch_size} every {now.delay:g} s"
        return Line("moving", f"<b>Epoch {epoch} of {begun.epochs}</b> · {pace}", share)
    seconds = left * last.seconds / last.step
    return Line("moving", f"<b>Epoch {epoch} of {begun.epochs}</b> · {speed(chunks):,.0f} images/s"
                f" · {forecast.duration(seconds)} left", share)  # fmt: skip


def measuring(run: Run) -> bool:
    """Whether a worker has yet to say how well imported weights read."""
    if run.status != IMPORTED or run.test_accuracy is not None:
        return False
    asked = shared.service().evaluation(run.id)
    return asked is not None and not asked.over()


def speed(chunks: list[events.Progress]) -> float:
    """Images a second over the last ten chunks: one alone jumps about."""
    recent = chunks[-10:]
    return sum(e.images_per_second for e in recent) / len(recent)


def figures(spec: RunSpec, run: Run | None, history: list[events.Event]) -> str:
    """The latest numbers as a table in HTML: loss and accuracy on each set, and the present
    learning rate."""
    chunks, ends = course.of(events.Progress, history), course.of(events.EpochEnded, history)
    steps = [e.steps for e in chunks]
    loss, accuracy = (
        float(smoothed([getattr(e, name) for e in chunks], steps)[-1]) if chunks else None
        for name in ("loss", "accuracy")
    )
    last = ends[-1] if ends else None
    if last and run and not run.active:  # of the whole last epoch, as everywhere
        loss, accuracy = last.loss, last.accuracy
    rows = {
        "Training": (loss, accuracy),
        "Validation": (last and last.val_loss, last and last.val_accuracy),
        "Test": (run and run.test_loss, run and run.test_accuracy),
    }
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{numbers.percent(right)}<small>{numbers.loss(nats)}</small></dd>"
        "</div>" for name, (nats, right) in rows.items()
    )  # fmt: skip
    rate = numbers.plain(float(f"{course.present_rate(spec, history):.3g}"))
    return (f'<dl class="figures">{cells}<div><dt>Learning rate</dt><dd>{rate}</dd></div></dl>'
            )  # fmt: skip


def draw(run: Run | None, spec: RunSpec, history: list[events.Event]) -> None:
    """Figures and curves, empty ones before there is anything."""
    design = run.spec if run else spec
    st.html(f'<div id="curves"></div>{figures(design, run, history)}')
    curves.show(live_curves.curves(design, history), key="curves")
