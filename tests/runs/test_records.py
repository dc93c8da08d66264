"""Run records and artifacts: what is kept, in which order, and what a kill leaves behind."""

import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_core import storage
from mnist_core.data.identity import Identity
from mnist_core.design.spec import Conv, Layer, RunSpec, SpecError
from mnist_core.runs.artifacts import DEFAULT, Evaluation
from mnist_core.runs.records import ENDED, IMPORTED, Runs, StoreError
from mnist_core.training import events
from mnist_core.training.model_formats import MODEL_FILES

ROOT = Path(__file__).resolve().parents[2]
SPEC = RunSpec(layers=(Layer(64, dropout=0.2), Layer(32, "tanh", True)), learning_rate=0.003)
HISTORY = [
    events.Started(100, 2, 3_200, 800, SPEC.parameters),
    events.Compiled(1.0),
    events.Progress(4, 4, 2.3, 0.1, 0.01, 12_000.0),
    events.EpochEnded(1, 100, 0.6, 0.8, 0.4, 0.9, 0.2),
    events.Checkpointed(100),
    events.Marked(104, "paused"),
    events.Marked(104, "learning rate", 0.01),
    events.Stopped(104, 0.5, 0.88, 0.3, "The weights of epoch 1 are kept."),
]


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path / "runs")


@pytest.fixture
def run(runs):
    return runs.create(SPEC, "ada", Identity("sample: 5,000", "sample"))


def checkpoint(step=7):
    rng = np.random.default_rng(step)
    return events.Checkpoint(
        step,
        {"dense_1/kernel": rng.normal(size=(784, 8)).astype(np.float32)},
        {"optimizer/0": np.array(step), "dropout_1/seed_generator_state": np.array([1, 2], "u4")},
    )


def status(runs, run):
    return runs.get(run.id).status


# ------------------------------------------------------------------------------- records


def test_a_new_run_is_queued_and_keeps_what_was_asked(runs):
    before = time.time()
    run = runs.create(SPEC, "ada", Identity("sample: 5,000", "sample"))
    assert runs.get(run.id) == run
    assert (run.spec, run.owner, run.data, run.source) == (
        SPEC, "ada", "sample: 5,000", "sample")  # fmt: skip
    assert (run.status, run.message, run.active) == ("queued", "", True)
    assert before <= run.created <= time.time()
    assert run.started is run.ended is run.test_accuracy is run.test_loss is run.seconds is None
    assert run.name.startswith("784-64-32-10 · adam · ")
    run = runs.create(RunSpec((), convolutions=(Conv(8), Conv(16))), "ada", Identity("d", "s"))
    assert run.name.startswith("28x28-conv8-conv16-10 · adam · ")


def test_an_unknown_run_is_none(runs):
    assert runs.get("nobody") is None
    assert runs.history("nobody") == []
    assert runs.checkpoint("nobody") is None and not runs.has_weights("nobody")
    assert runs.model_file("nobody") is None


def test_ids_are_long_random_and_safe_in_a_link(runs):
    ids = [runs.create(SPEC, "ada", Identity("d", "sample")).id for _ in range(50)]
    assert len(set(ids)) == 50
    assert all(len(i) >= 16 and i.replace("-", "").replace("_", "").isalnum() for i in ids)
    assert len({i[:4] for i in ids}) > 45  # no counter, no clock in front


def test_each_owner_sees_their_own_runs_the_newest_first(runs):
    mine = [runs.create(SPEC, "ada", Identity("d", "sample")).id for _ in range(3)]
    runs.create(SPEC, "bob", Identity("d", "sample"))
    assert [run.id for run in runs.of("ada")] == mine[::-1]
    assert [run.id for run in runs.of("ada", limit=2)] == mine[:0:-1]
    assert runs.of("eve") == []


def test_active_runs_of_everybody_in_the_order_they_came(runs):
    a, b, c = (runs.create(SPEC, owner, Identity("d", "sample")) for owner in ("ada", "bob", "eve"))
    runs.begin(b.id)
    assert [run.id for run in runs.active()] == [a.id, b.id, c.id]
    runs.end(a.id, "finished")
    assert [run.id for run in runs.active()] == [b.id, c.id]


