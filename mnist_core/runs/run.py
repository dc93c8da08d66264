"""One run as its record has it, and what it takes on disk."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass, fields

from mnist_core.data.identity import Identity
from mnist_core.design.spec import FRAMEWORKS, RunSpec, SpecError

from .database import ACTIVE


@dataclass(frozen=True)
class Run:
    """One record. Times are seconds since 1970, `seconds` is time spent training, accuracy 0…1, of
    the weights that the run now has, None if these were not measured; `guess` is what its owner
    expected of it before it began; `title` and `note` are the
    owner's own words, `part_of` the id of its race or sweep."""

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
    digest: str = ""
    guess: float | None = None

    @property
    def identity(self) -> Identity:
        """Which data it is about."""
        return Identity(self.data, self.source, self.digest)

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
    `discarded` is when its `owner` deleted it (seconds since 1970)."""

    id: str
    active: bool
    when: float
    bytes: int
    discarded: float | None = None
    owner: str = ""
    starred: bool = False


def run_of(row: sqlite3.Row) -> Run | None:
    """The record of a row, None if its design cannot be read here."""
    values = dict(row)
    try:
        spec = RunSpec.from_query(json.loads(values["spec"]))
    except (json.JSONDecodeError, SpecError):  # a later version's, or made by hand
        return None
    known = {field.name for field in fields(Run)}
    if values["test_step"] != values["step"]:  # both None in records of before they were noted
        values |= {"test_accuracy": None, "test_loss": None}
    values |= {"spec": spec, "starred": bool(values["starred"])}
    return Run(**{name: value for name, value in values.items() if name in known})
