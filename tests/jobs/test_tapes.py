"""The tape that a worker is asked for: float64 throughout, of the network that Keras builds."""

import numpy as np
import pytest

from mnist_core.jobs import tapes, worker
from mnist_core.lessons import gradient_checks
from mnist_core.lessons.gradient_checks import IMAGE, TOLERANCE, Case
from mnist_core.runs import models


@pytest.fixture
def few(mnist):
    return mnist.test.images[:4], mnist.test.labels[:4]


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_the_default_models_gradients_agree(training, few):
    shipped = models.default()
    case = Case(shipped.spec, shipped.network.weights(), *few, training)
    found = tapes.tape(case.question())
    assert found.keys() == case.by_hand.keys()
    for name, gradient in found.items():
        hand = case.by_hand[name]
        assert gradient.dtype == np.float64 and gradient.shape == hand.shape
        assert gradient_checks.relative(hand, gradient, np.abs(hand).max()) <= 1e-8, name
    places = {name: case.sample(2, np.random.default_rng(0))[name]
              for name in ("dense_1/kernel", "logits/bias")}  # fmt: skip
    slopes = case.slopes(places)
    for name, slope in slopes.items():
        assert gradient_checks.relative(case.by_hand[name].ravel()[places[name]], slope,
                                  np.abs(case.by_hand[name]).max()) <= TOLERANCE  # fmt: skip


def test_without_its_mask_dropout_is_not_the_same(few):
    case = gradient_checks.kind("Dropout, its mask held", *few, np.random.default_rng(0))
    question = case.question()
    assert question.masks.keys() == {"dropout_1"}
    (mask,) = question.masks.values()
    assert set(np.unique(mask)) == {0, 1 / (1 - 0.4)}
    other = gradient_checks.Question(question.query, question.weights, question.images,
                               question.labels, True)  # fmt: skip
    a, b = tapes.tape(question)[IMAGE], tapes.tape(other)[IMAGE]
    assert not np.allclose(a, b)


def test_a_worker_answers_several_at_once(few, monkeypatch):
    monkeypatch.setattr(worker, "_done", lambda result: result)
    cases = [gradient_checks.kind(name, *few, np.random.default_rng(0))
             for name in ("Dense, ReLU", "L2 penalty of 0.01")]  # fmt: skip
    found = worker.call("gradients", {"questions": [case.question() for case in cases]})
    for case, told in zip(cases, found, strict=True):
        np.testing.assert_allclose(told[IMAGE], case.by_hand[IMAGE], rtol=1e-8, atol=1e-14)
