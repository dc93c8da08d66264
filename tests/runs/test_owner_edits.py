"""Names, notes, stars, and deleting with a way back."""

import pytest

from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.runs.owner_edits import NOTE_MOST, TITLE_MOST
from mnist_core.runs.records import Runs
from mnist_core.training import events


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


@pytest.fixture
def ended(runs):
    def ended(owner="ada"):
        run = runs.create(RunSpec(), owner, Identity("d", "sample")).id
        runs.append(run, [events.Compiled(1.0)])
        runs.end(run, "finished", test_accuracy=0.9)
        return run

    return ended


def test_a_name_and_a_note_are_kept_and_an_empty_name_is_the_usual_one(runs, ended):
    run = ended()
    usual = runs.get(run).name
    runs.entitle(run, "ada", "  wide \n and slow ", " why? ")
    assert (runs.get(run).name, runs.get(run).note) == ("wide and slow", "why?")
    runs.entitle(run, "ada", "x" * 99, "y" * 999)
    assert (len(runs.get(run).name), len(runs.get(run).note)) == (TITLE_MOST, NOTE_MOST)
    runs.entitle(run, "ada", "", "")
    assert runs.get(run).name == usual


def test_stars_come_and_go(runs, ended):
    a, b = ended(), ended()
    runs.star([a, b], "ada")
    runs.star([b], "ada", False)
    assert [runs.get(run).starred for run in (a, b)] == [True, False]


def test_undo_brings_back_all_that_there_was(runs, ended):
    run, other = ended(), ended()
    before = runs.get(run)
    runs.discard([run], "ada")
    assert runs.get(run) is None and [r.id for r in runs.of("ada")] == [other]
    assert [r.id for r in runs.discarded("ada")] == [run] and runs.discarded("bob") == []
    runs.restore([run], "ada")
    assert runs.get(run) == before and runs.history(run) == [events.Compiled(1.0)]
    assert runs.discarded("ada") == []


def test_what_is_under_way_is_not_deleted(runs):
    run = runs.create(RunSpec(), "ada", Identity("d", "sample")).id
    runs.discard([run], "ada")
    assert runs.get(run)


def test_nobody_touches_somebody_elses_runs(runs, ended):
    run = ended()
    before = runs.get(run)
    runs.entitle(run, "bob", "ha", "ha")
    runs.star([run], "bob")
    runs.discard([run], "bob")
    assert runs.get(run) == before
    runs.discard([run], "ada")
    runs.restore([run], "bob")
    assert runs.get(run) is None
