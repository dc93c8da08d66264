"""Evaluations and model files that were asked for: which wait, which are under way, which failed
and why.

They are small and can be had again at any time, so only their results are kept on disk.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from mnist_core.design.spec import RunSpec
from mnist_core.runs import models
from mnist_core.runs.artifacts import DEFAULT
from mnist_core.runs.records import Runs
from mnist_core.training.events import Checkpoint

FAILED_KEPT = 100


@dataclass(frozen=True)
class Asked:
    """One evaluation: of a run's id or DEFAULT, on data by its digest and source; or, with `file`,
    one of MODEL_FILES of a run. `status` is "queued", "running", "done" or "failed"; `message` is
    a sentence if it failed."""

    run: str
    data: str
    source: str
    status: str = "queued"
    message: str = ""
    file: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.run, self.data, self.file

    @property
    def what(self) -> str:
        return "conversion" if self.file else "evaluation"


class Evaluations:
    """All that were asked for and are not done. Safe to use from several threads."""

    def __init__(self, runs: Runs) -> None:
        self._runs, self._lock = runs, threading.RLock()
        self._asked: dict[tuple[str, str, str], Asked] = {}

    def look(self, run: str, data: str, file: str = "") -> Asked | None:
        """How far it is; None if nobody has asked for it."""
        with self._lock:
            found = self._asked.get((run, data, file))
        if found is None and self._kept(run, data, file):
            return Asked(run, data, "", "done", file=file)
        return found

    def _kept(self, run: str, data: str, file: str) -> bool:
        kept = self._runs.model_file(run, file) if file else self._runs.evaluation(run, data)
        return kept is not None

    def ask(self, run: str, data: str, source: str, file: str = "") -> Asked:
        """Queue it, unless it is done or on its way."""
        with self._lock:
            found = self.look(run, data, file)
            if found is None or found.status == "failed":
                found = Asked(run, data, source, file=file)
                self._asked[found.key] = found
        return found

    def waiting(self) -> list[Asked]:
        """The queued ones, in the order in which they came."""
        with self._lock:
            return [asked for asked in self._asked.values() if asked.status == "queued"]

    def move(self, asked: Asked, status: str, message: str = "") -> None:
        """Say how far it is. What is done is forgotten here: its file speaks for it."""
        with self._lock:
            self._asked.pop(asked.key, None)
            if status != "done":
                self._asked[asked.key] = replace(asked, status=status, message=message)
            failed = [key for key, asked in self._asked.items() if asked.status == "failed"]
            for key in failed[:-FAILED_KEPT]:
                del self._asked[key]


def model(runs: Runs, run: str) -> tuple[RunSpec, Checkpoint]:
    """The design and the weights to evaluate. Raises ValueError if they are gone."""
    if run == DEFAULT:
        shipped = models.default()
        return shipped.spec, Checkpoint(0, shipped.network.weights(), {})
    record, checkpoint = runs.get(run), runs.checkpoint(run)
    if record is None or checkpoint is None:
        raise ValueError("This run and its weights are gone: they may have expired.")
    return record.spec, checkpoint
