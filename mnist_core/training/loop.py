"""One training run: its chunks of steps, its epochs, what it is told, and what it says.

The arithmetic is a Program's, the engine's or that of `numpy_engine`; here is only what happens
around it, in plain Python, so that it can be read without knowing TensorFlow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from mnist_core.design import schedules
from mnist_core.design.spec import RunSpec

from . import course, events, snapshots
from .control import Control
from .inside import Inside, Looker

CHUNK_SECONDS = 0.08  # so a stop is obeyed within a tenth of a second
FIRST_CHUNK = 4  # how fast a network is shows in a few steps: chunks start short and double
POINTS = 200  # a curve has at least about this many, where that is several of a chunk
CHECKPOINT_SECONDS = 1.0
PAUSE_SECONDS = 600.0  # a paused run holds the training slot that others wait for


class Arrays(NamedTuple):
    """Images (n, 28, 28) uint8 and labels (n,), arrays or tensors: where the arithmetic is."""

    images: Any
    labels: Any

    def part(self, first: int, last: int) -> Arrays:
        return Arrays(self.images[first:last], self.labels[first:last])

    def __len__(self) -> int:
        return self.images.shape[0]


class Parts(NamedTuple):
    """The three sets of a run. Validation is the test set itself if the spec says so."""

    train: Arrays
    validation: Arrays
    test: Arrays


def parts(train: Arrays, test: Arrays, validation: str, share: float) -> Parts:
    """The sets of a run by the spec's `validation` and `validation_share`."""
    if validation == "test":
        return Parts(train, test, test)
    first = int(len(train) * (1 - share))  # the last images are kept, as validation_split does
    return Parts(train.part(0, first), train.part(first, len(train)), test)


