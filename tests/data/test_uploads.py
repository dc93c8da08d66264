"""Files from strangers: what is good comes in as it was, what is bad is told in one sentence."""

import gzip
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from mnist_core.data import formats, uploads
from mnist_core.data.formats import DataError
from tests.storage.test_archives import lying

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def some(mnist):
    """60 images and labels, each digit at least twice."""
    rows = np.concatenate([np.flatnonzero(mnist.train.labels == d)[:6] for d in range(10)])
    return mnist.train.images[rows], mnist.train.labels[rows]


def read(files, report=None):
    brought = uploads.read_files(files, report)
    return brought.train, brought.test



def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return bytes((0, 0, kind, array.ndim)) + struct.pack(
        f">{array.ndim}I", *array.shape
    ) + array.tobytes()  # fmt: skip


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def packed(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def pictures(images, labels, form="{digit}/{i}.png") -> dict[str, bytes]:
    return {form.format(digit=d, i=i): png(image)
            for i, (image, d) in enumerate(zip(images, labels, strict=True))}  # fmt: skip


def rows(images, labels) -> set:
    return {(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)}


# ------------------------------------------------------------------ what is good


def test_keras_layout_comes_in_as_it_is(some):
    x, y = some
    content = npz(x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    train, test = read([("mine.npz", content)])
    assert (train.images == x[:40]).all() and (test.labels == y[40:]).all()


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("x_train", "y_train")])
def test_one_pair_of_arrays_is_divided(some, names):
    x, y = some
    train, test = read([("mine.npz", npz(**dict(zip(names, (x, y), strict=True))))])
    assert len(test.labels) == 10 and np.bincount(test.labels).tolist() == [1] * 10
    assert rows(train.images, train.labels) | rows(test.images, test.labels) == rows(x, y)
    again = read([("mine.npz", npz(**dict(zip(names, (x, y), strict=True))))])
    assert (again[1].images == test.images).all()


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_come_in_pairs(some, zipped):
    x, y = some
    squeeze = gzip.compress if zipped else bytes
    pair = [("labels-a", squeeze(idx(y))), ("images-a", squeeze(idx(x)))]
    train, test = read(pair)
    assert rows(train.images, train.labels) | rows(test.images, test.labels) == rows(x, y)
    four = [(f"{split}-{kind}", squeeze(idx(array[part])))
            for split, part in (("t10k", slice(40, 60)), ("train", slice(40)))
            for kind, array in (("labels", y), ("images", x))]  # fmt: skip
    train, test = read(four)
    assert (train.images == x[:40]).all() and (test.labels == y[40:]).all()


def test_pictures_of_mnist_come_back_as_themselves(some):
    x, y = some
    shares = []
    members = pictures(x, y, "my digits/{digit}/{i}.png") | {
        "__MACOSX/my digits/0/._1.png": b"?", "my digits/.DS_Store": b"?", "my digits/3/": b"",
    }  # fmt: skip
    train, test = read([("digits.zip", packed(members))], shares.append)
    found = rows(train.images, train.labels) | rows(test.images, test.labels)
    assert len(found) == 60 and len(found & rows(x, y)) > 50  # a pale digit gets full ink
    assert shares == sorted(shares) and shares[-1] == 1


def test_folders_train_and_test_are_the_splits(some):
    x, y = some
    members = pictures(x[:40], y[:40], "train/{digit}/{i}.png")
    members |= pictures(x[40:], y[40:], "Test/{digit}/{i}.png")
    train, test = read([("digits.zip", packed(members))])
    assert (len(train.labels), len(test.labels)) == (40, 20)
    assert sorted(test.labels) == sorted(y[40:])


def test_large_dark_drawings_go_through_the_pixel_contract(some):
    x, y = some
    large = [np.kron(255 - image, np.ones((9, 9), np.uint8)) for image in x]
    train, _ = read([("photos.zip", packed(pictures(large, y)))])
    assert train.images[:, 0].max() == 0 and train.images.max() == 255


# ------------------------------------------------------------------- what is bad


def bad_array(**changes):
    def content(x, y):
        return npz(**{"x": x, "y": y} | {k: f(x if k == "x" else y) for k, f in changes.items()})

    return lambda x, y: [("mine.npz", content(x, y))]


def bad_zip(change, **how):
    return lambda x, y: [("mine.zip", packed(change(pictures(x, y), x), **how))]


def bomb(x, y):
    head = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (10**7, 28, 28)}
    np.lib.format.write_array_header_1_0(head, shape)
    return [("bomb.npz", packed({"x.npy": head.getvalue(), "y.npy": b""}))]


def zeros(x, y):
    return [("zeros.zip", packed({"0/a.png": bytes(40 * 2**20)}))]


