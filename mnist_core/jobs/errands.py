"""What goes to a worker beside trainings: evaluations, model files and small calls, each a job.

They are small and can be had again at any time, so only their results are kept on disk. Asked for
from any thread, they are sent and answered in the dispatcher's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_core.basis import Job, Jobs, LabError
from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.runs import models
from mnist_core.runs.artifacts import DEFAULT
from mnist_core.training.events import ClusterLost, WorkerDied

from .office import CRASHED, Office

if TYPE_CHECKING:  # Dask is imported by the service's own thread
    from distributed import Future

BUSY = "The worker is busy with a training: ask again when it is done."
GONE = "This run and its weights are gone: they may have expired."
PATIENCE_SECONDS = 30.0  # that a call waits: whoever asked will have gone, or asks again
MOST_CALLS = 20  # that wait
FAILED_KEPT = 100
# What a call may ask for: its name -> the function of `tapes`
CALLS: Mapping[str, str] = {
    "fit_line": "fit_line", "fit_line_inside": "fit_line_inside", "gradients": "tapes",
}  # fmt: skip

Ended = Callable[["Future"], None]


class Errand(Job):
    """One such job. `run` is the one whose files it needs, `data` what it is about, if it is about
    data, and `step` the number of batches after which its weights were taken."""

    run = ""
    data: Identity | None = None
    step = 0
    at = ""  # the worker that has been sent the data
    patience = float("inf")  # seconds that it waits for a worker before it is given up

    def send(self, office: Office, ended: Ended) -> Future:
        """Have a worker begin it; in Dask's thread, `ended` is called. Raises LabError, or whatever
        the cluster does."""
        raise NotImplementedError

    def keep(self, office: Office, result: Any) -> Any:
        """What becomes of a worker's result; returns this job's. Raises OSError."""
        return result

    def _model(self, office: Office) -> tuple[RunSpec, Mapping[str, np.ndarray]]:
        """The design of `run` or of DEFAULT, and the weights that answer for it, by
        "layer/variable"; notes their `step`. Raises LabError if they are gone."""
        if self.run == DEFAULT:
            return models.default().spec, models.default().network.weights()
        record, checkpoint = office.records.get(self.run), office.records.checkpoint(self.run)
        if record is None or checkpoint is None:
            raise LabError(GONE)
        self.step = checkpoint.step
        return record.spec, checkpoint.answer


class Call(Errand):
    """A function of `tapes` by its name in CALLS; its result is what that returns."""

    patience = PATIENCE_SECONDS

    def __init__(self, name: str, arguments: Mapping[str, Any]) -> None:
        super().__init__("The call")
        self.name, self.arguments = name, arguments

    def send(self, office: Office, ended: Ended) -> Future:
        return office.cluster.call(self.name, self.arguments, ended)


class Reading(Errand):
    """An evaluation: a run's weights, or DEFAULT's, and all test images of some data."""

    def __init__(self, run: str, data: Identity) -> None:
        super().__init__("The evaluation")
        self.run, self.data = run, data

    def send(self, office: Office, ended: Ended) -> Future:
        assert self.data
        spec, weights = self._model(office)
        return office.cluster.evaluate(spec, weights, office.known(self.data), self.step, ended,
                                       self.at)  # fmt: skip

    def keep(self, office: Office, result: Any) -> None:
        assert self.data
        office.runs.save_evaluation(self.run, result, self.data.digest)
        if self.run != DEFAULT:
            right = result.probabilities.argmax(axis=1) == result.labels
            office.records.measured(self.run, float(right.mean()), float(result.loss), self.step)


class Conversion(Errand):
    """One of MODEL_FILES of a run."""

    def __init__(self, run: str, file: str) -> None:
        super().__init__("The conversion")
        self.run, self.file = run, file

    def send(self, office: Office, ended: Ended) -> Future:
        spec, weights = self._model(office)
        return office.cluster.convert(spec, weights, self.file, ended)

    def keep(self, office: Office, result: Any) -> None:
        office.runs.save_model_file(self.run, self.file, result, self.step)


class Errands:
    """Those that wait and those under way."""

    def __init__(self, office: Office) -> None:
        self._office, self._lock = office, threading.Lock()
        self._jobs = Jobs(FAILED_KEPT)
        self._waiting: list[Errand] = []
        self._sent: dict[Future, Errand] = {}

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._sent)

    # ---- asked for, in any thread

    def look(self, key: Hashable) -> Errand | None:
        """The errand of this key, unless it is done: then what it left speaks for it."""
        found = self._jobs.look(key)
        return None if found is None or found.state == "done" else found

    def ask(self, key: Hashable, make: Callable[[], Errand]) -> Errand:
        """The errand of this key; a new one if there is none under way."""
        if self.look(key) is None:
            self._jobs.forget(key)
        return self._jobs.ask(key, lambda: self._enter(make()))

    def call(self, name: str, arguments: Mapping[str, Any]) -> Call:
        """A call of its own. Raises ValueError for a name that is not in CALLS, LabError if too
        many wait."""
        if name not in CALLS:
            raise ValueError(f"There is no call {name!r}; known are {', '.join(CALLS)}.")
        with self._lock:
            if sum(isinstance(job, Call) for job in self._waiting) >= MOST_CALLS:
                raise LabError(BUSY)
        return self._enter(Call(name, arguments))

    def _enter(self, new: Any) -> Any:
        with self._lock:
            self._waiting.append(new)
        return new

    # ---- sent and answered, in the dispatcher's thread

    def begin(self, free: int) -> int:
        """Give waiting ones to at most `free` slots, calls first: somebody looks at them. How many
        slots are free after that."""
        with self._lock:
            self._waiting.sort(key=lambda job: not isinstance(job, Call))
            taken, self._waiting = self._waiting[: max(0, free)], self._waiting[max(0, free) :]
        for job in taken:
            self._send(job)
        return free - len(taken)

    def looked_at(self) -> set[str]:
        """The runs whose files are needed by what is under way."""
        return {job.run for job in self._sent.values() if job.run}

    def back(self) -> None:
        """The cluster is gone: what was under way waits again."""
        for job in self._sent.values():
            self._again(job)
        self._sent.clear()

    def give_up(self, message: str = "") -> None:
        """Fail those that have waited too long for a worker; all of them with a `message`."""
        now = time.monotonic()
        with self._lock:
            late = [job for job in self._waiting if message or now - job.asked > job.patience]
            self._waiting = [job for job in self._waiting if job not in late]
        for job in late:
            job.fail(message or BUSY)

    def _again(self, job: Errand) -> None:
        job.wait_again()
        with self._lock:
            self._waiting.insert(0, job)

    def _send(self, job: Errand) -> None:
        try:
            future = job.send(self._office, self._ended)
        except ClusterLost:
            return self._again(job)
        except Exception as error:  # its run has expired, or a scheduler is just gone
            return job.fail(error)
        self._sent[future] = job
        job.begin()

    def _ended(self, future: Future) -> None:
        self._office.hand_in(partial(self._answered, future))

    def _answered(self, future: Future) -> None:
        job, done = self._sent.pop(future, None), None
        if job is None:
            return
        try:
            done = self._office.cluster.result(future)
            if done.result is None and job.data:
                self._office.ship(done.worker, job.data)
                job.at = done.worker
                return self._send(job)
            job.set_result(job.keep(self._office, done.result))
        except WorkerDied:
            self._office.state = "starting"
            job.fail(f"{CRASHED} during {job.label[0].lower()}{job.label[1:]}: try again.")
        except ClusterLost:
            self._again(job)
            return self._office.lost()
        except OSError as error:
            job.fail(f"{job.label} could not be saved ({error.strerror or error}): make room on "
                     "the server's disk.")  # fmt: skip
        except Exception as error:
            job.fail(error)
        self._office.after(done)
