"""Run records (SQLite), written so that a kill at any moment is survivable.

A run is a row, an append-only log of its events, and a folder with its artifacts. SQLite in WAL
mode makes each event a transaction.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_core.design.spec import FRAMEWORKS, RunSpec
from mnist_core.training import events

from .artifacts import Artifacts
from .database import ACTIVE, ENDED, IMPORTED, StoreError
from .groups import Groups
from .owner_edits import OwnerEdits


@dataclass(frozen=True)
class Run:
    """One record. Times are seconds since 1970, `seconds` is time spent training, accuracy 0…1;
    `title` and `note` are the owner's own words, `part_of` the id of its race or sweep."""

    id: str
    owner: str
    spec: RunSpec
    data: str
    source: str
    status: str
    message: str
    created: float
    started: float | None
    ended: float | None
    test_accuracy: float | None
    test_loss: float | None
    seconds: float | None
    title: str = ""
    note: str = ""
    starred: bool = False
    discarded: float | None = None
    part_of: str = ""

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def name(self) -> str:
        """What the run is called in lists: as its owner named it, else its layers, optimizer and
        the time it was made."""
        if self.title:
            return self.title
        made = time.strftime("%H:%M", time.localtime(self.created))
        framework = self.spec.framework
        by = "" if framework == "keras" else f" in {FRAMEWORKS[framework].label}"
        return f"{'-'.join(self.spec.sizes)} · {self.spec.optimizer}{by} · {made}"


@dataclass(frozen=True)
class Kept:
    """What a run takes: `bytes` on disk since `when`, its end or, while it is active, its making;
    `discarded` is when its owner deleted it (seconds since 1970)."""

    id: str
    active: bool
    when: float
    bytes: int
    discarded: float | None = None


