"""Sweeps and races under way: their runs, given to the service as they may train.

A sweep has a thread that waits for its trials and asks for the next; it never has more of them in
the queue than there are workers, so that others get their turn after each. All that is known of it
is in the store: a page draws from there, and a reload shows the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mnist_core.basis import LabError, told
from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.jobs.service import Service
from mnist_core.runs.groups import Group
from mnist_core.runs.patience import Patient
from mnist_core.runs.records import Run, Runs
from mnist_core.training.events import EpochEnded, timeline

from . import race
from .sweep import MOST_TRIALS, SECONDS, Plan, Trial, Values, searcher

POLL_SECONDS = 0.1
UNFIT = 50  # proposals in a row that no host would train


class Sweeps:
    """The sweeps of all visitors. Methods raise LabError, one sentence, for what cannot be."""

    def __init__(self, service: Service) -> None:
        """What an earlier server left running is interrupted."""
        self._service, self.runs = service, service.runs
        self._under_way: dict[str, _Sweep] = {}
        for kind in ("sweep", "race"):
            for group in self.runs.running_groups(kind):
                if kind == "sweep" or not any(r.active for r in self.runs.members(group.id)):
                    message = "The server ended meanwhile; what was found is kept."
                    self.runs.update_group(group.id, "interrupted", message)

    def start(self, plan: Plan, owner: str, data: Identity) -> Group:
        """Begin a sweep on these data."""
        for problem in plan.problems():
            raise LabError(problem)
        self._admit(owner)
        body = plan.to_body() | {"data": asdict(data), "spent": 0.0, "scores": {}}
        group = self.runs.create_group(owner, "sweep", body)
        return self._begin(group)

    def go_on(self, group: str, seconds: float) -> Group:
        """Take an ended sweep up again, for so many seconds more."""
        found = self._known(group)
        low, high = SECONDS
        if not low <= seconds <= high:
            raise LabError(f"The budget is {low} to {high:,} seconds.")
        self._admit(found.owner)
        body = found.body | {"seconds": found.body["spent"] + seconds}
        self.runs.update_group(group, "running", "", body)
        return self._begin(self.runs.known_group(group))

    def stop(self, group: str) -> None:
        """End a sweep or a race soon, and keep what is there."""
        if under_way := self._under_way.get(group):
            under_way.stopping.set()
            return
        for run in self.runs.members(group):
            if run.active:
                self._service.stop(run.id)
        self.runs.update_group(group, "stopped", "Stopped; what was found is kept.")

    def race(
        self, specs: Mapping[str, RunSpec], owner: str, data: Identity, words: str, guess: str = ""
    ) -> Group:
        """Train designs, by their names, against each other; `words` say what differs, `guess` who
        of them the owner thinks will win. They begin with the same weights where they have the same
        shapes."""
        if not race.FEWEST <= len(specs) <= race.MOST:
            raise LabError(f"A race has {race.FEWEST} to {race.MOST} networks.")
        for spec in specs.values():
            spec.check()
        self._admit(owner)
        body = {"words": words, "guess": guess, "names": {}}
        group = self.runs.create_group(owner, "race", body)
        designs = [(spec, race.initial_weights(spec)) for spec in specs.values()]
        try:
            made = self._service.submit_all(designs, owner, data, group.id)
        except Exception:
            self.runs.update_group(group.id, "stopped")
            self.runs.delete_group(group.id)
            raise
        names = {run.id: name for run, name in zip(made, specs, strict=True)}
        self.runs.update_group(group.id, "running", "", body | {"names": names})
        return self.runs.known_group(group.id)

    def race_over(self, group: str) -> bool:
        """Whether all of a race has ended; then it is written down."""
        found = self._known(group)
        if any(run.active for run in self.runs.members(group)):
            return False
        if found.status == "running":
            self.runs.update_group(group, "finished")
        return True

    def close(self) -> None:
        """End all sweeps, and wait for their threads."""
        for under_way in list(self._under_way.values()):
            under_way.stopping.set()
            under_way.thread.join(timeout=15)

    def _known(self, group: str) -> Group:
        found = self.runs.group(group)
        if found is None:
            raise LabError("This race or sweep is not there: it may have expired.")
        return found

    def _admit(self, owner: str) -> None:
        if self._service.state == "failed":
            raise LabError(self._service.message)
        races = (g for g in self.runs.groups(owner, "race") if not self.race_over(g.id))
        for kind, found in (("race", races), ("sweep", self.runs.groups(owner, "sweep"))):
            if any(group.status == "running" for group in found):
                raise LabError(f"You have a {kind} under way: let it end, or stop it first.")

    def _begin(self, group: Group) -> Group:
        self._under_way[group.id] = _Sweep(self._service, group, self._under_way)
        return group


class _Sweep:
    """One sweep, in its own thread."""

    def __init__(self, service: Service, group: Group, under_way: dict[str, _Sweep]) -> None:
        self.stopping = threading.Event()
        self._service, self._group, self._under_way = service, group, under_way
        self._plan, self._body = Plan.from_body(group.body), dict(group.body)
        self._data = identity(group)
        self._records: Runs = Patient(service.runs, lambda words: None, threading.Event())
        self._pending: dict[str, Values] = {}
        self._trials = len(service.runs.members(group.id))
        self._message = ""
        self.thread = threading.Thread(target=self._run, name="sweep", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._searcher = searcher(self._plan, trials(self._records, self._group))
            self._work()
            if self._service.closed:  # the next server finds it under way, and says so
                return
            self._end_pending()
            status = "stopped" if self.stopping.is_set() else "finished"
            message = "Stopped; what was found is kept." if self.stopping.is_set() else ""
            self._say(status, message or self._message)
        except Exception as error:
            why = told(error, f"The sweep {self._group.id} died.")
            for run in self._pending:  # they would go on, hidden, and count as the visitor's
                self._service.stop(run)
            self._say("interrupted", f"The sweep could not go on: {why}")
        finally:
            self._under_way.pop(self._group.id, None)

    def _work(self) -> None:
        exhausted = False
        while not self._over():
            while not exhausted and len(self._pending) < max(1, self._service.slots):
                exhausted = not self._submit()
            if exhausted and not self._pending:
                return
            self._wait()
        self._message = f"The {self._plan.seconds:.0f} seconds are used up."

    def _over(self) -> bool:
        used_up = self._body["spent"] >= self._plan.seconds
        return used_up or self.stopping.is_set() or self._service.closed

    def _submit(self) -> bool:
        """Have the next trial trained; False if there is none."""
        for _ in range(UNFIT):
            if self._trials >= MOST_TRIALS:
                self._message = f"A sweep has {MOST_TRIALS} trials at most."
                return False
            values = self._searcher.ask()
            if values is None:
                self._message = "Every combination was tried."
                return False
            design = self._plan.design(values)
            if any(problem.blocking for problem in design.problems()):
                self._searcher.tell(values, None)
                continue
            run = self._service.submit(design, self._group.owner, self._data,
                                       part_of=self._group.id)  # fmt: skip
            self._pending[run.id] = values
            self._trials += 1
            return True
        self._message = "The designs that are left are larger than this host takes."
        return False

    def _wait(self) -> None:
        """A moment, which counts if a trial is training: not while all of them are in the queue,
        nor while the training process starts."""
        began = time.monotonic()
        time.sleep(POLL_SECONDS)
        running = False
        for run in list(self._pending):
            record = self._records.get(run)
            if record and record.status == "running":
                self._service.watched(run)
                running = True
            elif record is None or not record.active:
                self._collect(record, run)
        if running and self._service.state == "ready":
            self._body["spent"] += time.monotonic() - began

    def _collect(self, record: Run | None, run: str) -> None:
        values, found = self._pending.pop(run), None
        if record and record.status == "finished":
            found = score(self._records.history(run))
        if found is not None:
            self._body["scores"] = self._body["scores"] | {run: found}
        self._searcher.tell(values, found)
        self._say("running")

    def _end_pending(self) -> None:
        """Trials that the end has cut off do not count: what is half trained compares with
        nothing."""
        for run in list(self._pending):
            self._service.stop(run)
        deadline = time.monotonic() + 15
        while self._pending and time.monotonic() < deadline:
            self._wait()

    def _say(self, status: str, message: str = "") -> None:
        self._records.update_group(self._group.id, status, message, self._body)


def score(history: Sequence[Any]) -> float | None:
    """What a trial is judged by: the accuracy on the validation images after its last epoch."""
    ends = [event for event in timeline(history) if isinstance(event, EpochEnded)]
    return ends[-1].val_accuracy if ends else None


def identity(group: Group) -> Identity:
    """Which data a sweep is about."""
    about = group.body["data"]
    if isinstance(about, str):  # of before digests were noted
        return Identity(about, group.body["source"])
    return Identity(**about)


def trials(runs: Runs, group: Group) -> list[Trial]:
    """The trials of a sweep that there are, in the order in which they began."""
    plan, scores = Plan.from_body(group.body), group.body["scores"]
    members = runs.members(group.id)
    return [Trial(run.id, plan.read(run.spec), scores.get(run.id)) for run in members]

