"""Arrays as the bytes of an .npz file."""

from __future__ import annotations

import io
from collections.abc import Mapping
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
