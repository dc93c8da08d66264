"""The verdict on a run: each kind on a run that shows it, and the edge where it begins."""

from dataclasses import replace

import numpy as np
import pytest

from mnist_core.analysis import verdict
from mnist_core.data.dataset import Mnist, Split
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.training import course, events, inside
from mnist_core.training.frameworks import train

BASE = RunSpec((Layer(16),), batch_size=32, epochs=3, framework="numpy")
BEGUN = events.Started(10, 3, 320, 2000, BASE.parameters)


def judged(spec, data, kept=True):
    """Train it, and judge what came of it with a look inside."""
    history = list(train(spec, data))
    end = history[-1]
    seen = None
    if isinstance(end, events.Finished):
        seen = inside.look(spec, end.last.answer, data.test.images, data.test.labels)
    return verdict.verdict(spec, history, seen, kept)


def end(epoch, loss, val_loss, val_accuracy=0.9):
    return events.EpochEnded(epoch, 10 * epoch, loss, 0.9, val_loss, val_accuracy, 1.0)


def given(*ends, spec=BASE, accuracy=0.9, kept=True):
    history = [BEGUN, *ends, events.Finished(10 * len(ends), 0.3, accuracy, 3.0)]
    return verdict.verdict(spec, history, None, kept)


# ------------------------------------------------------------------------- runs that show it


def test_a_run_that_diverges_goes_on_slower(tiny):
    wild = replace(BASE, layers=(Layer(64, "linear"),) * 3, optimizer="sgd", learning_rate=10.0)
    found = judged(wild, tiny)
    assert found.kind == "diverged" and "no number any more" in found.sentence
    assert found.remedy.rate == 1.0 and "at 1" in found.remedy.label
    anew = judged(wild, tiny, kept=False).remedy
    assert anew.spec == replace(wild, learning_rate=1.0) and anew.rate is None


def test_dead_units_are_named(tiny):
    found = judged(replace(BASE, layers=(Layer(32),) * 3, learning_rate=1.0), tiny)
    assert found.kind == "guessing" and "are dead" in found.sentence
    assert found.remedy.spec.learning_rate == 0.001


def test_a_gradient_that_vanishes_is_named(tiny):
    deep = replace(BASE, layers=(Layer(16, "sigmoid"),) * 6)
    found = judged(deep, tiny)
    assert found.kind == "guessing" and "vanishes" in found.sentence
    assert {layer.activation for layer in found.remedy.spec.layers} == {"relu"}
    assert judged(found.remedy.spec, tiny).kind != "guessing"  # the remedy helps


def test_kernels_of_zeros_are_mended_first(tiny):
    found = judged(replace(BASE, initializer="zeros", layers=(Layer(16),) * 2), tiny)
    assert found.kind == "guessing" and found.remedy.spec.initializer == "glorot_uniform"


def test_a_rate_that_is_too_small_is_named(tiny):
    found = judged(replace(BASE, learning_rate=1e-6, seed=3), tiny)
    assert found.kind == "guessing" and "lead nowhere" in found.sentence
    assert found.remedy.spec.learning_rate == 0.001


def test_overfitting_is_dated_and_its_epoch_kept(tiny):
    few = Mnist(Split(tiny.train.images[:160], tiny.train.labels[:160]), tiny.test, "few", "few")
    spec = replace(BASE, layers=(Layer(64),), learning_rate=0.005, epochs=40)
    found = judged(spec, few)
    assert found.kind == "overfitting", found
    again = list(train(found.remedy.spec, few))
    best = course.best_epoch(spec, again)
    assert f"since epoch {best.epoch}:" in found.sentence
    assert f"keeping epoch {best.epoch}" in found.remedy.label
    assert again[-1].last.best.epoch == best.epoch and again[-1].last.best.weights
    told = judged(found.remedy.spec, few)
    assert told.remedy is None and f"epoch {best.epoch} were kept" in told.sentence


def test_a_run_that_still_learns_is_given_more_epochs(tiny):
    found = judged(replace(BASE, learning_rate=0.0005), tiny)
    assert found.kind == "improving" and found.remedy.epochs == 3
    one = judged(replace(BASE, epochs=1, batch_size=8), tiny)
    assert one.kind == "improving" and "its only epoch" in one.sentence


# ----------------------------------------------------------------------------- and the edges


def test_a_run_that_has_levelled_off_is_as_good_as_it_gets():
    found = given(end(1, 0.5, 0.31), end(2, 0.3, 0.3), end(3, 0.2, 0.3))
    assert (found.kind, found.remedy) == ("settled", None)
    assert "epoch 2 of 3" in found.sentence and "below 1.31 points" in found.sentence
    error = 196 * np.sqrt(0.9 * 0.1 / 2000)
    assert f"{error:.2f}" == "1.31"


@pytest.mark.parametrize(("last", "kind"), [(0.314, "settled"), (0.316, "overfitting")])
def test_a_small_rise_is_no_overfitting(last, kind):
    assert given(end(1, 0.5, 0.3), end(2, 0.4, 0.31), end(3, 0.2, last)).kind == kind


def test_a_rise_of_both_losses_is_no_overfitting():
    assert given(end(1, 0.2, 0.3), end(2, 0.4, 0.4), end(3, 0.5, 0.6)).kind == "settled"


@pytest.mark.parametrize(("last", "kind"), [(0.292, "settled"), (0.290, "improving")])
def test_a_small_fall_is_not_worth_more_epochs(last, kind):
    assert given(end(1, 0.5, 0.4), end(2, 0.4, 0.3), end(3, 0.3, last)).kind == kind


def test_more_epochs_than_there_may_be_are_not_offered():
    spec = replace(BASE, epochs=100)
    assert given(end(1, 0.5, 0.4), end(2, 0.4, 0.2), spec=spec).remedy is None
    assert given(end(1, 0.5, 0.4), end(2, 0.4, 0.2), kept=False).remedy is None


@pytest.mark.parametrize(("accuracy", "kind"), [(0.134, "guessing"), (0.135, "settled")])
def test_a_network_that_guesses_is_told_so(accuracy, kind):
    assert given(end(1, 2.3, 2.3, accuracy), accuracy=accuracy).kind == kind


def test_a_run_that_said_too_little_has_no_verdict():
    assert verdict.verdict(BASE, [BEGUN]) is None
    assert verdict.verdict(BASE, []) is None


def test_a_run_that_failed_otherwise_did_not_diverge():
    failed = events.Failed(0, "A batch of 512 does not fit into 100 training images.")
    assert verdict.verdict(BASE, [BEGUN, failed]) is None
