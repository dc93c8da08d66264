"""The microscope's steps: their numbers, the sums behind them, the code shown, and training."""

import inspect
import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.special import softmax as independent_softmax

from mnist_core.design import choices
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.lessons import formulas, microscope
from mnist_core.lessons.microscope import Diverged, Trial
from mnist_core.network import layers, optimizers
from mnist_core.runs import models

DENSE = RunSpec(layers=(Layer(16, "tanh", True, 0.3), Layer(12, "silu")))
MAPS = RunSpec((Layer(12, "tanh"),), convolutions=(
    Conv(4, 5, "silu", True, 3, 0.2), Conv(6, 2, "elu", False, 2)
))  # fmt: skip
KINDS = {"toy": None, "dense": DENSE, "maps": MAPS}
LABEL = 1
STEP = 1e-6
named = pytest.mark.parametrize


def made(kind, seed=5):
    """A network whose every parameter does something, with an input."""
    rng = np.random.default_rng(seed)
    if kind == "toy":
        return microscope.toy("sigmoid"), np.array([0.5, -0.4])
    net = microscope.fresh(KINDS[kind], seed)
    for name, value in net.weights().items():
        if name.endswith(("gamma", "moving_variance")):
            value[...] = rng.uniform(0.5, 1.5, value.shape)
        elif not name.endswith("kernel"):
            value[...] = rng.normal(0, 0.3, value.shape)
    return net, rng.integers(0, 256, (28, 28), np.uint8)


@pytest.fixture(params=KINDS)
def case(request):
    net, x = made(request.param)
    return net, x, microscope.steps(net, x, LABEL)


def loss_from(net, place, value):
    """The loss, computed anew from what layer `place` (counted from 1) is given."""
    x = value[None]
    for layer in net.layers[place - 1 :]:
        x = layer.forward(x)
    return -log_softmax(x[0])[LABEL]


def slope(f, x, direction):
    return (f(x + STEP * direction) - f(x - STEP * direction)) / (2 * STEP)


# ------------------------------------------------------------------------- steps


def test_each_step_takes_what_the_one_before_gave(case):
    net, x, steps = case
    n = len(net.layers)
    assert [s.place for s in steps[: n + 1]] == list(range(n + 1))
    for before, step in pairwise(steps[: n + 1]):
        assert step.given is before.result
    logits, p, loss, delta = (s.result for s in steps[n : n + 4])
    np.testing.assert_array_equal(logits, net.forward(x[None])[0])
    np.testing.assert_allclose(p, independent_softmax(logits), rtol=1e-12)
    np.testing.assert_allclose(loss, -log_softmax(logits)[LABEL], rtol=1e-12)
    np.testing.assert_allclose(delta, p - np.eye(len(p))[LABEL], rtol=1e-12)
    assert steps[-1].kind == "update"


def test_each_way_back_agrees_with_finite_differences(case):
    net, _, steps = case
    rng = np.random.default_rng(1)
    given = {s.place: s.given for s in steps if s.kind == "forward"}
    backwards = [s for s in steps if s.kind == "backward"]
    assert len(backwards) >= 2
    for step in backwards:
        v = rng.normal(size=given[step.place].shape)
        expected = slope(lambda x, at=step.place: loss_from(net, at, x), given[step.place], v)
        assert step.result.shape == v.shape
        assert (step.result * v).sum() == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_each_gradient_agrees_with_finite_differences(case):
    net, x, steps = case
    rng = np.random.default_rng(2)
    learning = [s.layer for s in steps if s.kind == "gradient"]
    assert learning == [layer for layer in reversed(net.layers) if layer.parameters]
    gradients = {layer.name: dict(layer.gradients) for layer in learning}
    for layer in learning:
        for name, kept in list(layer.parameters.items()):
            def loss(value, layer=layer, name=name):
                layer.parameters[name] = value
                return loss_from(net, 1, x)

            v = rng.normal(size=kept.shape)
            expected = slope(loss, kept, v)
            layer.parameters[name] = kept
            found = (gradients[layer.name][name] * v).sum()
            assert found == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_the_products_add_up_to_each_number(case):
    _, _, steps = case
    rng = np.random.default_rng(3)
    summed = 0
    for step in steps:
        for _ in range(4):
            index = tuple(int(rng.integers(n)) for n in step.result.shape)
            if found := microscope.sum_of(step, index):
                summed += 1
                assert found.terms.sum() + found.rest == pytest.approx(step.result[index])
                assert found.total == step.result[index]
    assert summed >= 12