def locked(x, y):
    content = bytearray(packed(pictures(x, y)))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + at] |= 1
            place = content.find(mark, place + 1)
    return [("locked.zip", bytes(content))]


def wide(members, x):
    return members | {"3/wide.png": png(np.zeros((2100, 2000), np.uint8))}


BAD = {
    "no file": (lambda x, y: [], "no file"),
    "empty file": (lambda x, y: [("a.npz", b"")], "a.npz is empty"),
    "text": (lambda x, y: [("a.csv", b"label,pixel\n5,0\n")], "of no known kind"),
    "web page": (lambda x, y: [("a.npz", b"<!doctype html><html>")], "of no known kind"),
    "one picture": (lambda x, y: [("3.png", png(x[0]))], "of no known kind"),
    "truncated npz": (lambda x, y: [("a.npz", npz(x=x, y=y)[:-400])], "damaged or cut short"),
    "damaged npz": (
        lambda x, y: [("a.npz", npz(x=x, y=y).replace(b"PK\1\2", b"PK\1\3", 1))], "damaged",
    ),
    "other names": (lambda x, y: [("a.npz", npz(data=x, target=y))], "needs x_train"),
    "no labels": (lambda x, y: [("a.npz", npz(x=x))], "needs x_train"),
    "pickles": (bad_array(y=lambda y: y.astype(object)), "pickled Python objects"),
    "floats": (bad_array(x=lambda x: x / 255), "must be uint8"),
    "flat rows": (bad_array(x=lambda x: x.reshape(-1, 784)), r"must be \(n, 28, 28\)"),
    "32 pixels": (bad_array(x=lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2)))), "28, 28"),
    "one-hot labels": (bad_array(y=lambda y: np.eye(10, dtype=int)[y]), "must be integers"),
    "letters": (bad_array(y=lambda y: y + 10), "digits are 0 to 9"),
    "negative label": (bad_array(y=lambda y: y.astype(int) - 1), "the label -1"),
    "fewer labels": (bad_array(y=lambda y: y[:-1]), "60 images and 59 labels"),
    "no images": (bad_array(x=lambda x: x[:0], y=lambda y: y[:0]), "at least one image"),
    "few images": (bad_array(x=lambda x: x[:9], y=lambda y: y[:9]), "at least 10"),
    "black on white": (bad_array(x=lambda x: 255 - x), "white background"),
    "no digit twice": (
        lambda x, y: [("a.npz", npz(x=x[::6], y=y[::6]))], "no digit twice",
    ),
    "promises too much": (bomb, "would unpack to 7,477 MB"),
    "zip bomb": (zeros, "would unpack from .* to 40 MB"),
    "password": (locked, "password"),
    "empty zip": (lambda x, y: [("a.zip", packed({}))], "empty ZIP"),
    "no pictures": (lambda x, y: [("a.zip", packed({"readme/": b""}))], "no pictures"),
    "zip in zip": (
        bad_zip(lambda m, x: m | {"3/more.png": packed({"a": b"b"})}), "archive inside an archive",
    ),
    "path traversal": (bad_zip(lambda m, x: m | {"../../3/a.png": png(x[0])}), "leads outside"),
    "absolute path": (bad_zip(lambda m, x: m | {"/etc/3/a.png": png(x[0])}), "leads outside"),
    "Windows path": (bad_zip(lambda m, x: m | {"C:\\3\\a.png": png(x[0])}), "leads outside"),
    "no folders": (bad_zip(lambda m, x: {"a.png": png(x[0])}), "lies in no folder"),
    "named folders": (bad_zip(lambda m, x: {"three/a.png": png(x[0])}), "folder 'three'"),
    "text in a folder": (bad_zip(lambda m, x: m | {"3/a.txt": b"three"}), "is not a picture"),
    "cut picture": (bad_zip(lambda m, x: m | {"3/a.png": png(x[0])[:90]}), "damaged or cut off"),
    "blank picture": (bad_zip(lambda m, x: m | {"3/a.png": png(0 * x[0])}), "has no ink"),
    "huge picture": (bad_zip(wide), "4 million are the most"),
    "zip and more": (
        lambda x, y: [("b", idx(y)), ("a.zip", packed(pictures(x, y)))], "upload it alone",
    ),
    "IDX without labels": (lambda x, y: [("x", idx(x))], "1 with images and 0 with labels"),
    "IDX of floats": (lambda x, y: [("x", idx(x, 13)), ("y", idx(y))], "another kind"),
    "IDX cut short": (lambda x, y: [("x", idx(x)[:-5]), ("y", idx(y))], "does not have the length"),
    "IDX too long": (
        lambda x, y: [("x", idx(x) + b"!"), ("y", idx(y))], "does not have the length",
    ),
    "IDX gzip cut": (
        lambda x, y: [("x", gzip.compress(idx(x))[:-50]), ("y", idx(y))], "damaged or cut short",
    ),
    "IDX promises": (
        lambda x, y: [("x", idx(x)[:4] + struct.pack(">3I", 2**31, 28, 28)), ("y", idx(y))],
        "would unpack to",
    ),
    "IDX pairs unnamed": (
        lambda x, y: [("a", idx(x)), ("b", idx(y)), ("c", idx(x)), ("d", idx(y))],
        "must have “test” or “t10k”",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_in_one_sentence(kind, some):
    make, words = BAD[kind]
    with pytest.raises(DataError, match=words) as refused:
        read(make(*some))
    said = str(refused.value)
    assert said.endswith(".") and "\n" not in said and len(said) < 300
    assert "Traceback" not in said and "Errno" not in said


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("MOST_BYTES", 1000, "is the most"), ("MOST_IMAGES", 59, "59 are the most"),
     ("MOST_PICTURES", 40, "40, or use|40 pictures are the most|40 are the most"),
     ("MOST_PICTURES", 29, "too many entries"),
     ("MOST_PIXELS_TOGETHER", 60 * 28 * 28 - 1, "million pixels together"),
     ("MOST_SECONDS", 0.0, r"in 0 s 1 of its 60 pictures were read; give fewer")],
)  # fmt: skip
def test_limits_hold(limit, value, words, some, monkeypatch):
    monkeypatch.setattr(uploads, limit, value)
    with pytest.raises(DataError, match=words):
        read([("a.zip", packed(pictures(*some)))])


