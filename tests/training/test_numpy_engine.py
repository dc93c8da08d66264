"""A training by hand: that it learns, and that it is watched, stopped and taken up like any."""

from dataclasses import replace

import numpy as np
import pytest

from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import Augment, Conv, Layer, RunSpec
from mnist_core.network.losses import cross_entropy
from mnist_core.network.network import Network
from mnist_core.training import engine, events, loop, numpy_engine
from mnist_core.training.control import Control
from mnist_core.training.frameworks import train
from mnist_core.training.numpy_engine import Program

SPEC = RunSpec((Layer(16), Layer(12)), batch_size=32, epochs=3, framework="numpy")
EVERYTHING = replace(
    SPEC, layers=(Layer(12, "tanh", True, 0.3),), convolutions=(Conv(4, 5, "elu", True, 3, 0.1),),
    l2=1e-3, loss="categorical", label_smoothing=0.1, schedule="cosine", batch_size=64, epochs=2,
    augment=Augment(shift=1, pen=0.3),
)  # fmt: skip


def played(spec, data, control=None, resume=None):
    return list(train(spec, data, control, resume))


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_each_optimizer_learns(optimizer, tiny):
    rate = {"sgd": 0.2, "momentum": 0.05}.get(optimizer, 0.005)
    happened = played(replace(SPEC, optimizer=optimizer, learning_rate=rate, epochs=8), tiny)
    assert isinstance(happened[-1], events.Finished)
    assert happened[-1].test_accuracy > 0.6


def test_its_events_are_those_of_any_run(tiny):
    happened = played(SPEC, tiny)
    assert [type(e) for e in happened[:2]] == [events.Started, events.Compiled]
    ends = [e for e in happened if isinstance(e, events.EpochEnded)]
    assert [e.epoch for e in ends] == [1, 2, 3]
    assert sum(e.steps for e in happened if isinstance(e, events.Progress)) == 3 * (512 // 32)
    finished = happened[-1]
    network = Network.from_weights(SPEC, finished.checkpoint.weights)
    said = network.predict(tiny.test.images).argmax(axis=1)
    assert finished.test_accuracy == (said == tiny.test.labels).mean()
    assert {s.step for s in finished.snapshots} >= {0, finished.step}


def test_the_first_step_is_gradient_descent_on_the_epochs_first_batch(tiny):
    spec = replace(SPEC, optimizer="sgd", learning_rate=0.1)
    program, data = Program(spec), loop.Arrays(tiny.train.images, tiny.train.labels)
    twin = Network.from_weights(spec, program.weights())
    rows = program.epoch(len(data), spec.seed, 0)
    program.run(data, rows, np.full(len(rows), 0.1), 0, 1)
    loss = twin.step(data.images[rows[0]], data.labels[rows[0]], 0.1)
    assert loss == cross_entropy(Network.from_spec(spec, np.random.default_rng(0)).forward(
        data.images[rows[0]]), data.labels[rows[0]])[0]  # fmt: skip
    for name, value in program.weights().items():
        np.testing.assert_allclose(value, twin.weights()[name], rtol=1e-6, atol=1e-7)


def test_batches_are_the_engines():
    assert np.array_equal(engine.batches(100, 32, 1, 4), loop.batches(100, 32, 1, 4))


@pytest.mark.parametrize("spec", [SPEC, EVERYTHING], ids=["dense", "everything"])
def test_a_run_taken_up_again_is_the_run_that_was_never_stopped(spec, tiny):
    whole = played(spec, tiny)[-1]
    control, happened = Control(), []
    for event in train(spec, tiny, control):
        happened.append(event)
        if isinstance(event, events.Progress):
            control.stop()
    stopped = happened[-1]
    assert isinstance(stopped, events.Stopped) and 0 < stopped.step < whole.step
    resumed = played(spec, tiny, resume=stopped.checkpoint)[-1]
    assert isinstance(resumed, events.Finished) and resumed.step == whole.step
    assert same(resumed.checkpoint.weights, whole.checkpoint.weights)
    assert same(resumed.checkpoint.state, whole.checkpoint.state)


def test_an_earlier_checkpoint_does_not_change_with_the_run(tiny):
    program, data = Program(EVERYTHING), loop.Arrays(tiny.train.images, tiny.train.labels)
    rows, rates = program.epoch(len(data), 0, 0), np.full(10, 0.01)
    program.run(data, rows, rates, 0, 2)
    weights, state = program.weights(), program.state()
    kept = [{k: v.copy() for k, v in x.items()} for x in (weights, state)]
    program.run(data, rows, rates, 2, 2)
    assert same(weights, kept[0]) and same(state, kept[1])
    assert not same(program.weights(), kept[0])


def test_it_obeys_a_pause_a_step_and_a_new_rate(tiny):
    control = Control()
    for command in (("pause",), ("step", 2), ("learning_rate", 0.5)):
        control.tell(*command)
    seen = []
    for event in train(SPEC, tiny, control):
        seen.append(event)
        if isinstance(event, events.Progress) and event.step == 2:
            control.stop()
    marks = [(e.what, e.value) for e in seen if isinstance(e, events.Marked)]
    assert ("learning rate", 0.5) in marks and ("paused", None) in marks
    steps = [e.steps for e in seen if isinstance(e, events.Progress)]
    assert steps == [1, 1] and seen[-1].checkpoint.learning_rate == 0.5


def test_validation_keeps_the_best_epoch_and_ends_early(tiny):
    spec = replace(SPEC, epochs=60, patience=2, keep="val_loss", learning_rate=0.02)
    finished = played(spec, tiny)[-1]
    assert "Ended early" in finished.note
    assert not same(finished.checkpoint.best.weights, finished.checkpoint.weights)


def test_a_run_away_says_so(tiny):
    failed = played(replace(SPEC, optimizer="sgd", learning_rate=10.0, epochs=20,
                            layers=(Layer(64, "linear"),) * 3), tiny)[-1]  # fmt: skip
    assert isinstance(failed, events.Failed) and "learning rate" in failed.message


def test_loss_and_accuracy_are_kerass_on_the_same_weights(tiny):
    program = Program(EVERYTHING)
    data = loop.Arrays(tiny.test.images, tiny.test.labels)
    loss, accuracy = program.evaluate(data)
    theirs = engine.Program(replace(EVERYTHING, framework="keras"))
    theirs.load(program.weights())
    expected = theirs.evaluate(engine.arrays(*data))
    assert (loss, accuracy) == pytest.approx(expected, rel=1e-5)


def test_a_stepper_trains_so_many_steps(tiny):
    step = numpy_engine.stepper(SPEC, tiny.train.images, tiny.train.labels)
    assert step(10) > step(10) > 0


@pytest.mark.slow
def test_the_recipe_reaches_what_it_promises(mnist):
    if len(mnist.train.labels) < 60_000:
        pytest.skip("MNIST_DATA names no full set")
    assert played(RECIPES["numpy-128-64-32"].spec, mnist)[-1].test_accuracy >= 0.971
