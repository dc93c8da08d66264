"""Jobs on the Dask cluster: submit, watch, control.

The web process holds the scheduler and the queue; TensorFlow lives in a worker process of its own.
With MNIST_LAB_SCHEDULER set, the same jobs go to that cluster instead. One thread, the
dispatcher's, does all the talking and all the writing, so records never race: pages only read them.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_core.basis import Job, LabError
from mnist_core.data import dataset
from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.estimates import estimate
from mnist_core.runs import models
from mnist_core.runs.artifacts import DEFAULT
from mnist_core.runs.records import IMPORTED, Run, Runs
from mnist_core.training import control, events
from mnist_core.training.events import Checkpoint

from .dispatcher import WATCHED_SECONDS, Dispatcher
from .errands import Call, Conversion, Errand, Reading

if TYPE_CHECKING:  # the first page must not wait for a network's arithmetic
    from mnist_core.training.inside import Inside

WAITING_EACH = 3  # runs that one visitor may have in the queue, beside the one that trains


class Service:
    """The one gate to training: what pages call. Every method returns at once and raises
    LabError, one sentence, for what cannot be; StoreError and SpecError are such."""

    def __init__(self, runs: Runs, source: str, scheduler: str | None = None) -> None:
        """`source` is what workers warm up with; `scheduler` a Dask address, None to embed one."""
        self.runs, self.source = runs, source
        self._dispatcher = Dispatcher(runs, source, scheduler)
        self._errands = self._dispatcher.errands

    @property
    def state(self) -> str:
        """One of "starting", "ready", "away" (a scheduler does not answer) and "failed"."""
        return self._dispatcher.state

    @property
    def message(self) -> str:
        """A sentence if something is amiss, else ""."""
        return self._dispatcher.message

    @property
    def slots(self) -> int:
        """How many runs can train at once, as the cluster was last seen."""
        return self._dispatcher.slots

    @property
    def calibration(self) -> estimate.Calibration | None:
        """How fast this machine trains, once that is known."""
        return self._dispatcher.calibration

    def start(self) -> Service:
        """Begin in the background: the page that asks first does not wait."""
        self.runs.interrupt()
        atexit.register(self.close)
        self._dispatcher.start()
        return self

    def submit(
        self, spec: RunSpec, owner: str, data: Identity,
        predicted: estimate.Estimate | None = None, part_of: str = "",
        initial: Mapping[str, np.ndarray] | None = None,
    ) -> Run:  # fmt: skip
        """Queue a run on these data. What was `predicted` for it is kept with its record. Runs that
        are `part_of` a group may train at once, as far as there are workers; `initial` are weights
        to begin with.

        Raises SpecError for a design that cannot be trained, LabError if the owner has as many
        waiting as one may, or one training that nobody watches, or if the disk is full.
        """
        (run,) = self.submit_all([(spec, initial)], owner, data, part_of)
        if predicted:
            self.runs.append(run.id, [events.Predicted(**asdict(predicted))])
        return run

    def submit_all(
        self, designs: Sequence[tuple[RunSpec, Mapping[str, np.ndarray] | None]], owner: str,
        data: Identity, part_of: str = "",
    ) -> list[Run]:  # fmt: skip
        """Queue several designs with the weights that each begins with, all of them or none."""
        self._admit(owner, part_of)
        try:
            made = self.runs.create_all(designs, owner, data, part_of)
        except OSError as error:
            raise LabError(f"The initial weights could not be saved ({error.strerror or error}): "
                           "make room on the server's disk.") from error  # fmt: skip
        if self.state == "failed":
            for run in made:
                self.runs.end(run.id, "failed", self.message)
        self._dispatcher.dispatch_soon()
        return made

    def _admit(self, owner: str, part_of: str = "") -> None:
        mine = [run for run in self.runs.active() if run.owner == owner]
        waiting = sum(run.status == "queued" and not run.part_of for run in mine)
        if waiting >= WAITING_EACH and not part_of:
            raise LabError(
                f"You have {WAITING_EACH} runs waiting already: stop one, or let one finish first."
            )
        for run in mine:
            seen = self._dispatcher.seen.get(run.id, 0.0)
            unseen = time.time() - max(seen, run.started or run.created)
            if run.status == "running" and unseen > WATCHED_SECONDS:
                raise LabError(
                    f"Your run {run.name} is still training, and nobody has looked at it for "
                    f"{unseen / 60:.0f} minutes: look at it, stop it, or let it end first."
                )

    def look_at(self, spec: RunSpec, data: Identity) -> None:
        """Say that somebody looks at a design, which may be trained next: an idle worker compiles
        it, so that its first step comes sooner. Nothing for NumPy, which compiles nothing, or for a
        design that cannot be trained."""
        if spec.framework == "keras" and not any(p.blocking for p in spec.problems()):
            self._dispatcher.look_at(spec, data)

    def watched(self, run: str) -> None:
        """Say that somebody looks at a run: its page calls this as long as it is open."""
        self._dispatcher.seen[run] = time.time()

    def go_on(self, run: str, epochs: int = 0) -> Run:
        """Take an ended run up at its last checkpoint, with `epochs` more than its design had.

        Raises SpecError for more epochs than a host takes, LabError if there is nothing to go on
        from, nothing left to do, no training at all, or as `submit` does.
        """
        record = self._record_of(run)
        if self.state == "failed":
            raise LabError(self.message)
        if record.active:
            raise LabError("This run is not over yet: wait for its end, or stop it first.")
        spec = replace(record.spec, epochs=record.spec.epochs + epochs)
        if not self.runs.has_weights(run):
            raise LabError("This run has no checkpoint to go on from: train its design anew.")
        if record.status in ("finished", IMPORTED) and not epochs:
            raise LabError("This run has finished: say how many epochs more it should train.")
        self._admit(record.owner)
        record = self.runs.reopen(run, spec)
        self._dispatcher.dispatch_soon()
        return record

    def _record_of(self, run: str) -> Run:
        record = self.runs.get(run)
        if record is None:
            raise LabError("There is no such run: choose one from the list of runs.")
        return record

    def tell(self, run: str, command: str, value: float | None = None) -> None:
        """Pause, resume, step, slow, learning_rate or look. A queued run obeys as soon as it
        begins, one that has just ended not at all. Raises LabError for what no training can be
        told."""
        control.check(command, value)
        self._dispatcher.tell(run, command, value)

    def inside(self, run: str) -> Inside | None:
        """The latest look into a run that was told to "look" and is still training, or was until
        just now; None if there is none."""
        return self._dispatcher.trainings.looks.get(run)

    def stop(self, run: str) -> None:
        """End a run: at once if it is queued, after its current chunk if it is running."""
        if not self.runs.cancel(run):
            self._dispatcher.tell(run, "stop")

    def ahead(self, run: str) -> int:
        """How many runs, training or waiting, will be done before this queued one begins."""
        ids = [other.id for other in self.runs.line()]  # one look: the line moves meanwhile
        return ids.index(run) if run in ids else 0

    def evaluate(self, run: str, data: Identity | None = None) -> Job:
        """Have a worker answer all test images with an ended run's weights, once for each state of
        a run; it goes before runs that wait. When the job is done, `runs.evaluation(run)` has it.

        DEFAULT stands for the model that comes with the project; for it, `data` says which are
        meant, and `runs.evaluation(DEFAULT, data.digest)` has the answers.
        """
        about = data if run == DEFAULT else self._ended(run).identity
        if about is None:
            raise LabError("The default model is evaluated on data: say on which.")
        key = data.digest if run == DEFAULT and data else ""
        if self.runs.evaluation(run, key):
            return _done()
        return self._ask(("evaluation", run, key), lambda: Reading(run, about))

    def _ended(self, run: str) -> Run:
        record = self._record_of(run)
        if record.active:
            raise LabError("This run is not over yet: wait for its end, or stop it first.")
        if not self.runs.has_weights(run):
            raise LabError("This run has no weights to evaluate: train its design anew.")
        return record

    def _ask(self, key: tuple, make: Callable[[], Errand]) -> Job:
        if self.state == "failed":
            raise LabError(self.message)
        asked = self._errands.ask(key, make)
        self._dispatcher.dispatch_soon()
        return asked

    def evaluation(self, run: str, data: str = "") -> Job | None:
        """How far an evaluation is; None if nobody has asked for it. `data`, a digest, is for
        DEFAULT alone."""
        key = data if run == DEFAULT else ""
        under_way = self._errands.look(("evaluation", run, key))
        return under_way or (_done() if self.runs.evaluation(run, key) else None)

    def call(self, name: str, **arguments: Any) -> Call:
        """Have a worker do a small job of `errands.CALLS`, before runs that wait."""
        if self.state == "failed":
            raise LabError(self.message)
        asked = self._errands.call(name, arguments)
        self._dispatcher.dispatch_soon()
        return asked

    @property
    def closed(self) -> bool:
        """Whether no more trainings will be taken."""
        return self._dispatcher.closing.is_set()

    def convert(self, run: str, file: str) -> Job:
        """Have a worker make one of MODEL_FILES of an ended run, as `evaluate` does; then
        `runs.model_file(run, file)` has it."""
        self._ended(run)
        if self.runs.model_file(run, file):
            return _done()
        return self._ask(("conversion", run, file), lambda: Conversion(run, file))

    def conversion(self, run: str, file: str) -> Job | None:
        """How far a model file is, as `evaluation` says it."""
        under_way = self._errands.look(("conversion", run, file))
        return under_way or (_done() if self.runs.model_file(run, file) else None)

    def adopt(self, model: models.Model, owner: str, data: Identity) -> Run:
        """Make an ended run of an imported model, and have it measured on the test images of these
        data. Its file's own figures are not taken over.

        It counts as trained for its design's epochs on these data, so that it can be trained
        further. Raises LabError if it cannot be kept.
        """
        images = len(dataset.load(data.source).train.labels)
        steps = estimate.Sizes.of(model.spec, images, 0).train // model.spec.batch_size
        checkpoint = Checkpoint(steps * model.spec.epochs, model.network.weights(), {})
        try:
            run = self.runs.adopt(model.spec, owner, data, checkpoint, "")
        except OSError as error:
            why = error.strerror or error
            raise LabError(f"The model could not be kept ({why}): try again later.") from error
        if self.state != "failed":
            self.evaluate(run.id)
        return run

    def close(self) -> None:
        """End everything that `start` started. Safe to call twice."""
        atexit.unregister(self.close)
        self._dispatcher.close()


def _done() -> Job:
    """A job whose result is on disk already."""
    job = Job()
    job.set_result(None)
    return job
