"""Files of MNIST digits, .npz and IDX: read strictly, written whole.

MNIST (LeCun, Cortes, Burges; http://yann.lecun.com/exdb/mnist/) travels as four IDX files or, in
Keras's layout, as one .npz. Nothing in such a file is believed before it is checked.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from mnist_core.basis import LabError
from mnist_core.storage import absolute, archives, home, replacing

from .identity import Identity

SIDE = 28
LIMIT = 200 * 2**20  # bytes an array may unpack to: four times MNIST's largest
NPZ_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
IDX_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
# Counts of each digit in the real training split: Fashion-MNIST has the same shapes, not these.
MNIST_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
# What decoders raise over bad bytes: zipfile, gzip, struct, and NumPy's reader of arrays.
UNDECODED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, struct.error,
             EOFError, ValueError, RuntimeError, NotImplementedError)  # fmt: skip


class DataError(LabError):
    """The digits cannot be had; the message is a plain sentence for the person who asked."""


class UnreachableError(DataError):
    """A file could not be opened, which says nothing about what is in it."""


@dataclass(frozen=True, eq=False)
class Split:
    """One split: `images` uint8 (n, 28, 28), white ink on black, and `labels` uint8 (n,).

    Both are read-only views, because every visitor shares them.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        for field in ("images", "labels"):
            view = getattr(self, field).view()
            view.setflags(write=False)
            object.__setattr__(self, field, view)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of both arrays, in hex; 0.1 s for MNIST's training images, once."""
        found = hashlib.sha256(f"{self.images.shape}".encode())
        for array in (self.images, self.labels):
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


@dataclass(frozen=True, eq=False)
class Mnist:
    """Both splits, and where they come from.

    `name` says in words which data this really is; `source` gives the same data again through
    `dataset.load`, in another process too; `notices` has a sentence for each source refused.
    """

    train: Split
    test: Split
    name: str
    source: str
    notices: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What these data are, whatever they are called and wherever they lie."""
        return hashlib.sha256(f"{self.train.digest}{self.test.digest}".encode()).hexdigest()

    @property
    def identity(self) -> Identity:
        """What a record remembers of them."""
        return Identity(self.name, self.source, self.digest)


# --------------------------------------------------------------------- where they are kept


def cache_path(name: str = "mnist.npz") -> Path:
    """Where the full set ("mnist.npz") or the sample ("sample.npz") is kept."""
    return home() / "data" / name


def write(path: Path, data: Mnist) -> None:
    """Keep both splits at `path` as a compressed .npz, whole or not at all. Raises OSError."""
    arrays = (data.train.images, data.train.labels, data.test.images, data.test.labels)
    with replacing(path) as file:
        np.savez_compressed(file, **dict(zip(NPZ_ARRAYS, arrays, strict=True)))
        file.flush()
        os.fsync(file.fileno())


# ------------------------------------------------------------------------------- reading


def read(path: str | Path) -> Mnist:
    """Read an .npz file, a folder with the four IDX files, or any one of these four.

    Raises DataError, a sentence that names the file, for anything that is not whole: images must
    be uint8 (n, 28, 28), labels integers (n,) from 0 to 9, with the same n above 0. Nothing is
    unpickled, and no array above 200 MB is unpacked.
    """
    path = absolute(path)
    files = parts(path)
    try:
        arrays = _npz(path) if len(files) == 1 else [(str(file), _idx(file)) for file in files]
    except OSError as error:
        raise _unreachable(path, error) from error
    train, test = checked(*arrays[0], *arrays[1]), checked(*arrays[2], *arrays[3])
    return Mnist(train, test, _name(path, train, test), str(path))


@contextmanager
def decoding(where: str | Path) -> Iterator[None]:
    """A decoder's work on somebody's bytes, and nothing else: what it raises is said of them, as a
    DataError."""
    try:
        yield
    except LabError:
        raise
    except UNDECODED as error:
        raise DataError(f"{where} is damaged or cut short ({error}); get a new copy.") from error


def parts(path: Path) -> list[Path]:
    """The files that `path` stands for: itself, or the four of an IDX set. UnreachableError."""
    stem = path.name.removesuffix(".gz").replace(".", "-")
    if not os.path.isdir(path) and stem not in {f"{name}-ubyte" for name in IDX_FILES}:
        return [_regular(path)]
    folder = path if os.path.isdir(path) else _regular(path).parent
    return [_idx_file(folder, name, like=path) for name in IDX_FILES]


def stamp(path: Path) -> tuple[tuple[int, int, int], ...]:
    """What changes when the data does: (inode, time in ns, bytes) of each of its files."""
    try:
        stats = [part.stat() for part in parts(path)]
    except OSError as error:
        raise _unreachable(path, error) from error
    return tuple((s.st_ino, s.st_mtime_ns, s.st_size) for s in stats)


def checked(where: str, images: np.ndarray, where_labels: str, labels: np.ndarray) -> Split:
    """A Split of these two arrays, or a DataError that says which of them is wrong, and how."""
    if images.dtype != np.uint8:
        raise DataError(f"{where} holds {images.dtype} values; images must be uint8, 0 to 255.")
    if images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"{where} has the shape {images.shape}; images must be (n, 28, 28).")
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        found = f"{labels.dtype} values of shape {labels.shape}"
        raise DataError(f"{where_labels} holds {found}; labels must be integers (n,).")
    if len(images) != len(labels):
        counts = f"{len(images):,} images and {len(labels):,} labels"
        raise DataError(f"{where_labels} does not fit its images; there are {counts}.")
    if not len(labels):
        raise DataError(f"{where} is empty; at least one image is needed.")
    if labels.min() < 0 or labels.max() > 9:
        wrong = labels[(labels < 0) | (labels > 9)][0]
        raise DataError(f"{where_labels} holds the label {wrong}; digits are 0 to 9.")
    return Split(np.ascontiguousarray(images), labels.astype(np.uint8))


def _name(path: Path, train: Split, test: Split) -> str:
    counts = tuple(np.bincount(train.labels, minlength=10).tolist())
    what = "full MNIST" if counts == MNIST_COUNTS and len(test.labels) == 10_000 else path.name
    return f"{what}: {len(train.labels):,} training and {len(test.labels):,} test images"


def _regular(path: Path) -> Path:
    if not os.path.exists(path):
        raise UnreachableError(f"{path} does not exist; name an .npz file or IDX files.")
    if not os.path.isfile(path):
        raise UnreachableError(f"{path} is not a file; name an .npz file or IDX files.")
    return path


def _unreachable(path: Path, error: OSError) -> UnreachableError:
    return UnreachableError(f"{path} cannot be read ({error.strerror or error}).")


def _npz(path: Path) -> list[tuple[str, np.ndarray]]:
    """The four arrays, each with the words that name it."""
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise DataError(_is_not("a zip archive (.npz)", path, file))
        with decoding(path):
            archive = zipfile.ZipFile(file)
        with archive:
            names = {info.filename: info for info in archive.infolist()}
            if missing := [name for name in NPZ_ARRAYS if f"{name}.npy" not in names]:
                found = ", ".join(sorted(names)[:8]) or "nothing"
                raise DataError(f"{path} has no {' or '.join(missing)}, it holds {found}.")
            members = [(name, names[f"{name}.npy"]) for name in NPZ_ARRAYS]
            return [(f"{n} in {path}", npy(f"{n} in {path}", archive, m)) for n, m in members]


def npy(where: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array of an .npz. Its header is weighed first: NumPy would allocate whatever it promises.
    Raises DataError with `where` in its sentence."""
    headers = {(1, 0): np.lib.format.read_array_header_1_0,
               (2, 0): np.lib.format.read_array_header_2_0}  # fmt: skip
    with decoding(where), _opened(where, archive, member) as file:
        version = np.lib.format.read_magic(file)
        if version not in headers:
            raise DataError(f"{where} is not a plain array (.npy version {version}).")
        shape, _, dtype = headers[version](file)
    if dtype.hasobject:
        raise DataError(f"{where} holds pickled Python objects, which are never opened.")
    _weigh(where, max(member.file_size, math.prod(shape) * dtype.itemsize))
    with decoding(where), _opened(where, archive, member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):
            raise DataError(f"{where} is longer than its header says; get a new copy.")
    return array


