"""Run records (SQLite) and artifacts (files), written so that a kill at any moment is survivable.

A run is a row, an append-only log of its events, and a folder with its checkpoint and model. SQLite
in WAL mode makes each event a transaction; files appear whole by rename or not at all.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import events
from .spec import RunSpec, SpecError

ACTIVE = ("queued", "running")
ENDED = ("finished", "stopped", "interrupted", "failed")

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


class Runs:
    """All runs under one folder. Safe to use from several threads."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._database() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction. Opening costs about 0.1 ms and spares us sharing one
        between the short-lived threads of page runs."""
        db = sqlite3.connect(self.folder / "runs.sqlite", timeout=10)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            with db:
                yield db
        finally:
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
        """The record, or None if there is no such run or its design is of a later version."""
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
        left = self.active()
        for run in left:
            self.end(run.id, "interrupted", f"The server ended while this run was {run.status}; "
                                            f"{self.what_is_kept(run.id)}.")
        return len(left)

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

    def _artifact(self, run: str, name: str) -> Path:
        return self.folder / "artifacts" / run / name

    def save(self, run: str, name: str, content: bytes) -> None:
        """Write an artifact; a reader sees the old one or the new one, never half of it."""
        path = self._artifact(run, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)

    def save_checkpoint(self, run: str, checkpoint: events.Checkpoint) -> None:
        """Keep the run's newest weights and state."""
        arrays = {f"weights/{name}": value for name, value in checkpoint.weights.items()}
        arrays |= {f"state/{name}": value for name, value in checkpoint.state.items()}
        buffer = io.BytesIO()
        known = {"step": checkpoint.step, "seconds": checkpoint.seconds}
        if checkpoint.learning_rate is not None:
            known["learning_rate"] = checkpoint.learning_rate
        if best := checkpoint.best:
            known |= {"best_epoch": best.epoch, "best_value": best.value}
            arrays |= {f"best/{name}": value for name, value in best.weights.items()}
        np.savez(buffer, **known, **arrays)
        self.save(run, "checkpoint.npz", buffer.getvalue())

    def checkpoint(self, run: str) -> events.Checkpoint | None:
        """The run's newest checkpoint, or None."""
        path = self._artifact(run, "checkpoint.npz")
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            parts: dict[str, dict[str, np.ndarray]] = {"weights": {}, "state": {}, "best": {}}
            for part, _, name in (key.partition("/") for key in file.files):
                if name:
                    parts[part][name] = file[f"{part}/{name}"]
            known = {key: file[key].item() for key in file.files if "/" not in key}
        best = parts.pop("best")
        if "best_epoch" in known:
            known["best"] = events.Best(known.pop("best_epoch"), known.pop("best_value"), best)
        return events.Checkpoint(**parts, **known)

    def has_weights(self, run: str) -> bool:
        return self._artifact(run, "checkpoint.npz").exists()

    def what_is_kept(self, run: str) -> str:
        """What a run that was cut off has left, as the end of a sentence."""
        if self.has_weights(run):
            return "its last checkpoint is kept and can still answer drawings"
        return "it had no checkpoint yet, so train it again"

    def model_file(self, run: str) -> Path | None:
        """The run's `.keras` file, or None while there is none."""
        path = self._artifact(run, "model.keras")
        return path if path.exists() else None


def _record(row: sqlite3.Row) -> Run | None:
    values = dict(row)
    try:
        return Run(**(values | {"spec": RunSpec.from_query(json.loads(values["spec"]))}))
    except SpecError:
        return None
