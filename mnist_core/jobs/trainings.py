"""The trainings under way: what their workers say is written down, what their owners say is passed
on, and what becomes of each when it ends. All of it happens in the dispatcher's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from mnist_core.basis import told
from mnist_core.runs.records import Run
from mnist_core.training import events
from mnist_core.training.events import ClusterLost, WorkerDied

from .office import CRASHED, Office

if TYPE_CHECKING:  # Dask is imported by the service's own thread
    from distributed import Future

    from mnist_core.training.inside import Inside

    from .worker import Result

LOOKS_KEPT = 50  # of some 30 kB
SMALLER = "If this happens again, the machine may be short of memory: make the design smaller"


class Trainings:
    """Those of an office, by their runs' ids."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._futures: dict[str, Future] = {}
        self._where: dict[str, str] = {}  # the worker that has spoken of each of these
        self._moved: set[str] = set()  # runs that were taken up on another machine once
        self._told: dict[str, list[tuple]] = {}  # commands that no worker has heard yet
        self.looks: dict[str, Inside] = {}  # the latest into each run that is looked into

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._futures)

    # ---- their beginning

    def begin(self, run: Run) -> None:
        """Have a worker train a run that has been taken from the queue."""
        records = self._office.records
        try:
            self._train(run)
        except (OSError, ClusterLost) as error:  # a scheduler just gone, a disk
            why = f"The training could not begin ({error}): try again."
            records.end(run.id, "interrupted", why)
        except Exception as error:
            why = told(error, f"Run {run.id} did not begin.")
            records.end(run.id, "failed", f"The training could not begin. {why}")

    def _train(self, run: Run, at: str = "") -> None:
        office = self._office
        self._futures[run.id] = office.cluster.train(
            run, office.known(run.identity), office.runs.start(run.id),
            self._told.pop(run.id, ()),
            lambda future: office.hand_in(lambda: self._end(run, future)), at,
        )  # fmt: skip

    # ---- while they go on

    def hear(self, message: dict) -> None:
        """Write down what a worker says of a run, and keep the checkpoint that it speaks of."""
        run, cluster = message["run"], self._office.cluster
        if run not in self._futures:  # another app's on the same cluster, or of before
            return
        where = self._where[run] = message["worker"]
        said = (events.from_wire(values) for values in message["events"])
        happened = [event for event in said if event]
        if happened:
            self._office.records.append(run, happened)
        self.deliver(run)
        if message.get("looked") and (seen := cluster.newest_look(where, run)):
            self.looks.pop(run, None)
            self.looks[run] = seen
            while len(self.looks) > LOOKS_KEPT:
                del self.looks[next(iter(self.looks))]
        kept = any(isinstance(event, events.Checkpointed) for event in happened)
        if kept and (checkpoint := cluster.newest_checkpoint(where, run)):
            self._save(run, checkpoint)

    def _save(self, run: str, checkpoint: events.Checkpoint) -> None:
        """Keep a checkpoint on the way. If it cannot be, the run goes on: there may be room by its
        end. What is said of it goes with the next one that can be kept, or with the run."""
        try:
            self._office.records.save_checkpoint(run, checkpoint)
            self._office.amiss("disk")
        except OSError as error:
            self._office.amiss("disk", "A checkpoint could not be saved "
                               f"({error.strerror or error}): make room on the server's disk.")

    def tell(self, run: str, command: str, value: Any = None) -> None:
        """Pass a command on to whoever trains the run, now or when it begins."""
        self._told.setdefault(run, []).append((command, value))
        self.deliver(run)

    def deliver_all(self) -> None:
        """Try again what no worker has heard yet."""
        for run in list(self._told):
            self.deliver(run)

    def deliver(self, run: str) -> None:
        """Pass on what a run was told. A worker that has not begun it hears of it later."""
        if run not in self._futures:
            record = self._office.records.get(run)
            if record is None or not record.active:
                self._told.pop(run, None)
            return
        cluster = self._office.cluster
        where = self._where.get(run) or cluster.where(self._futures[run])
        while commands := self._told.get(run):
            if not where or not cluster.tell(where, run, *commands[0]):
                return
            commands.pop(0)
        self._told.pop(run, None)

    # ---- their end

    def lost(self, why: str) -> None:
        """Whoever trained them is gone for good: they are over, as the sentence `why` begins."""
        runs, records = self._office.runs, self._office.records
        for run in list(self._futures):
            records.end(run, "interrupted", f"{why}; {runs.what_is_kept(run)}.")
        self._futures.clear()
        self._where.clear()
        self._told.clear()

    def close(self, guarded: Callable[[Callable[[], object]], None]) -> None:
        """The server ends, and so do they. Each step is `guarded`: none must keep another from
        being done."""
        for run in self._futures:
            guarded(partial(self._office.runs.end, run, "interrupted",
                            "The server was closed during this run."))  # fmt: skip
            if where := self._where.get(run):
                guarded(lambda run=run, where=where: self._office.cluster.tell(where, run, "stop"))

    def _end(self, run: Run, future: Future) -> None:
        if self._futures.get(run.id) is not future:
            return
        office, done = self._office, None
        try:
            done = office.cluster.result(future)
            if done.result is None:
                office.ship(done.worker, run.identity)
                return self._train(run, done.worker)
            self._keep(run.id, done.result)
        except WorkerDied:
            office.state = "starting"  # until the worker that takes its place has warmed up
            if not self._taken_up(run.id):
                kept = office.runs.what_is_kept(run.id)
                office.records.end(run.id, "interrupted", f"{CRASHED}; {kept}. {SMALLER}.")
        except ClusterLost:
            return office.lost()
        except Exception as error:
            why = told(error, f"Run {run.id} failed.")
            # What was trained before stands: the run can be taken up again.
            status = "interrupted" if office.runs.has_weights(run.id) else "failed"
            office.records.end(run.id, status, f"The training failed. {why}")
        del self._futures[run.id]
        self._where.pop(run.id, None)
        self._told.pop(run.id, None)
        office.amiss("disk")
        office.after(done)

    def _taken_up(self, run: str) -> bool:
        """Whether a run whose machine is gone waits for another one, to go on there from its last
        checkpoint: once, as it may be the run that kills them; and only if there is another, as an
        embedded worker dies of the host's own troubles."""
        office = self._office
        last = office.runs.checkpoint(run) if office.address and run not in self._moved else None
        if last is None or not office.cluster.slots():
            return False
        self._moved.add(run)
        office.records.append(run, [events.Marked(last.step, "another machine")])
        return office.records.requeue(run)

    def _keep(self, run: str, result: Result) -> None:
        """Files first, the status last: what is called finished has its model."""
        event, runs, records = result.event, self._office.runs, self._office.records
        if isinstance(event, events.Failed):
            records.append(run, [event])
            records.end(run, "failed", event.message)
            return
        try:
            records.save_checkpoint(run, event.last)
            runs.save(run, "model.keras", result.model)
            if event.snapshots:
                runs.save_snapshots(run, event.snapshots)
        except OSError as error:
            records.end(run, "interrupted", "The training ended, but its model could not be saved "
                        f"({error.strerror or error}): make room on the server's disk; "
                        f"{runs.what_is_kept(run)}.")  # fmt: skip
            return
        records.append(run, [event])
        self._office.learn(records.history(run))
        status = "stopped" if isinstance(event, events.Stopped) else "finished"
        records.end(run, status, event.note, test_accuracy=event.test_accuracy,
                    test_loss=event.test_loss, seconds=event.seconds)  # fmt: skip
