"""What the pages and the README promise of what is kept: for whom, how long, and when it goes."""

import os
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from mnist_core import storage
from mnist_core.basis.numbers import percent
from mnist_core.data import dataset, own_data
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.jobs import background
from mnist_core.storage.store import DAY, HOUR, MARK, SHELVES
from pages._dataset import your_own
from pages._shell import answering, shared
from tests.data.test_uploads import npz
from tests.pages.visiting import text
from tests.promises.conftest import wait

SPEC = RunSpec((Layer(8),), batch_size=64, epochs=1)


def digits(tiny, turned=False):
    """Forty digits as somebody's file; `turned` ones are upside down."""
    images = tiny.test.images[:40, ::-1, ::-1] if turned else tiny.test.images[:40]
    return [("digits.npz", npz(x=np.ascontiguousarray(images), y=tiny.test.labels[:40]))]


def unused_for(source, seconds):
    """As if nobody had looked at an own data set for so long."""
    folder, then = Path(source).parent, time.time() - seconds
    for path in (folder / MARK, folder):
        if path.exists():
            os.utime(path, (then, then))


def aged(runs, run, days):
    with sqlite3.connect(runs.folder / "runs.sqlite") as db:
        for column in ("ended", "discarded"):
            db.execute(f"UPDATE runs SET {column} = {column} - ? WHERE id = ?", (days * DAY, run))
    db.close()


@pytest.fixture
def own(home, tiny):
    """A data set of ada's."""
    kept = own_data.keep("ada", digits(tiny))
    yield kept
    own_data.delete("ada", kept.source)


# ------------------------------------------------------------------------------- own data


def test_only_you_see_your_data(own, as_visitor):
    assert own.name in text(as_visitor("ada", "dataset", section="Your own"))
    assert f"**{own.name}**" not in text(as_visitor("bob", "dataset", section="Your own"))
    own_data.delete("bob", own.source)
    assert Path(own.source).exists()


def test_own_data_are_deleted_a_day_after_their_last_use_though_nobody_looks(own, lab):
    assert str(own_data.KEPT_HOURS) in your_own.SAYS and own_data.KEPT_HOURS * HOUR == DAY
    unused_for(own.source, DAY - 60)
    time.sleep(1)
    assert Path(own.source).exists()
    unused_for(own.source, DAY + 60)
    wait(lambda: not Path(own.source).parent.exists(), 10)


def test_a_look_at_own_data_is_a_use(own, lab, as_visitor):
    app = as_visitor("ada", "dataset", section="Your own")
    app.button(key="own_use_0").click().run()
    unused_for(own.source, DAY - 60)
    app.switch_page("pages/evaluate.py").run()
    assert storage.store.last_use(Path(own.source).parent) > time.time() - 60


def test_what_was_computed_of_own_data_goes_with_them(own, lab, tiny):
    found = background.job("pca", dataset.load(own.source))
    assert found.result(120) and found.path.exists()
    assert Path(own.source).parent in found.path.parents
    unused_for(own.source, DAY + 60)
    wait(lambda: not found.path.exists(), 10)
    assert not list((lab.runs.folder.parent / "own").glob("*/*"))


def test_each_is_shown_the_answers_to_their_own_digits(home, lab, as_visitor, tiny):
    """Two visitors with a digits.npz each, and one who corrects the images and uploads anew."""
    first, second = own_data.keep("ada", digits(tiny)), own_data.keep("bob", digits(tiny, True))
    assert first.name == second.name
    said = []
    for name, kept in (("ada", first), ("bob", second), ("ada", second)):
        app = as_visitor(name, "dataset", section="Your own")
        app.session_state["states"]["Workbench"].source = kept.source
        app.run()
        data = dataset.load(kept.source)
        network = answering.models.default().network
        said.append(network.predict(data.test.images))
        read = (said[-1].argmax(axis=1) == data.test.labels).mean()
        app.switch_page("pages/evaluate.py").run()
        assert percent(read) in "".join(str(m.value) for m in app.metric)
    assert not np.array_equal(said[0], said[1]) and np.array_equal(said[1], said[2])
    for kept, name in ((first, "ada"), (second, "bob")):
        own_data.delete(name, kept.source)


