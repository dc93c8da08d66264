"""A visitor's own data sets: kept for a day, found by their owner only.

Each lies in the lab's home as `own/<owner>/<id>/<name>.npz`, in the form of every other data file,
so `dataset.load` of its path gives it to pages and workers alike. The owner's folder is a hash of
the visitor's secret and the id is unguessable; no address of the app takes a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_core import storage

from . import formats, uploads
from .formats import DataError, Mnist, Split

KEPT_HOURS = 24  # since it was last used
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
    """The owner's data sets, the newest first; what has expired is removed on the way."""
    sweep()
    found = [_kept(path) for path in _folder(owner).glob("*/*.npz")]
    return sorted(found, key=lambda kept: -kept.expires)


def keep(
    owner: str, given: Sequence[uploads.Upload], report: uploads.Report | None = None
) -> Kept:
    """Check the files, bring them into one form, keep them. Raises DataError, one sentence."""
    if len(of(owner)) >= MOST_EACH:
        raise DataError(f"You have {MOST_EACH} data sets here already; delete one first.")
    if _size() > MOST_BYTES:
        raise DataError("The server has no room for more data at the moment; try again later.")
    brought = uploads.read_files(given, report)
    return _write(owner, given[0][0] if given else "", brought.train, brought.test)


def _write(owner: str, name: str, train: Split, test: Split) -> Kept:
    path = _folder(owner) / secrets.token_urlsafe(16) / f"{_safe(name)}.npz"
    try:
        path.parent.mkdir(parents=True, mode=0o700)
        formats.write(path, Mnist(train, test, path.name, str(path)))
    except OSError as error:
        raise DataError(storage.unwritable(path, error)) from error
    return _kept(path)


def delete(owner: str, source: str) -> None:
    """Remove one of the owner's data sets; another's is left alone."""
    place = Path(source).parent
    if place.parent == _folder(owner):
        shutil.rmtree(place, ignore_errors=True)


def touch(source: str) -> None:
    """It is in use: its day begins again."""
    with contextlib.suppress(OSError):
        _mark(Path(source)).touch()


def computed_folder(source: str) -> Path | None:
    """Where what is computed from an own data set is kept, to go with it; None for other data."""
    return Path(source).parent / "computed" if is_own(source) else None


def _mark(path: Path) -> Path:
    """A file whose time is the last use. Not the data's own, which tells when they change."""
    return path.with_name("used")


def _last_use(path: Path) -> float:
    """Seconds since 1970. Raises OSError if it is gone."""
    with contextlib.suppress(FileNotFoundError):
        return _mark(path).stat().st_mtime
    return path.stat().st_mtime


def _folder(owner: str) -> Path:
    return folder() / hashlib.sha256(owner.encode()).hexdigest()[:32]


def _safe(name: str) -> str:
    """A file name of letters, digits and hyphens, whatever the upload was called."""
    stem = re.sub(r"(\.gz|\.npz|\.zip|[-.]ubyte)+$", "", Path(name).name, flags=re.IGNORECASE)
    return re.sub(r"[^\w]+", "-", stem).strip("-_")[:40] or "digits"


def _kept(path: Path) -> Kept:
    return Kept(str(path), path.stem, _last_use(path) + 3600 * KEPT_HOURS)


def sweep(now: float | None = None) -> None:
    """Remove what has not been used for a day, with all that was computed from it; `now` is in
    seconds since 1970."""
    now = time.time() if now is None else now
    for path in folder().glob("*/*/*.npz"):
        with contextlib.suppress(OSError):  # another thread may sweep too
            if now - _last_use(path) > 3600 * KEPT_HOURS:
                shutil.rmtree(path.parent, ignore_errors=True)


def _size() -> int:
    size = 0
    for path in folder().glob("*/*/**/*.npz"):
        with contextlib.suppress(OSError):  # another visitor may delete it meanwhile
            size += path.stat().st_size
    return size
