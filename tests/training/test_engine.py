"""The engine: its loop computes what Keras computes, and says, stops and resumes as promised."""

import itertools
import random
import threading
from dataclasses import replace

import numpy as np
import pytest

from mnist_core.analysis import race
from mnist_core.data.dataset import Mnist, Split
from mnist_core.data.identity import Identity
from mnist_core.design.spec import (
    ACTIVATIONS,
    INITIALIZERS,
    OPTIMIZERS,
    Conv,
    Layer,
    RunSpec,
    SpecError,
)
from mnist_core.network.losses import cross_entropy
from mnist_core.network.network import Network
from mnist_core.runs.records import Runs
from mnist_core.training import engine, events, loop
from mnist_core.training.control import Control

keras = engine.keras
# Of `tiny`'s 640 training images a share of 0.2 is kept: 512 are left, 16 batches an epoch.
SMALL = RunSpec(layers=(Layer(16),), batch_size=32, epochs=2)
MIXED = RunSpec(layers=(Layer(24, batch_norm=True, dropout=0.3), Layer(16, "tanh", dropout=0.2)),
                batch_size=32, epochs=4)  # fmt: skip
CONVOLUTIONS = Conv(6, 5, "relu", True, 3, 0.2), Conv(8, 3, "elu", True)
TRAINED = slice(0, 512)
KEPT = slice(512, 640)


def train(spec, data, **options):
    return list(engine.train(spec, data, **options))


def of(kind, happened):
    return [event for event in happened if isinstance(event, kind)]


def end(spec, data, **options):
    return train(spec, data, **options)[-1]


def assert_same_weights(found, expected, **tolerance):
    assert list(found.weights) == list(expected.weights)
    for name, value in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], value, **tolerance, err_msg=name)


def some_weights_differ(a, b):
    return any(not np.allclose(a.weights[name], b.weights[name], atol=1e-3) for name in a.weights)


# ------------------------------------------------------------------------------- like Keras


def by_keras(spec, data, model=None, loss=None, optimizer=None, labels=None):
    """Keras's own loop on the same batches: the loss of each step, and the final weights."""
    model = model or engine.seeded(spec)
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    labels = data.train.labels if labels is None else labels
    optimizer = optimizer or engine.optimizer(spec)
    model.compile(optimizer, loss, run_eagerly=True, jit_compile=False)
    losses = []
    for epoch in range(spec.epochs):
        for rows in engine.batches(512, spec.batch_size, spec.seed, epoch).numpy():
            model.reset_metrics()
            losses.append(model.train_on_batch(data.train.images[rows], labels[rows]))
    return np.array(losses), engine.weights(model)


def assert_like_keras(happened, losses, weights):
    progress = of(events.Progress, happened)
    np.testing.assert_allclose([p.loss for p in progress], mean_of(losses, progress), rtol=2e-5)
    expected = events.Checkpoint(len(losses), weights, {})
    assert_same_weights(happened[-1].checkpoint, expected, rtol=1e-4, atol=2e-5)


def mean_of(losses, progress):
    """The same losses, averaged over the chunks that the engine happened to choose."""
    return [losses[p.step - p.steps : p.step].mean() for p in progress]


CASES = [
    (name, norm, activation)
    for (name, norm), activation in zip(
        itertools.product(OPTIMIZERS, (False, True)), itertools.cycle(ACTIVATIONS), strict=False
    )
]


@pytest.mark.parametrize(("optimizer", "norm", "activation"), CASES)
def test_the_loop_computes_what_keras_computes(optimizer, norm, activation, tiny):
    layers = (Layer(16, activation, norm),) * (2 if norm else 1)
    rate = OPTIMIZERS[optimizer].learning_rate
    spec = RunSpec(layers, optimizer, rate, batch_size=64, epochs=2, seed=5)
    happened = train(spec, tiny)
    losses, weights = by_keras(spec, tiny)
    assert losses[-4:].mean() < losses[:4].mean()
    assert_like_keras(happened, losses, weights)


