"""Digits from a stranger's files: an .npz, IDX files, or a ZIP of folders of pictures.

Nothing is believed, unpickled or written to disk under a name of the file's choosing; everything
has a limit, checked before the memory or the time is spent. What is wrong with a file is said in
one sentence, as a DataError.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from mnist_core.imaging import drawing, pictures
from mnist_core.storage import archives

from . import formats
from .formats import DataError, Split

SEED = 0
MOST_BYTES = 64 * 2**20  # of all files of an upload together; MNIST's largest IDX file has 47 MB
MOST_IMAGES = 70_000
MOST_PICTURES = 5_000  # in a ZIP: each takes some milliseconds to bring to 28×28
MOST_UNPACKED = 200 * 2**20
MOST_RATIO = 1000  # unpacked to packed, over a whole ZIP: arrays of zeros stay below
MOST_PIXELS = 4_000_000  # of one picture
MOST_PIXELS_TOGETHER = 1_000_000_000  # of all pictures: some 10 to 100 million take a second
MOST_SECONDS = 120.0  # for all of them, however uneven their paper
MOST_PICTURE_BYTES = 20 * 2**20  # its file; 4 million pixels of four channels have 16 MB
TEST_SHARE = 0.2
LEAST_IMAGES = 10
SIDECARS = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")  # what file managers leave
NPZ_LAYOUTS = (formats.NPZ_ARRAYS, formats.NPZ_ARRAYS[:2], ("x", "y"), ("images", "labels"))
TEST_NAMES = re.compile(r"t10k|test", re.IGNORECASE)
TEST_FOLDERS = {"test", "testing", "t10k"}

Upload = tuple[str, bytes]
Report = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Brought:
    """What somebody's files hold: both splits, and in `done` a sentence for each thing that was
    done to them."""

    train: Split
    test: Split
    done: tuple[str, ...] = ()


def read_files(uploads: Sequence[Upload], report: Report | None = None) -> Brought:
    """The digits in these files, each a name and its bytes: one .npz, one ZIP of pictures, or two
    or four IDX files, gzipped or not.

    Without a test split a seeded fifth of each digit becomes one. `report` gets the share that is
    done. Raises DataError, one sentence.
    """
    if not uploads:
        raise DataError("There is no file; choose an .npz, a ZIP or IDX files.")
    if (size := sum(len(content) for _, content in uploads)) > MOST_BYTES:
        most = MOST_BYTES // 2**20
        raise DataError(f"These files have {size / 2**20:,.0f} MB together; {most} MB is the most.")
    names = ", ".join(name for name, _ in uploads)
    return _whole(names, _read(uploads, report or (lambda share: None)))


def _read(uploads: Sequence[Upload], report: Report) -> list[Split]:
    name, content = uploads[0]
    archives = [n for n, c in uploads if c.startswith((b"PK\3\4", b"PK\5\6"))]
    if archives and len(uploads) > 1:
        raise DataError(f"{archives[0]} comes with other files; upload it alone.")
    if not archives:
        return _idx_files(uploads)
    if content.count(b"PK\1\2") > 2 * MOST_PICTURES:  # before zipfile makes an object of each
        raise DataError(f"{name} has too many entries; {MOST_PICTURES:,} pictures are the most.")
    with formats.decoding(name):
        archive = zipfile.ZipFile(io.BytesIO(content))
    with archive:
        _check_archive(name, archive, len(content))
        if any(member.filename.endswith(".npy") for member in archive.infolist()):
            return _npz(name, archive)
        return _pictures(name, archive, report)


def _whole(name: str, splits: list[Split]) -> Brought:
    """Both splits, with limits on what they hold."""
    count = sum(len(split.labels) for split in splits)
    if count > MOST_IMAGES:
        raise DataError(f"{name} has {count:,} images; {MOST_IMAGES:,} are the most.")
    if count < LEAST_IMAGES:
        raise DataError(f"{name} has {count} images; at least {LEAST_IMAGES} are needed.")
    border = np.concatenate([s.images[:, edge].ravel() for s in splits for edge in (0, -1)])
    if np.median(border) > 127:
        raise DataError(f"{name} has a white background; the digits must be white on black.")
    if len(splits) == 2:
        return Brought(splits[0], splits[1])
    train, test = divided(name, splits[0])
    done = (f"There is no test set of its own: {len(test.labels):,} of the {count:,} images, a "
            "fifth of each digit, became one.")  # fmt: skip
    return Brought(train, test, (done,))


def divided(name: str, split: Split, seed: int = SEED) -> tuple[Split, Split]:
    """A fifth of each digit to test, at least one where there are two; the order mixed. Raises
    DataError if no digit occurs twice."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(split.labels))
    test = []
    for digit in np.unique(split.labels):
        members = order[split.labels[order] == digit]
        if len(members) > 1:
            test.append(members[: max(1, round(TEST_SHARE * len(members)))])
    if not test:
        raise DataError(f"{name} has no digit twice; nothing could be kept apart to test on.")
    apart = rng.permutation(np.concatenate(test))
    rest = order[~np.isin(order, apart)]
    train, test = (Split(split.images[rows], split.labels[rows]) for rows in (rest, apart))
    return train, test


