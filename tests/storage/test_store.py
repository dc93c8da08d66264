"""The one store: whose a thing is, when it goes, and that everything that is kept has its place."""

import contextlib
import itertools
import math
import os
import threading
import traceback
from dataclasses import replace

import numpy as np
import pytest

from mnist_core import storage
from mnist_core.storage import store
from mnist_core.storage.store import DAY, HOUR, SHELVES

NOW = 2e9


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path))
    return tmp_path


def put(path, used=NOW, size=10):
    storage.write(path, bytes(size))
    os.utime(path, (used, used))
    return path


def folder(path, used=NOW, size=10):
    put(path / "inside.npz", size=size)
    os.utime(path, (used, used))
    return path


def test_what_is_unused_for_too_long_goes_with_all_that_is_in_it(home):
    old, used = folder(home / "own/ada/one", NOW - DAY - 1), folder(home / "own/ada/two", NOW - DAY)
    put(old / "computed" / "map.npz")
    os.utime(old, (NOW - DAY - 1,) * 2)
    storage.sweep(now=NOW)
    assert not old.exists() and used.exists()
    assert [item.path for item in storage.shelf("own")] == [used]
    storage.sweep(now=NOW + DAY + 1)
    assert not (home / "own" / "ada").exists()  # nor is an empty folder left


def test_to_use_a_thing_gives_it_its_time_again(home):
    thing, file = folder(home / "own/ada/one", 1.0), put(home / "runs/evaluations/a.npz", 1.0)
    for path in (thing, file):
        assert store.last_use(path) == 1.0
        storage.use(path)
        assert store.last_use(path) > 1e9
    storage.use(home / "nothing")  # it has just been deleted
    assert not (home / "nothing").exists()


def test_of_too_many_the_ones_unused_for_longest_go(home, monkeypatch):
    monkeypatch.setitem(SHELVES, "computed", replace(SHELVES["computed"], most=2))
    kept = [put(home / f"computed/{i}.npz", NOW - i) for i in range(5)]
    storage.sweep(now=NOW)
    assert [path.exists() for path in kept] == [True, True, False, False, False]


def test_what_a_killed_process_had_begun_to_write_goes(home):
    half = folder(home / f"runs/artifacts/a/{storage.files.INCOMING}x", NOW - HOUR - 1)
    fresh = folder(home / f"data/{storage.files.INCOMING}y", NOW - 60)
    storage.sweep(now=NOW)
    assert not half.exists() and fresh.exists()


def test_a_thing_counts_for_its_owner(home):
    folder(home / "own/ada/one", size=100)
    folder(home / "own/bob/two", size=7)
    assert {item.owner: item.bytes for item in storage.shelf("own")} == {"ada": 100, "bob": 7}


def test_visitors_who_come_and_go_at_once_raise_nothing(home):
    """65 FileNotFoundErrors were counted in such a churn."""
    raised, end, written = [], threading.Event(), []

    def churn(owner):
        for i in itertools.count():
            if end.is_set():
                return
            try:
                thing = home / f"own/{owner}/{i}"  # as unguessable ids: never twice
                storage.write(thing / "digits.npz", bytes(10))
                storage.write(home / f"computed/{owner}{i % 90}.npz", bytes(10))
                if i % 3 == 0:
                    storage.use(thing)
                    with contextlib.suppress(OSError):  # another has swept it
                        os.utime(thing / store.MARK, (1.0, 1.0))
                storage.sweep()
                sum(item.bytes for item in storage.shelf("own"))
                storage.remove(thing)
                written.append(i)
            except Exception:
                raised.append(traceback.format_exc())

    threads = [threading.Thread(target=churn, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    end.wait(3)
    end.set()
    for thread in threads:
        thread.join()
    assert not raised, raised[0]
    assert len(written) > 30


@pytest.mark.parametrize("name", SHELVES)
def test_what_has_an_end_is_swept_and_nothing_else_is(home, name):
    place = home / SHELVES[name].place.replace("**/", "").replace("*", "x")
    path = put(place, 1.0)
    storage.sweep(now=NOW)
    assert path.exists() == math.isinf(SHELVES[name].seconds)


def test_a_file_of_ours_is_read_whole_or_found_damaged(tmp_path):
    path = tmp_path / "a.npz"
    assert storage.read_npz(path) is None
    storage.write(path, storage.npz({"x": np.arange(100), "y": np.ones(3)}))
    assert list(storage.read_npz(path)) == ["x", "y"] and list(storage.read_npz(path, "y")) == ["y"]
    with pytest.raises(storage.Damaged):
        storage.read_npz(path, "z")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(storage.Damaged, match=r"a\.npz is damaged"):
        storage.read_npz(path)