def test_a_neuron_of_the_first_layer_has_784_products_as_an_image():
    net, x = made("dense")
    step = next(s for s in microscope.steps(net, x, LABEL) if isinstance(s.layer, layers.Dense))
    found = microscope.sum_of(step, (7,))
    weights = net.weights()["dense_1/kernel"][:, 7].reshape(28, 28)
    np.testing.assert_allclose(found.terms, x / 255 * weights)
    assert found.rest == net.weights()["dense_1/bias"][7]


def test_an_edge_of_a_map_is_seen_by_fewer_weights():
    net, x = made("maps")
    steps = microscope.steps(net, x, LABEL)
    step = next(s for s in steps if s.kind == "backward" and s.layer.name == "conv_2")
    corner, middle = (microscope.sum_of(step, (i, i, 0)).terms for i in (0, 4))
    assert not corner[1:].any() and not corner[:, 1:].any() and corner[0, 0].any()
    assert (middle != 0).any(axis=-1).all()


def test_the_default_model_says_the_same_as_when_it_answers(mnist):
    """In particular, dropout and batch normalisation do as at inference."""
    model, image = models.default(), mnist.test.images[0]
    steps = microscope.steps(microscope.double(model.spec, model.network), image, 7)
    p = next(s.result for s in steps if s.kind == "softmax")
    np.testing.assert_allclose(p, model.network.predict(image[None])[0], atol=1e-5)


# ---------------------------------------------------------------- code and words


def test_the_code_shown_is_the_code_that_runs(case):
    net, x, _ = case
    rule = optimizers.Adam(0.01)
    ran = set()

    def note(frame, event, _):
        if event == "call":
            ran.add(frame.f_code)

    sys.setprofile(note)
    try:
        steps = microscope.steps(net, x, LABEL)
        Trial(net, x, LABEL, rule).advance(1)
    finally:
        sys.setprofile(None)
    for step in steps:
        for function in microscope.code(step, rule):
            found = microscope.source(function)
            if found is None:
                assert function is np.tanh
                continue
            assert function.__code__ in ran
            file = Path(inspect.getfile(function))
            there = file.read_text().splitlines()[found.line - 1 :]
            assert file == microscope.CORE / found.file
            for shown, line in zip(found.text.splitlines(), there, strict=False):
                assert shown.strip() == line.strip()
    assert all(microscope.code(s, rule) for s in steps if s.kind != "input")


def test_each_step_has_words_and_ends_its_formula_in_its_number(case):
    _, _, steps = case
    rng = np.random.default_rng(4)
    spelled = 0
    for step in steps:
        words = formulas.words(step, "adam")
        assert words.title and words.says.endswith(".")
        index = tuple(int(rng.integers(n)) for n in step.result.shape)
        if step.kind not in ("input", "update") and (line := formulas.spelled(step, index)):
            spelled += 1
            assert line.endswith(f"={formulas.number(float(step.result[index]))}")
    assert spelled >= len(steps) // 2


def test_a_small_sum_is_spelled_out():
    net, x = made("toy")
    line = formulas.spelled(microscope.steps(net, x, 0)[1], (1,))
    assert line == r"(-0.25)+(-0.36) - 0.2=-0.81"


@named(("value", "says"), [(0.5, "0.5"), (-1.23456e-7, r"-1.235\times 10^{-7}"), (0.0, "0")])
def test_a_number_has_four_digits(value, says):
    assert formulas.number(value) == says


def test_every_activation_and_optimizer_has_its_formula():
    assert formulas.FUNCTIONS.keys() == layers.ACTIVATIONS.keys()
    assert formulas.RULES.keys() == optimizers.OPTIMIZERS.keys() <= choices.OPTIMIZERS.keys()


# ----------------------------------------------------------------------- updates


