"""What goes to a worker beside trainings: evaluations, model files and small jobs, and what becomes
of them. All of it happens in the dispatcher's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from mnist_core.design.spec import RunSpec
from mnist_core.runs.artifacts import DEFAULT
from mnist_core.runs.records import Runs
from mnist_core.training import events
from mnist_core.training.events import ClusterLost, WorkerDied

from . import requests
from .remote_calls import Call, Calls
from .requests import Asked, Evaluations

if TYPE_CHECKING:  # Dask is imported by the service's own thread
    from distributed import Future

    from .cluster import Cluster
    from .worker import Data, Done

CRASHED = "The training process ended unexpectedly"


class Office(Protocol):
    """What errands need of the dispatcher."""

    runs: Runs
    records: Runs  # the same, waited for
    state: str

    @property
    def cluster(self) -> Cluster: ...
    def hand_in(self, job: Callable[[], None]) -> None: ...
    def data(self, source: str) -> Data: ...
    def ship(self, worker: str, source: str) -> None: ...
    def after(self, done: Done | None) -> None: ...
    def lost(self) -> None: ...


class Errands:
    """Those that wait, in `evaluations` and `calls`, and those under way."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.evaluations, self.calls = Evaluations(office.runs), Calls()
        self._answers: dict[Future, tuple[Asked, int]] = {}  # under way, by future; of which step
        self._called: dict[Future, Call] = {}

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._answers) + len(self._called)

    def begin(self, free: int) -> int:
        """Give waiting ones to at most `free` slots; how many slots are free after that."""
        for call in self.calls.take(free):
            free -= 1
            self._call(call)
        for asked in self.evaluations.waiting()[: max(0, free)]:
            free -= 1
            self._answer(asked)
        return free

    def looked_at(self) -> set[str]:
        """The runs whose files are needed by what is under way."""
        return {asked.run for asked, _ in self._answers.values()}

    def back(self) -> None:
        """The cluster is gone: what was under way waits again."""
        for asked, _ in self._answers.values():
            self.evaluations.move(asked, "queued")
        for call in self._called.values():
            self.calls.back(call)
        self._answers.clear()
        self._called.clear()

    def _answer(self, asked: Asked) -> None:
        try:
            spec, checkpoint = requests.model(self._office.records, asked.run)
            future = self._ask(asked, spec, checkpoint)
        except Exception as error:  # the run has expired, or its checkpoint cannot be read
            return self.evaluations.move(asked, "failed", f"The {asked.what} failed: {error}")
        self._answers[future] = asked, checkpoint.step
        self.evaluations.move(asked, "running")

    def _ask(self, asked: Asked, spec: RunSpec, checkpoint: events.Checkpoint) -> Future:
        def ended(future: Future) -> None:
            self._office.hand_in(lambda: self._answered(future))

        if asked.file:
            return self._office.cluster.convert(spec, checkpoint.answer, asked.file, ended)
        data = self._office.data(asked.source)
        return self._office.cluster.evaluate(spec, checkpoint.answer, data, checkpoint.step, ended)

    def _answered(self, future: Future) -> None:
        asked, step = self._answers.pop(future, (None, 0))
        if asked is None:
            return
        done = None
        try:
            done = self._office.cluster.result(future)
            if done.result is None:
                self._office.ship(done.worker, asked.source)
                return self._answer(asked)
            self._save_answer(asked, done.result, step)
            self.evaluations.move(asked, "done")
        except WorkerDied:
            self._office.state = "starting"
            why = f"{CRASHED} during the {asked.what}: try again."
            self.evaluations.move(asked, "failed", why)
        except ClusterLost:
            self.evaluations.move(asked, "queued")
            return self._office.lost()
        except OSError as error:
            self.evaluations.move(asked, "failed", f"The {asked.what} could not be saved "
                                   f"({error.strerror or error}): make room on the server's disk.")
        except Exception as error:
            logging.getLogger(__name__).exception("The %s of %s failed.", asked.what, asked.run)
            self.evaluations.move(asked, "failed", f"The {asked.what} failed: {error}")
        self._office.after(done)

    def _save_answer(self, asked: Asked, result: Any, step: int) -> None:
        if asked.file:
            return self._office.runs.save_model_file(asked.run, asked.file, result, step)
        self._office.runs.save_evaluation(asked.run, result, asked.data)
        if asked.run != DEFAULT:
            right = result.probabilities.argmax(axis=1) == result.labels
            self._office.records.measured(asked.run, float(right.mean()), float(result.loss))

    def _call(self, call: Call) -> None:
        try:
            future = self._office.cluster.call(
                call.name, call.arguments,
                lambda future: self._office.hand_in(lambda: self._returned(future)),
            )  # fmt: skip
        except Exception as error:  # a scheduler just gone
            return call.fail(f"The worker could not be asked: {error}")
        self._called[future], call.status = call, "running"

    def _returned(self, future: Future) -> None:
        call, done = self._called.pop(future, None), None
        if call is None:
            return
        try:
            done = self._office.cluster.result(future)
            call.finish(done.result)
        except WorkerDied:
            self._office.state = "starting"
            call.fail(f"{CRASHED}: try again.")
        except ClusterLost:
            self.calls.back(call)
            return self._office.lost()
        except Exception as error:
            logging.getLogger(__name__).exception("The call of %s failed.", call.name)
            call.fail(f"The worker could not do it: {error}")
        self._office.after(done)
