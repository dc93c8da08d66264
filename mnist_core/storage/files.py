"""The lab's own folder, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import platformdirs

INCOMING = "incoming-"  # how the folder of a file begins that is being written
TRIES = 5


def absolute(path: str | Path) -> Path:
    """`path` from the root, with ~ expanded; links are left as they are."""
    return Path(os.path.abspath(os.path.expanduser(path)))


def home() -> Path:
    """The folder for cache and runs: `MNIST_LAB_HOME`, else in the user's data folder."""
    chosen = os.environ.get("MNIST_LAB_HOME")
    return absolute(chosen) if chosen else platformdirs.user_data_path("mnist-lab", False)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file to be written, which takes the place of `path` at the end, whole or not at all:
    whatever is raised meanwhile leaves what was there. Its folder is made if need be. Raises
    OSError."""
    with incoming(path) as draft:
        with open(draft, "wb") as file:
            yield file
        os.replace(draft, path)


@contextlib.contextmanager
def incoming(path: Path) -> Iterator[Path]:
    """Where a file may be made that is to be moved to `path`: in a folder beside it, which is gone
    at the end. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix=INCOMING, dir=folder(path.parent)) as beside:
        yield Path(beside, path.name)


def folder(path: Path, mode: int = 0o777) -> Path:
    """The folder, made if need be, though a sweep takes an empty one above it away meanwhile.
    Raises OSError."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(FileNotFoundError):
            path.mkdir(mode, parents=True, exist_ok=True)
            return path
    path.mkdir(mode, parents=True, exist_ok=True)
    return path


def write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all. Raises OSError."""
    with replacing(path) as file:
        file.write(content)


def set_aside(path: Path, why: str) -> str:
    """Rename a bad file to `<name>.bad`, `.bad-2`, ... so that nothing is lost.

    Returns the sentence `why`, with the new name if the file could be renamed.
    """
    names = (f"{path.name}.bad{f'-{n}' if n > 1 else ''}" for n in itertools.count(1))
    aside = next(free for name in names if not os.path.lexists(free := path.with_name(name)))
    try:
        path.rename(aside)
    except OSError:
        return why
    return f"{why.removesuffix('.')}; it was set aside as {aside.name}."


def unwritable(path: Path, error: OSError) -> str:
    """The sentence for a file that cannot be kept."""
    reason = error.strerror or error
    return f"{path} cannot be written ({reason}); set MNIST_LAB_HOME to a writable folder."