def test_convolutions_train_as_in_keras_with_the_moving_averages_of_their_maps(tiny):
    layers = (Layer(16, "tanh", dropout=0.3),)
    spec = RunSpec(layers, convolutions=CONVOLUTIONS, batch_size=128, epochs=2, seed=5)
    happened = train(spec, tiny)
    losses, weights = by_keras(spec, tiny)
    assert losses[-4:].mean() < losses[:4].mean()
    assert_like_keras(happened, losses, weights)
    assert weights["conv_norm_1/moving_mean"].shape == (6,)
    initial = engine.weights(engine.seeded(spec))
    for name in initial:
        assert not np.allclose(weights[name], initial[name], atol=1e-4), name
    net = Network.from_weights(spec, happened[-1].checkpoint.weights)
    loss, _ = cross_entropy(net.forward(tiny.test.images), tiny.test.labels)
    assert happened[-1].test_loss == pytest.approx(loss, rel=1e-4)


def tutorial_model(seed, **kernel):
    """`SMALL` as a tutorial writes it, without a RunSpec."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential([
        keras.Input((28, 28), dtype="uint8"), layers.Rescaling(1 / 255), layers.Flatten(),
        layers.Dense(16, activation="relu", name="dense_1", **kernel),
        layers.Dense(10, name="logits", **kernel),
    ])  # fmt: skip


def test_l2_is_that_of_keras_in_training_and_in_evaluation(tiny):
    spec = replace(SMALL, l2=0.01, seed=5)
    happened = train(spec, tiny)
    model = tutorial_model(5, kernel_regularizer=keras.regularizers.L2(0.01))
    assert_like_keras(happened, *by_keras(spec, tiny, model))
    penalty = sum(0.01 * (w**2).sum() for n, w in engine.weights(model).items() if "kernel" in n)
    assert penalty > 0.1  # or the equality would say little
    loss = model.evaluate(tiny.test.images, tiny.test.labels, verbose=0)
    assert happened[-1].test_loss == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_categorical_loss_and_its_smoothing_are_those_of_keras(smoothing, tiny):
    spec = replace(SMALL, loss="categorical", label_smoothing=smoothing, seed=5)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    one_hot = keras.utils.to_categorical(tiny.train.labels, 10)
    happened = train(spec, tiny)
    assert_like_keras(happened, *by_keras(spec, tiny, loss=loss, labels=one_hot))
    net = Network.from_weights(spec, happened[-1].checkpoint.weights)
    expected = float(loss(keras.utils.to_categorical(tiny.test.labels, 10),
                          net.forward(tiny.test.images)))  # fmt: skip
    assert happened[-1].test_loss == pytest.approx(expected, rel=1e-4)


def test_both_losses_are_the_same_without_smoothing(tiny):
    a, b = (end(replace(SMALL, loss=loss), tiny) for loss in ("sparse", "categorical"))
    assert_same_weights(a.checkpoint, b.checkpoint, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_a_seed_gives_the_initial_values_that_the_tutorial_gets(initializer):
    spec = replace(SMALL, initializer=initializer, seed=5)
    ours = engine.weights(engine.seeded(spec))
    theirs = engine.weights(tutorial_model(5, kernel_initializer=initializer))
    assert_same_weights(events.Checkpoint(0, ours, {}), events.Checkpoint(0, theirs, {}), rtol=0)
    assert (ours["dense_1/kernel"] == 0).all() == (initializer == "zeros")


def test_an_initializer_counts_on_a_program_that_is_compiled_already(tiny):
    end(SMALL, tiny)
    for initializer in ("he_normal", "zeros"):
        spec = replace(SMALL, initializer=initializer, epochs=1)
        assert_like_keras(train(spec, tiny), *by_keras(spec, tiny))


SCHEDULED = {  # over the 32 steps of SMALL
    "step": lambda kinds: kinds.PiecewiseConstantDecay([16, 24], [0.01, 0.001, 0.0001]),
    "cosine": lambda kinds: kinds.CosineDecay(0.01, 32),
    "warmup": lambda kinds: kinds.CosineDecay(0.0, 29, warmup_target=0.01, warmup_steps=3),
}


@pytest.mark.parametrize(("schedule", "make"), SCHEDULED.items(), ids=SCHEDULED)
def test_a_schedule_trains_as_the_schedule_object_does_in_keras(schedule, make, tiny):
    spec = replace(SMALL, schedule=schedule, learning_rate=0.01)
    optimizer = keras.optimizers.Adam(make(keras.optimizers.schedules))
    happened = train(spec, tiny)
    assert_like_keras(happened, *by_keras(spec, tiny, optimizer=optimizer))
    constant = end(replace(spec, schedule="constant"), tiny)
    assert some_weights_differ(happened[-1].checkpoint, constant.checkpoint)


def test_a_seed_gives_the_initial_weights_that_keras_gives_for_it():
    a, b, c = (engine.weights(engine.seeded(replace(MIXED, seed=s))) for s in (1, 1, 2))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a["dense_1/kernel"], c["dense_1/kernel"])


# ------------------------------------------------------------------------------- batches


def test_batches_are_a_new_permutation_each_epoch():
    a, b, c = (engine.batches(100, 32, *at).numpy() for at in ((1, 0), (1, 1), (2, 0)))
    for rows in (a, b, c):
        assert rows.shape == (3, 32) and rows.dtype == np.int32
        assert len(set(rows.ravel())) == 96 and rows.min() >= 0 and rows.max() < 100
    assert not np.array_equal(a, b) and not np.array_equal(a, c)
    assert np.array_equal(a, engine.batches(100, 32, 1, 0))


# ------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_share_and_the_mean(rate):
    layer = engine.FastDropout(rate, seed=1)
    x = np.full((200, 500), 2.0, np.float32)
    compiled = engine.tf.function(lambda: layer(x, training=True), jit_compile=True)
    out = compiled().numpy()
    assert np.mean(out != 0) == pytest.approx(1 - rate, abs=0.01)
    np.testing.assert_allclose(out[out != 0], 2 / (1 - rate), rtol=1e-6)
    assert out.mean() == pytest.approx(2, abs=0.06)
    assert np.mean(out != 0, axis=0).std() < 0.05  # no unit is favoured
    same = np.mean((out != 0) == (compiled().numpy() != 0))  # the next mask owes this one nothing
    assert same == pytest.approx(rate**2 + (1 - rate) ** 2, abs=0.01)
    np.testing.assert_array_equal(layer(x, training=False), x)


def test_dropout_masks_differ_from_step_to_step_inside_the_loop(tiny):
    """With a learning rate next to nothing the same batch gives another loss under another mask."""
    spec = RunSpec(layers=(Layer(64, dropout=0.5),), batch_size=512, learning_rate=1e-6, epochs=8)
    losses = [p.loss for p in of(events.Progress, train(spec, tiny)) if p.steps == 1]
    assert len(losses) == 8 and len({round(loss, 4) for loss in losses}) > 5
    still = replace(spec, layers=(Layer(64),))
    assert np.ptp([p.loss for p in of(events.Progress, train(still, tiny))]) < 1e-3


def test_dropout_in_training_is_off_in_every_evaluation(tiny):
    finished = end(MIXED, tiny)
    net = Network.from_weights(MIXED, finished.checkpoint.weights)
    loss, _ = cross_entropy(net.forward(tiny.test.images), tiny.test.labels)
    assert finished.test_loss == pytest.approx(loss, rel=1e-4)


# ------------------------------------------------------------------------------- events


def test_events_come_in_order(tiny):
    happened = train(SMALL, tiny)
    kinds = [type(e) for e in happened if not isinstance(e, events.Checkpointed)]
    assert [kind for kind, _ in itertools.groupby(kinds)] == [
        events.Started, events.Compiled, events.Progress, events.EpochEnded,
        events.Progress, events.EpochEnded, events.Finished,
    ]  # fmt: skip
    assert happened[0] == events.Started(16, 2, 512, 128, SMALL.parameters)
    progress = of(events.Progress, happened)
    assert [p.step for p in progress] == list(np.cumsum([p.steps for p in progress]))
    assert [(e.epoch, e.step) for e in of(events.EpochEnded, happened)] == [(1, 16), (2, 32)]
    assert happened[-1].step == happened[-1].checkpoint.step == progress[-1].step == 32
    seconds = [p.seconds for p in progress]
    assert seconds == sorted(seconds) and happened[-1].seconds == seconds[-1] > 0
    assert all(p.images_per_second > 0 for p in progress)


def test_an_epoch_is_the_mean_of_its_steps(tiny):
    happened = train(replace(SMALL, epochs=3), tiny)
    for epoch in of(events.EpochEnded, happened):
        within = range(epoch.step - 15, epoch.step + 1)
        inside = [p for p in of(events.Progress, happened) if p.step in within]
        steps = [p.steps for p in inside]
        assert sum(steps) == 16
        assert epoch.loss == pytest.approx(np.average([p.loss for p in inside], weights=steps))
        accuracy = np.average([p.accuracy for p in inside], weights=steps)
        assert epoch.accuracy == pytest.approx(accuracy)


def test_an_epoch_of_incomplete_batches_leaves_out_the_rest(tiny):
    happened = train(replace(SMALL, batch_size=100, epochs=1), tiny)
    assert happened[0].steps_per_epoch == 5 and happened[-1].step == 5


def test_long_epochs_leave_checkpoints_behind(tiny, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    happened = train(SMALL, tiny)
    assert [e.step for e in of(events.Checkpointed, happened)] == [16, 32]
    assert [e.checkpoint.step for e in of(events.Checkpointed, happened)] == [16, 32]
    first, last = (e.checkpoint for e in of(events.Checkpointed, happened))
    assert some_weights_differ(first, last)  # a copy, not the weights that training goes on with
    assert_same_weights(last, happened[-1].checkpoint, rtol=0)


# ------------------------------------------------------------------------------- which images


def measured(spec, weights, images, labels):
    logits = Network.from_weights(spec, weights).forward(images)
    return cross_entropy(logits, labels)[0], np.mean(logits.argmax(axis=1) == labels)


def test_validation_is_on_the_last_images_and_test_on_the_test_set(tiny):
    *_, epoch, finished = [
        e for e in train(SMALL, tiny) if isinstance(e, events.EpochEnded | events.Finished)
    ]
    weights = finished.checkpoint.weights
    kept = measured(SMALL, weights, tiny.train.images[KEPT], tiny.train.labels[KEPT])
    test = measured(SMALL, weights, tiny.test.images, tiny.test.labels)
    assert (epoch.val_loss, epoch.val_accuracy) == pytest.approx(kept, rel=1e-5)
    assert (finished.test_loss, finished.test_accuracy) == pytest.approx(test, rel=1e-5)


def test_images_kept_for_validation_are_never_trained_on(tiny):
    images = tiny.train.images.copy()
    images[KEPT] = 255 - images[KEPT]
    other = Mnist(Split(images, tiny.train.labels), tiny.test, "inverted", "")
    a, b = train(SMALL, tiny), train(SMALL, other)
    assert_same_weights(a[-1].checkpoint, b[-1].checkpoint, rtol=0)
    assert a[-2] != b[-2]


def test_validation_on_the_test_set_trains_on_everything(tiny):
    happened = train(replace(SMALL, validation="test"), tiny)
    assert (happened[0].train_images, happened[0].validation_images) == (640, 200)
    epoch, finished = of(events.EpochEnded, happened)[-1], happened[-1]
    assert (epoch.val_loss, epoch.val_accuracy) == (finished.test_loss, finished.test_accuracy)


@pytest.mark.parametrize(("share", "kept"), [(0.05, 32), (0.1, 64), (0.3, 192), (0.5, 320)])
def test_the_share_is_cut_as_keras_cuts_it(share, kept, tiny):
    started = next(engine.train(replace(SMALL, validation_share=share), tiny))
    assert (started.train_images, started.validation_images) == (640 - kept, kept)


# ------------------------------------------------------------------------------- stop, resume


def stopped_after(spec, data, chunks):
    """Everything that a run says that is stopped at its n-th Progress."""
    control, happened, seen = Control(), [], 0
    for event in engine.train(spec, data, control=control):
        happened.append(event)
        seen += isinstance(event, events.Progress)
        if seen == chunks:
            control.stop()
    return happened


def test_a_stop_is_obeyed_at_once_and_leaves_a_usable_network(tiny, monkeypatch):
    monkeypatch.setattr(loop, "POINTS", 1)  # a point a chunk
    happened = stopped_after(MIXED, tiny, chunks=2)
    stopped = happened[-1]
    assert [type(e) for e in happened[-2:]] == [events.Progress, events.Stopped]
    assert len(of(events.Progress, happened)) == 2
    assert stopped.step == happened[-2].step == stopped.checkpoint.step < 16
    test = measured(MIXED, stopped.checkpoint.weights, tiny.test.images, tiny.test.labels)
    assert (stopped.test_loss, stopped.test_accuracy) == pytest.approx(test, rel=1e-4)


def test_a_stop_before_the_start_leaves_the_initial_weights(tiny):
    control = Control()
    control.stop()
    happened = train(MIXED, tiny, control=control)
    assert [type(e) for e in happened] == [events.Started, events.Compiled, events.Stopped]
    initial = events.Checkpoint(0, engine.weights(engine.seeded(MIXED)), {})
    assert_same_weights(happened[-1].checkpoint, initial, rtol=0)


def test_a_stop_at_the_end_of_an_epoch_does_not_swallow_its_result(tiny):
    spec = replace(SMALL, batch_size=512, epochs=3)  # one step an epoch, so one chunk
    happened = stopped_after(spec, tiny, chunks=2)
    assert [type(e) for e in happened[-2:]] == [events.EpochEnded, events.Stopped]
    assert [e.epoch for e in of(events.EpochEnded, happened)] == [1, 2]
    happened = stopped_after(spec, tiny, chunks=3)  # too late: there was nothing left to stop
    assert [type(e) for e in happened[-2:]] == [events.EpochEnded, events.Finished]


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_a_resumed_run_ends_like_one_that_never_paused(optimizer, tiny):
    spec = replace(MIXED, optimizer=optimizer, learning_rate=OPTIMIZERS[optimizer].learning_rate)
    whole = end(spec, tiny)
    half = end(replace(spec, epochs=2), tiny)
    end(replace(spec, seed=9), tiny)  # another run on the same compiled network in between
    happened = train(spec, tiny, resume=half.checkpoint)
    assert happened[0].step == 32
    assert [e.epoch for e in of(events.EpochEnded, happened)] == [3, 4]
    assert happened[-1].step == whole.step
    assert_same_weights(happened[-1].checkpoint, whole.checkpoint, rtol=1e-5, atol=1e-6)
    assert happened[-1].test_loss == pytest.approx(whole.test_loss, rel=1e-5)


def test_given_weights_are_where_a_run_begins(tiny):
    spec = replace(SMALL, epochs=1)
    first = train(spec, tiny)[-1]
    other = race.initial_weights(spec)
    given = train(spec, tiny, resume=events.Checkpoint(0, other, {}))
    start = given[-1].snapshots[0]
    assert start.step == 0
    for name, value in other.items():
        np.testing.assert_array_equal(start.weights[name], value.astype(np.float16))
    assert [e.step for e in of(events.EpochEnded, given)] == [16]
    assert some_weights_differ(given[-1].checkpoint, first.checkpoint)
    assert_same_weights(end(spec, tiny).checkpoint, first.checkpoint, atol=1e-6)


def test_a_run_stopped_within_an_epoch_resumes_there(tiny):
    whole = end(MIXED, tiny)
    stopped = stopped_after(MIXED, tiny, chunks=2)[-1]
    assert stopped.step % 16 != 0
    happened = train(MIXED, tiny, resume=stopped.checkpoint)
    assert happened[0].step == stopped.step
    assert sum(p.steps for p in of(events.Progress, happened)) == 64 - stopped.step
    assert_same_weights(happened[-1].checkpoint, whole.checkpoint, rtol=1e-5, atol=1e-6)


RUINED = {1: 1.0}  # after this epoch, a learning rate at which Adam spoils what it has learnt
RESUMED = {
    "with dropout": ({}, {}),
    "with convolutions": ({"convolutions": CONVOLUTIONS}, {}),
    "on a schedule": ({"schedule": "cosine"}, {}),
    "with another learning rate": ({"schedule": "warmup"}, {1: 0.01}),
    "best before the cut": ({"keep": "val_loss"}, RUINED),
    "patience over the cut": ({"keep": "val_loss", "patience": 3, "epochs": 6}, RUINED),
}


def told(spec, data, rates, last=None, resume=None):
    """Everything that a run says that is given learning `rates` after epochs, and is stopped after
    the `last` of them."""
    control, happened = Control(), []
    for event in engine.train(spec, data, control, resume):
        happened.append(event)
        if isinstance(event, events.EpochEnded):
            if event.epoch in rates:
                control.tell("learning_rate", rates[event.epoch])
            if event.epoch == last:
                control.stop()
    return happened


def through_a_file(checkpoint, folder):
    """The checkpoint as another process finds it."""
    run = Runs(folder).create(SMALL, "ada", Identity("d", "sample")).id
    Runs(folder).save_checkpoint(run, checkpoint)
    return Runs(folder).checkpoint(run)


@pytest.mark.parametrize(("changes", "rates"), RESUMED.values(), ids=RESUMED)
def test_a_run_taken_up_from_a_file_ends_like_one_in_one_go(changes, rates, tiny, tmp_path):
    spec = replace(MIXED, **changes)
    whole = told(spec, tiny, rates)
    half = told(spec, tiny, rates, last=2)[-1]
    assert (type(half), half.step) == (events.Stopped, 32)
    end(replace(spec, seed=9), tiny)  # another run on the same compiled network in between
    resumed = told(spec, tiny, rates, resume=through_a_file(half.checkpoint, tmp_path))
    a, b = whole[-1], resumed[-1]
    assert (type(b), b.step, b.note) == (type(a), a.step, a.note)
    assert_same_weights(b.checkpoint, a.checkpoint, rtol=1e-5, atol=1e-6)
    assert b.checkpoint.learning_rate == a.checkpoint.learning_rate
    assert b.checkpoint.best.epoch == a.checkpoint.best.epoch
    assert b.checkpoint.best.value == pytest.approx(a.checkpoint.best.value)
    assert b.test_loss == pytest.approx(a.test_loss, rel=1e-5)
    measured = [(e.epoch, e.step, pytest.approx(e.val_loss, rel=1e-5))
                for e in of(events.EpochEnded, whole)]  # fmt: skip
    halves = of(events.EpochEnded, resumed)
    assert [(e.epoch, e.step, e.val_loss) for e in halves] == measured[2:]
    if rates is RUINED:  # then this is what it is about
        assert a.checkpoint.best.epoch == 1 and "epoch 1 are kept." in b.note
        answers = [replace(x.checkpoint, weights=x.checkpoint.answer) for x in (a, b)]
        assert_same_weights(*answers, rtol=0)
        assert some_weights_differ(answers[0], a.checkpoint)
    assert b.note.startswith("Ended early after epoch 4") == bool(spec.patience)


def test_training_more_goes_on_from_the_last_weights_not_the_best(tiny, tmp_path):
    spec = replace(MIXED, epochs=2, keep="val_loss")
    finished = told(spec, tiny, RUINED)[-1]
    assert type(finished) is events.Finished and finished.checkpoint.best.epoch == 1
    saved = through_a_file(finished.checkpoint, tmp_path)
    more = told(replace(spec, epochs=3), tiny, {}, resume=saved)
    assert [e.epoch for e in of(events.EpochEnded, more)] == [3]
    whole = told(replace(spec, epochs=3), tiny, RUINED)[-1]
    assert_same_weights(more[-1].checkpoint, whole.checkpoint, rtol=1e-5, atol=1e-6)
    np.testing.assert_equal(saved.best.weights, finished.checkpoint.answer)


def test_a_checkpoint_from_before_there_was_a_best_still_goes_on(tiny):
    whole = end(MIXED, tiny)
    half = told(MIXED, tiny, {}, last=2)[-1].checkpoint
    old = events.Checkpoint(half.step, half.weights, half.state)
    again = end(replace(MIXED, keep="val_loss", patience=9), tiny, resume=old)
    assert_same_weights(again.checkpoint, whole.checkpoint, rtol=1e-5, atol=1e-6)
    assert again.checkpoint.best.epoch > 2


def test_weights_without_a_state_go_on_with_an_optimizer_that_begins_anew(tiny):
    before = train(replace(MIXED, epochs=1), tiny)
    finished = before[-1]
    brought = events.Checkpoint(finished.step, finished.checkpoint.weights, {})
    more = train(replace(MIXED, epochs=2), tiny, resume=brought)
    assert [e.epoch for e in of(events.EpochEnded, more)] == [2]
    losses = [of(events.Progress, happened)[0].loss for happened in (before, more)]
    assert losses[1] < 0.9 * losses[0]  # not from random weights
    steps = more[-1].checkpoint.state["optimizer/0"]
    assert steps == more[-1].step - finished.step


def test_resuming_a_finished_run_measures_it_again(tiny):
    finished = end(SMALL, tiny)
    happened = train(SMALL, tiny, resume=finished.checkpoint)
    assert [type(e) for e in happened] == [events.Started, events.Compiled, events.Finished]
    assert happened[-1].test_loss == pytest.approx(finished.test_loss)


def test_a_checkpoint_of_another_design_is_refused(tiny):
    finished = end(SMALL, tiny)
    with pytest.raises((KeyError, ValueError)):
        train(MIXED, tiny, resume=finished.checkpoint)


# ------------------------------------------------------------------------------- what fails

DIVERGING = RunSpec(layers=(Layer(64, "linear"),) * 4, optimizer="sgd", learning_rate=10.0)


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(tiny):
    happened = train(DIVERGING, tiny)
    assert isinstance(happened[-1], events.Failed)
    assert "learning rate of 10 is too large; lower it." in happened[-1].message
    assert not of(events.Finished, happened)
    assert all(np.isfinite(p.loss) for p in of(events.Progress, happened))


def test_weights_that_break_in_the_last_step_do_not_pass_for_a_result(tiny):
    """The loss of a step is taken before its update, so only validation sees the last one."""
    spec = replace(SMALL, optimizer="momentum", batch_size=512, epochs=1)
    saved = end(spec, tiny).checkpoint
    momentum = {name: v + np.float32(np.inf) for name, v in saved.state.items() if v.ndim}
    broken = events.Checkpoint(0, saved.weights, {**saved.state, **momentum})
    happened = train(spec, tiny, resume=broken)
    assert [type(e) for e in happened[2:]] == [events.Progress, events.Failed]
    assert np.isfinite(happened[2].loss) and happened[-1].message.endswith("lower it.")


def test_a_failed_run_does_not_spoil_the_next(tiny):
    before = end(SMALL, tiny)
    train(replace(SMALL, optimizer="sgd", learning_rate=10.0, layers=DIVERGING.layers), tiny)
    assert_same_weights(end(SMALL, tiny).checkpoint, before.checkpoint, rtol=0)


def test_a_batch_larger_than_the_data_fails_with_a_sentence(tiny):
    (failed,) = train(replace(SMALL, batch_size=513), tiny)
    assert failed == events.Failed(
        0, "A batch of 513 does not fit into 512 training images: choose a smaller one."
    )


def test_an_impossible_design_is_refused_before_anything_happens(tiny):
    with pytest.raises(SpecError, match="epochs"):
        engine.train(RunSpec(epochs=101), tiny)


# ------------------------------------------------------------------------------- again


def test_the_seed_decides_the_run(tiny):
    a, b, other = (end(replace(MIXED, seed=seed), tiny) for seed in (3, 3, 4))
    assert_same_weights(a.checkpoint, b.checkpoint, rtol=0)
    assert (a.test_loss, a.test_accuracy) == (b.test_loss, b.test_accuracy)
    assert some_weights_differ(a.checkpoint, other.checkpoint)


def test_a_second_run_of_a_design_compiles_nothing_and_inherits_nothing(tiny):
    engine._programs.clear()
    before = end(MIXED, tiny)
    (program,) = engine._programs.values()
    other = end(replace(MIXED, learning_rate=0.01, epochs=2, seed=7), tiny)
    after = end(MIXED, tiny)
    assert list(engine._programs.values()) == [program]
    assert program.chunk.experimental_get_tracing_count() == 1
    assert some_weights_differ(before.checkpoint, other.checkpoint)
    assert_same_weights(after.checkpoint, before.checkpoint, rtol=0)
    engine._programs.clear()
    assert_same_weights(
        end(replace(MIXED, learning_rate=0.01, epochs=2, seed=7), tiny).checkpoint,
        other.checkpoint, rtol=1e-6, atol=1e-7,
    )  # fmt: skip


def test_what_is_not_compiled_in_costs_no_compilation(tiny):
    engine._programs.clear()
    changes = [
        {}, {"learning_rate": 0.01}, {"schedule": "cosine"}, {"schedule": "step", "epochs": 3},
        {"seed": 3}, {"initializer": "he_normal"}, {"keep": "val_loss"}, {"patience": 2},
    ]  # fmt: skip
    ends = [told(replace(SMALL, **change), tiny, {1: 0.003})[-1] for change in changes]
    (program,) = engine._programs.values()
    assert program.chunk.experimental_get_tracing_count() == 1
    losses = {round(finished.test_loss, 6) for finished in ends[:6]}
    assert len(losses) == 6  # and yet each of them trained something else


@pytest.mark.parametrize("change", [{"l2": 0.01}, {"loss": "categorical"}])
def test_what_is_compiled_in_gets_a_program_of_its_own(change):
    first = engine._program(SMALL)
    assert engine._program(replace(SMALL, **change)) is not first
    assert engine._program(SMALL) is first


def test_a_run_left_in_the_middle_does_not_disturb_the_next(tiny):
    before = end(MIXED, tiny)
    abandoned = engine.train(MIXED, tiny)
    next(event for event in abandoned if isinstance(event, events.Progress))
    abandoned.close()
    assert_same_weights(end(MIXED, tiny).checkpoint, before.checkpoint, rtol=0)


def test_only_a_few_compiled_networks_are_kept():
    specs = [replace(SMALL, batch_size=size) for size in range(2, 4 + engine.PROGRAMS_KEPT)]
    for spec in specs:
        engine._program(spec)
    kept = [program.batch_size for program in engine._programs.values()]
    assert kept == [spec.batch_size for spec in specs[-engine.PROGRAMS_KEPT :]]


# ------------------------------------------------------------------------------- files


@pytest.mark.parametrize("convolutions", [(), CONVOLUTIONS], ids=len)
def test_a_model_file_predicts_what_the_numpy_network_predicts(convolutions, tiny, tmp_path):
    spec = replace(MIXED, convolutions=convolutions)
    weights = end(spec, tiny).checkpoint.weights
    path = tmp_path / "model.keras"
    path.write_bytes(engine.model_file(spec, weights))
    ours = Network.from_weights(spec, weights).predict(tiny.test.images)
    theirs = engine.keras_predictor(path)(tiny.test.images)
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)
    model = engine.keras.models.load_model(path)  # by a stranger, without this package
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    logits = model(tiny.test.images, training=False).numpy()
    np.testing.assert_array_equal(logits.argmax(axis=1), ours.argmax(axis=1))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError):
        engine.keras_predictor(path)


def test_warming_up_compiles_the_default_design(tiny):
    engine._programs.clear()
    engine.warm(tiny)
    (program,) = engine._programs.values()
    end(replace(RunSpec(), epochs=1), tiny)
    assert program.chunk.experimental_get_tracing_count() == 1


def test_what_other_threads_draw_does_not_change_the_initial_weights():
    """Dask draws from Python's `random` in threads of the worker; Keras draws its seeds there."""
    done = threading.Event()

    def draw():
        while not done.is_set():
            random.random()

    quiet = engine.named_weights(engine.seeded(MIXED))
    thread = threading.Thread(target=draw)
    thread.start()
    try:
        disturbed = [engine.named_weights(engine.seeded(MIXED)) for _ in range(5)]
    finally:
        done.set()
        thread.join()
    for found in disturbed:
        for name, value in quiet.items():
            np.testing.assert_array_equal(found[name], value)


def test_the_initial_weights_are_those_of_a_script_that_sets_the_seed():
    keras.utils.set_random_seed(MIXED.seed)
    script = engine.named_weights(engine.build(MIXED))
    ours = engine.named_weights(engine.seeded(MIXED))
    for name, value in script.items():
        np.testing.assert_array_equal(ours[name], value)
