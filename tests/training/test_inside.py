"""A look inside a network."""

import time

import numpy as np
import pytest

from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.network import losses
from mnist_core.network.initial import initial_weights
from mnist_core.network.network import Network
from mnist_core.training import frameworks, inside
from mnist_core.training.control import Control

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
    np.testing.assert_allclose(seen.p, network.predict(images), atol=1e-5)


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


def test_a_look_says_what_has_moved_and_what_turned_right(tiny):
    looker, weights = inside.Looker(SPEC, tiny.test.images, tiny.test.labels), fresh(SPEC)
    first = looker.look(lambda: weights, 3)
    right = first.p.argmax(axis=1) == tiny.test.labels[:100]
    np.testing.assert_array_equal(first.since, np.where(right, 3, -1))
    assert [layer.moved for layer in first.layers] == [0, 0, 0]
    other = {**weights, "dense_1/kernel": 1.1 * weights["dense_1/kernel"]}
    other["logits/bias"] = np.where(np.arange(10) == 7, 100.0, 0.0)  # reads a 7 in everything
    second = looker.look(lambda: other, 4, [4, 2])
    sevens = tiny.test.labels[:100] == 7
    np.testing.assert_array_equal(second.since, np.where(sevens, np.where(right, 3, 4), -1))
    assert [layer.moved for layer in second.layers] == pytest.approx([0.1, 0, 0], abs=1e-6)
    assert (second.step, second.batch, looker.step) == (4, [4, 2], 4)
    late = looker.look(lambda: weights, 9, [1])  # four batches were not looked at
    assert [layer.moved for layer in late.layers] == [0, 0, 0]
    assert looker.look(lambda: other, 20).layers[0].moved == pytest.approx(0.1)


def test_looks_rest_so_long_that_they_take_a_small_share(tiny, monkeypatch):
    rest, took = inside.REST_SECONDS, 9.0
    next_one = 10 + took / inside.SHARE
    clock = iter([0.0, 0.9 * rest, rest, 10.0, 10 + took, next_one - 0.1, next_one + 0.1])
    monkeypatch.setattr(inside.time, "perf_counter", lambda: next(clock))
    looker = inside.Looker(SPEC, tiny.test.images, tiny.test.labels)
    assert not looker.due() and looker.due()  # before the first there is a rest as well
    looker.look(lambda: fresh(SPEC), 1)  # from 10 to 19
    assert not looker.due() and looker.due()


@pytest.mark.parametrize("framework", ["keras", "numpy"])
def test_a_training_is_looked_into_only_if_somebody_wants_to(tiny, framework, monkeypatch):
    monkeypatch.setattr(inside, "REST_SECONDS", 0.0)
    spec = RunSpec((Layer(8),), batch_size=32, epochs=3, framework=framework)

    def looks(control):
        return [e for e in frameworks.train(spec, tiny, control) if isinstance(e, inside.Inside)]

    assert looks(None) == []
    control = Control()
    control.tell("look")
    seen = looks(control)
    assert seen and [e.batch for e in seen] == [()] * len(seen)
    assert [e.step for e in seen] == sorted({e.step for e in seen})
    control.tell("look", 0.0)
    assert looks(control) == []


@pytest.mark.parametrize("framework", ["keras", "numpy"])
def test_a_batch_trained_alone_is_named_with_its_images(tiny, framework):
    spec = RunSpec((Layer(8),), batch_size=32, epochs=1, framework=framework)
    control, seen = Control(), []
    for command, value in (("look", 1.0), ("step", 2)):
        control.tell(command, value)
    for event in frameworks.train(spec, tiny, control):
        if isinstance(event, inside.Inside):
            seen.append(event)
            if event.step == 2:
                control.tell("stop")
    assert [e.step for e in seen] == [0, 1, 2]
    trained = int(len(tiny.train.images) * (1 - spec.validation_share))
    order = np.random.default_rng((spec.seed, 0)).permutation(trained)
    assert [list(e.batch) for e in seen] == [[], order[:32].tolist(), order[32:64].tolist()]
    assert seen[1].layers[0].moved > 0


def test_looks_take_a_small_part_of_a_training(tiny):
    """A ratio within one run: the time in looks to the time of all of it."""
    spec = RunSpec((Layer(128), Layer(64)), batch_size=4, epochs=100)
    control = Control()
    control.tell("look")
    looker, spent = inside.Looker.look, []

    def timed(self, *given):
        began = time.perf_counter()
        try:
            return looker(self, *given)
        finally:
            spent.append(time.perf_counter() - began)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside, "REST_SECONDS", 0.1)
        patch.setattr(inside.Looker, "look", timed)
        began = time.perf_counter()
        for _ in frameworks.train(spec, tiny, control):
            pass
        total = time.perf_counter() - began
    # The rest of the last one may be cut off by the end of the run.
    assert len(spent) > 1 and sum(spent[:-1]) <= inside.SHARE * total
