"""A look inside a network."""

import numpy as np
import pytest

from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.network import losses
from mnist_core.network.initial import initial_weights
from mnist_core.network.network import Network
from mnist_core.training import inside

SPEC = RunSpec((Layer(20), Layer(12, "tanh", batch_norm=True)))
CONV = RunSpec((Layer(8),), convolutions=(Conv(6, 3),))


def fresh(spec):
    return initial_weights(spec, np.random.default_rng(0))


def test_histograms_hold_every_value_of_every_layer(tiny):
    seen = inside.look(SPEC, fresh(SPEC), tiny.test.images, tiny.test.labels, step=7)
    assert seen.step == 7 and [x.name for x in seen.layers] == ["dense_1", "dense_2", "logits"]
    assert [x.units for x in seen.layers] == [20, 12, 10]
    for layer, (a, b) in zip(seen.layers, [(784, 20), (20, 12), (12, 10)], strict=True):
        assert sum(layer.weights.counts) == sum(layer.gradients.counts) == a * b
        assert sum(layer.activations.counts) == 100 * b
    assert seen.layers[1].activations.low >= -1 and seen.layers[1].activations.high <= 1


def test_the_gradient_is_that_of_the_loss(tiny):
    weights = fresh(SPEC)
    network = Network.from_weights(SPEC, weights, np.float64)
    images, labels = tiny.test.images[:100], tiny.test.labels[:100]
    network.backward(losses.cross_entropy(network.forward(images), labels)[1])
    expected = [np.sqrt(np.mean(x.gradients["kernel"] ** 2)) for x in network.layers
                if "kernel" in x.gradients]  # fmt: skip
    seen = inside.look(SPEC, weights, tiny.test.images, tiny.test.labels)
    assert [x.gradient for x in seen.layers] == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(seen.p, network.predict(images[:12]), atol=1e-5)


def test_units_that_never_answer_are_dead(tiny):
    weights = fresh(SPEC)
    weights["dense_1/kernel"][:, :5] = 0
    weights["dense_1/bias"][:5] = -1
    weights["dense_2/kernel"][:, 0] = 0
    weights["dense_2/bias"][0] = 50  # tanh is flat there
    seen = inside.look(SPEC, weights, tiny.test.images, tiny.test.labels)
    assert [x.dead for x in seen.layers] == [5, 1, 0] and seen.dead == 0.25


def test_a_dead_filter_is_flat_at_all_its_places(tiny):
    weights = fresh(CONV)
    weights["conv_1/bias"][2] = -100
    seen = inside.look(CONV, weights, tiny.test.images, tiny.test.labels)
    assert [(x.name, x.units, x.dead) for x in seen.layers[:1]] == [("conv_1", 6, 1)]
    assert seen.kernels.shape == (6, 3, 3)


def test_kernels_are_pictures_with_zero_in_the_middle(tiny):
    weights = fresh(SPEC)
    weights["dense_1/kernel"][:] = 0
    weights["dense_1/kernel"][0, 1] = -0.5
    weights["dense_1/kernel"][783, 2] = 0.25
    pictures = inside.look(SPEC, weights, tiny.test.images, tiny.test.labels).kernels
    assert pictures.shape == (16, 28, 28) and pictures.dtype == np.uint8
    assert pictures[1, 0, 0] == 1 and pictures[2, 27, 27] == 192 and pictures[0].min() == 128


def test_a_network_that_diverged_is_looked_into_as_well(tiny):
    weights = {name: np.full_like(value, np.nan) for name, value in fresh(SPEC).items()}
    seen = inside.look(SPEC, weights, tiny.test.images, tiny.test.labels)
    assert np.isnan(seen.p).all() and sum(seen.layers[0].weights.counts) == 0


def test_weights_of_another_design_are_refused(tiny):
    with pytest.raises(ValueError, match="lack"):
        inside.look(SPEC, fresh(RunSpec((Layer(20),))), tiny.test.images, tiny.test.labels)
