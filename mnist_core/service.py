"""Jobs on the Dask cluster: submit, watch, control.

The web process holds the scheduler and the queue; TensorFlow lives in a worker process of its own.
With MNIST_LAB_SCHEDULER set, the same jobs go to that cluster instead. One thread here does all the
talking and all the writing, so records never race: pages only read them.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from . import estimate, events, host
from .events import WorkerDied
from .runs import Run, Runs
from .spec import RunSpec

if TYPE_CHECKING:  # Dask is imported by the service's own thread
    from .cluster import Cluster

CRASHED = "The training process ended unexpectedly"
WAITING_EACH = 3  # runs that one visitor may have in the queue
FIRST_PAGE_SECONDS = 1.0  # left to the visitor who starts the server, before anything heavy begins


class Service:
    """The one gate to training. `state` is "starting", "ready" or "failed" with a `message`."""

    def __init__(self, runs: Runs, source: str, scheduler: str | None = None) -> None:
        """`source` is what workers warm up with; `scheduler` a Dask address, None to embed one."""
        self.runs, self.source, self.address = runs, source, scheduler
        self.state, self.message = "starting", ""
        self._figures = runs.folder / "calibration.json"
        # Figures of another machine's workers are of no use after a change of cluster.
        self.calibration = None if scheduler else estimate.kept(self._figures, host.identity())
        self._inbox: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._cluster: Cluster | None = None
        self._futures: dict[str, Any] = {}
        self._stopping: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="service", daemon=True)

    def start(self) -> Service:
        """Begin in the background: the page that asks first does not wait."""
        self.runs.interrupt()
        atexit.register(self.close)
        self._thread.start()
        return self

    def submit(
        self, spec: RunSpec, owner: str, data: str, source: str,
        predicted: estimate.Estimate | None = None,
    ) -> Run:
        """Queue a run on the data that `dataset.load(source)` gives; `data` is that data's name.
        What was `predicted` for it is kept with its record.

        Raises SpecError for a design that cannot be trained, ValueError if the owner has as many
        waiting as one may.
        """
        if sum(run.owner == owner for run in self.runs.waiting()) >= WAITING_EACH:
            raise ValueError(
                f"You have {WAITING_EACH} runs waiting already: stop one, or let one finish first."
            )
        run = self.runs.create(spec, owner, data, source)
        if predicted:
            self.runs.append(run.id, [events.Predicted(**asdict(predicted))])
        if self.state == "failed":
            self.runs.end(run.id, "failed", self.message)
        self._inbox.put(self._dispatch)
        return run

    def go_on(self, run: str, epochs: int = 0) -> Run:
        """Take an ended run up at its last checkpoint, with `epochs` more than its design had.

        Raises SpecError for more epochs than a host takes, ValueError if there is nothing to go on
        from, nothing left to do, or no training at all.
        """
        record = self.runs.get(run)
        if record is None:
            raise ValueError("There is no such run: choose one from the list of runs.")
        if self.state == "failed":
            raise ValueError(self.message)
        if record.active:
            raise ValueError("This run is not over yet: wait for its end, or stop it first.")
        spec = replace(record.spec, epochs=record.spec.epochs + epochs)
        if not self.runs.has_weights(run):
            raise ValueError("This run has no checkpoint to go on from: train its design anew.")
        if record.status == "finished" and not epochs:
            raise ValueError("This run has finished: say how many epochs more it should train.")
        record = self.runs.reopen(run, spec)
        self._inbox.put(self._dispatch)
        return record

    def tell(self, run: str, command: str, value: float | None = None) -> None:
        """Pause, resume, step, slow or learning_rate: to a run that is training."""
        self._inbox.put(lambda: self._cluster.tell(run, command, value))

    def stop(self, run: str) -> None:
        """End a run: at once if it is queued, after its current chunk if it is running."""
        if not self.runs.cancel(run):
            self._inbox.put(lambda: self._stop(run))

    def ahead(self, run: str) -> int:
        """How many runs, training or waiting, will be done before this queued one begins."""
        ids = [other.id for other in self.runs.line()]  # one look: the line moves meanwhile
        return ids.index(run) if run in ids else 0

    def close(self) -> None:
        """End everything that `start` started. Safe to call twice."""
        atexit.unregister(self.close)
        self._inbox.put(None)
        self._thread.join(timeout=15)

    # ---- below, all but the callbacks runs in the service's own thread

    def _work(self) -> None:
        try:
            self._connect()
        except Exception as error:  # no page may break because training cannot start
            logging.getLogger(__name__).exception("The service could not start.")
            self.state, self.message = "failed", f"Training is not available: {error}"
            for run in self.runs.active():  # asked for meanwhile; nobody will train them
                self.runs.end(run.id, "failed", self.message)
        else:
            while job := self._inbox.get():
                self._guarded(job)
        self._disconnect()

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:  # one bad message must not end the service
            logging.getLogger(__name__).exception("A message could not be handled.")

    def _connect(self) -> None:
        time.sleep(FIRST_PAGE_SECONDS)
        from .cluster import Cluster

        self._cluster = Cluster(self.address, self.runs.folder)
        self._cluster.listen(self._heard, self.source)
        self._dispatch()

    def _disconnect(self) -> None:
        for run in self._futures:
            self.runs.end(run, "interrupted", "The server was closed during this run.")
            self._guarded(lambda run=run: self._cluster.tell(run, "stop"))
        if self._cluster:
            self._cluster.close()

    def _heard(self, message: dict) -> None:
        """A worker's message, in Dask's thread: hand it over."""
        self._inbox.put(lambda: self._record(message))

    def _stop(self, run: str) -> None:
        if run in self._futures:
            self._stopping.add(run)
            self._cluster.tell(run, "stop")

    def _record(self, message: dict) -> None:
        if "warm" in message:
            self.state = "ready"
            if self.calibration is None:
                self._cluster.calibrate(self.source)
            return
        if "calibration" in message:
            self.calibration = estimate.Calibration.from_json(message["calibration"])
            self.calibration.save(self._figures)
            return
        run = message["run"]
        happened = [events.from_wire(values) for values in message["events"]]
        self.runs.append(run, happened)
        if run in self._stopping:  # told before the worker had begun, it may have missed it
            self._stop(run)
        kept = any(isinstance(event, events.Checkpointed) for event in happened)
        if kept and (checkpoint := self._cluster.newest_checkpoint(run)):
            self.runs.save_checkpoint(run, checkpoint)

    def _dispatch(self) -> None:
        """Give waiting runs to free slots. The queue is kept here, not in Dask: Dask would assign
        waiting runs to a worker at once and lose them all with it."""
        if self._cluster is None:
            return
        for run in self.runs.waiting():
            if len(self._futures) >= self._cluster.slots():
                return
            if self.runs.begin(run.id):
                self._futures[run.id] = self._cluster.train(
                    run, self.runs.checkpoint(run.id),
                    lambda r=run.id: self._inbox.put(lambda: self._end(r)),
                )  # fmt: skip

    def _end(self, run: str) -> None:
        future = self._futures.pop(run)
        self._stopping.discard(run)
        try:
            self._keep(run, self._cluster.result(future))
        except WorkerDied:
            self.state = "starting"  # until the worker that takes its place has warmed up
            self.runs.end(run, "interrupted", f"{CRASHED}; {self.runs.what_is_kept(run)}.")
        except Exception as error:
            logging.getLogger(__name__).exception("Run %s failed.", run)
            self.runs.end(run, "failed", f"The training failed: {error}")
        self._dispatch()

    def _keep(self, run: str, result: Any) -> None:
        """Files first, the status last: what is called finished has its model."""
        event = result.event
        if isinstance(event, events.Failed):
            self.runs.append(run, [event])
            self.runs.end(run, "failed", event.message)
            return
        self.runs.save_checkpoint(run, result.checkpoint)
        self.runs.save(run, "model.keras", result.model)
        self.runs.append(run, [event])
        status = "stopped" if isinstance(event, events.Stopped) else "finished"
        self.runs.end(run, status, event.note, test_accuracy=event.test_accuracy,
                      test_loss=event.test_loss, seconds=event.seconds)
