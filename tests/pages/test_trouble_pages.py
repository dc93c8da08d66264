"""What the pages say when something is amiss with training or with its records."""

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.data.identity import Identity
from mnist_core.runs.records import StoreError
from tests.pages.visiting import SMALL, text

LOCKED = "The run records are locked by another program: wait a moment and try again."


@pytest.mark.parametrize("state", ["away", "failed"])
def test_what_is_amiss_with_training_is_on_the_page(visit, desk, state):
    desk.state, desk.message = state, "Something is amiss."
    app = visit("builder")
    shown = app.error if state == "failed" else app.warning
    assert [note.value for note in shown] == ["Something is amiss."]
    assert app.button(key="train").disabled == (state == "failed")


def test_locked_records_are_a_sentence_and_not_the_end(visit, desk, runs, monkeypatch):
    run = runs.create(SMALL, "ada", Identity("d", "sample"))

    def locked(*_):
        raise StoreError(LOCKED)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "history", locked)
        app = visit("builder", run=run.id)
        assert LOCKED in text(app) and app.button(key="train")
    app.button(key="try_again.live").click().run()
    assert not app.exception and LOCKED not in text(app)


def whole_page():
    from mnist_core.runs.records import StoreError
    from pages._shell import notes

    def locked(*_):
        raise StoreError("The run records are locked.")

    notes.guarded(locked)()


def test_a_whole_page_that_finds_the_records_locked_is_a_sentence():
    app = AppTest.from_function(whole_page).run()
    assert not app.exception
    assert [note.value for note in app.warning] == ["The run records are locked."]


def test_the_panel_of_a_run_says_that_it_is_looked_at(visit, desk, runs):
    run = runs.create(SMALL, "ada", Identity("d", "sample"))
    visit("builder", run=run.id)
    assert set(desk.seen) == {run.id}
    desk.seen.clear()
    visit("builder")
    assert desk.seen == []


def test_a_bad_setting_is_shown_with_the_data(visit, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_DISK_MB", "plenty")
    assert "MNIST_LAB_DISK_MB was passed over: 'plenty'" in text(visit("dataset"))