def batches(n: int, size: int, seed: int, epoch: int) -> np.ndarray:
    """The indices of an epoch's batches, int32 (n // size, size): a permutation of the n images,
    from the seed and the epoch alone, so that a resumed run sees the same ones."""
    order = np.random.default_rng((seed, epoch)).permutation(n).astype(np.int32)
    return order[: n // size * size].reshape(-1, size)


class Program(Protocol):
    """What computes a run: the engine's, or NumPy's. `rows` are an epoch's batches in its own form,
    as its `epoch` gives them to its `run`."""

    def compile(self, data: Arrays) -> None:
        """Make ready to run on these images."""

    def epoch(self, n: int, seed: int, epoch: int) -> Any:
        """The batches of an epoch over n images."""

    def run(
        self, data: Arrays, rows: Any, rates: np.ndarray, first: int, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train `steps` batches of `rows` from `first` on, each at its learning rate of `rates`:
        the loss and the right answers of each, from before its update."""
        ...

    def evaluate(self, data: Arrays) -> tuple[float, float]:
        """Mean loss (nats) and accuracy (0…1) over all of `data`."""
        ...

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the weights, by the names that `Network.from_weights` takes."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """A copy of everything else that training changes."""
        ...

    def load(self, values: Mapping[str, np.ndarray]) -> None:
        """Set the weights. Raises KeyError if `values` are of another design."""

    def restore(self, saved: events.Checkpoint) -> None:
        """Go back to a checkpoint of the same design. Raises KeyError if it is of another. One
        with an empty state is of weights that were given, in a race or a file: all else begins
        anew."""


class Pace:
    """How many steps the next chunk takes: few at first, then as many as CHUNK_SECONDS allow. Each
    call of a compiled loop costs what some ten steps of a small network do."""

    def __init__(self) -> None:
        self.steps = FIRST_CHUNK

    def after(self, steps: int, seconds: float) -> None:
        """Learn from a chunk of `steps` that took `seconds`."""
        by_time = int(steps * CHUNK_SECONDS / max(seconds, 1e-6))
        self.steps = max(1, min(2 * self.steps, by_time))


class Run:
    """Where a training is. `program` makes the Program of a RunSpec that computes its steps."""

    def __init__(
        self,
        spec: RunSpec,
        parts: Parts,
        program: Callable[[RunSpec], Program],
        control: Control,
        resume: events.Checkpoint | None,
    ) -> None:
        self.spec, self.parts, self.control, self.resume = spec, parts, control, resume
        self._make = program
        self.steps_per_epoch = len(parts.train) // spec.batch_size
        self.total = self.steps_per_epoch * spec.epochs
        self.step = resume.step if resume else 0
        self.seconds = resume.seconds if resume else 0.0
        given = resume.learning_rate if resume else None
        self.rate = spec.learning_rate if given is None else given
        self.best = resume.best if resume else None
        self.sums = resume.sums if resume else events.Sums()
        self.paused, self.delay = False, 0.0
        self.saved = time.perf_counter()
        total = snapshots.marks(self.total, spec.parameters)
        self.finest = max(FIRST_CHUNK, self.total // POINTS)  # steps of a point, at most
        self.marks = [mark for mark in total if mark >= self.step]
        self.taken: list[snapshots.Snapshot] = []
        self.patient_from = 0  # the epoch after which patience began to count
        self.early, self.note = False, ""
        self.failure: events.Failed | None = None

    def events(self) -> Iterator[events.Event | Inside]:
        """All that happens, ending in Finished, Stopped or Failed, with looks inside between."""
        spec, parts = self.spec, self.parts
        if not self.steps_per_epoch:
            yield events.Failed(0, f"A batch of {spec.batch_size:,} does not fit into "
                                   f"{len(parts.train):,} training images: choose a smaller one.")
            return
        yield events.Started(self.steps_per_epoch, spec.epochs, len(parts.train),
                             len(parts.validation), spec.parameters, self.step)
        began = time.perf_counter()
        self.program = self._make(spec)
        self.program.compile(parts.train)
        if self.resume:
            self.program.restore(self.resume)
        yield events.Compiled(time.perf_counter() - began)
        self._copy()
        yield from self._epochs()
        yield from self._new_rate()
        yield self.failure or self._end()

    def _epochs(self) -> Iterator[events.Event | Inside]:
        self.pace = Pace()
        first = self.step // self.steps_per_epoch
        if self._out_of_patience(first):  # it ended early: trained further, it is patient anew
            self.patient_from = first
        for epoch in range(first, self.spec.epochs):
            yield from self._epoch(epoch)
            if self.failure or self.control.stopping or self.early:
                return

    def _end(self) -> events.Event:
        """The test set, by the weights that the design keeps."""
        checkpoint = self.checkpoint()
        self.program.load(checkpoint.answer)
        loss, accuracy = self.program.evaluate(self.parts.test)
        if failure := self._diverged(loss, self.step):
            return failure
        finished = self.step == self.total or self.early
        kind = events.Finished if finished else events.Stopped
        best = checkpoint.best
        kept = f"The weights of epoch {best.epoch} are kept." if best and best.weights else ""
        note = " ".join(filter(None, (self.note, kept)))
        return kind(self.step, loss, accuracy, self.seconds, note, checkpoint,
                    snapshots=self.taken)  # fmt: skip

    def checkpoint(self) -> events.Checkpoint:
        """A copy of everything that the run needs to go on from here."""
        return events.Checkpoint(self.step, self.program.weights(), self.program.state(),
                                 self.seconds, self.rate, self.best, self.sums)

    def _epoch(self, epoch: int) -> Iterator[events.Event | Inside]:
        """Train to the end of an epoch, or until the control stops it."""
        rows = self.program.epoch(len(self.parts.train), self.spec.seed, epoch)
        position = self.step % self.steps_per_epoch
        if not position:
            self.sums = events.Sums()
        while position < self.steps_per_epoch:
            most = yield from self._listen()
            if self.control.stopping:
                return
            steps = min(most or self.pace.steps, self.steps_per_epoch - position)
            yield from self._chunk(rows, epoch, position, steps)
            if self.failure:
                return
            position += steps
            self._copy()
            if self.control.looking:
                alone = steps == 1 and (self.paused or self.delay)
                yield from self._look(self._batch(epoch, position - 1) if alone else ())
            self.control.sleep()
        measured = time.perf_counter()
        val_loss, val_accuracy = self.program.evaluate(self.parts.validation)
        measured = time.perf_counter() - measured
        if self._diverged(val_loss, self.step):  # a step's loss is from before its update
            return
        done, self.sums = self.sums, events.Sums()
        yield (ended := events.EpochEnded(
            epoch + 1, self.step, done.loss / done.steps,
            done.right / (done.steps * self.spec.batch_size),
            val_loss, val_accuracy, done.seconds, measured))  # fmt: skip
        self._judge(ended)
        if time.perf_counter() - self.saved > CHECKPOINT_SECONDS:
            yield events.Checkpointed(self.step, self.checkpoint())
            self.saved = time.perf_counter()

    def _copy(self) -> None:
        """Copy the weights, if the step that it is due at is reached."""
        if self.marks and self.step >= self.marks[0]:
            self.marks = [mark for mark in self.marks if mark > self.step]
            self.taken.append(snapshots.take(self.step, self.program.weights()))

    @cached_property
    def _looker(self) -> Looker:
        return Looker(self.spec, self.parts.test.images, self.parts.test.labels)

    def _batch(self, epoch: int, position: int) -> Sequence[int]:
        """Which training images were in a batch of this epoch."""
        rows = batches(len(self.parts.train), self.spec.batch_size, self.spec.seed, epoch)
        return rows[position].tolist()

    def _look(self, batch: Sequence[int] = ()) -> Iterator[Inside]:
        """Look inside if somebody wants to see it: when it is time, and always after a `batch` that
        was trained alone and while the run is paused."""
        wanted = self.control.looking and self.step > self._looker.step
        if wanted and (batch or self.paused or self._looker.due()):
            yield self._looker.look(self.program.weights, self.step, batch)

    def _listen(self) -> Iterator[events.Event | Inside]:
        """Do what the control says; returns the most steps of the next chunk, None for any."""
        control = self.control
        while True:
            yield from self._new_rate()
            if control.stopping:
                return None
            if control.paused != self.paused:
                self.paused = control.paused
                yield events.Marked(self.step, "paused" if self.paused else "resumed")
            if control.delay != self.delay:
                self.delay = control.delay
                what = course.SLOW if self.delay else course.FULL
                yield events.Marked(self.step, what, self.delay or None)
            if not self.paused:
                return 1 if self.delay else None
            yield from self._look()
            if control.take_step():
                return 1
            if not control.wait(PAUSE_SECONDS):
                self.note = (f"Stopped after a pause of {PAUSE_SECONDS / 60:.0f} minutes, "
                             "so that other runs get their turn.")  # fmt: skip
                control.stop()

    def _new_rate(self) -> Iterator[events.Event]:
        """Take a learning rate that was asked for, be it in the same breath as a stop: the run may
        go on with it one day."""
        if (rate := self.control.take_rate()) is not None:
            self.rate = rate
            yield events.Marked(self.step, course.RATE, rate)

    def _chunk(
        self, rows: Any, epoch: int, position: int, steps: int
    ) -> Iterator[events.Progress]:
        """Train a chunk, then tell it in as many points as the curve needs of it."""
        first = epoch * self.steps_per_epoch
        factors = schedules.factors(self.spec.schedule, first, self.steps_per_epoch, self.total)
        step, clock, began = self.step, self.seconds, time.perf_counter()
        losses, right = self.program.run(
            self.parts.train, rows, self.rate * factors, position, steps
        )
        seconds = time.perf_counter() - began
        self.pace.after(steps, seconds)
        self.step += steps
        self.seconds += seconds
        size = self.spec.batch_size
        for part in np.array_split(np.arange(steps), -(-steps // self.finest)):
            bad = part[~np.isfinite(losses[part])]
            if len(bad) and self._diverged(float(losses[bad[0]]), step + int(bad[0]) + 1):
                return
            done = int(part[-1]) + 1
            yield events.Progress(
                step + done, len(part), float(losses[part].mean(dtype=float)),
                int(right[part].sum()) / (len(part) * size), clock + seconds * done / steps,
                steps * size / seconds,
            )  # fmt: skip
        so_far = self.sums
        self.sums = events.Sums(
            so_far.steps + steps, so_far.loss + float(losses.sum(dtype=float)),
            so_far.right + int(right.sum()), so_far.seconds + seconds,
        )  # fmt: skip

    def _judge(self, ended: events.EpochEnded) -> None:
        """Keep the best epoch's weights, and end the run when patience is over."""
        spec = self.spec
        measure = "val_loss" if spec.keep == "last" else spec.keep
        value = getattr(ended, measure)
        sign = -1 if measure == "val_loss" else 1
        if self.best is None or sign * value > sign * self.best.value:
            kept = {} if spec.keep == "last" else self.program.weights()
            self.best = events.Best(ended.epoch, value, kept)
        if self._out_of_patience(ended.epoch) and ended.epoch < spec.epochs:
            self.early = True
            self.note = (f"Ended early after epoch {ended.epoch}: {measure} has not been better "
                         f"since epoch {self.best.epoch}.")

    def _out_of_patience(self, epoch: int) -> bool:
        """Whether `patience` epochs without a better one are over after this one."""
        if not self.spec.patience or self.best is None:
            return False
        return epoch - max(self.best.epoch, self.patient_from) >= self.spec.patience

    def _diverged(self, loss: float, step: int) -> events.Failed | None:
        """Why the run is lost, if it is; kept in `failure`."""
        if not np.isfinite(loss):
            self.failure = events.Failed(
                step, f"{events.DIVERGED} {loss} at step {step:,}: "
                f"a learning rate of {self.rate:g} is too large; lower it.")
        return self.failure