def test_records_outlive_the_object_that_wrote_them(runs, run):
    runs.append(run.id, HISTORY)
    again = Runs(runs.folder)
    assert again.get(run.id) == run
    assert again.history(run.id) == HISTORY


@pytest.mark.parametrize(
    "spec",
    [
        RunSpec(layers=(Layer(1024),) * 6),
        RunSpec(epochs=101),
        RunSpec(learning_rate=float("nan")),
        RunSpec(layers=(Layer(10**9),)),
    ],
)
def test_a_design_over_the_limits_is_refused_and_leaves_no_record(runs, spec):
    with pytest.raises(SpecError):
        runs.create(spec, "ada", Identity("d", "sample"))
    assert runs.of("ada") == []


def test_a_record_of_a_later_version_is_passed_over(runs, run):
    with sqlite3.connect(runs.folder / "runs.sqlite") as db:
        db.execute('UPDATE runs SET spec = \'{"v": "99"}\'')
    db.close()
    assert runs.get(run.id) is None and runs.of("ada") == []


# ------------------------------------------------------------------------------- status


def test_a_run_begins_once_and_ends_with_its_result(runs, run):
    assert runs.begin(run.id) and not runs.begin(run.id)
    assert runs.get(run.id).started >= run.created
    assert runs.end(run.id, "finished", test_accuracy=0.98, test_loss=0.07, seconds=4.2)
    found = runs.get(run.id)
    assert (found.status, found.active) == ("finished", False)
    assert (found.test_accuracy, found.test_loss, found.seconds) == (0.98, 0.07, 4.2)
    assert found.ended >= found.started


@pytest.mark.parametrize("ended", ENDED)
def test_an_ended_run_stays_as_it_ended(runs, run, ended):
    assert runs.end(run.id, ended, "first")
    before = runs.get(run.id)
    assert not runs.begin(run.id)
    assert not any(runs.end(run.id, other, "second", seconds=9.0) for other in ENDED)
    assert runs.get(run.id) == before and before.message == "first"


def test_only_a_queued_run_can_be_cancelled(runs, run):
    other = runs.create(SPEC, "ada", Identity("d", "sample"))
    runs.begin(other.id)
    assert runs.cancel(run.id) and not runs.cancel(run.id) and not runs.cancel(other.id)
    found = runs.get(run.id)
    assert (found.status, found.started) == ("stopped", None) and found.ended >= found.created
    assert status(runs, other) == "running"


def test_an_unknown_run_neither_begins_nor_ends(runs, run):
    assert not runs.end("nobody", "finished") and not runs.begin("nobody")


def test_interrupt_marks_what_was_left_and_nothing_else(runs):
    data = Identity("d", "sample")
    queued, running, kept, done = (runs.create(SPEC, "ada", data) for _ in range(4))
    runs.begin(running.id)
    runs.begin(kept.id)
    runs.save_checkpoint(kept.id, checkpoint())
    runs.end(done.id, "finished")
    assert runs.interrupt() == 3
    assert [status(runs, r) for r in (queued, running, kept, done)] == ["interrupted"] * 3 + [
        "finished"
    ]
    assert runs.get(queued.id).message.startswith("The server ended while this run was queued;")
    assert "no checkpoint" in runs.get(running.id).message
    assert "last checkpoint is kept" in runs.get(kept.id).message
    assert runs.interrupt() == 0


# ------------------------------------------------------------------------------- reopen


@pytest.mark.parametrize("ended", ENDED)
def test_an_ended_run_can_be_queued_again_with_its_longer_design(runs, run, ended):
    runs.begin(run.id)
    runs.append(run.id, HISTORY)
    runs.save_checkpoint(run.id, checkpoint())
    runs.save(run.id, "model.keras", b"before")
    runs.end(run.id, ended, "Cut off.", test_accuracy=0.9)
    longer = replace(SPEC, epochs=SPEC.epochs + 5)
    found = runs.reopen(run.id, longer)
    assert found == runs.get(run.id)
    assert (found.status, found.message, found.ended, found.active) == ("queued", "", None, True)
    assert (found.spec, found.owner, found.created) == (longer, run.owner, run.created)
    assert runs.history(run.id) == HISTORY and runs.checkpoint(run.id).step == 7
    assert runs.model_file(run.id).read_bytes() == b"before"  # until there is a later one
    assert [other.id for other in runs.active()] == [run.id]
    assert runs.begin(run.id) and runs.end(run.id, "finished")