def by_hand(name, w, gradients, rate):
    """The update rules on plain numbers, from their papers with Keras's constants."""
    v = m = s = 0.0
    for t, g in enumerate(gradients, 1):
        if name == "sgd":
            w -= rate * g
        elif name == "momentum":
            v = 0.9 * v - rate * g
            w += v
        elif name == "rmsprop":
            s = 0.9 * s + 0.1 * g * g
            w -= rate * g / math.sqrt(s + 1e-7)
        else:
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
            bias = math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            w -= rate * bias * m / (math.sqrt(s) + 1e-7)
    return w


@named("name", optimizers.OPTIMIZERS)
@named("dtype", [np.float32, np.float64])
def test_an_update_follows_its_formula(name, dtype):
    rng = np.random.default_rng(6)
    w, gradients = rng.normal(size=(2, 3)).astype(dtype), rng.normal(size=(5, 2, 3)).astype(dtype)
    rule, now = optimizers.OPTIMIZERS[name](0.05), w
    for g in gradients:
        rule.update("another", w, -g)  # each name has a state of its own
        now = rule.update("w", now, g)
    assert now.dtype == dtype and now is not w
    for i in np.ndindex(w.shape):
        expected = by_hand(name, float(w[i]), [float(g[i]) for g in gradients], 0.05)
        assert now[i] == pytest.approx(expected, rel=1e-5 if dtype == np.float32 else 1e-12)


@named("name", optimizers.OPTIMIZERS)
def test_the_next_value_of_a_weight_is_foretold(name):
    net, x = made("maps")
    trial = Trial(net, x, LABEL, optimizers.OPTIMIZERS[name](0.001))
    for _ in range(2):
        microscope.steps(net, x, LABEL)
        told = {layer.name: trial.after(layer, part)
                for layer in net.layers for part in list(layer.parameters)[:1]}  # fmt: skip
        trial.advance(1)
        for layer in net.layers:
            if layer.parameters:
                now = next(iter(layer.parameters.values()))
                np.testing.assert_array_equal(now, told[layer.name])


@named("kind", KINDS)
def test_steps_on_an_image_raise_the_probability_of_its_label(kind):
    net, x = made(kind)
    trial = Trial(net, x, LABEL, optimizers.GradientDescent(0.05))
    shares = []
    trial.advance(20, shares.append)
    assert trial.taken == 20 and len(shares) == 20 and shares[-1] == 1
    assert np.all(np.diff(trial.history) > 0)
    assert trial.history[-1] == independent_softmax(net.forward(x[None])[0])[LABEL]


def test_a_plain_step_lowers_the_loss_by_the_squared_gradient():
    """To first order: ΔL = −η |g|²."""
    net, x = made("dense")
    trial = Trial(net, x, LABEL, optimizers.GradientDescent(1e-7))
    microscope.steps(net, x, LABEL)
    square = sum(float((g**2).sum()) for layer in net.layers for g in layer.gradients.values())
    trial.advance(1)
    fall = math.log(trial.history[1]) - math.log(trial.history[0])
    assert fall == pytest.approx(1e-7 * square, rel=1e-3)


def test_overflow_is_said_and_the_network_stays_as_it_was():
    net, x = microscope.toy("linear"), np.array([0.5, -0.4])
    trial = Trial(net, x, LABEL, optimizers.GradientDescent(1e200))
    before = {name: value.copy() for name, value in net.weights().items()}
    with pytest.raises(Diverged, match="smaller one"):
        trial.advance(5)
    assert trial.taken == 0
    assert all((net.weights()[name] == value).all() for name, value in before.items())
    trial.rule = optimizers.GradientDescent(0.1)
    trial.advance(1)
    assert trial.history[1] > trial.history[0]


def test_a_copy_learns_alone():
    model = models.default()
    before = {name: value.copy() for name, value in model.network.weights().items()}
    copy = microscope.double(model.spec, model.network)
    Trial(copy, np.zeros((28, 28), np.uint8), 3, optimizers.Adam(0.01)).advance(1)
    assert all((model.network.weights()[name] == value).all() for name, value in before.items())
    assert {v.dtype for v in copy.weights().values()} == {np.dtype(np.float64)}


def test_the_same_seed_makes_the_same_network():
    a, b, c = (microscope.fresh(DENSE, seed).weights()["dense_1/kernel"] for seed in (1, 1, 2))
    assert (a == b).all() and not (a == c).all()
