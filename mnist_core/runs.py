"""Run records (SQLite), written so that a kill at any moment is survivable.

A run is a row, an append-only log of its events, and a folder with its artifacts. SQLite in WAL
mode makes each event a transaction.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from . import events
from .artifacts import Artifacts
from .spec import RunSpec

ACTIVE = ("queued", "running")
ENDED = ("finished", "stopped", "interrupted", "failed")

BUSY_SECONDS = 5.0  # a page waits so long for another program that has locked the records
RETRY_SECONDS = 1.0  # between two attempts of one that can wait longer

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, spec TEXT NOT NULL, data TEXT NOT NULL,
    source TEXT NOT NULL, status TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL, started REAL, ended REAL,
    test_accuracy REAL, test_loss REAL, seconds REAL
);
CREATE INDEX IF NOT EXISTS runs_by_owner ON runs (owner, created);
CREATE TABLE IF NOT EXISTS events (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, n INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (run, n)
) WITHOUT ROWID;
"""


class StoreError(ValueError):
    """The run records cannot be used just now; the message is one plain sentence."""


_TROUBLES = {  # SQLite's name for it -> the sentence
    "SQLITE_BUSY": "The run records are locked by another program: wait a moment and try again.",
    "SQLITE_LOCKED": "The run records are locked by another program: wait a moment and try again.",
    "SQLITE_FULL": "The run records cannot be written, because the server's disk is full.",
    "SQLITE_IOERR": "The run records cannot be read or written: check the server's disk.",
    "SQLITE_CANTOPEN": "The run records cannot be opened: check the folder of MNIST_LAB_HOME.",
    "SQLITE_READONLY": "The run records cannot be written: check the folder of MNIST_LAB_HOME.",
}


@dataclass(frozen=True)
class Run:
    """One record. Times are seconds since 1970, `seconds` is time spent training, accuracy 0…1."""

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

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def name(self) -> str:
        """What the run is called in lists: its layers, optimizer and the time it was made."""
        made = time.strftime("%H:%M", time.localtime(self.created))
        return f"{'-'.join(self.spec.sizes)} · {self.spec.optimizer} · {made}"


@dataclass(frozen=True)
class Kept:
    """What a run takes: `bytes` on disk since `when`, its end or, while it is active, its making
    (seconds since 1970)."""

    id: str
    active: bool
    when: float
    bytes: int


class Runs(Artifacts):
    """All runs under one folder. Safe to use from several threads. Every method that reads or
    writes records raises StoreError while they cannot be used."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._database() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction. Opening costs about 0.1 ms and spares us sharing one
        between the short-lived threads of page runs."""
        db = None
        try:
            db = sqlite3.connect(self.folder / "runs.sqlite", timeout=BUSY_SECONDS)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            with db:
                yield db
        except sqlite3.OperationalError as error:
            known = (s for name, s in _TROUBLES.items() if error.sqlite_errorname.startswith(name))
            if sentence := next(known, None):
                raise StoreError(sentence) from error
            raise
        finally:
            if db:
                db.close()

    def create(self, spec: RunSpec, owner: str, data: str, source: str) -> Run:
        """A new queued run under an unguessable id. Raises SpecError for a design over the limits,
        whichever way it came here."""
        spec.check()
        run = secrets.token_urlsafe(12)
        with self._database() as db:
            db.execute(
                "INSERT INTO runs (id, owner, spec, data, source, status, created) "
                "VALUES (?, ?, ?, ?, ?, 'queued', ?)",
                (run, owner, json.dumps(spec.to_query()), data, source, time.time()),
            )
        return self.get(run)

    def get(self, run: str) -> Run | None:
        """The record, or None if there is no such run or its design cannot be read: one of a later
        version, or one over the limits that did not come through `create`."""
        with self._database() as db:
            row = db.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
        return _record(row) if row else None

    def of(self, owner: str, limit: int = 100) -> list[Run]:
        """An owner's runs, the newest first."""
        query = "SELECT * FROM runs WHERE owner = ? ORDER BY created DESC LIMIT ?"
        return self._select(query, (owner, limit))

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
        return self.get(run)

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
            (SELECT COALESCE(SUM(LENGTH(body)), 0) FROM events WHERE run = id) AS bytes
            FROM runs ORDER BY time
        """
        with self._database() as db:
            rows = db.execute(query, ACTIVE).fetchall()
        return [Kept(run, bool(active), when, size + self.bytes_of(run))
                for run, active, when, size in rows]  # fmt: skip

    def delete(self, run: str) -> None:
        """Remove an ended run with all that it left. Files go first: what is cut short here is
        found again by its record."""
        with self._database() as db:
            db.execute("BEGIN IMMEDIATE")
            marks = "SELECT 1 FROM runs WHERE id = ? AND status NOT IN (?, ?)"
            if db.execute(marks, (run, *ACTIVE)).fetchone():
                self.delete_files(run)
                db.execute("DELETE FROM runs WHERE id = ?", (run,))

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


class Patient:
    """The run records for a thread that can wait: a call that finds them locked, or the disk full,
    says so and is made again until it works, so that nothing is lost."""

    def __init__(self, runs: Runs, say: Callable[[str], None], closing: threading.Event) -> None:
        self._runs, self._say, self._closing = runs, say, closing

    def __getattr__(self, name: str) -> Callable:
        return partial(self._insist, getattr(self._runs, name))

    def _insist(self, call: Callable, *values: Any, **named: Any) -> Any:
        waited = False
        while True:
            try:
                done = call(*values, **named)
            except StoreError as error:
                self._say(str(error))
                waited = True
                if self._closing.wait(RETRY_SECONDS):
                    raise
            else:
                if waited:
                    self._say("")
                return done


def _record(row: sqlite3.Row) -> Run | None:
    values = dict(row)
    try:
        return Run(**(values | {"spec": RunSpec.from_query(json.loads(values["spec"]))}))
    except (ValueError, TypeError, AttributeError):  # a later version's, or made by hand
        return None