def test_a_run_that_has_not_ended_is_not_reopened(runs, run):
    longer = replace(SPEC, epochs=50)
    for step in (lambda: None, lambda: runs.begin(run.id)):
        step()
        before = runs.get(run.id)
        assert runs.reopen(run.id, longer) == before == runs.get(run.id)


def test_a_run_is_not_reopened_for_more_than_a_host_takes(runs, run):
    runs.end(run.id, "finished")
    before = runs.get(run.id)
    with pytest.raises(SpecError, match="number of epochs"):
        runs.reopen(run.id, replace(SPEC, epochs=101))
    assert runs.get(run.id) == before


# ------------------------------------------------------------------------------- history


def test_history_gives_back_what_was_appended_in_order(runs, run):
    other = runs.create(SPEC, "bob", Identity("d", "sample"))
    for first in range(0, len(HISTORY), 2):
        runs.append(run.id, HISTORY[first : first + 2])
        runs.append(other.id, [events.Compiled(float(first))])
    assert runs.history(run.id) == HISTORY
    assert [type(e) for e in runs.history(run.id)] == [type(e) for e in HISTORY]
    assert runs.history(other.id) == [events.Compiled(n) for n in (0.0, 2.0, 4.0, 6.0)]


def test_a_batch_of_events_is_kept_whole_or_not_at_all(runs, run):
    runs.append(run.id, HISTORY[:2])
    bad = events.Failed(1, object())  # cannot be written as JSON
    with pytest.raises(TypeError):
        runs.append(run.id, [HISTORY[2], bad])
    assert runs.history(run.id) == HISTORY[:2]


def test_events_of_no_run_are_refused(runs):
    with pytest.raises(sqlite3.IntegrityError):
        runs.append("nobody", HISTORY)


def test_threads_may_append_to_one_run_at_once(runs, run):
    failures = []

    def work(thread):
        try:
            for i in range(25):
                runs.append(run.id, [events.Progress(i, thread, 0.0, 0.0, 0.0, 0.0)] * 2)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    history = runs.history(run.id)
    for thread in range(6):
        assert [e.step for e in history[::2] if e.steps == thread] == list(range(25))
    assert all(a == b for a, b in zip(history[::2], history[1::2], strict=True))  # never torn apart


