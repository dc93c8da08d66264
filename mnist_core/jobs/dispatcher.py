"""The service's own thread: it holds the queue, gives jobs to free workers, and writes down what
becomes of them. Nothing else talks to the cluster or writes to a run under way.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mnist_core import storage
from mnist_core.basis import LabError, told
from mnist_core.data import dataset
from mnist_core.data.formats import Identity
from mnist_core.runs import expiry
from mnist_core.runs.database import StoreError
from mnist_core.runs.patience import Patient
from mnist_core.runs.records import Run, Runs
from mnist_core.training import estimate, events, host
from mnist_core.training.events import ClusterLost, WorkerDied

from .errands import CRASHED, Errands

if TYPE_CHECKING:  # Dask is imported by the service's own thread
    from distributed import Future

    from .cluster import Cluster
    from .worker import Done, Result

SMALLER = "If this happens again, the machine may be short of memory: make the design smaller"
FIRST_PAGE_SECONDS = 1.0  # left to the visitor who starts the server, before anything heavy begins
TICK_SECONDS = 2.0  # between two looks at the cluster
SWEEP_SECONDS = 600.0  # between two looks for what has expired, when no job ends meanwhile
RETRY_SECONDS = 1.0  # between two attempts to reach a scheduler that does not answer
# What can be amiss: each condition has one owner here, which raises it and clears it.
CONDITIONS = ("failed", "away", "workers", "records", "disk")
WATCHED_SECONDS = 120.0  # a browser asks for a hidden page once a minute
MEMORY_LIMIT = 1.5e9  # bytes that a worker may take: each design leaves some of its code behind
HEADROOM = 0.25e9  # bytes that one more job may add: the largest design was seen to add 0.16e9


class Dispatcher:
    """What no page calls: the service holds it, and hands jobs in. `state` is "starting", "ready",
    "away" while a scheduler does not answer, or "failed"; `message` is a sentence if something is
    amiss; `slots` how many jobs can be worked on at once, as the cluster was last seen."""

    def __init__(self, runs: Runs, source: str, scheduler: str | None = None) -> None:
        """`source` is what workers warm up with; `scheduler` a Dask address, None to embed one."""
        self.runs, self.source, self.address = runs, source, scheduler
        self.state, self._amiss = "starting", {}
        self._figures = runs.folder / "calibration.json"
        self.slots = 1
        # Figures of another machine's workers are of no use after a change of cluster.
        self.calibration = None if scheduler else estimate.kept(self._figures, host.identity())
        self.closing = threading.Event()
        self.records: Runs = Patient(runs, partial(self.amiss, "records"), self.closing)
        self.errands = Errands(self)
        self.seen: dict[str, float] = {}  # when each run was last looked at
        self._inbox: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._cluster: Cluster | None = None
        self._futures: dict[str, Future] = {}  # trainings under way, by run
        self._where: dict[str, str] = {}  # the worker that has spoken of each of these
        self._moved: set[str] = set()  # runs that were taken up on another machine once
        self._told: dict[str, list[tuple]] = {}  # commands that no worker has heard yet, by run
        self._ticked = self._swept = 0.0
        self._thread = threading.Thread(target=self._work, name="service", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def dispatch_soon(self) -> None:
        """Something new waits: see whether it can begin."""
        self._inbox.put(self._dispatch)

    def hand_in(self, job: Callable[[], None]) -> None:
        """Have a job done in the dispatcher's thread."""
        self._inbox.put(job)

    def tell(self, run: str, command: str, value: Any = None) -> None:
        """Pass a command on to whoever trains the run, now or when it begins."""
        self._inbox.put(lambda: self._tell(run, command, value))

    def close(self) -> None:
        """End the thread and all that it started."""
        self.closing.set()
        self._inbox.put(None)
        self._thread.join(timeout=15)

    @property
    def cluster(self) -> Cluster:
        """The cluster. Raises ClusterLost while there is none."""
        if self._cluster is None:
            raise ClusterLost
        return self._cluster

    @property
    def message(self) -> str:
        """What is amiss, in a sentence for each condition; "" if nothing is."""
        return " ".join(self._amiss.values())

    def amiss(self, condition: str, message: str = "") -> None:
        """Raise a condition of CONDITIONS with its sentence, or clear it: each by its owner, so
        that none stands longer than it holds."""
        assert condition in CONDITIONS, condition
        others = {name: said for name, said in self._amiss.items() if name != condition}
        self._amiss = others | ({condition: message} if message else {})

    # ---- the thread

    def _work(self) -> None:
        time.sleep(FIRST_PAGE_SECONDS)
        while not self.closing.is_set():
            try:
                self._connect()
            except Exception as error:  # no page may break because training cannot start
                if self.address is None:
                    self._give_up(error)
                    break
                self._be_away()
                self._clean()
                self.closing.wait(RETRY_SECONDS)
            else:
                self._serve()
        while not self.closing.wait(TICK_SECONDS):  # what was promised to be deleted still is
            self._clean()
        self._disconnect()

    def _connect(self) -> None:
        from .cluster import Cluster

        cluster = Cluster(self.address, self.runs.folder)
        try:
            cluster.listen(self._heard, self.source)
        except BaseException:
            cluster.close()
            raise
        self._cluster, self.state = cluster, "starting"
        self.amiss("away")
        self._guarded(self._dispatch)

    def _give_up(self, error: Exception) -> None:
        logging.getLogger(__name__).exception("The service could not start.")
        self.state, self._amiss = "failed", {"failed": f"Training is not available: {error}"}
        for run in self.records.active():  # asked for meanwhile; nobody will train them
            self.records.end(run.id, "failed", self.message)
        self.errands.give_up(self.message)

    def _be_away(self) -> None:
        self.state = "away"
        waits_for = f"the scheduler at {self.address}" if self.address else "its process"
        self.amiss("workers")
        self.amiss("away", f"Training waits for {waits_for}, which does not answer. It is tried "
                   "again every few seconds.")  # fmt: skip

    def _serve(self) -> None:
        """Do what comes in, and look after the cluster, until it is lost or the service closed."""
        while self._cluster and not self.closing.is_set():
            try:
                job = self._inbox.get(timeout=TICK_SECONDS)
            except queue.Empty:
                job = None
            if job:
                self._guarded(job)
            if time.monotonic() - self._ticked > TICK_SECONDS:
                self._guarded(self._tick)
                self._clean()
                self._ticked = time.monotonic()

    def _guarded(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception:  # one bad message must not end the service
            logging.getLogger(__name__).exception("A message could not be handled.")

    def _tick(self) -> None:
        if not self.cluster.connected():
            return self.lost()
        self.cluster.mend()
        for run in list(self._told):
            self._deliver(run)
        missing = f"The cluster at {self.address} has no worker: start one with --resources train=1"
        self.amiss("workers", "" if self.cluster.slots() else f"{missing}.")
        self.errands.give_up()
        self._dispatch()

    def lost(self) -> None:
        """The scheduler is gone. What it had is over; what waits here goes to the next one."""
        cluster, self._cluster = self._cluster, None
        for run in list(self._futures):
            self.records.end(run, "interrupted", "The connection to the training cluster was "
                              f"lost; {self.runs.what_is_kept(run)}.")  # fmt: skip
        self.errands.back()
        self._futures.clear()
        self._where.clear()
        self._told.clear()
        self._be_away()
        if cluster:
            self._guarded(cluster.close)

    def _disconnect(self) -> None:
        for run in self._futures:
            self._guarded(partial(self.runs.end, run, "interrupted",
                                  "The server was closed during this run."))  # fmt: skip
            if where := self._where.get(run):
                self._guarded(partial(self.cluster.tell, where, run, "stop"))
        if self._cluster:
            self._cluster.close()

    # ---- the queue

    def _dispatch(self) -> None:
        """Give waiting jobs to free slots. The queue is kept here, not in Dask: Dask would assign
        waiting runs to a worker at once and lose them all with it."""
        if self._cluster is None:
            return
        self.slots = self.cluster.slots()
        free = self.slots - len(self._futures) - len(self.errands)
        if free <= 0:
            return
        free = self.errands.begin(free)
        for run in self._next()[: max(0, free)]:
            if self.records.begin(run.id):
                self._begin(run)

    def _next(self) -> list[Run]:
        """The runs that may begin: of each visitor one at a time, however many slots are free; but
        what races or sweeps may train beside it, once everybody had a turn."""
        line = self.records.line()
        first: dict[str, Run] = {}
        for run in line:
            first.setdefault(run.owner, run)
        turns = [run for run in line if run.status == "queued" and first[run.owner] is run]
        beside = [run for run in line if run.status == "queued" and run.part_of]
        return turns + [run for run in beside if run not in turns]

    def _begin(self, run: Run) -> None:
        try:
            self._train(run)
        except (OSError, ClusterLost) as error:  # a scheduler just gone, a disk
            why = f"The training could not begin ({error}): try again."
            self.records.end(run.id, "interrupted", why)
        except Exception as error:
            why = told(error, f"Run {run.id} did not begin.")
            self.records.end(run.id, "failed", f"The training could not begin. {why}")

    def _train(self, run: Run) -> None:
        self._futures[run.id] = self.cluster.train(
            run, self.known(run.identity), self.runs.start(run.id),
            self._told.pop(run.id, ()),
            lambda future: self._inbox.put(lambda: self._end(run, future)),
        )  # fmt: skip

    def known(self, data: Identity) -> Identity:
        """What a worker is told of these data: also what they are, if their record is of before
        that was noted."""
        if data.digest:
            return data
        try:
            return replace(data, digest=dataset.load(data.source).digest)
        except dataset.DataError:  # the worker may have it, or will say the same
            return data

    # ---- trainings

    def _heard(self, message: dict) -> None:
        """A worker's message, in Dask's thread: hand it over."""
        self._inbox.put(lambda: self._record(message))

    def _record(self, message: dict) -> None:
        if "warm" in message:
            self.state = "ready"
            if self.calibration is None:
                self.cluster.calibrate(self.source)
            return
        if "calibration" in message:
            self.calibration = estimate.Calibration.from_json(message["calibration"])
            self.calibration.save(self._figures)
            return
        run = message["run"]
        if run not in self._futures:  # another app's on the same cluster, or of before
            return
        self._where[run] = message["worker"]
        said = (events.from_wire(values) for values in message["events"])
        happened = [event for event in said if event]
        self.records.append(run, happened)
        self._deliver(run)
        kept = any(isinstance(event, events.Checkpointed) for event in happened)
        if kept and (checkpoint := self.cluster.newest_checkpoint(self._where[run], run)):
            self._save(run, checkpoint)

    def _save(self, run: str, checkpoint: events.Checkpoint) -> None:
        """Keep a checkpoint on the way. If it cannot be, the run goes on: there may be room by its
        end. What is said of it goes with the next one that can be kept, or with the run."""
        try:
            self.records.save_checkpoint(run, checkpoint)
            self.amiss("disk")
        except OSError as error:
            self.amiss("disk", f"A checkpoint could not be saved ({error.strerror or error}): make "
                       "room on the server's disk.")  # fmt: skip

    def _tell(self, run: str, command: str, value: Any = None) -> None:
        self._told.setdefault(run, []).append((command, value))
        self._deliver(run)

    def _deliver(self, run: str) -> None:
        """Pass on what a run was told. A worker that has not begun it hears of it later."""
        if run not in self._futures:
            record = self.records.get(run)
            if record is None or not record.active:
                self._told.pop(run, None)
            return
        where = self._where.get(run) or self.cluster.where(self._futures[run])
        while commands := self._told.get(run):
            if not where or not self.cluster.tell(where, run, *commands[0]):
                return
            commands.pop(0)
        self._told.pop(run, None)

    def _end(self, run: Run, future: Future) -> None:
        if self._futures.get(run.id) is not future:
            return
        done = None
        try:
            done = self.cluster.result(future)
            if done.result is None:
                self.ship(done.worker, run.identity)
                return self._train(run)
            self._keep(run.id, done.result)
        except WorkerDied:
            self.state = "starting"  # until the worker that takes its place has warmed up
            if not self._taken_up(run.id):
                kept = self.runs.what_is_kept(run.id)
                self.records.end(run.id, "interrupted", f"{CRASHED}; {kept}. {SMALLER}.")
        except ClusterLost:
            return self.lost()
        except Exception as error:
            why = told(error, f"Run {run.id} failed.")
            # What was trained before stands: the run can be taken up again.
            status = "interrupted" if self.runs.has_weights(run.id) else "failed"
            self.records.end(run.id, status, f"The training failed. {why}")
        del self._futures[run.id]
        self._where.pop(run.id, None)
        self.amiss("disk")
        self._told.pop(run.id, None)
        self.after(done)

    def _taken_up(self, run: str) -> bool:
        """Whether a run whose machine is gone waits for another one, to go on there from its last
        checkpoint: once, as it may be the run that kills them; and only if there is another, as an
        embedded worker dies of the host's own troubles."""
        last = self.runs.checkpoint(run) if self.address and run not in self._moved else None
        if last is None or not self.cluster.slots():
            return False
        self._moved.add(run)
        self.records.append(run, [events.Marked(last.step, "another machine")])
        return self.records.requeue(run)

    def ship(self, worker: str, data: Identity) -> None:
        """Send a worker the digits that its machine does not have. Raises LabError if they are not
        here either."""
        found = dataset.load(data.source)
        if not found.identity.same(self.known(data)):
            raise LabError(f"The data of this run, {data.name}, are no longer here: other digits "
                           "have taken their place.")  # fmt: skip
        self.cluster.ship(worker, found.digest, found)

    def after(self, done: Done | None) -> None:
        """Between two jobs: what has expired goes, and a worker that has grown is replaced."""
        self._clean(soon=True)
        if done and done.memory > MEMORY_LIMIT - HEADROOM:
            self.state = "starting"
            self._guarded(lambda: self.cluster.replace(done.worker))
        self._dispatch()

    def _keep(self, run: str, result: Result) -> None:
        """Files first, the status last: what is called finished has its model."""
        event = result.event
        if isinstance(event, events.Failed):
            self.records.append(run, [event])
            self.records.end(run, "failed", event.message)
            return
        try:
            self.records.save_checkpoint(run, event.last)
            self.runs.save(run, "model.keras", result.model)
            if event.snapshots:
                self.runs.save_snapshots(run, event.snapshots)
            self.amiss("disk")
        except OSError as error:
            self.records.end(run, "interrupted", "The training ended, but its model could not be "
                              f"saved ({error.strerror or error}): make room on the server's disk; "
                              f"{self.runs.what_is_kept(run)}.")  # fmt: skip
            return
        self.records.append(run, [event])
        status = "stopped" if isinstance(event, events.Stopped) else "finished"
        self.records.end(run, status, event.note, test_accuracy=event.test_accuracy,
                          test_loss=event.test_loss, seconds=event.seconds)

    # ---- expiry

    def _watched(self) -> set[str]:
        """The runs whose page somebody has looked at just now; what is older is forgotten."""
        now = time.time()
        self.seen = {run: at for run, at in list(self.seen.items()) if now - at < WATCHED_SECONDS}
        return set(self.seen)

    def _clean(self, soon: bool = False) -> None:
        """Remove what has expired; by the clock, and `soon` after a job has left something."""
        if soon or time.monotonic() - self._swept > SWEEP_SECONDS:
            self._swept = time.monotonic()
            self._guarded(storage.sweep)
            self._guarded(self._expire)

    def _expire(self) -> None:
        needed = self._watched() | self.errands.looked_at()
        with suppress(StoreError):  # busy just now: the next time
            for run in expiry.expired(self.runs.kept(), expiry.rules(), time.time(), needed):
                self.runs.delete(run)
            self.runs.delete_orphans(time.time())
