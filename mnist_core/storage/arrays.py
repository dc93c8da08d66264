"""Arrays as the bytes of an .npz file."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike


def write_npz(file: IO[bytes], arrays: Mapping[str, ArrayLike], compressed: bool = False) -> None:
    """Write arrays by their names, as `numpy.load` reads them. Raises OSError."""
    save = np.savez_compressed if compressed else np.savez
    # NumPy has one option of its own here, which no array of ours is named after.
    save(file, **arrays)  # pyright: ignore[reportArgumentType]


def npz(arrays: Mapping[str, ArrayLike], compressed: bool = False) -> bytes:
    """What `write_npz` writes."""
    buffer = io.BytesIO()
    write_npz(buffer, arrays, compressed)
    return buffer.getvalue()


class Damaged(Exception):
    """A file of ours that does not hold what was written to it."""


def read_npz(path: Path, *only: str) -> dict[str, np.ndarray] | None:
    """The arrays of one of our own .npz files, all or `only` these; None if there is none. Raises
    Damaged, or OSError if it cannot be opened."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in only or file.files}
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError) as error:
        raise Damaged(f"{path} is damaged ({error})") from error
