"""A visitor's own data sets: kept for a day, found by their owner only.

Each lies in the lab's home as `own/<owner>/<id>/<name>.npz`, in the form of every other data file,
so `dataset.load` of its path gives it to pages and workers alike. The owner's folder is a hash of
the visitor's secret and the id is unguessable; no address of the app takes a path.
"""

from __future__ import annotations

import contextlib
import glob
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_core import storage
from mnist_core.storage.store import last_use

from . import formats, uploads
from .formats import DataError, Mnist, Split

KEPT_HOURS = round(storage.SHELVES["own"].seconds / 3600)  # since it was last used
MOST_EACH = 3  # data sets of one visitor
MOST_BYTES = 2 * 2**30  # of all visitors together


@dataclass(frozen=True)
class Kept:
    """One kept data set. `source` is what `dataset.load` takes; `expires` is seconds since 1970."""

    source: str
    name: str
    expires: float


def folder() -> Path:
    """Where all own data lie."""
    return storage.home() / "own"


def is_own(source: str) -> bool:
    """Whether `source` is, or was, a visitor's own data set."""
    return folder() in Path(source).parents


def of(owner: str) -> list[Kept]:
    """The owner's data sets, the one used last first; what has expired is removed on the way."""
    storage.sweep()
    mine = _folder(owner).name
    items = [item for item in storage.shelf("own") if item.owner == mine]
    found = (_kept(item.path / name) for item in reversed(items)
             for name in glob.glob("*.npz", root_dir=item.path))  # fmt: skip
    return [kept for kept in found if kept]


def keep(
    owner: str, given: Sequence[uploads.Upload], report: uploads.Report | None = None
) -> Kept:
    """Check the files, bring them into one form, keep them. One visitor's at a time: the pages of
    the others must go on meanwhile. Raises DataError, one sentence."""
    with _one_at_a_time:
        return _keep(owner, given, report)


_one_at_a_time = threading.Lock()


def _keep(
    owner: str, given: Sequence[uploads.Upload], report: uploads.Report | None
) -> Kept:
    if len(of(owner)) >= MOST_EACH:
        raise DataError(f"You have {MOST_EACH} data sets here already; delete one first.")
    if sum(item.bytes for item in storage.shelf("own")) > MOST_BYTES:
        raise DataError("The server has no room for more data at the moment; try again later.")
    brought = uploads.read_files(given, report)
    return _write(owner, given[0][0] if given else "", brought.train, brought.test)


def _write(owner: str, name: str, train: Split, test: Split) -> Kept:
    path = _folder(owner) / secrets.token_urlsafe(16) / f"{_safe(name)}.npz"
    try:
        storage.files.folder(path.parent, 0o700)
        formats.write(path, Mnist(train, test, path.name, str(path)))
    except OSError as error:
        raise DataError(storage.unwritable(path, error)) from error
    return Kept(str(path), path.stem, last_use(path.parent) + 3600 * KEPT_HOURS)


def delete(owner: str, source: str) -> None:
    """Remove one of the owner's data sets; another's is left alone."""
    place = Path(source).parent
    if place.parent == _folder(owner):
        storage.remove(place)


def touch(source: str) -> None:
    """It is in use: its day begins again."""
    storage.use(Path(source).parent)


def computed_folder(source: str) -> Path | None:
    """Where what is computed from an own data set is kept, to go with it; None for other data."""
    return Path(source).parent / "computed" if is_own(source) else None


def _folder(owner: str) -> Path:
    return folder() / storage.whose(owner)


def _safe(name: str) -> str:
    """A file name of letters, digits and hyphens, whatever the upload was called."""
    stem = re.sub(r"(\.gz|\.npz|\.zip|[-.]ubyte)+$", "", Path(name).name, flags=re.IGNORECASE)
    return re.sub(r"[^\w]+", "-", stem).strip("-_")[:40] or "digits"


def _kept(path: Path) -> Kept | None:
    with contextlib.suppress(OSError):  # it may have gone just now
        return Kept(str(path), path.stem, last_use(path.parent) + 3600 * KEPT_HOURS)
    return None
