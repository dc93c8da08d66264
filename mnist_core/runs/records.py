"""Run records (SQLite), written so that a kill at any moment is survivable.

A run is a row, an append-only log of its events, and a folder with its artifacts. SQLite in WAL
mode makes each event a transaction.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mnist_core import storage
from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.training import events

from .artifacts import Artifacts
from .database import ACTIVE, ENDED, IMPORTED, StoreError
from .groups import Groups
from .owner_edits import OwnerEdits
from .run import Kept, Run, run_of


class Runs(Artifacts, OwnerEdits, Groups):
    """All runs under one folder. Safe to use from several threads. Every method that reads or
    writes records raises StoreError while they cannot be used."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()

    def create(
        self, spec: RunSpec, owner: str, data: Identity, part_of: str = "",
        initial: Mapping[str, np.ndarray] | None = None,
    ) -> Run:  # fmt: skip
        """A new queued run under an unguessable id, of the group `part_of` if it is of one. With
        `initial` it begins with these weights instead of its seed's. Raises SpecError for a design
        over the limits, whichever way it came here, and OSError if the weights cannot be saved,
        which leaves nothing behind."""
        (run,) = self.create_all([(spec, initial)], owner, data, part_of)
        return run

    def create_all(
        self, designs: Sequence[tuple[RunSpec, Mapping[str, np.ndarray] | None]], owner: str,
        data: Identity, part_of: str = "",
    ) -> list[Run]:  # fmt: skip
        """New queued runs of these designs with their initial weights, all of them or none: none is
        in the queue before all are made. Raises as `create`."""
        for spec, _ in designs:
            spec.check()
        cut = "It was cut short as it began."
        made = [self._insert(spec, owner, data, "failed", cut, part_of) for spec, _ in designs]
        with self._undone(made):
            for run, (_, initial) in zip(made, designs, strict=True):
                if initial is not None:
                    self.save_initial(run, initial)
        for run in made:
            self._move(run, ("failed",), "queued", message="", ended=None)
        return [self.known(run) for run in made]

    def adopt(
        self, spec: RunSpec, owner: str, data: Identity, checkpoint: events.Checkpoint,
        message: str,
    ) -> Run:  # fmt: skip
        """An ended run of weights that were trained elsewhere. Cut short, it is a failed one.
        Raises SpecError as `create`, and OSError, which leaves nothing behind."""
        run = self._insert(spec, owner, data, "failed", "The import was cut short: try again.")
        with self._undone([run]):
            self.save_checkpoint(run, checkpoint)
        self.append(run, [events.Marked(checkpoint.step, IMPORTED)])
        self._move(run, ("failed",), IMPORTED, message=message)
        return self.known(run)

    def _insert(
        self, spec: RunSpec, owner: str, data: Identity, status: str, message: str = "",
        part_of: str = "",
    ) -> str:  # fmt: skip
        """A new record, before anything of its run is written: what has none is swept away."""
        spec.check()
        run, now = secrets.token_urlsafe(12), time.time()
        values = {
            "id": run, "owner": owner, "spec": json.dumps(spec.to_query()), "data": data.name,
            "source": data.source, "digest": data.digest, "status": status, "message": message,
            "created": now, "ended": None if status in ACTIVE else now, "part_of": part_of,
        }  # fmt: skip
        with self._database() as db:
            db.execute(
                f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                tuple(values.values()),
            )
        return run

    @contextmanager
    def _undone(self, made: Iterable[str]) -> Iterator[None]:
        """What new runs are given; if the disk refuses it, they are no more."""
        try:
            yield
        except OSError:
            for run in made:
                self.delete(run)
            raise

    def save_checkpoint(self, run: str, checkpoint: events.Checkpoint) -> None:
        """As `Artifacts` does. From the first word on, figures of other weights are not the run's:
        cut short here, it has none rather than wrong ones."""
        with self._database() as db:
            db.execute("UPDATE runs SET step = ? WHERE id = ?", (checkpoint.step, run))
        super().save_checkpoint(run, checkpoint)

    def measured(self, run: str, accuracy: float, loss: float, step: int) -> None:
        """Note how an ended run's weights after `step` batches read the test images (0…1, nats), if
        its training did not."""
        with self._database() as db:
            marks = ", ".join("?" * len(ENDED))
            db.execute(
                "UPDATE runs SET test_accuracy = ?, test_loss = ?, test_step = ? WHERE id = ? "
                f"AND (test_accuracy IS NULL OR test_step IS NOT step) AND status IN ({marks})",
                (accuracy, loss, step, run, *ENDED),
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
        return [run for row in rows if (run := run_of(row))]

    def begin(self, run: str) -> bool:
        """queued -> running; False if it was stopped meanwhile."""
        return self._move(run, ("queued",), "running", started=time.time())

    def requeue(self, run: str) -> bool:
        """running -> queued again, as its machine is gone; False if it has ended."""
        return self._move(run, ("running",), "queued", message="")

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
        """queued or running -> an ended status; False if it had ended already. Test figures of
        `result` are those of the checkpoint that was saved last."""
        return self._move(run, ACTIVE, status, message=message, ended=time.time(), **result)

    def _move(self, run: str, before: tuple[str, ...], after: str, **values: object) -> bool:
        assignments = ", ".join(f"{name} = ?" for name in values)
        if "test_accuracy" in values:
            assignments += ", test_step = step"
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
            (SELECT COALESCE(SUM(LENGTH(body)), 0) FROM events WHERE run = id) AS bytes, discarded,
            owner, starred FROM runs ORDER BY time
        """
        with self._database() as db:
            rows = db.execute(query, ACTIVE).fetchall()
        return [
            Kept(run, bool(active), when, size + self.bytes_of(run), discarded, owner, bool(star))
            for run, active, when, size, discarded, owner, star in rows
        ]

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

    def delete_orphans(self, now: float) -> None:
        """Remove files without a record, such as of a delete that was cut short; `now` is in
        seconds since 1970. What is newer than an hour may have its record in a moment."""
        with self._database() as db:
            known = {row["id"] for row in db.execute("SELECT id FROM runs")}
        for item in storage.shelf("artifacts", self.folder.parent):
            if item.path.name not in known and now - item.used > storage.store.HOUR:
                storage.remove(item.path)

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
        """The run's events from the first on; what a later version says is left out."""
        with self._database() as db:
            rows = db.execute("SELECT body FROM events WHERE run = ? ORDER BY n", (run,)).fetchall()
        found = (events.from_wire(json.loads(row["body"])) for row in rows)
        return [event for event in found if event]

    def told(self, runs: Sequence[str], *kinds: type) -> dict[str, list[events.Event]]:
        """Of several runs at once, their events of these kinds, as `history` has them."""
        found: dict[str, list[events.Event]] = {run: [] for run in runs}
        marks, starts = ", ".join("?" * len(runs)), " OR ".join(["body LIKE ?"] * len(kinds))
        query = f"SELECT run, body FROM events WHERE run IN ({marks}) AND ({starts}) ORDER BY n"
        with self._database() as db:
            rows = db.execute(query, (*runs, *(f'{{"kind": "{kind.__name__}"%' for kind in kinds)))
            for row in rows.fetchall():
                if event := events.from_wire(json.loads(row["body"])):
                    found[row["run"]].append(event)
        return found
