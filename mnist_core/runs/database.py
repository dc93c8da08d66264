"""The SQLite file of the run records: its tables, a connection, and what can be amiss with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_core.basis import LabError

ACTIVE = ("queued", "running")
IMPORTED = "imported"  # not trained here: its weights came in a file
ENDED = ("finished", "stopped", "interrupted", "failed", IMPORTED)

BUSY_SECONDS = 5.0  # a page waits so long for another program that has locked the records

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
CREATE TABLE IF NOT EXISTS run_groups (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    status TEXT NOT NULL, message TEXT NOT NULL DEFAULT '', created REAL NOT NULL
);
"""
_ADDED = {  # columns of the runs that a file of an earlier version does not have
    "title": "TEXT NOT NULL DEFAULT ''",
    "note": "TEXT NOT NULL DEFAULT ''",
    "starred": "INTEGER NOT NULL DEFAULT 0",
    "discarded": "REAL",
    "part_of": "TEXT NOT NULL DEFAULT ''",
    "digest": "TEXT NOT NULL DEFAULT ''",
    "guess": "REAL",  # of the owner, before the run, at its test accuracy
    "step": "INTEGER",  # of the newest checkpoint
    "test_step": "INTEGER",  # of the weights that the test figures are of
}


class StoreError(LabError):
    """The run records cannot be used just now; the message is one plain sentence."""


_TROUBLES = {  # SQLite's name for it -> the sentence
    "SQLITE_BUSY": "The run records are locked by another program: wait a moment and try again.",
    "SQLITE_LOCKED": "The run records are locked by another program: wait a moment and try again.",
    "SQLITE_FULL": "The run records cannot be written, because the server's disk is full.",
    "SQLITE_IOERR": "The run records cannot be read or written: check the server's disk.",
    "SQLITE_CANTOPEN": "The run records cannot be opened: check the folder of MNIST_LAB_HOME.",
    "SQLITE_READONLY": "The run records cannot be written: check the folder of MNIST_LAB_HOME.",
}


class Database:
    """The records' file in `folder`. Safe to use from several threads."""

    folder: Path

    def _prepare(self) -> None:
        """Make the tables, and give those of an earlier version what they lack."""
        with self._database() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)
            if _missing(db):
                db.execute("BEGIN IMMEDIATE")  # another program may be adding them too
                for name in _missing(db):
                    db.execute(f"ALTER TABLE runs ADD COLUMN {name} {_ADDED[name]}")
            db.execute("CREATE INDEX IF NOT EXISTS runs_by_group ON runs (part_of)")

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


def _missing(db: sqlite3.Connection) -> list[str]:
    there = {row["name"] for row in db.execute("PRAGMA table_info(runs)")}
    return [name for name in _ADDED if name not in there]