def _opened(where: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archives.opened(archive, member)
    except archives.UnusualMember as error:
        raise DataError(f"{where} {error}.") from error


def _idx_file(folder: Path, name: str, like: Path) -> Path:
    """The file for `name`: gzipped or not, hyphen or dot, but rather as `like` is written."""
    spellings = [name + "-ubyte", name.replace("-idx", ".idx") + "-ubyte"]
    found = [folder / (s + end) for s in spellings for end in ("", ".gz")]
    found = [file for file in found if os.path.isfile(file)]
    if not found:
        raise UnreachableError(f"{folder} has no {spellings[0]} (or .gz), one of four IDX files.")
    return min(found, key=lambda f: (f != like, (f.suffix == ".gz") != (like.suffix == ".gz")))


def _idx(path: Path) -> np.ndarray:
    with open(path, "rb") as file:
        return idx(str(path), file, 3 if "images" in path.name else 1)


def idx(where: str, file: IO[bytes], ndim: int) -> np.ndarray:
    """One IDX file of bytes, gzipped or not: magic 0, 0, 8, ndim; then ndim big-endian uint32; then
    the data. Raises DataError with `where` in its sentence."""
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    opened = gzip.GzipFile(fileobj=file) if zipped else file
    with decoding(where):
        if opened.read(4) != bytes((0, 0, 8, ndim)):
            raise DataError(_is_not(f"an IDX file of bytes in {ndim}-D", where, opened))
        shape = struct.unpack(f">{ndim}I", opened.read(4 * ndim))
        _weigh(where, math.prod(shape))
        data = opened.read(math.prod(shape) + 1)
    if len(data) != math.prod(shape):
        raise DataError(f"{where} does not have the length its header {shape} says; it is damaged.")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _weigh(where: str, size: int) -> None:
    if size > LIMIT:
        found, most = size / 2**20, LIMIT // 2**20
        raise DataError(f"{where} would unpack to {found:,.0f} MB; {most} MB is the most.")


def _is_not(kind: str, path: Path | str, file: IO[bytes] | gzip.GzipFile) -> str:
    file.seek(0)
    start = file.read(512).lstrip().lower()
    if not start:
        return f"{path} is empty; get a new copy."
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return f"{path} is a web page, not data; get a new copy."
    if start.startswith(b"pk\3\4"):
        return f"{path} is cut short; get a new copy."
    return f"{path} is not {kind}; name an .npz file or IDX files."
