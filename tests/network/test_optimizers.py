"""The optimizers against Keras's own, step by step, and what is minimised against its formulas."""

import keras
import numpy as np
import pytest

from mnist_core.design.choices import FRAMEWORKS
from mnist_core.design.choices import OPTIMIZERS as CHOICES
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network.losses import cross_entropy, one_hot, softmax
from mnist_core.network.network import Network
from mnist_core.network.optimizers import OPTIMIZERS, Objective

names = pytest.mark.parametrize("name", OPTIMIZERS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_choices_name_exactly_these():
    assert FRAMEWORKS["numpy"].optimizers == tuple(OPTIMIZERS)


@names
def test_each_step_is_that_of_keras(name, rng):
    """Thirty steps of two parameters, with a new learning rate on the way."""
    chosen = CHOICES[name]
    theirs = getattr(keras.optimizers, chosen.keras)(0.05, **dict(chosen.arguments))
    ours = OPTIMIZERS[name](0.05)
    values = {"a": rng.normal(size=(3, 4)), "b": rng.normal(size=5)}
    values = {key: value.astype(np.float32) for key, value in values.items()}
    variables = [keras.Variable(value) for value in values.values()]
    theirs.build(variables)
    for step in range(30):
        if step == 20:
            ours.learning_rate = 0.01
            theirs.learning_rate.assign(0.01)
        gradients = [rng.normal(size=v.shape).astype(np.float32) for v in values.values()]
        theirs.apply(gradients, variables)
        for (key, value), gradient in zip(values.items(), gradients, strict=True):
            values[key] = ours.update(key, value, gradient)
        for mine, keras_own in zip(values.values(), variables, strict=True):
            np.testing.assert_allclose(mine, keras_own.numpy(), rtol=2e-5, atol=2e-6)


@names
def test_a_single_number_descends_as_an_array_of_it_does(name):
    number, array, (one, many) = np.array(2.0), np.array([2.0]), (OPTIMIZERS[name](0.1),) * 2
    for _ in range(3):
        number, array = one.update("n", number, 2 * number), many.update("a", array, 2 * array)
    assert number == array[0] != 2.0


@names
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays_and_nothing_given_is_written_into(name, dtype, rng):
    optimizer = OPTIMIZERS[name](0.1)
    parameter, gradient = rng.normal(size=(2, 6)).astype(dtype)
    before = parameter.copy(), gradient.copy()
    first = optimizer.update("w", parameter, gradient)
    kept = first.copy()
    optimizer.update("w", first, gradient)
    assert first.dtype == dtype
    assert np.array_equal(parameter, before[0]) and np.array_equal(gradient, before[1])
    assert np.array_equal(first, kept)
    assert all(v.dtype in (dtype, np.int64) for v in optimizer.state.get("w", {}).values())


def test_names_do_not_share_their_memory(rng):
    adam, alone = OPTIMIZERS["adam"](0.1), OPTIMIZERS["adam"](0.1)
    w, g = rng.normal(size=(2, 4))
    for _ in range(3):
        adam.update("other", w, -g)
    assert np.array_equal(adam.update("w", w, g), alone.update("w", w, g))


def test_one_hot_and_sparse_labels_give_the_same_loss(rng):
    logits, labels = rng.normal(size=(6, 10)), rng.integers(0, 10, 6)
    rows = one_hot(labels, dtype=np.float64)
    assert rows.shape == (6, 10) and (rows.argmax(axis=1) == labels).all()
    expected = -(rows * np.log(softmax(logits))).sum(axis=1).mean()
    assert cross_entropy(logits, labels)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_labels_give_kerass_loss(smoothing, rng):
    logits, labels = rng.normal(0, 3, (6, 10)), rng.integers(0, 10, 6)
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing, dtype="float64"
    )(one_hot(labels, dtype=np.float64), logits)
    assert cross_entropy(logits, labels, smoothing)[0] == pytest.approx(float(theirs), rel=1e-12)


def test_a_sure_answers_loss_keeps_its_digits():
    """−log p = log(1 + 9 e⁻⁴⁰) ≈ 9 e⁻⁴⁰, which 1 + x would have swallowed."""
    logits = np.zeros((1, 10))
    logits[0, 3] = 40
    assert cross_entropy(logits, np.array([3]))[0] == pytest.approx(9 * np.exp(-40), rel=1e-12)


def test_the_penalty_counts_kernels_alone(rng):
    spec = RunSpec((Layer(8, batch_norm=True),), l2=0.01)
    network = Network.from_spec(spec, rng, np.float64)
    kernels = [v for name, v in network.weights().items() if name.endswith("/kernel")]
    expected = 0.01 * sum((kernel**2).sum() for kernel in kernels)
    assert Objective.of(spec).penalty(network) == pytest.approx(expected, rel=1e-12)
    assert Objective.of(RunSpec()).penalty(network) == 0
