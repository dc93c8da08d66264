"""Races and sweeps in the store: whose they are, what belongs to them, when they go."""

import pytest

from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.runs.records import Runs


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def member(runs, group, status="finished"):
    run = runs.create(RunSpec(), "ada", Identity("d", "sample"), part_of=group.id).id
    if status != "queued":
        runs.end(run, status)
    return run


def test_a_group_is_kept_with_what_is_known_of_it(runs):
    group = runs.create_group("ada", "race", {"words": "Optimizer"})
    assert (group.status, group.body, group.owner) == ("running", {"words": "Optimizer"}, "ada")
    runs.update_group(group.id, "finished", "Done.", {"words": "Seed"})
    found = runs.group(group.id)
    assert (found.status, found.message, found.body) == ("finished", "Done.", {"words": "Seed"})
    runs.update_group(group.id, "stopped")
    assert runs.group(group.id).body == {"words": "Seed"}
    assert runs.group("nobody") is None


def test_trials_of_sweeps_are_folded_and_racers_are_not(runs):
    race, sweep = (runs.create_group("ada", kind, {}) for kind in ("race", "sweep"))
    racer, trial = member(runs, race), member(runs, sweep)
    assert [run.id for run in runs.of("ada")] == [racer]
    assert [run.id for run in runs.members(sweep.id)] == [trial]
    assert runs.members("") == []


def test_an_owner_sees_own_groups_that_have_runs_or_are_under_way(runs):
    group = runs.create_group("ada", "sweep", {})
    assert [g.id for g in runs.groups("ada", "sweep")] == [group.id]
    assert runs.groups("bob", "sweep") == runs.groups("ada", "race") == []
    runs.update_group(group.id, "finished")
    assert runs.groups("ada", "sweep") == runs.running_groups("sweep") == []
    run = member(runs, group)
    assert [g.id for g in runs.groups("ada", "sweep")] == [group.id]
    runs.discard([run], "ada")
    assert runs.groups("ada", "sweep") == []
    runs.restore([run], "ada")
    assert runs.groups("ada", "sweep")


def test_a_group_goes_with_its_last_run(runs):
    group = runs.create_group("ada", "sweep", {})
    a, b = member(runs, group), member(runs, group)
    runs.update_group(group.id, "finished")
    runs.delete(a)
    runs.delete_group(group.id)
    assert runs.group(group.id)
    runs.delete(b)
    assert runs.group(group.id) is None
