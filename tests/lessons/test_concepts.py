"""Small ideas as functions, against SciPy, Keras and plain sums."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

from mnist_core.lessons import concepts
from mnist_core.network import losses
from mnist_core.network.layers import ACTIVATIONS

RNG = np.random.default_rng(0)
LOGITS = 3 * RNG.standard_normal((6, 10))
LABELS = RNG.integers(0, 10, 6)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("z", [-2.5, -0.3, 0.7, 3.0])
def test_derivatives_are_difference_quotients(name, z):
    value, slope = concepts.derivative(name, z)
    keras_name = {"leaky_relu": "leaky_relu", "linear": "linear"}.get(name, name)
    expected = keras.activations.get(keras_name)(keras.ops.convert_to_tensor(np.array([z])))
    assert value == pytest.approx(float(expected[0]), rel=1e-6)
    quotient = concepts.difference_quotient(lambda at: concepts.derivative(name, at)[0], z)
    assert slope == pytest.approx(quotient, abs=1e-8)


def test_the_naive_softmax_is_right_until_it_overflows():
    z = np.array([1.0, 2.0, 0.5], np.float32)
    np.testing.assert_allclose(concepts.naive_softmax(z), scipy.special.softmax(z), rtol=1e-6)
    top = np.float32(concepts.LARGEST_EXPONENT)
    below, above = z - z.max() + top - 2, z - z.max() + top + 1
    assert np.isfinite(concepts.naive_softmax(below)).all()
    assert np.isnan(concepts.naive_softmax(above)).any()


@pytest.mark.parametrize("temperature", [0.1, 1.0, 5.0])
def test_temperature_divides_the_logits(temperature):
    p = concepts.tempered(LOGITS[0], temperature)
    np.testing.assert_allclose(p, scipy.special.softmax(LOGITS[0] / temperature), rtol=1e-12)
    assert concepts.entropy(p) == pytest.approx(scipy.stats.entropy(p))


def test_one_hot_and_sparse_labels_give_the_same_loss_as_in_keras():
    hot = losses.one_hot(LABELS)
    np.testing.assert_array_equal(hot, keras.utils.to_categorical(LABELS, 10))
    categorical = concepts.categorical_cross_entropy(LOGITS, hot)
    sparse = concepts.sparse_cross_entropy(LOGITS, LABELS)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True)(hot, LOGITS)
    assert categorical == pytest.approx(sparse, abs=1e-14)
    assert categorical == pytest.approx(float(theirs), rel=1e-6)


def test_a_nat_is_more_than_a_bit():
    assert -np.log(0.3) / -np.log2(0.3) == pytest.approx(concepts.NATS_PER_BIT)


def test_batch_normalisation_undoes_the_scale_and_the_shift_of_its_input():
    z = RNG.standard_normal((200, 5)) * [1, 2, 3, 4, 5] + 7
    y = concepts.normalised(z, 1.5, -2.0)
    np.testing.assert_allclose(y.mean(axis=0), -2.0, atol=1e-9)
    np.testing.assert_allclose(y.std(axis=0), 1.5, rtol=1e-3)  # ε = 0.001 is felt
    np.testing.assert_allclose(concepts.normalised(4 * z - 9, 1.5, -2.0), y, atol=5e-3)


def test_dropout_keeps_the_mean_and_silences_its_share():
    a = RNG.uniform(0.5, 1.5, 64)
    drawn = concepts.dropped(a, 0.4, 2000, np.random.default_rng(1))
    assert drawn.shape == (2000, 64)
    assert (drawn == 0).mean() == pytest.approx(0.4, abs=0.01)
    np.testing.assert_allclose(drawn[drawn > 0], np.broadcast_to(a, drawn.shape)[drawn > 0] / 0.6)
    assert concepts.running_mean(drawn.mean(axis=1))[-1] == pytest.approx(a.mean(), rel=0.01)


def test_a_running_mean_is_the_mean_so_far():
    values = RNG.standard_normal(20)
    expected = [values[: i + 1].mean() for i in range(20)]
    np.testing.assert_allclose(concepts.running_mean(values), expected)