class Runs(Artifacts, OwnerEdits, Groups):
    """All runs under one folder. Safe to use from several threads. Every method that reads or
    writes records raises StoreError while they cannot be used."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()

    def create(
        self, spec: RunSpec, owner: str, data: str, source: str, part_of: str = "",
        initial: Mapping[str, np.ndarray] | None = None,
    ) -> Run:  # fmt: skip
        """A new queued run under an unguessable id, of the group `part_of` if it is of one. With
        `initial` it begins with these weights instead of its seed's. Raises SpecError for a design
        over the limits, whichever way it came here, and OSError if the weights cannot be saved."""
        spec.check()
        run = secrets.token_urlsafe(12)
        if initial is not None:
            self.save_initial(run, initial)
        with self._database() as db:
            db.execute(
                "INSERT INTO runs (id, owner, spec, data, source, status, created, part_of) "
                "VALUES (?, ?, ?, ?, ?, 'queued', ?, ?)",
                (run, owner, json.dumps(spec.to_query()), data, source, time.time(), part_of),
            )
        return self.known(run)

    def adopt(
        self, spec: RunSpec, owner: str, data: str, source: str, checkpoint: events.Checkpoint,
        message: str,
    ) -> Run:  # fmt: skip
        """An ended run of weights that were trained elsewhere. Cut short, it is a failed one.
        Raises SpecError as `create`, and OSError, which leaves nothing behind."""
        spec.check()
        run, now = secrets.token_urlsafe(12), time.time()
        with self._database() as db:
            db.execute(
                "INSERT INTO runs (id, owner, spec, data, source, status, message, created, ended)"
                " VALUES (?, ?, ?, ?, ?, 'failed', 'The import was cut short: try again.', ?, ?)",
                (run, owner, json.dumps(spec.to_query()), data, source, now, now),
            )
        try:
            self.save_checkpoint(run, checkpoint)
        except OSError:
            self.delete(run)
            raise
        self.append(run, [events.Marked(checkpoint.step, IMPORTED)])
        self._move(run, ("failed",), IMPORTED, message=message)
        return self.known(run)

    def measured(self, run: str, accuracy: float, loss: float) -> None:
        """Note how an ended run reads the test images (0…1, nats), if its training did not."""
        with self._database() as db:
            marks = ", ".join("?" * len(ENDED))
            db.execute(
                "UPDATE runs SET test_accuracy = ?, test_loss = ? "
                f"WHERE id = ? AND test_accuracy IS NULL AND status IN ({marks})",
                (accuracy, loss, run, *ENDED),
            )

    def get(self, run: str) -> Run | None:
        """The record, or None if there is no such run, its owner has deleted it, or its design
        cannot be read: one of a later version, or one over the limits that did not come through
        `create`."""
        query = "SELECT * FROM runs WHERE id = ? AND discarded IS NULL"
        return next(iter(self._select(query, (run,))), None)

    def known(self, run: str) -> Run:
        """The record of a run that was there just now. Raises StoreError if it is gone."""
        if found := self.get(run):
            return found
        raise StoreError("This run is no longer there: it was deleted meanwhile.")

    def of(self, owner: str, limit: int = 100) -> list[Run]:
        """An owner's runs, the newest first, without the trials of sweeps."""
        query = """
            SELECT * FROM runs WHERE owner = ? AND discarded IS NULL
            AND part_of NOT IN (SELECT id FROM run_groups WHERE kind = 'sweep')
            ORDER BY created DESC LIMIT ?
        """
        return self._select(query, (owner, limit))

    def members(self, group: str) -> list[Run]:
        """The runs of a race or a sweep, in the order in which they were made."""
        query = "SELECT * FROM runs WHERE part_of = ? AND discarded IS NULL ORDER BY created"
        return self._select(query, (group,)) if group else []

    def discarded(self, owner: str) -> list[Run]:
        """What an owner has deleted and can still have back, the last one first."""
        query = """
            SELECT * FROM runs WHERE owner = ? AND discarded IS NOT NULL ORDER BY discarded DESC
        """
        return self._select(query, (owner,))

    def active(self) -> list[Run]:
        """Queued and running runs of everybody, in the order in which they came."""
        query = "SELECT * FROM runs WHERE status IN (?, ?) ORDER BY created"
        return self._select(query, ACTIVE)

    def line(self) -> list[Run]:
        """Running runs, then the queued ones in the order in which they get a training slot: first
        the visitor whose last run began longest ago, so that nobody's many runs hold up another's
        first."""
        query = """
            SELECT r.* FROM runs r WHERE r.status IN (?, ?) ORDER BY r.status = 'queued',
            (SELECT COALESCE(MAX(o.started), 0) FROM runs o WHERE o.owner = r.owner), r.created
        """
        return self._select(query, ACTIVE)

    def waiting(self) -> list[Run]:
        """The queued runs of the line."""
        return [run for run in self.line() if run.status == "queued"]

    def _select(self, query: str, values: tuple) -> list[Run]:
        with self._database() as db:
            rows = db.execute(query, values).fetchall()
        return [run for row in rows if (run := _record(row))]

    def begin(self, run: str) -> bool:
        """queued -> running; False if it was stopped meanwhile."""
        return self._move(run, ("queued",), "running", started=time.time())

    def reopen(self, run: str, spec: RunSpec) -> Run:
        """An ended run -> queued again, with the design as it is to go on. Raises SpecError."""
        spec.check()
        self._move(run, ENDED, "queued", message="", ended=None, spec=json.dumps(spec.to_query()))
        return self.known(run)

    def cancel(self, run: str) -> bool:
        """queued -> stopped; False if it has begun."""
        message = "Stopped before it began."
        return self._move(run, ("queued",), "stopped", message=message, ended=time.time())

    def end(self, run: str, status: str, message: str = "", **result: float) -> bool:
        """queued or running -> an ended status; False if it had ended already."""
        return self._move(run, ACTIVE, status, message=message, ended=time.time(), **result)

    def _move(self, run: str, before: tuple[str, ...], after: str, **values: object) -> bool:
        assignments = ", ".join(f"{name} = ?" for name in values)
        marks = ", ".join("?" * len(before))
        with self._database() as db:
            done = db.execute(
                f"UPDATE runs SET status = ?, {assignments} WHERE id = ? AND status IN ({marks})",
                (after, *values.values(), run, *before),
            )
        return done.rowcount == 1

    def interrupt(self) -> int:
        """Mark what an earlier server left queued or running; how many those were."""
        with self._database() as db:  # with those whose design cannot be read: they stay so too
            query = "SELECT id, status FROM runs WHERE status IN (?, ?)"
            left = db.execute(query, ACTIVE).fetchall()
        for run, status in left:
            self.end(run, "interrupted", f"The server ended while this run was {status}; "
                                         f"{self.what_is_kept(run)}.")  # fmt: skip
        return len(left)

    def kept(self) -> list[Kept]:
        """What every run takes, with its events, the oldest first."""
        query = """
            SELECT id, status IN (?, ?) AS active, COALESCE(ended, created) AS time,
            (SELECT COALESCE(SUM(LENGTH(body)), 0) FROM events WHERE run = id) AS bytes, discarded
            FROM runs ORDER BY time
        """
        with self._database() as db:
            rows = db.execute(query, ACTIVE).fetchall()
        return [Kept(run, bool(active), when, size + self.bytes_of(run), discarded)
                for run, active, when, size, discarded in rows]  # fmt: skip

    def delete(self, run: str) -> None:
        """Remove an ended run with all that it left. Files go first: what is cut short here is
        found again by its record."""
        with self._database() as db:
            db.execute("BEGIN IMMEDIATE")
            marks = "SELECT 1 FROM runs WHERE id = ? AND status NOT IN (?, ?)"
            if db.execute(marks, (run, *ACTIVE)).fetchone():
                self.delete_files(run)
                db.execute("DELETE FROM runs WHERE id = ?", (run,))
                self._drop_empty(db)

    def append(self, run: str, new: Iterable[events.Event]) -> None:
        """Add events to the run's log, all or none."""
        rows = [json.dumps(events.to_wire(event)) for event in new]
        with self._database() as db:
            db.execute("BEGIN IMMEDIATE")  # or two threads could read the same last number
            query = "SELECT COALESCE(MAX(n), 0) FROM events WHERE run = ?"
            (last,) = db.execute(query, (run,)).fetchone()
            db.executemany(
                "INSERT INTO events (run, n, body) VALUES (?, ?, ?)",
                [(run, n, body) for n, body in enumerate(rows, last + 1)],
            )

    def history(self, run: str) -> list[events.Event]:
        """The run's events from the first on."""
        with self._database() as db:
            rows = db.execute("SELECT body FROM events WHERE run = ? ORDER BY n", (run,)).fetchall()
        return [events.from_wire(json.loads(row["body"])) for row in rows]


def _record(row: sqlite3.Row) -> Run | None:
    values = dict(row)
    try:
        spec = RunSpec.from_query(json.loads(values["spec"]))
        return Run(**(values | {"spec": spec, "starred": bool(values["starred"])}))
    except (ValueError, TypeError, AttributeError):  # a later version's, or made by hand
        return None
