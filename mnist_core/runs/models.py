"""Model files: a design, its weights and what is known about them in one `.npz`.

Such a file may come from anywhere, so nothing in it is believed: no pickles, no code, and no
member is unpacked before its size is what the design needs. Nothing is written under its names.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.basis import LabError
from mnist_core.design.spec import LIMITS, RunSpec
from mnist_core.network.initial import weight_shapes
from mnist_core.network.network import Network
from mnist_core.storage import archives, npz, replacing

DEFAULT = Path(__file__).with_name("default.npz")
HEADER = 256  # bytes that a plain array's header may take; NumPy writes 128
ABOUT_LIMIT = 64 * 1024
MOST_MEMBERS = 1000  # entries of a ZIP that are looked at; the deepest design has 57 arrays
FILE_LIMIT = 4 * int(LIMITS["parameters"].high) + 2**20
_ABOUT = "about.npy"
# What decoders raise over bad bytes: zipfile, json and NumPy's reader of array headers.
_UNDECODED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError,
              RuntimeError, RecursionError)  # fmt: skip
# How other files begin, and what they are.
_FOREIGN = {b"\x89HDF": "it is a Keras model in HDF5", b"\x80": "it is a Python pickle",
            b"\x93NUMPY": "it is a single array"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network with its design; `about` says what it was trained on and how good it is."""

    spec: RunSpec
    network: Network
    about: dict[str, Any]


def save(
    path: str | Path, spec: RunSpec, weights: Mapping[str, np.ndarray], about: Mapping[str, Any]
) -> None:
    """Write the model to `path`, whole or not at all.

    `weights` are those that `Network.from_weights` takes, kept as float32; `about` holds JSON
    values. Raises LabError if the weights are not the design's, OSError if the disk refuses.
    """
    content = to_bytes(spec, weights, about)
    with replacing(Path(path)) as file:
        file.write(content)


def to_bytes(
    spec: RunSpec, weights: Mapping[str, np.ndarray], about: Mapping[str, Any]
) -> bytes:
    """What `save` writes."""
    arrays = Network.from_weights(spec, weights).weights()
    text = json.dumps({"spec": spec.to_query(), "about": dict(about)}, allow_nan=False)
    return npz({"about": np.frombuffer(text.encode(), np.uint8), **arrays}, compressed=True)


def load(path: str | Path) -> Model:
    """The model that `save` wrote. Raises LabError, one sentence that names the file, if it is
    missing, damaged or something else."""
    path = Path(path)
    with _refusing(str(path)):
        _check_size(path.stat().st_size)
        return _read(path.read_bytes())


def read(name: str, content: bytes) -> Model:
    """The model in the bytes of a file, which a sentence calls `name`. Raises LabError as `load`
    does."""
    with _refusing(name):
        _check_size(len(content))
        return _read(content)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """What is wrong with a bad file, as one sentence about it."""
    try:
        yield
    except OSError as error:
        raise LabError(f"{name} cannot be read ({error.strerror or error}).") from error
    except LabError as error:
        reason = str(error).rstrip(".")
        raise LabError(
            f"{name} is damaged or not a model file of this project ({reason})."
        ) from error


@contextmanager
def _decoding() -> Iterator[None]:
    """A decoder's work on a stranger's bytes, and nothing else: whatever it raises is theirs."""
    try:
        yield
    except _UNDECODED as error:
        raise LabError(str(error) or type(error).__name__) from error


def _read(content: bytes) -> Model:
    _check_kind(content)
    with _decoding():
        archive = zipfile.ZipFile(io.BytesIO(content))
    with archive:
        spec, about, weights = _unpack(archive)
    return Model(spec, Network.from_weights(spec, weights), about)


def _check_size(size: int) -> None:
    if size > FILE_LIMIT:
        raise LabError("it is larger than any model")


def _check_kind(content: bytes) -> None:
    """What can be told before `zipfile` makes an object of each of the entries."""
    if content.count(b"PK\1\2") > MOST_MEMBERS:
        raise LabError("it has too many entries")
    for start, what in _FOREIGN.items():
        if content.startswith(start):
            raise LabError(f"{what}, which is never opened")
    if content[4:8] == b"TFL3":
        raise LabError("it is a TensorFlow Lite model; the .npz of the same run can be read")


@cache
def default() -> Model:
    """The model that comes with the project, read once and shared."""
    return load(DEFAULT)


def _unpack(archive: zipfile.ZipFile) -> tuple[RunSpec, dict[str, Any], dict[str, np.ndarray]]:
    members = {info.filename: info for info in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise LabError("it holds two entries of one name")
    if "config.json" in members:
        raise LabError("it is a Keras model, which is never opened when it comes from elsewhere; "
                         "the .npz of the same run can be read")  # fmt: skip
    if _ABOUT not in members:
        raise LabError("it does not say which network it holds")
    spec, about = _said(_array(archive, members.pop(_ABOUT), ABOUT_LIMIT))
    shapes = weight_shapes(spec)
    if members.keys() != {f"{name}.npy" for name in shapes}:
        raise LabError("its weights are not those of its design")
    weights = {name: _weight(archive, members[f"{name}.npy"], s) for name, s in shapes.items()}
    return spec, about, weights


def _said(text: np.ndarray) -> tuple[RunSpec, dict[str, Any]]:
    """The design of a file, and what it says about itself."""
    with _decoding():
        said = json.loads(text.tobytes())
    known = said if isinstance(said, dict) else {}
    query, about = known.get("spec"), known.get("about")
    if not isinstance(query, dict) or not isinstance(about, dict):
        raise LabError("it does not say which network it holds")
    return RunSpec.from_query({str(key): str(value) for key, value in query.items()}), about


def _weight(archive: zipfile.ZipFile, member: zipfile.ZipInfo, shape: tuple[int, ...]):
    weight = _array(archive, member, int(np.prod(shape)) * np.dtype(np.float32).itemsize)
    if weight.dtype != np.float32 or not np.isfinite(weight).all():
        raise LabError(f"{member.filename} does not hold finite float32 numbers")
    if weight.shape != shape:
        raise LabError(f"{member.filename} has the shape {weight.shape}; its design needs {shape}")
    return weight


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int) -> np.ndarray:
    """One plain array of at most `size` bytes. Its header is not trusted to allocate anything."""
    if member.file_size > size + HEADER:
        raise LabError(f"{member.filename} is larger than its design needs")
    try:
        with _decoding():
            content = io.BytesIO(archives.content(archive, member, size + HEADER))
            version = np.lib.format.read_magic(content)
    except archives.UnusualMember as error:
        raise LabError(f"{member.filename} {error}") from error
    if version != (1, 0):
        raise LabError(f"{member.filename} is not a plain array")
    with _decoding():
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(content)
    if by_columns or dtype not in (np.float32, np.uint8):
        raise LabError(f"{member.filename} is not a plain array of float32 or bytes")
    with _decoding():
        return np.frombuffer(content.read(), dtype).reshape(shape)
