"""Gradients three ways, for every kind of layer and loss, and what happens on a kink."""

import numpy as np
import pytest

from mnist_core.design.choices import ACTIVATIONS
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.jobs import tapes
from mnist_core.lessons import gradient_checks
from mnist_core.lessons.gradient_checks import IMAGE, KINDS, TOLERANCE, Case
from mnist_core.network.initial import initial_weights


@pytest.fixture
def few(mnist):
    return mnist.test.images[:3], mnist.test.labels[:3]


@pytest.mark.parametrize("name", KINDS)
def test_three_ways_agree_for_every_kind(name, few):
    case = gradient_checks.kind(name, *few, np.random.default_rng(1))
    places = case.sample(8, np.random.default_rng(2))
    rows = gradient_checks.rows(case, places, case.slopes(places), tapes.tape(case.question()))
    assert {row.name for row in rows} == case.by_hand.keys() >= {IMAGE, "logits/kernel"}
    for row in rows:
        assert row.worst <= TOLERANCE, row
        assert row.hand_tape <= 1e-10, row
    assert sum(row.tried - row.kinks for row in rows) >= 0.7 * sum(row.tried for row in rows)


def test_every_layer_and_activation_is_among_them():
    specs = [spec for spec, _ in KINDS.values()]
    kinds = {block.kind for spec in specs for block in spec.stack()}
    assert kinds == {"Rescaling", "Reshape", "Flatten", "Conv2D", "MaxPooling2D", "Dense",
                     "BatchNormalization", "Dropout"}  # fmt: skip
    used = {layer.activation for spec in specs for layer in spec.layers}
    assert used == set(ACTIVATIONS)
    assert any(spec.l2 for spec in specs) and any(spec.label_smoothing for spec in specs)


@pytest.mark.parametrize("change", ["kernel", "bias", IMAGE])
def test_a_wrong_gradient_is_found(change, few):
    case = gradient_checks.kind("Dense, tanh", *few, np.random.default_rng(1))
    places = case.sample(6, np.random.default_rng(2))
    slopes = case.slopes(places)
    name = IMAGE if change == IMAGE else f"dense_1/{change}"
    case.by_hand[name] = case.by_hand[name] * (1 + 1e-5)
    far = [row.name for row in gradient_checks.rows(case, places, slopes, None)
           if row.worst > TOLERANCE]  # fmt: skip
    assert far == [name]


def test_on_a_kink_there_is_no_difference(few):
    """Zero kernels and biases put every ReLU exactly on its corner."""
    spec = RunSpec((Layer(8),))
    fresh = initial_weights(spec, np.random.default_rng())
    weights = {name: np.zeros_like(value) for name, value in fresh.items()}
    weights["logits/kernel"] = np.ones((8, 10)) * np.arange(10)
    case = Case(spec, weights, *few)
    assert np.isnan(case.slope("dense_1/bias", 0))
    assert np.isfinite(case.slope("logits/bias", 0))
    places = {name: np.arange(1) for name in case.by_hand}
    rows = {r.name: r for r in gradient_checks.rows(case, places, case.slopes(places), None)}
    assert rows["dense_1/bias"].kinks == 1 and rows["logits/bias"].kinks == 0


def test_a_slope_leaves_everything_as_it_was(few):
    case = gradient_checks.kind("Two convolutions with all of it, training", *few,
                          np.random.default_rng(0))  # fmt: skip
    before = {name: value.copy() for name, value in case.network.weights().items()
              if "moving" not in name}  # fmt: skip
    case.slopes(case.sample(3, np.random.default_rng(0)))
    assert all(np.array_equal(case.network.weights()[name], v) for name, v in before.items())
    assert np.array_equal(case.images, few[0])


def test_the_report_rises_to_one(few):
    rng, shares = np.random.default_rng(0), []
    case = gradient_checks.kind("Softmax, cross-entropy", *few, rng)
    case.slopes(case.sample(4, np.random.default_rng(0)), shares.append)
    assert shares == sorted(shares) and shares[-1] == 1


@pytest.mark.parametrize(
    ("a", "b", "largest", "expected"),
    [([1.0, 2.0], [1.0, 2.0], 2, 0), ([1.0], [1.1], 1, 0.1 / 1.1), ([0.0], [0.0], 0, 0),
     ([1e-9], [0.0], 1, 1e-6), ([], [], 1, 0)],
)  # fmt: skip
def test_the_relative_difference(a, b, largest, expected):
    assert gradient_checks.relative(np.array(a), np.array(b), largest) == pytest.approx(expected)


def test_a_sample_is_all_of_a_small_array_and_some_of_a_large_one(few):
    case = gradient_checks.kind("Dense, ReLU", *few, np.random.default_rng(0))
    places = case.sample(20, np.random.default_rng(0))
    assert list(places["dense_1/bias"]) == list(range(12))
    some = places["dense_1/kernel"]
    assert 10 < len(some) <= 20 and len(np.unique(some)) == len(some)
    inked = np.abs(case.by_hand["dense_1/kernel"].ravel()[some]) > 0
    assert inked.sum() >= 10
