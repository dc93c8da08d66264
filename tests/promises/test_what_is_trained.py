"""What is promised of a training, of a race, of a sweep and of what is taken away."""

from dataclasses import replace

import keras
import numpy as np
import psutil
import pytest

from mnist_core.analysis import experiments, race
from mnist_core.analysis.sweep import Plan
from mnist_core.basis import LabError
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.exports import catalogue
from mnist_core.network.network import Network
from mnist_core.runs import models
from mnist_core.training import events
from tests.pages.visiting import text
from tests.promises.conftest import wait

SPEC = RunSpec((Layer(16, batch_norm=True, dropout=0.2),), batch_size=32, epochs=3)
LONG = RunSpec((Layer(768),) * 3, batch_size=1, epochs=100)  # minutes


def of(kind, history):
    return [event for event in events.timeline(history) if isinstance(event, kind)]


def curve(lab, run):
    ends = of(events.EpochEnded, lab.runs.history(run))
    return [(e.epoch, e.step, e.loss, e.val_loss) for e in ends]


def kill_the_worker(lab):
    """As a host does that is out of memory; its nanny starts another."""
    nanny = psutil.Process(lab._dispatcher._cluster._process.pid)
    for process in nanny.children(recursive=True):
        process.kill()


def test_the_same_seed_gives_the_same_run(lab, train):
    one, other, another = train(SPEC), train(SPEC, "bob"), train(replace(SPEC, seed=1))
    assert curve(lab, one) == curve(lab, other) != curve(lab, another)
    first, second = (lab.runs.checkpoint(run).weights for run in (one, other))
    np.testing.assert_equal(first, second)


def test_a_stopped_run_keeps_weights_and_history_and_goes_on_as_if_nothing_had_happened(lab, train):
    spec = replace(SPEC, batch_size=2, epochs=4)
    whole = train(spec)
    run = lab.submit(spec, "bob", lab.runs.known(whole).identity).id
    for command in ("pause", "step", "step", "step"):  # it stops in the middle of an epoch
        lab.tell(run, command)
    wait(lambda: sum(e.steps for e in of(events.Progress, lab.runs.history(run))) == 3)
    lab.stop(run)
    wait(lambda: not lab.runs.known(run).active)
    stopped = lab.runs.checkpoint(run)
    assert lab.runs.known(run).status == "stopped" and stopped.step == 3
    assert lab.runs.known(run).test_accuracy is not None and lab.runs.history(run)
    lab.go_on(run)
    wait(lambda: lab.runs.known(run).status == "finished")
    found = [(epoch, step) for epoch, step, *_ in curve(lab, run)]
    assert found == [(epoch, step) for epoch, step, *_ in curve(lab, whole)]
    for (*_, loss, val), (*_, expected, val_expected) in zip(
        curve(lab, run), curve(lab, whole), strict=True
    ):
        assert loss == pytest.approx(expected, rel=1e-4)  # the cut epoch's too: of all of it
        assert val == pytest.approx(val_expected, rel=1e-4)


def test_what_a_page_says_of_a_run_is_of_the_weights_that_it_has(lab, train, as_visitor, tiny):
    """Trained further and cut off, it has other weights than those that were measured."""
    slow = replace(LONG, epochs=1)
    run = train(slow)
    before = lab.runs.known(run).test_accuracy
    lab.go_on(run, 90)
    step = lab.runs.checkpoint(run).step
    wait(lambda: lab.runs.checkpoint(run).step > step)
    kill_the_worker(lab)
    wait(lambda: lab.runs.known(run).status == "interrupted")
    assert before is not None and lab.runs.known(run).test_accuracy is None
    page = text(as_visitor("ada", "builder", run=run))
    assert f"{100 * before:.2f} %" not in page
    lab.evaluate(run).result(120)
    network = Network.from_weights(slow, lab.runs.checkpoint(run).answer)
    right = (network.predict(tiny.test.images).argmax(axis=1) == tiny.test.labels).mean()
    assert lab.runs.known(run).test_accuracy == pytest.approx(right, abs=0.006)


def test_racers_begin_with_the_same_weights_and_see_the_same_images(lab, tiny):
    lab_of_races = experiments.Sweeps(lab)
    specs = {"Adam": SPEC, "SGD": replace(SPEC, optimizer="sgd")}
    group = lab_of_races.race(specs, "ada", tiny.identity, "Optimizer")
    wait(lambda: lab_of_races.race_over(group.id))
    starts = [lab.runs.snapshots(run)[0] for run in group.body["names"]]
    assert [start.step for start in starts] == [0, 0]
    np.testing.assert_equal(starts[0].weights, starts[1].weights)
    kernel = race.initial_weights(SPEC)["dense_1/kernel"]
    np.testing.assert_allclose(starts[0].weights["dense_1/kernel"], kernel, atol=1e-3)
    assert {lab.runs.known(run).spec.seed for run in group.body["names"]} == {SPEC.seed}
    assert lab.runs.group(group.id).status == "finished"


