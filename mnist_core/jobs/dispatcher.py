"""The service's own thread: it holds the queue, gives jobs to free workers, and looks after the
cluster and what is kept. What is under way is in `trainings` and `errands`, which it holds. Nothing
else talks to the cluster or writes to a run under way.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mnist_core import storage
from mnist_core.basis import LabError
from mnist_core.data import dataset
from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.estimates import estimate, host
from mnist_core.runs import expiry
from mnist_core.runs.database import StoreError
from mnist_core.runs.patience import Patient
from mnist_core.runs.records import Run, Runs
from mnist_core.training.events import ClusterLost, Event, timeline

from .ahead import LARGE, Ahead
from .errands import Errands
from .trainings import Trainings

if TYPE_CHECKING:  # Dask is imported by the service's own thread
    from .cluster import Cluster
    from .worker import Done

FIRST_PAGE_SECONDS = 1.0  # left to the visitor who starts the server, before anything heavy begins
TICK_SECONDS = 2.0  # between two looks at the cluster
SWEEP_SECONDS = 600.0  # between two looks for what has expired, when no job ends meanwhile
RETRY_SECONDS = 1.0  # between two attempts to reach a scheduler that does not answer
# What can be amiss: each condition has one owner here, which raises it and clears it.
CONDITIONS = ("failed", "away", "workers", "records", "disk")
WATCHED_SECONDS = 120.0  # a browser asks for a hidden page once a minute


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
        self.errands, self.trainings, self.ahead = Errands(self), Trainings(self), Ahead(self)
        self.seen: dict[str, float] = {}  # when each run was last looked at
        self._inbox: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._cluster: Cluster | None = None
        self._ticked = self._swept = 0.0
        self._unmeasured = False  # a worker is ready, and this host not measured
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
        self._inbox.put(lambda: self.trainings.tell(run, command, value))

    def look_at(self, spec: RunSpec, data: Identity) -> None:
        """Somebody looks at this design: have it compiled when there is nothing else to do."""
        self._inbox.put(lambda: self.ahead.wish(spec, data))

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
            if self._cluster and self.idle():
                self._guarded(self.ahead.prepare)
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
        self.trainings.deliver_all()
        missing = f"The cluster at {self.address} has no worker: start one with --resources train=1"
        self.amiss("workers", "" if self.cluster.slots() else f"{missing}.")
        self.errands.give_up()
        self._dispatch()
        if self._unmeasured and self.idle():
            self._unmeasured = False  # only now: beside a training the machine seems slower
            self.cluster.calibrate(self.source)

    def lost(self) -> None:
        """The scheduler is gone. What it had is over; what waits here goes to the next one."""
        cluster, self._cluster = self._cluster, None
        self.trainings.lost("The connection to the training cluster was lost")
        self.errands.back()
        self._be_away()
        if cluster:
            self._guarded(cluster.close)

    def _disconnect(self) -> None:
        self.trainings.close(self._guarded)
        if self._cluster:
            self._cluster.close()

    # ---- the queue

    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return not (self.trainings or self.errands or self.records.line())

    def _dispatch(self) -> None:
        """Give waiting jobs to free slots. The queue is kept here, not in Dask: Dask would assign
        waiting runs to a worker at once and lose them all with it."""
        if self._cluster is None:
            return
        self.slots = self.cluster.slots()
        free = self.slots - len(self.trainings) - len(self.errands)
        if free <= 0:
            return
        free = self.errands.begin(free)
        for run in self._next()[: max(0, free)]:
            if self.records.begin(run.id):
                self.trainings.begin(run)

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

    # ---- workers, and what they have

    def known(self, data: Identity) -> Identity:
        """What a worker is told of these data: also what they are, if their record is of before
        that was noted."""
        if data.digest:
            return data
        try:
            return replace(data, digest=dataset.load(data.source).digest)
        except dataset.DataError:  # the worker may have it, or will say the same
            return data

    def _heard(self, message: dict) -> None:
        """A worker's message, in Dask's thread: hand it over."""
        self._inbox.put(lambda: self._record(message))

    def _record(self, message: dict) -> None:
        if "warm" in message:
            self.state, self._unmeasured = "ready", self.calibration is None
            return
        if "calibration" in message:
            self.calibration = estimate.Calibration.from_json(message["calibration"])
            self.calibration.save(self._figures)
            return
        self.trainings.hear(message)

    def learn(self, history: Sequence[Event]) -> None:
        """Correct the estimates of this host by a run that has ended."""
        found = estimate.outcome(timeline(history))
        if found and self.calibration:
            self.calibration = self.calibration.learned(found)
            self.calibration.save(self._figures)

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
        self.ahead.memory = done.memory if done else 0  # a worker that has died begins small
        if done and done.memory > LARGE:
            self.state = "starting"
            self._guarded(lambda: self.cluster.replace(done.worker))
        self._dispatch()

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
