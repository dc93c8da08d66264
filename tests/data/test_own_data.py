"""A visitor's own data: kept under their name only, for a day."""

import os
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from mnist_core import storage
from mnist_core.data import dataset, own_data
from mnist_core.data.formats import DataError
from tests.data.test_uploads import npz


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def given(mnist):
    return [("My digits (1).npz", npz(x=mnist.test.images[:80], y=mnist.test.labels[:80]))]


def test_what_is_kept_loads_like_any_other_data(given, mnist):
    kept = own_data.keep("ada", given)
    data = dataset.load(kept.source)
    assert kept.name == "My-digits-1" and data.name.startswith("My-digits-1.npz: ")
    assert data.source == kept.source and own_data.is_own(data.source)
    assert len(data.train.labels) + len(data.test.labels) == 80
    wanted = {image.tobytes() for image in mnist.test.images[:80]}
    assert {i.tobytes() for s in (data.train, data.test) for i in s.images} == wanted


def test_only_the_owner_finds_and_deletes_it(given):
    kept = own_data.keep("ada", given)
    assert own_data.of("ada") == [kept] and own_data.of("bob") == []
    own_data.delete("bob", kept.source)
    assert own_data.of("ada") == [kept]
    own_data.delete("ada", kept.source)
    assert own_data.of("ada") == [] and not Path(kept.source).exists()


def test_paths_tell_nothing_of_the_visitor_and_are_never_the_same(given):
    first, second = own_data.keep("ada", given), own_data.keep("ada", given)
    assert first.source != second.source and "ada" not in first.source
    assert len(Path(first.source).parent.name) >= 20


def test_a_day_after_the_last_use_it_is_gone(given):
    old, used = own_data.keep("ada", given), own_data.keep("ada", given)
    late = time.time() - 3600 * own_data.KEPT_HOURS - 5
    for kept in (old, used):
        os.utime(Path(kept.source).parent, (late, late))
    own_data.touch(used.source)
    assert [kept.source for kept in own_data.of("ada")] == [used.source]
    assert not Path(old.source).parent.exists()
    with pytest.raises(DataError, match="does not exist"):
        dataset.load(old.source)


def test_what_was_computed_from_it_goes_with_it(given):
    kept, other = own_data.keep("ada", given), own_data.keep("ada", given)
    for source in (kept.source, other.source):
        folder = own_data.computed_folder(source)
        folder.mkdir()
        (folder / "map.npz").write_bytes(bytes(1000))
    size = sum(item.bytes for item in storage.shelf("own"))
    own_data.delete("ada", kept.source)
    assert not Path(kept.source).parent.exists()
    assert sum(item.bytes for item in storage.shelf("own")) == size / 2  # it counts as the owner's
    storage.sweep(now=time.time() + 3600 * own_data.KEPT_HOURS + 5)
    assert not list(own_data.folder().glob("*"))
    assert own_data.computed_folder("sample") is None


def test_to_use_it_does_not_change_it(given):
    kept = own_data.keep("ada", given)
    loaded = dataset.load(kept.source)
    own_data.touch(kept.source)
    assert dataset.load(kept.source) is loaded


def test_each_visitor_has_room_for_three(given):
    for _ in range(own_data.MOST_EACH):
        own_data.keep("ada", given)
    with pytest.raises(DataError, match="delete one first"):
        own_data.keep("ada", given)
    own_data.keep("bob", given)


def test_the_server_has_only_so_much_room(given, monkeypatch):
    own_data.keep("ada", given)
    monkeypatch.setattr(own_data, "MOST_BYTES", 10)
    with pytest.raises(DataError, match="no room"):
        own_data.keep("bob", given)


def test_a_bad_file_leaves_nothing_behind(home):
    with pytest.raises(DataError):
        own_data.keep("ada", [("a.npz", npz(x=np.zeros((3, 3)), y=np.zeros(3)))])
    assert not list(home.rglob("*.npz"))


@pytest.mark.parametrize(
    ("name", "safe"),
    [("../../etc/passwd", "passwd"), ("a b.npz", "a-b"), ("train-images-idx3-ubyte.gz",
      "train-images-idx3"), ("...", "digits"), ("Ziffern ä.zip", "Ziffern-ä"),
     ("x" * 200 + ".zip", "x" * 40), ("<b>.npz", "b"), ("a\x00b", "a-b")],
)  # fmt: skip
def test_names_are_made_safe(name, safe):
    assert own_data._safe(name) == safe


def test_other_data_are_nobodys_own(home, mnist):
    assert not own_data.is_own(mnist.source) and not own_data.is_own("sample")
    assert own_data.is_own(str(home / "own" / "a" / "b" / "c.npz"))


def test_a_server_does_not_keep_everybodys_data_in_memory(given):
    sources = [own_data.keep(owner, given).source for owner in ("a", "b", "c", "d", "e", "f")]
    loaded = [weakref.ref(dataset.load(source)) for source in sources]
    assert sum(data() is not None for data in loaded) <= dataset.MOST_SEEN
    assert dataset.load(sources[-1]) is loaded[-1]()
    assert dataset.load(sources[0]).source == sources[0]  # read again