def test_a_stopped_sweep_leaves_nothing_training_and_keeps_what_it_found(lab, tiny):
    sweeps = experiments.Sweeps(lab)
    plan = Plan(replace(SPEC, epochs=1), {"units": (8, 16, 24, 32), "dropout": (0.0, 0.1, 0.2)},
                seconds=600.0)  # fmt: skip
    group = sweeps.start(plan, "ada", tiny.identity).id
    wait(lambda: len(lab.runs.group(group).body["scores"]) >= 2)
    sweeps.stop(group)
    wait(lambda: lab.runs.group(group).status == "stopped")
    assert not lab.runs.active() and len(lab.runs.group(group).body["scores"]) >= 2
    assert all(run.part_of != group for run in lab.runs.of("ada"))  # its trials are in no list


def test_a_sweep_that_was_deleted_can_be_had_back(lab, tiny):
    sweeps = experiments.Sweeps(lab)
    plan = Plan(replace(SPEC, epochs=1), {"units": (8, 16)}, seconds=60.0)
    group = sweeps.start(plan, "sue", tiny.identity).id
    wait(lambda: lab.runs.group(group).status == "finished")
    trials = [run.id for run in lab.runs.members(group)]
    lab.runs.discard(trials, "sue")
    assert lab.runs.members(group) == [] and lab.runs.groups("sue", "sweep") == []
    lab.runs.restore(trials, "sue")
    assert [run.id for run in lab.runs.members(group)] == trials
    assert [found.id for found in lab.runs.groups("sue", "sweep")] == [group]


def test_the_weights_of_the_best_epoch_answer_and_patience_ends_a_run_early(lab, train, tiny):
    spec = replace(SPEC, epochs=60, keep="val_loss", patience=3, learning_rate=0.05)
    run = train(spec)
    found, losses = lab.runs.known(run), [val for *_, val in curve(lab, run)]
    assert "Ended early" in found.message and len(losses) < 60
    best = int(np.argmin(losses)) + 1
    assert f"The weights of epoch {best} are kept." in found.message
    assert len(losses) == best + 3
    network = Network.from_weights(spec, lab.runs.checkpoint(run).answer)
    right = (network.predict(tiny.test.images).argmax(axis=1) == tiny.test.labels).mean()
    assert found.test_accuracy == pytest.approx(right, abs=0.006)


def test_a_keras_file_is_never_imported(lab, train):
    run = train(SPEC)
    with pytest.raises(LabError, match="never opened when it comes from elsewhere"):
        models.read("model.npz", lab.runs.model_file(run).read_bytes())


def test_each_visitor_trains_one_and_has_three_more_waiting(lab, tiny):
    runs = [lab.submit(LONG, "eve", tiny.identity).id]
    wait(lambda: lab.runs.known(runs[0]).status == "running")
    runs += [lab.submit(LONG, "eve", tiny.identity).id for _ in range(3)]
    with pytest.raises(LabError, match="3 runs waiting"):
        lab.submit(LONG, "eve", tiny.identity)
    other = lab.submit(SPEC, "bob", tiny.identity).id
    assert lab.ahead(other) == 1  # before all that eve has waiting
    for run in (*runs, other):
        lab.stop(run)
    wait(lambda: not lab.runs.active())
    assert {lab.runs.known(run).status for run in runs} == {"stopped"}


def test_the_exported_model_is_the_one_that_answers_here_and_keras_agrees(
    lab, train, tiny, tmp_path
):
    run = train(SPEC)
    expected = Network.from_weights(SPEC, lab.runs.checkpoint(run).answer).predict(tiny.test.images)
    saved = tmp_path / "model.keras"
    saved.write_bytes(lab.runs.model_file(run).read_bytes())
    logits = keras.saving.load_model(saved).predict(tiny.test.images, verbose=0)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(e / e.sum(axis=1, keepdims=True), expected, atol=1e-5)
    for file in ("model.onnx", "model.tflite"):
        lab.convert(run, file).result(180)
        assert lab.runs.model_file(run, file)


def test_an_import_is_measured_anew_and_its_own_figures_are_not_believed(lab, train, tiny):
    run = train(SPEC)
    content = catalogue.EXPORTS["weights"].make(catalogue.take(lab.runs, lab.runs.known(run)))
    model = models.read("mine.npz", content)
    boast = models.to_bytes(SPEC, model.network.weights(), {"test_accuracy": 1.0})
    given = lab.adopt(models.read("mine.npz", boast), "eve", tiny.identity)
    assert given.test_accuracy is None
    wait(lambda: lab.runs.known(given.id).test_accuracy is not None)
    mine, theirs = lab.runs.known(given.id), lab.runs.known(run)
    assert mine.test_accuracy == theirs.test_accuracy != 1.0
    lab.go_on(given.id, 1)  # and it can be trained further
    wait(lambda: lab.runs.known(given.id).status == "finished")


def test_a_dead_training_process_is_replaced_and_its_run_is_not_trained_again_in_secret(lab, tiny):
    run = lab.submit(LONG, "ada", tiny.identity).id
    wait(lambda: lab.runs.has_weights(run))
    kill_the_worker(lab)
    wait(lambda: lab.runs.known(run).status == "interrupted")
    assert "its last checkpoint is kept" in lab.runs.known(run).message
    after = lab.submit(SPEC, "bob", tiny.identity).id
    wait(lambda: lab.runs.known(after).status == "finished")
    assert lab.runs.known(run).status == "interrupted"