def test_pixels_are_counted_before_any_is_read(some, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_PIXELS_TOGETHER", 1000)
    monkeypatch.setattr(uploads, "_picture", lambda *_: pytest.fail("a picture was read"))
    with pytest.raises(DataError, match="pixels together"):
        read([("a.zip", packed(pictures(*some)))])


def test_nothing_is_unpickled(some, monkeypatch):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    labels = np.array([Trap()] * 60, object)
    with pytest.raises(DataError, match="pickled"):
        read([("a.npz", npz(x=some[0], y=labels))])


def test_random_bytes_after_any_beginning_are_refused(some):
    beginnings = (b"PK\3\4", b"\x1f\x8b\x08", b"\0\0\x08\3", b"\0\0\x08\1", b"")
    for beginning in beginnings:
        for size in (1, 40, 4000):
            with pytest.raises(DataError):
                read([("noise", beginning + RNG.bytes(size))])


@pytest.mark.parametrize("layout", ["npz", "zip"])
def test_a_file_cut_anywhere_is_refused(layout, some):
    x, y = some
    whole = npz(x=x, y=y) if layout == "npz" else packed(pictures(x, y))
    for cut in np.linspace(1, len(whole) - 1, 12).astype(int):
        with pytest.raises(DataError):
            read([("cut", whole[:cut])])


def test_division_keeps_every_image_once_and_every_digit_in_training(mnist):
    labels = np.array([0] * 50 + [1] * 2 + [2] + [7] * 11, np.uint8)
    images = np.arange(len(labels) * 784).astype(np.uint8).reshape(-1, 28, 28)
    train, test = uploads.divided("x", formats.Split(images, labels))
    assert np.bincount(test.labels, minlength=8).tolist() == [10, 1, 0, 0, 0, 0, 0, 2]
    assert np.bincount(train.labels, minlength=8).tolist() == [40, 1, 1, 0, 0, 0, 0, 9]


def test_what_was_done_to_the_files_is_said_in_a_sentence(some):
    x, y = some
    alone, both = npz(x=x, y=y), npz(x_train=x, y_train=y, x_test=x, y_test=y)
    brought = uploads.read_files([("mine.npz", alone)])
    (sentence,) = brought.done
    assert f"{len(brought.test.labels):,} of the {len(y):,} images" in sentence
    assert uploads.read_files([("mine.npz", both)]).done == ()


@pytest.mark.parametrize("kind", ["picture", "array"])
def test_an_archive_that_lies_takes_no_memory(kind, some):
    """1.2 KB in bz2 that call themselves small once took 3 GB."""
    x, y = some
    members = pictures(x, y) if kind == "picture" else {}
    name = "3/bomb.png" if kind == "picture" else "x.npy"
    bomb = lying(packed({name: bytes(120 * 2**20)}, zipfile.ZIP_BZIP2), 1000)
    with zipfile.ZipFile(file := io.BytesIO(bomb), "a", zipfile.ZIP_DEFLATED) as archive:
        for more, content in (members or {"y.npy": b""}).items():
            archive.writestr(more, content)
    tracemalloc.start()
    with pytest.raises(DataError, match=f"{name}|x in"):
        read([("lies.zip", file.getvalue())])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * 2**20