def test_the_default_models_answers_are_kept_a_day_for_at_most_twenty_data(home, lab, tiny):
    lab.evaluate("default", tiny.identity).result(120)
    (kept,) = storage.shelf("answers")
    for i in range(25):
        storage.write(other := kept.path.with_name(f"default-{i}.npz"), b"of other digits")
        os.utime(other, (time.time() - HOUR,) * 2)
    wait(lambda: len(storage.shelf("answers")) == SHELVES["answers"].most == 20, 10)
    assert lab.runs.evaluation("default", tiny.digest)  # it was used last, and is there still
    for item in storage.shelf("answers"):
        os.utime(item.path, (time.time() - DAY - 60,) * 2)
    wait(lambda: not storage.shelf("answers"), 10)


# ------------------------------------------------------------------------------- runs


def test_a_deleted_run_can_be_had_back_for_a_day_and_is_gone_after_it(lab, train):
    run = train(SPEC)
    lab.runs.discard([run], "ada")
    assert lab.runs.get(run) is None and lab.runs.of("ada") == []
    lab.runs.restore([run], "ada")
    assert lab.runs.of("ada")[0].id == run and lab.runs.has_weights(run)
    lab.runs.discard([run], "ada")
    aged(lab.runs, run, 1.01)
    wait(lambda: not lab.runs.has_weights(run), 10)
    assert lab.runs.discarded("ada") == []
    assert not (lab.runs.folder / "artifacts" / run).exists()


def test_runs_are_kept_for_the_days_of_the_setting_unless_somebody_is_looking(
    lab, train, monkeypatch
):
    monkeypatch.setenv("MNIST_LAB_KEEP_DAYS", "5")
    old, looked_at, young = train(SPEC), train(SPEC), train(SPEC)
    lab.watched(looked_at)
    for run, days in ((old, 5.1), (looked_at, 5.1), (young, 4.9)):
        aged(lab.runs, run, days)
    wait(lambda: lab.runs.get(old) is None, 10)
    time.sleep(0.5)
    assert lab.runs.get(looked_at) and lab.runs.get(young)


def test_one_visitors_runs_over_their_room_go_and_nobody_elses_starred_last(
    lab, train, monkeypatch
):
    bobs = train(SPEC, "bob")
    mine = [train(SPEC, "eve") for _ in range(4)]
    lab.runs.star([mine[0]], "eve")
    each = max(kept.bytes for kept in lab.runs.kept() if kept.owner == "eve")
    monkeypatch.setenv("MNIST_LAB_OWNER_MB", str(2.5 * each / 2**20))
    wait(lambda: len(lab.runs.of("eve")) == 2, 10)
    assert {run.id for run in lab.runs.of("eve")} == {mine[0], mine[3]}
    assert lab.runs.get(bobs)


def listed(app):
    return "".join(table.value.to_csv() for table in app.dataframe)


def test_a_run_is_found_after_a_reload_by_its_owner_and_by_its_link_and_in_no_other_list(
    lab, train, as_visitor
):
    run = train(SPEC)
    lab.runs.entitle(run, "ada", "Mine alone", "")
    assert "Mine alone" in listed(as_visitor("ada", "runs"))
    assert "Mine alone" not in listed(as_visitor("bob", "runs"))
    assert "of the test images are read right" in text(as_visitor("bob", "builder", run=run))
    lab.runs.star([run], "bob")
    lab.runs.discard([run], "bob")  # and nobody else can change it
    assert lab.runs.get(run) and not lab.runs.get(run).starred


def test_everything_that_was_kept_here_has_its_place_and_its_end(lab):
    """Whatever these tests have left in the lab's folder is on a shelf of the store."""
    root = lab.runs.folder.parent
    placed = {item.path for name in SHELVES for item in storage.shelf(name, root)}
    for path in root.rglob("*"):
        if path.is_file():
            assert placed & {path, *path.parents}, f"{path.relative_to(root)} has no shelf"


# ------------------------------------------------------------------------------- the visitor's own


def test_lessons_are_kept_for_you_alone(home, as_visitor, tiny):
    as_visitor("ada", "draw")
    answering.lessons().add(tiny.test.images[0], int(tiny.test.labels[0]))
    assert len(answering.lessons().own().labels) == 1
    as_visitor("bob", "draw")
    assert len(answering.lessons().own().labels) == 0
    (item,) = storage.shelf("taught")
    assert "ada" not in str(item.path)  # a folder's name tells no visitor's


def test_a_fault_of_ours_is_recorded_and_said_as_such(lab, as_visitor, monkeypatch, faults):
    app = as_visitor("ada", "home")
    monkeypatch.setattr(shared, "service", lambda: {}["gone"])
    page = text(app.run())
    assert not app.exception
    assert "Something went wrong here. It was recorded" in page and "KeyError" not in page
    assert "KeyError" in str(faults[0].exc_info)
    faults.clear()
