"""Which runs go: by age, by what all take together, and which never do."""

import pytest

from mnist_core.runs import expiry
from mnist_core.runs.expiry import DAY, MB, Rules
from mnist_core.runs.records import Kept

NOW = 1e9
RULES = Rules(days=30, megabytes=10, owner_megabytes=10)


def kept(*, id="a", age=0.0, mb=1.0, active=False, owner="ada", starred=False, discarded=None):
    when = None if discarded is None else NOW - discarded * DAY
    return Kept(id, active, NOW - age * DAY, int(mb * MB), when, owner, starred)


def gone(*runs, watched=()):
    return list(expiry.expired(runs, RULES, NOW, set(watched)))


def test_nothing_goes_before_its_time_and_within_the_room():
    assert gone() == []
    assert gone(kept(age=29.9, mb=5), kept(id="b", mb=5)) == []


def test_what_is_too_old_goes():
    assert gone(kept(id="a", age=31), kept(id="b", age=30.1), kept(id="c", age=29)) == ["a", "b"]


def test_what_its_owner_deleted_goes_after_a_day_and_first_where_there_is_no_room():
    assert gone(kept(id="a"), kept(id="b", discarded=0.5)) == []
    assert gone(kept(id="a", mb=6), kept(id="b", mb=6, discarded=0.5)) == ["b"]
    assert gone(kept(id="b", discarded=1.1)) == ["b"]


def test_starred_runs_go_last():
    runs = [kept(id=name, age=9 - i, mb=4, starred=name in "ac") for i, name in enumerate("abcd")]
    assert gone(*runs) == ["b", "d"]
    assert gone(*(kept(id=name, mb=9, starred=True) for name in "ab")) == ["a"]
    assert gone(kept(age=31, starred=True)) == ["a"]  # a star is no claim on time


def test_one_visitors_sweep_takes_nobody_elses_runs():
    rules = Rules(days=30, megabytes=20, owner_megabytes=10)
    bob = [kept(id="b", age=20, mb=5, owner="bob"), kept(id="c", age=19, mb=4, owner="bob")]
    sweep = [kept(id=f"s{i}", age=5 - i / 10, mb=1) for i in range(30)]
    found = expiry.expired([*bob, *sweep], rules, NOW, ())
    assert found == [f"s{i}" for i in range(20)]  # ada's own, down to her room


def test_over_the_room_of_all_the_runs_go_of_whoever_takes_most():
    rules = Rules(days=30, megabytes=20, owner_megabytes=15)
    runs = [kept(id="b", age=20, mb=5, owner="bob"), kept(id="e", age=19, mb=6, owner="eve"),
            *(kept(id=f"a{i}", age=9 - i, mb=3) for i in range(5))]  # fmt: skip
    assert expiry.expired(runs, rules, NOW, ()) == ["a0", "a1"]


def test_of_too_much_the_oldest_goes_first_and_no_more_than_needed():
    runs = [kept(id=name, age=age, mb=4) for name, age in (("a", 4), ("b", 3), ("c", 2), ("d", 1))]
    assert gone(*runs) == ["a", "b"]


def test_what_went_by_age_makes_room_for_the_others():
    assert gone(kept(id="a", age=40, mb=9), kept(id="b", age=1, mb=9)) == ["a"]


def test_active_and_watched_runs_stay_whatever_they_take():
    runs = [kept(id="a", age=40, mb=99, active=True), kept(id="b", age=40, mb=99), kept(id="c")]
    assert gone(*runs, watched=["b"]) == ["c"]
    assert gone(*runs) == ["b", "c"]


def test_the_settings_decide(monkeypatch):
    monkeypatch.delenv("MNIST_LAB_KEEP_DAYS", raising=False)
    monkeypatch.delenv("MNIST_LAB_DISK_MB", raising=False)
    monkeypatch.delenv("MNIST_LAB_OWNER_MB", raising=False)
    assert expiry.rules() == Rules(30.0, 2000.0)
    monkeypatch.setenv("MNIST_LAB_KEEP_DAYS", "0.5")
    monkeypatch.setenv("MNIST_LAB_DISK_MB", "100")
    assert expiry.rules() == Rules(0.5, 100.0)


@pytest.mark.parametrize("bad", ["0", "-1", "soon", "nan", "inf", "1,5"])
def test_a_bad_setting_is_passed_over_with_a_sentence(bad, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_KEEP_DAYS", bad)
    monkeypatch.setenv("MNIST_LAB_DISK_MB", bad)
    found = expiry.rules()
    assert (found.days, found.megabytes) == (30.0, 2000.0)
    assert found.notices == (
        f"MNIST_LAB_KEEP_DAYS was passed over: {bad!r} is not a number above 0; 30 is used.",
        f"MNIST_LAB_DISK_MB was passed over: {bad!r} is not a number above 0; 2000 is used.",
    )