# -------------------------------------------------------------------- archives


def _check_archive(name: str, archive: zipfile.ZipFile, packed: int) -> None:
    """What can be told from the directory of a ZIP, before anything is unpacked."""
    members = archive.infolist()
    if not members:
        raise DataError(f"{name} is an empty ZIP; put folders of pictures in it.")
    if any(member.flag_bits & 1 for member in members):
        raise DataError(f"{name} is locked with a password; save it without one.")
    outside = [m.filename for m in members if _leads_outside(m.filename)]
    if outside:
        raise DataError(f"{name} has a file that leads outside it ({outside[0]!r}); pack it anew.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED or unpacked > MOST_RATIO * packed:
        raise DataError(
            f"{name} would unpack from {packed / 2**20:,.2f} to {unpacked / 2**20:,.0f} MB; "
            f"{MOST_UNPACKED // 2**20} MB, or {MOST_RATIO:,} times its size, is the most."
        )


def _leads_outside(filename: str) -> bool:
    path = PurePosixPath(filename.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(re.match(r"[A-Za-z]:", filename))


def _npz(name: str, archive: zipfile.ZipFile) -> list[Split]:
    members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
    layout = next((names for names in NPZ_LAYOUTS if set(names) <= set(members)), None)
    if layout is None:
        found = ", ".join(sorted(members)[:8])
        raise DataError(
            f"{name} holds {found}; it needs x_train, y_train, x_test and y_test, or x and y."
        )
    said = [f"{array} in {name}" for array in layout]
    arrays = [formats.npy(w, archive, members[a]) for w, a in zip(said, layout, strict=True)]
    return [
        formats.checked(said[i], arrays[i], said[i + 1], arrays[i + 1])
        for i in range(0, len(layout), 2)
    ]


# ------------------------------------------------------------------- IDX files


def _idx_files(uploads: Sequence[Upload]) -> list[Split]:
    """Pairs of images and labels; with two pairs, those named "t10k" or "test" are the test's."""
    found: dict[int, list[tuple[str, np.ndarray]]] = {3: [], 1: []}
    for name, content in uploads:
        ndim = _idx_ndim(name, content)
        found[ndim].append((name, formats.idx(name, io.BytesIO(content), ndim)))
    images, labels = (sorted(found[n], key=lambda f: bool(TEST_NAMES.search(f[0]))) for n in (3, 1))
    if len(images) != len(labels) or len(images) > 2:
        counts = f"{len(images)} with images and {len(labels)} with labels"
        raise DataError(f"IDX files come in pairs, but these are {counts}; upload whole pairs.")
    if len(images) == 2 and any(
        [bool(TEST_NAMES.search(name)) for name, _ in pair] != [False, True]
        for pair in (images, labels)
    ):
        raise DataError("Of two pairs of IDX files, one must have “test” or “t10k” in its names.")
    return [formats.checked(*i, *lab) for i, lab in zip(images, labels, strict=True)]


def _idx_ndim(name: str, content: bytes) -> int:
    """3 for images, 1 for labels, by the magic number."""
    if not content:
        raise DataError(f"{name} is empty; get a new copy.")
    if content.startswith(b"\x1f\x8b"):
        with formats.decoding(name):
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(4)
    if content[:2] != b"\0\0" or len(content) < 4:
        raise DataError(f"{name} is of no known kind; upload an .npz, a ZIP or IDX files.")
    if content[2] != 8 or content[3] not in (1, 3):
        raise DataError(f"{name} is an IDX file of another kind; images are bytes in 3-D, labels "
                        "bytes in 1-D.")  # fmt: skip
    return content[3]


# -------------------------------------------------------------------- pictures


def _pictures(name: str, archive: zipfile.ZipFile, report: Report) -> list[Split]:
    """Each picture through the pixel contract; its label is the folder it lies in, 0…9."""
    members = [m for m in archive.infolist() if not m.is_dir() and not _is_sidecar(m.filename)]
    if not members:
        raise DataError(f"{name} has no pictures; put them in folders named 0 to 9.")
    if len(members) > MOST_PICTURES:
        most = f"{MOST_PICTURES:,} are the most"
        raise DataError(f"{name} has {len(members):,} pictures; {most}, or use an .npz.")
    parts = [_place(name, member.filename) for member in members]
    _measure(name, archive, members)
    began = time.monotonic()
    images = np.empty((len(members), formats.SIDE, formats.SIDE), np.uint8)
    for i, member in enumerate(members):
        where = f"{member.filename} in {name}"
        try:
            with formats.decoding(where):
                content = archives.content(archive, member, MOST_PICTURE_BYTES)
        except archives.UnusualMember as error:
            raise DataError(f"{where} {error}.") from error
        images[i] = _picture(where, content)
        report((i + 1) / len(members))
        if time.monotonic() - began > MOST_SECONDS and i + 1 < len(members):
            raise DataError(f"{name} took too long: in {MOST_SECONDS:.0f} s {i + 1:,} of its "
                            f"{len(members):,} pictures were read; give fewer, or smaller ones.")
    labels = np.array([digit for digit, _ in parts], np.uint8)
    test = np.array([is_test for _, is_test in parts])
    if test.any() and not test.all():
        return [Split(images[~test], labels[~test]), Split(images[test], labels[test])]
    return [Split(images, labels)]


def _measure(name: str, archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse more pixels than can be worked through, by the headers of the pictures alone. What has
    none is said of it when it is its turn."""
    pixels = 0
    for member in members:
        with (
            contextlib.suppress(Exception), archives.opened(archive, member) as file,
            Image.open(file, formats=pictures.FORMATS) as header,
        ):  # fmt: skip
            pixels += header.width * header.height
    if pixels > MOST_PIXELS_TOGETHER:
        most = f"{MOST_PIXELS_TOGETHER // 1_000_000:,} million are the most"
        raise DataError(f"{name} has pictures of {pixels // 1_000_000:,} million pixels together; "
                        f"{most}: make them smaller first, 200 × 200 is plenty for a digit.")


def _is_sidecar(filename: str) -> bool:
    path = PurePosixPath(filename)
    return filename.startswith(SIDECARS[0]) or path.name in SIDECARS or path.name.startswith(".")


def _place(name: str, filename: str) -> tuple[int, bool]:
    """The label and whether it is a test picture, from the folders it lies in."""
    folders = PurePosixPath(filename).parts[:-1]
    if not folders or not re.fullmatch(r"[0-9]", folders[-1]):
        where = f"the folder {folders[-1]!r}" if folders else "no folder"
        raise DataError(f"{filename} in {name} lies in {where}; folders must be named 0 to 9.")
    return int(folders[-1]), any(folder.lower() in TEST_FOLDERS for folder in folders)


def _picture(where: str, content: bytes) -> np.ndarray:
    """uint8 (28, 28), white ink on black, from an image file."""
    if content.startswith((b"PK\3\4", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        raise DataError(f"{where} is an archive inside an archive; only pictures may be in it.")
    file = io.BytesIO(content)
    file.name = "the picture"
    try:
        with Image.open(file, formats=pictures.FORMATS) as opened:  # reads the header only
            width, height = opened.size
        if width * height > MOST_PIXELS:
            most = f"{MOST_PIXELS // 1_000_000} million are the most"
            raise DataError(f"{where} has {width:,} × {height:,} pixels; {most}.")
        file.seek(0)
        seen = drawing.to_mnist(pictures.read_image(file))
    except pictures.EmptyDrawing as error:
        raise DataError(f"{where} has no ink; take it out of the ZIP.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{where} has too many pixels; make it smaller first.") from error
    except pictures.BadImage as error:
        raise DataError(f"{where} cannot be used, because {error}") from error
    except OSError as error:  # Pillow does not know it
        raise DataError(f"{where} is not a picture; use PNG or JPEG files.") from error
    return np.round(255 * seen).astype(np.uint8)