def test_only_one_thread_begins_a_run(runs, run):
    begun = []
    threads = [threading.Thread(target=lambda: begun.append(runs.begin(run.id))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(begun) == [False] * 7 + [True]


# ------------------------------------------------------------------------------- artifacts


def test_a_checkpoint_comes_back_exactly(runs, run):
    assert runs.checkpoint(run.id) is None and not runs.has_weights(run.id)
    runs.save_checkpoint(run.id, checkpoint(7))
    runs.save_checkpoint(run.id, checkpoint(8))
    found, saved = runs.checkpoint(run.id), checkpoint(8)
    assert found.step == 8 and runs.has_weights(run.id)
    for part in ("weights", "state"):
        assert list(getattr(found, part)) == list(getattr(saved, part))
        for name, value in getattr(saved, part).items():
            again = getattr(found, part)[name]
            assert again.dtype == value.dtype and np.array_equal(again, value)


BESTS = {
    "none": None,
    "kept": events.Best(3, 0.1 + 0.2, {"dense_1/kernel": np.full((784, 8), 0.5, np.float32)}),
    "without weights": events.Best(3, 0.25, {}),
}


@pytest.mark.parametrize("rate", [None, 0.003])
@pytest.mark.parametrize("best", BESTS.values(), ids=BESTS)
def test_what_a_run_goes_on_with_comes_back_exactly(runs, run, best, rate):
    saved = replace(checkpoint(), seconds=1.25, learning_rate=rate, best=best)
    runs.save_checkpoint(run.id, saved)
    found = runs.checkpoint(run.id)
    assert (found.step, found.seconds, found.learning_rate) == (7, 1.25, rate)
    assert [type(x) for x in (found.step, found.seconds)] == [int, float]
    assert (found.best is None) == (best is None)
    if best:
        assert (found.best.epoch, found.best.value) == (best.epoch, best.value)
        assert type(found.best.epoch) is int and type(found.best.value) is float
        np.testing.assert_equal(found.best.weights, best.weights)
    np.testing.assert_equal(found.answer, saved.answer)


def test_the_next_checkpoint_forgets_the_best_of_the_last(runs, run):
    runs.save_checkpoint(run.id, replace(checkpoint(7), best=BESTS["kept"], learning_rate=0.1))
    runs.save_checkpoint(run.id, checkpoint(8))
    found = runs.checkpoint(run.id)
    assert found.best is None and found.learning_rate is None


def test_a_checkpoint_from_before_there_was_a_best_is_read(runs, run):
    old, buffer = checkpoint(), io.BytesIO()
    arrays = {f"weights/{name}": value for name, value in old.weights.items()}
    arrays |= {f"state/{name}": value for name, value in old.state.items()}
    np.savez(buffer, step=old.step, **arrays)
    runs.save(run.id, "checkpoint.npz", buffer.getvalue())
    found = runs.checkpoint(run.id)
    assert (found.step, found.seconds, found.learning_rate, found.best) == (7, 0.0, None, None)
    np.testing.assert_equal(found.weights, old.weights)
    np.testing.assert_equal(found.state, old.state)


def test_model_files_go_when_the_weights_change(runs, run):
    runs.save_checkpoint(run.id, checkpoint(7))
    for name in MODEL_FILES:
        runs.save_model_file(run.id, name, b"of 7", 7)
        assert runs.model_file(run.id, name).read_bytes() == b"of 7"
    runs.save_checkpoint(run.id, checkpoint(8))
    runs.save_model_file(run.id, "model.onnx", b"of 7", 7)  # it comes late
    assert not any(runs.model_file(run.id, name) for name in MODEL_FILES)


# ------------------------------------------------------------------------------- imports


def test_an_adopted_run_has_ended_and_has_its_weights(runs):
    run = runs.adopt(SPEC, "ada", Identity("d", "s"), checkpoint(7), "")
    assert (run.status, run.spec, run.owner, run.active) == (IMPORTED, SPEC, "ada", False)
    assert run == runs.of("ada")[0] and run.ended and run.test_accuracy is None
    assert runs.history(run.id) == [events.Marked(7, IMPORTED)]
    np.testing.assert_equal(runs.checkpoint(run.id).weights, checkpoint(7).weights)
    assert not runs.waiting() and not runs.active()


def test_an_import_that_finds_no_room_leaves_nothing(runs, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mnist_core.storage.write", full)
    with pytest.raises(OSError):
        runs.adopt(SPEC, "ada", Identity("d", "s"), checkpoint(7), "")
    assert not runs.of("ada")


def test_an_import_that_is_cut_short_is_a_failed_run(runs, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mnist_core.storage.write", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.adopt(SPEC, "ada", Identity("d", "s"), checkpoint(7), "")
    (run,) = runs.of("ada")
    assert (run.status, run.message) == ("failed", "The import was cut short: try again.")


def test_a_design_over_the_limits_is_not_adopted(runs):
    with pytest.raises(SpecError):
        runs.adopt(replace(SPEC, epochs=10_000), "ada", Identity("d", "s"), checkpoint(7), "")
    assert not runs.of("ada")


def test_only_what_was_never_measured_is_measured(runs, run):
    runs.save_checkpoint(run.id, checkpoint(7))
    runs.measured(run.id, 0.5, 1.0, 7)  # it has not ended
    assert runs.get(run.id).test_accuracy is None
    runs.end(run.id, "interrupted")
    runs.measured(run.id, 0.5, 1.0, 7)
    runs.measured(run.id, 0.6, 2.0, 7)
    assert (runs.get(run.id).test_accuracy, runs.get(run.id).test_loss) == (0.5, 1.0)


def test_figures_belong_to_the_weights_that_they_were_measured_of(runs, run):
    runs.save_checkpoint(run.id, checkpoint(7))
    runs.end(run.id, "finished", test_accuracy=0.9, test_loss=0.3)
    assert runs.get(run.id).test_accuracy == 0.9
    runs.reopen(run.id, replace(SPEC, epochs=SPEC.epochs + 1))
    assert runs.get(run.id).test_accuracy == 0.9  # these are its weights still
    runs.begin(run.id)
    runs.save_checkpoint(run.id, checkpoint(8))
    runs.end(run.id, "interrupted")
    found = runs.get(run.id)
    assert (found.test_accuracy, found.test_loss) == (None, None)
    runs.measured(run.id, 0.4, 2.0, 7)  # an answer that comes late
    assert runs.get(run.id).test_accuracy is None
    runs.measured(run.id, 0.8, 0.5, 8)
    assert (runs.get(run.id).test_accuracy, runs.get(run.id).test_loss) == (0.8, 0.5)


def test_a_cut_evaluation_is_none_and_an_event_of_a_later_version_is_left_out(runs, run):
    runs.save_checkpoint(run.id, checkpoint(7))
    answers = Evaluation(np.full((3, 10), 0.1, np.float32), np.arange(3, dtype=np.uint8), 1.0, 7)
    runs.save_evaluation(run.id, answers)
    path = runs.folder / "artifacts" / run.id / "evaluation.npz"
    path.write_bytes(path.read_bytes()[:200])
    assert runs.evaluation(run.id) is None and not path.exists()  # it can be asked for anew
    runs.append(run.id, [events.Compiled(0.5)])
    with runs._database() as db:
        db.execute("INSERT INTO events VALUES (?, 2, ?)", (run.id, '{"kind": "Dreamt", "of": 4}'))
    assert runs.history(run.id) == [events.Compiled(0.5)]


def test_files_without_a_record_go(runs, run):
    runs.save_checkpoint(run.id, checkpoint(7))
    lost, fresh = (runs.folder / "artifacts" / name for name in ("lost", "fresh"))
    for folder in (lost, fresh):
        storage.write(folder / "checkpoint.npz", b"of no record")
    os.utime(lost, (1e9, 1e9))
    runs.delete_orphans(time.time())
    assert not lost.exists() and fresh.exists() and runs.has_weights(run.id)


@pytest.mark.parametrize("given", [{}, {"part_of": "race"}])
def test_runs_are_made_all_or_none(runs, monkeypatch, given):
    weights = {"dense_1/kernel": np.ones(3, np.float32)}

    def full(*_):
        if list((runs.folder / "artifacts").glob("*/initial.npz")):
            raise OSError(28, "No space left on device")
        real(*_)

    real = storage.write
    monkeypatch.setattr("mnist_core.storage.write", full)
    with pytest.raises(OSError):
        runs.create_all([(SPEC, weights)] * 2, "ada", Identity("d", "s"), **given)
    with pytest.raises(SpecError):
        runs.create_all([(SPEC, None), (replace(SPEC, epochs=10_000), None)], "ada",
                        Identity("d", "s"), **given)  # fmt: skip
    assert not runs.of("ada") and not runs.kept()
    assert not storage.shelf("artifacts", runs.folder.parent)


def test_artifacts_of_two_runs_do_not_meet(runs, run):
    other = runs.create(SPEC, "bob", Identity("d", "sample"))
    runs.save(run.id, "model.keras", b"mine")
    assert runs.model_file(run.id).read_bytes() == b"mine"
    assert runs.model_file(other.id) is None


@pytest.mark.parametrize("moment", ["write", "rename"])
def test_a_crash_while_saving_leaves_the_old_file(runs, run, monkeypatch, moment):
    runs.save_checkpoint(run.id, checkpoint(7))

    def crash(*_):
        raise KeyboardInterrupt(f"killed at the {moment}")

    with monkeypatch.context() as patch:
        name = {"write": "open", "rename": "os.replace"}[moment]
        patch.setattr(f"mnist_core.storage.files.{name}", crash, raising=False)
        with pytest.raises(KeyboardInterrupt):
            runs.save_checkpoint(run.id, checkpoint(8))
    assert runs.checkpoint(run.id).step == 7
    runs.save_checkpoint(run.id, checkpoint(9))
    assert runs.checkpoint(run.id).step == 9


WRITER = """
import sys
from mnist_core.design import RunSpec
from mnist_core.runs import Runs
from mnist_core.training import events
runs, run = Runs(sys.argv[1]), sys.argv[2]
for i in range(10**9):
    runs.append(run, [events.Progress(i, half, 0.0, 0.0, 0.0, 0.0) for half in (1, 2)])
    runs.save(run, "model.keras", bytes([i % 256]) * 2_000_000)
    if i == 20:
        print("under way", flush=True)
"""


def test_the_default_models_answers_are_of_one_data_and_go_after_a_day(runs):
    def answers(loss):
        return Evaluation(np.full((3, 10), 0.1, np.float32), np.arange(3, dtype=np.uint8), loss)

    now = time.time()
    for digest, loss in (("one", 1.0), ("two", 2.0)):
        runs.save_evaluation(DEFAULT, answers(loss), digest)
    assert [runs.evaluation(DEFAULT, d).loss for d in ("one", "two")] == [1.0, 2.0]
    home, answer_rule = runs.folder.parent, storage.SHELVES["answers"]
    storage.sweep(home, now + answer_rule.seconds - 60)
    assert runs.evaluation(DEFAULT, "one")
    storage.sweep(home, now + answer_rule.seconds + 60)
    assert runs.evaluation(DEFAULT, "one") is None
    for n in range(answer_rule.most + 5):
        runs.save_evaluation(DEFAULT, answers(n), str(n))
    storage.sweep(home, now)
    assert len(list((runs.folder / "evaluations").iterdir())) == answer_rule.most


def test_a_killed_writer_leaves_a_readable_record(runs, run):
    command = [sys.executable, "-c", WRITER, str(runs.folder), run.id]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout.readline() == b"under way\n"
        finally:
            os.kill(writer.pid, signal.SIGKILL)
    history = runs.history(run.id)
    assert [(e.step, e.steps) for e in history] == [
        (i, half) for i in range(len(history) // 2) for half in (1, 2)
    ]
    assert len(history) > 40
    content = runs.model_file(run.id).read_bytes()
    assert content == content[:1] * 2_000_000
    assert runs.interrupt() == 1 and status(runs, run) == "interrupted"
    runs.append(run.id, [events.Failed(0, "The record takes more.")])
    assert len(runs.history(run.id)) == len(history) + 1


def test_waiting_runs_take_turns_between_visitors(runs):
    first, second, third = (runs.create(RunSpec(), "a", Identity("d", "s")).id for _ in range(3))
    other = runs.create(RunSpec(), "b", Identity("d", "s")).id
    assert [run.id for run in runs.waiting()] == [first, second, third, other]
    runs.begin(first)
    assert [run.id for run in runs.waiting()] == [other, second, third]
    runs.begin(other)
    assert [run.id for run in runs.waiting()] == [second, third]


# ------------------------------------------------------------------------------- what goes


def test_what_a_run_takes_is_its_files_and_its_events(runs, run):
    (before,) = runs.kept()
    assert (before.id, before.active, before.when, before.bytes) == (run.id, True, run.created, 0)
    runs.append(run.id, HISTORY)
    runs.save(run.id, "model.keras", bytes(5000))
    runs.begin(run.id)
    runs.end(run.id, "finished")
    other = runs.create(SPEC, "bob", Identity("d", "sample"))
    after, last = runs.kept()
    assert (after.id, after.active, after.when) == (run.id, False, runs.get(run.id).ended)
    assert 5000 + 100 < after.bytes < 5000 + 3000 and last.id == other.id


def test_a_deleted_run_leaves_nothing(runs, run):
    runs.append(run.id, HISTORY)
    runs.save_checkpoint(run.id, checkpoint())
    runs.delete(run.id)
    assert runs.get(run.id) and runs.has_weights(run.id)  # it is active
    runs.cancel(run.id)
    runs.delete(run.id)
    assert runs.get(run.id) is None and runs.history(run.id) == [] and runs.kept() == []
    assert not (runs.folder / "artifacts" / run.id).exists()
    runs.delete("nobody")


@pytest.mark.parametrize("name", ["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN"])
def test_records_that_cannot_be_used_say_so_in_a_sentence(runs, run, monkeypatch, name):
    error = sqlite3.OperationalError("whatever SQLite says")
    error.sqlite_errorname = name + "_MORE"

    def connect(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        with pytest.raises(StoreError) as refusal:
            runs.get(run.id)
    assert str(refusal.value).startswith("The run records ") and str(refusal.value).endswith(".")
    assert runs.get(run.id) == run


def test_a_fault_of_ours_is_not_taken_for_trouble_with_the_disk(runs):
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        runs._select("SELECT * FROM nowhere", ())
