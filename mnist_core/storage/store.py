"""Everything that the lab keeps in its folder: what it is, whose, until when, and how much of it.

Whoever keeps something writes it with `replacing`, says with `use` that it is in use, and leaves
its end to `sweep`, which the service calls by the clock. Runs go by their records' own rules
(`runs.expiry`); here they only have their place.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .files import INCOMING, home

HOUR, DAY = 3600.0, 24 * 3600.0
MARK = "used"  # in a thing that is a folder: a file whose time is the last use


@dataclass(frozen=True)
class Shelf:
    """One kind of thing. Each match of `place`, a pattern below the lab's folder, is one thing, a
    file or a folder; the part `owner` of its path (from 0) names whose it is, if it is anybody's.
    It goes when nobody has used it for `seconds`, or, the one unused for longest first, when there
    are more than `most`."""

    place: str
    owner: int | None = None
    seconds: float = math.inf
    most: float = math.inf


SHELVES = {
    "digits": Shelf("data/*"),  # MNIST, the sample, other hands: for good
    "own": Shelf("own/*/*", owner=1, seconds=DAY),  # with all that was computed of them
    "taught": Shelf("taught/*", owner=1, most=200),  # each visitor's lessons and copy
    "computed": Shelf("computed/*.npz", most=60),  # a few megabytes each
    "answers": Shelf("runs/evaluations/*", seconds=DAY, most=20),  # of the model that comes along
    "artifacts": Shelf("runs/artifacts/*"),  # a folder a run: goes with its record
    "records": Shelf("runs/runs.sqlite*"),
    "machine": Shelf("runs/calibration.json"),
    "worker": Shelf("runs/worker.log"),
    "scratch": Shelf("runs/dask"),  # the worker's own, who clears it
    "half": Shelf(f"**/{INCOMING}*", seconds=HOUR),  # what a killed process had begun to write
}


@dataclass(frozen=True)
class Item:
    """One thing on a shelf: whose it is ("" for nobody's), and when it was last used (seconds since
    1970)."""

    path: Path
    owner: str
    used: float

    @property
    def bytes(self) -> int:
        """What it takes on disk."""
        return size(self.path)


def shelf(name: str, root: Path | None = None) -> list[Item]:
    """What is on a shelf of SHELVES, the one unused for longest first. What goes meanwhile, because
    another visitor deletes it, is left out."""
    root = root or home()
    found = []
    # Not Path.glob: it raises when a folder goes while it looks.
    for place in glob.iglob(SHELVES[name].place, root_dir=root, recursive=True):
        path = root / place
        with contextlib.suppress(OSError):
            owner = SHELVES[name].owner
            whose = "" if owner is None else path.relative_to(root).parts[owner]
            found.append(Item(path, whose, last_use(path)))
    return sorted(found, key=lambda item: item.used)


def whose(visitor: str) -> str:
    """The folder name of a visitor, whose own name is a secret in a cookie and names no path."""
    return hashlib.sha256(visitor.encode()).hexdigest()[:32]


def use(path: Path) -> None:
    """It is in use: its time begins again."""
    with contextlib.suppress(OSError):
        (path / MARK).touch() if path.is_dir() else os.utime(path)


def last_use(path: Path) -> float:
    """When a thing was last used, in seconds since 1970. Raises OSError if it is gone."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return (path / MARK).stat().st_mtime
    return path.stat().st_mtime


def size(path: Path) -> int:
    """The bytes of a file, or of all in a folder; what goes meanwhile counts nothing."""
    within = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    total = 0
    for part in within if path.is_dir() else (path,):
        with contextlib.suppress(OSError):
            total += part.stat().st_size
    return total


def remove(path: Path) -> None:
    """Delete a thing, if it is still there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def sweep(root: Path | None = None, now: float | None = None) -> None:
    """Remove whatever has been here for too long, and the oldest of too many."""
    now = time.time() if now is None else now
    for name in SHELVES:
        for path in list(_late(name, root, now)):
            remove(path)
            with contextlib.suppress(OSError):  # an owner's folder goes with the last thing in it
                path.parent.rmdir()


def _late(name: str, root: Path | None, now: float) -> Iterator[Path]:
    rule = SHELVES[name]
    if math.isinf(rule.seconds) and math.isinf(rule.most):
        return
    items = shelf(name, root)
    for i, item in enumerate(items):
        if now - item.used > rule.seconds or len(items) - i > rule.most:
            yield item.path
