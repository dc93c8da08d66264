"""The NumPy network: its derivatives, its likeness to Keras, and what it refuses."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from mnist_core.design.spec import ACTIVATIONS, INITIALIZERS, Conv, Layer, RunSpec
from mnist_core.network import initial, layers
from mnist_core.network.losses import cross_entropy, softmax
from mnist_core.network.network import Network

ROOT = Path(__file__).resolve().parents[2]
DEEP = RunSpec(layers=(Layer(16, "tanh", True, 0.3), Layer(12, "silu"), Layer(8, "elu", True)))
MAPS = RunSpec((Layer(12, "tanh"),), convolutions=(
    Conv(4, 5, "silu", True, 3, 0.2), Conv(6, 2, "elu", True, 1), Conv(5, 3, "relu", False, 2)
))  # fmt: skip
STEP = 1e-6  # of the finite differences; a kink nearer than this would spoil them


@pytest.fixture
def rng():
    return np.random.default_rng(1998)


def digits(rng, n=6):
    return rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n)


def scrambled(spec, rng):
    """Weights as after some training: no bias is 0 and no moving average is trivial."""
    weights = initial.initial_weights(replace(spec, initializer="glorot_uniform"), rng)
    for name, value in weights.items():
        if name.endswith(("gamma", "moving_variance")):
            weights[name] = rng.uniform(0.3, 2.0, value.shape)
        elif not name.endswith("kernel"):
            weights[name] = rng.normal(0, 0.3, value.shape)
    return {name: value.astype(np.float32) for name, value in weights.items()}


# ------------------------------------------------------------------------------- derivatives


def slope(f, x, direction):
    """df/dt of f(x + t · direction) by central differences; x is put back."""
    kept = x.copy()
    x[...] = kept + STEP * direction
    above = f()
    x[...] = kept - STEP * direction
    below = f()
    x[...] = kept
    return (above - below) / (2 * STEP)


def assert_derivatives(f, pairs, rng, directions=4):
    """Each gradient agrees with finite differences of f along random directions."""
    for x, gradient in pairs:
        assert gradient.shape == x.shape
        for _ in range(directions):
            v = rng.normal(size=x.shape)
            expected = slope(f, x, v)
            found = float((gradient * v).sum())
            assert abs(found - expected) <= 1e-6 * max(abs(found), abs(expected), 1e-3)


def away_from_kinks(rng, shape):
    """Values whose distance from 0, where ReLU and its relatives bend, is at least 0.05."""
    return rng.choice([-1, 1], shape) * rng.uniform(0.05, 2.0, shape)


def batch_norm(rng):
    return layers.BatchNormalization("bn", *rng.uniform(0.5, 1.5, (4, 5)))


def convolution(size):
    """For maps of two channels, with three filters."""
    return lambda rng: layers.Convolution(
        "c", rng.normal(size=(size, size, 2, 3)), rng.normal(size=3)
    )


LAYERS = {
    "rescaling": (lambda rng: layers.Rescaling("r", 1 / 255, np.float64), (4, 5), False),
    "reshape": (lambda rng: layers.Reshape("r", (3, 2, 1)), (4, 3, 2), False),
    "flatten": (lambda rng: layers.Reshape("f", (-1,)), (4, 3, 2), False),
    "dense": (lambda rng: layers.Dense("d", rng.normal(size=(5, 3)), rng.normal(size=3)),
              (4, 5), False),
    "convolution": (convolution(3), (2, 6, 5, 2), False),
    "convolution of one pixel": (convolution(1), (2, 4, 3, 2), False),
    "convolution of the whole map": (convolution(5), (2, 5, 5, 2), False),
    "max-pooling": (lambda rng: layers.MaxPooling("p", 2), (2, 6, 4, 3), False),
    "max-pooling with a remainder": (lambda rng: layers.MaxPooling("p", 3), (2, 7, 5, 3), False),
    "batch norm, inference": (batch_norm, (4, 5), False),
    "batch norm, training": (batch_norm, (4, 5), True),
    "batch norm over maps, inference": (batch_norm, (2, 3, 4, 5), False),
    "batch norm over maps, training": (batch_norm, (2, 3, 4, 5), True),
    "dropout, inference": (lambda rng: layers.Dropout("o", 0.4, rng), (4, 5), False),
    **{
        name: (lambda rng, name=name: layers.Activation(name, name), (40, 5), False)
        for name in ACTIVATIONS
    },
}  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "training"), LAYERS.values(), ids=LAYERS)
def test_backward_is_the_derivative_of_forward(make, shape, training, rng):
    layer, x = make(rng), away_from_kinks(rng, shape)
    weight = rng.normal(size=layer.forward(x, training).shape)  # of each output in the "loss"

    def loss():
        return float((layer.forward(x, training) * weight).sum())

    loss()
    d_x = layer.backward(weight)
    parameters = [(layer.parameters[name], layer.gradients[name]) for name in layer.parameters]
    assert_derivatives(loss, [(x, d_x), *parameters], rng)


@pytest.mark.parametrize("shape", [(50, 40), (5, 10, 10, 4)])
def test_dropout_sends_the_gradient_where_the_values_went(shape, rng):
    layer, x = layers.Dropout("o", 0.4, rng), np.ones(shape)
    out = layer.forward(x, training=True)
    assert np.array_equal(layer.backward(np.ones_like(x)), out)
    assert set(np.unique(out)) == {0.0, 1 / 0.6}
    assert np.mean(out == 0) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("spec", [DEEP, RunSpec(layers=(Layer(12, "sigmoid"),)), MAPS])
def test_the_whole_network_backward_is_its_derivative(spec, training, rng):
    spec = replace(
        spec,
        layers=tuple(replace(x, dropout=0.0) for x in spec.layers),
        convolutions=tuple(replace(x, dropout=0.0) for x in spec.convolutions),
    )
    net = Network.from_weights(spec, scrambled(spec, rng), np.float64)
    images, labels = digits(rng)
    images = images.astype(np.float64)

    def loss():
        return cross_entropy(net.forward(images, training), labels)[0]

    d_image = net.backward(cross_entropy(net.forward(images, training), labels)[1])
    pairs = [(x.parameters[name], x.gradients[name]) for x in net.layers for name in x.parameters]
    assert len(pairs) == sum(not n.split("/")[1].startswith("moving") for n in net.weights())
    assert_derivatives(loss, [(images, d_image), *pairs], rng, directions=2)


# ------------------------------------------------------------------------------- the loss


def test_cross_entropy_is_minus_the_log_softmax_of_the_label(rng):
    logits, labels = rng.normal(0, 5, (20, 10)), rng.integers(0, 10, 20)
    loss, d_logits = cross_entropy(logits, labels)
    assert loss == pytest.approx(-log_softmax(logits, axis=1)[np.arange(20), labels].mean(), 1e-13)
    expected = (np.exp(log_softmax(logits, axis=1)) - np.eye(10)[labels]) / 20
    np.testing.assert_allclose(d_logits, expected, atol=1e-15)
    assert_derivatives(lambda: cross_entropy(logits, labels)[0], [(logits, d_logits)], rng)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_overflow_nothing(dtype):
    logits = np.array([[1e4, -1e4, *[0] * 8], [-1e4, 1e4, *[9e3] * 8]], dtype)
    with np.errstate(all="raise", under="ignore"):
        p = softmax(logits)
        loss, d_logits = cross_entropy(logits, np.array([0, 0]))
    np.testing.assert_array_equal(p, np.eye(10, dtype=dtype)[[0, 1]])
    assert p.dtype == d_logits.dtype == dtype
    assert loss == 1e4  # the mean of 0 and 20,000
    assert np.isfinite(d_logits).all()


def test_softmax_gives_probabilities_that_ignore_a_shift(rng):
    logits = rng.normal(0, 3, (20, 10))
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(softmax(logits + 123.0), softmax(logits), rtol=1e-12)
    np.testing.assert_allclose(softmax(logits), np.exp(log_softmax(logits, axis=1)), rtol=1e-13)


@pytest.mark.parametrize("z", [-1e4, -100.0, 0.0, 100.0, 1e4])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_overflows_nowhere(name, z):
    layer = layers.Activation(name, name)
    with np.errstate(all="raise", under="ignore"):
        out = layer.forward(np.array([z], np.float32))
        d = layer.backward(np.ones(1, np.float32))
    assert np.isfinite(out).all() and np.isfinite(d).all()
    assert out.dtype == d.dtype == np.float32


# ------------------------------------------------------------------------------- like Keras


def keras_model(spec, weights):
    from mnist_core.training import engine

    model = engine.build(spec)
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(weights[f"{layer.name}/{variable.name}"])
    return model


def designs(random_spec):
    """Each activation with and without batch normalisation and dropout, and many at random."""
    rng = np.random.default_rng(7)
    for i, name in enumerate(ACTIVATIONS):
        for norm in (False, True):
            yield RunSpec(layers=(Layer(48, name, norm, 0.25 * norm), Layer(24, name, norm)))
        block = Conv(8, 3, name, bool(i % 2), 2, 0.25)
        yield RunSpec((), convolutions=(block, replace(block, filters=6, kernel=4, pool=3)))
    yield MAPS
    yield RunSpec((), convolutions=(Conv(4, 7, pool=3), Conv(64, 1, pool=1)))
    yield from (random_spec(rng, widest=200) for _ in range(30))


def test_every_design_computes_what_keras_computes(random_spec, mnist, rng):
    from mnist_core.training import engine

    images = mnist.test.images[:50]
    for spec in designs(random_spec):
        weights = scrambled(spec, rng)
        model, net = keras_model(spec, weights), Network.from_weights(spec, weights)
        logits = model(images, training=False).numpy()
        ours = net.forward(images)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, logits, rtol=1e-5, atol=1e-5, err_msg=str(spec))
        p = engine.keras.ops.softmax(logits).numpy()
        np.testing.assert_allclose(net.predict(images), p, rtol=0, atol=1e-5, err_msg=str(spec))


def test_the_names_and_shapes_of_the_weights_are_those_of_keras(random_spec, rng):
    from mnist_core.training import engine

    for _ in range(5):
        spec = random_spec(rng, widest=64)
        found = {name: value.shape for name, value in engine.weights(engine.build(spec)).items()}
        assert list(found.items()) == list(initial.weight_shapes(spec).items())


@pytest.mark.parametrize("size", [2, 3])
def test_equal_maxima_are_resolved_as_in_keras(size, rng):
    from mnist_core.training import engine

    tf = engine.tf
    x = rng.integers(0, 3, (4, 8, 7, 5)).astype(np.float32)
    layer, watched = layers.MaxPooling("p", size), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        out = engine.keras.layers.MaxPooling2D(size)(watched)
    d_out = rng.normal(size=out.shape).astype(np.float32)
    np.testing.assert_array_equal(layer.forward(x), out.numpy())
    np.testing.assert_array_equal(layer.backward(d_out), tape.gradient(out, watched, d_out).numpy())


BATCH_NORM = {
    "units": RunSpec(layers=(Layer(32, "relu", True), Layer(16, "tanh", True))),
    "maps": RunSpec((), convolutions=(Conv(8, 3, "relu", True), Conv(6, 3, "tanh", True, 1))),
}


@pytest.fixture
def double():
    """Keras in float64: over maps its float32 sums are off by more than ours may be."""
    from mnist_core.training import engine

    engine.keras.config.set_dtype_policy("float64")
    yield
    engine.keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("spec", BATCH_NORM.values(), ids=BATCH_NORM)
def test_training_batch_norm_equals_keras(spec, mnist, rng, double):
    weights = scrambled(spec, rng)
    model, net = keras_model(spec, weights), Network.from_weights(spec, weights, np.float64)
    single = Network.from_weights(spec, weights)
    for first in (0, 64):
        images = mnist.train.images[first : first + 64]
        logits = model(images, training=True).numpy()
        np.testing.assert_allclose(net.forward(images, True), logits, rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(single.forward(images, True), logits, rtol=1e-5, atol=2e-5)
    from mnist_core.training import engine

    for name, value in engine.weights(model).items():
        np.testing.assert_allclose(net.weights()[name], value, rtol=1e-5, err_msg=name)


CUT = 2 / 0.87962566103423978  # deviations: where the truncated normals of Keras end
SPREAD = {  # (variance, largest value in deviations), d inputs to an output, m outputs of an input
    "glorot_uniform": lambda d, m: (2 / (d + m), 3**0.5),
    "he_normal": lambda d, m: (2 / d, CUT),
    "lecun_normal": lambda d, m: (1 / d, CUT),
    "zeros": lambda d, m: (0, 0),
}


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_initial_weights_are_drawn_like_keras_draws_them(initializer, rng):
    from mnist_core.training import engine

    spec = RunSpec((Layer(512, batch_norm=True), Layer(300)), initializer=initializer,
                   convolutions=(Conv(32, 5, pool=3), Conv(24, 3)))  # fmt: skip
    ours, keras = initial.initial_weights(spec, rng), engine.weights(engine.seeded(spec))
    assert list(ours) == list(keras)
    for name, value in keras.items():
        assert ours[name].shape == value.shape
        if not name.endswith("/kernel"):
            np.testing.assert_array_equal(ours[name], value, err_msg=name)
            continue
        inputs, outputs = value[..., 0].size, value[..., 0, :].size
        variance, largest = SPREAD[initializer](inputs, outputs)
        deviation = variance**0.5
        for drawn in (ours[name], value):
            assert abs(drawn.mean()) <= 5 * deviation / drawn.size**0.5, name
            assert drawn.std() == pytest.approx(deviation, rel=5 / drawn.size**0.5), name
            assert abs(drawn).max() <= largest * deviation * (1 + 1e-6), name
            assert abs(drawn).max() >= 0.97 * largest * deviation, name


def test_two_truncated_normals_have_the_shape_that_keras_gives_them(rng):
    """Not the moments alone: a histogram of each, which a uniform of equal variance would fail."""
    from scipy.stats import ks_2samp

    from mnist_core.training import engine

    spec = RunSpec((Layer(64),), initializer="he_normal")
    ours, keras = initial.initial_weights(spec, rng), engine.weights(engine.seeded(spec))
    pair = [w["dense_1/kernel"].ravel() for w in (ours, keras)]
    assert ks_2samp(*pair).pvalue > 1e-3
    uniform = rng.uniform(-1, 1, pair[0].size) * pair[0].std() * 3**0.5
    assert ks_2samp(uniform, pair[1]).pvalue < 1e-6


# ------------------------------------------------------------------------------- use


@pytest.mark.parametrize(
    "spec",
    [RunSpec(layers=(Layer(32, batch_norm=True),)),
     RunSpec((), convolutions=(Conv(8, batch_norm=True), Conv(8)))],
    ids=["dense", "convolutions"],
)  # fmt: skip
def test_a_step_lowers_the_loss_and_gives_the_loss_before_it(spec, mnist):
    images, labels = mnist.train.images[:64], mnist.train.labels[:64]
    net = Network.from_spec(spec, np.random.default_rng(0))
    before = cross_entropy(net.forward(images, training=True), labels)[0]
    losses = [net.step(images, labels, 0.1) for _ in range(20)]
    assert losses[0] == pytest.approx(before)
    assert losses[-1] < 0.5 * losses[0]


def test_a_network_keeps_its_own_weights(rng):
    weights = scrambled(DEEP, rng)
    kept = {name: value.copy() for name, value in weights.items()}
    net = Network.from_weights(DEEP, weights)
    net.step(*digits(rng), 0.1)
    assert all(np.array_equal(weights[name], kept[name]) for name in kept)
    assert any(not np.array_equal(net.weights()[name], kept[name]) for name in kept)


def test_weights_come_back_as_they_were_given(rng):
    weights = scrambled(DEEP, rng)
    again = Network.from_weights(DEEP, weights).weights()
    assert list(again) == list(initial.weight_shapes(DEEP))
    assert all(np.array_equal(again[name], weights[name]) for name in weights)


def test_predict_does_not_depend_on_the_batch(rng):
    net = Network.from_weights(DEEP, scrambled(DEEP, rng))
    images, _ = digits(rng, 7)
    np.testing.assert_allclose(net.predict(images, batch=3), net.predict(images), atol=1e-6)
    assert net.predict(images[:0]).shape == (0, 10)


def test_trace_names_each_layer_and_ends_in_the_logits(rng):
    net, (images, _) = Network.from_weights(DEEP, scrambled(DEEP, rng)), digits(rng)
    trace = list(net.trace(images))
    assert [layer.name for layer, _ in trace] == [
        "rescaling", "flatten", "dense_1", "dense_1/tanh", "batch_norm_1", "dropout_1",
        "dense_2", "dense_2/silu", "dense_3", "dense_3/elu", "batch_norm_3", "logits",
    ]  # fmt: skip
    assert np.array_equal(trace[-1][1], net.forward(images))


def test_trace_shows_the_maps(rng):
    net, (images, _) = Network.from_weights(MAPS, scrambled(MAPS, rng)), digits(rng, 1)
    assert [(layer.name, out.shape[1:]) for layer, out in net.trace(images)] == [
        ("rescaling", (28, 28)), ("reshape", (28, 28, 1)),
        ("conv_1", (24, 24, 4)), ("conv_1/silu", (24, 24, 4)), ("conv_norm_1", (24, 24, 4)),
        ("pool_1", (8, 8, 4)), ("conv_dropout_1", (8, 8, 4)),
        ("conv_2", (7, 7, 6)), ("conv_2/elu", (7, 7, 6)), ("conv_norm_2", (7, 7, 6)),
        ("conv_3", (5, 5, 5)), ("conv_3/relu", (5, 5, 5)), ("pool_3", (2, 2, 5)),
        ("flatten", (20,)), ("dense_1", (12,)), ("dense_1/tanh", (12,)), ("logits", (10,)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("dense_2/bias"), "lack 'dense_2/bias'"),
        (lambda w: w.update({"dense_9/bias": np.zeros(3)}), "hold 'dense_9/bias'"),
        (lambda w: w.update({"logits/kernel": np.zeros((9, 10))}), "shape (9, 10);"),
        (lambda w: w.update({"conv_1/kernel": np.zeros((5, 5, 4))}), "needs (5, 5, 1, 4)."),
    ],
)
def test_weights_of_another_design_are_refused_in_a_sentence(change, says, rng):
    spec = replace(DEEP, convolutions=MAPS.convolutions)
    weights = scrambled(spec, rng)
    change(weights)
    with pytest.raises(ValueError) as refusal:
        Network.from_weights(spec, weights)
    assert says in str(refusal.value) and str(refusal.value).endswith(".")


def test_it_needs_nothing_but_numpy():
    code = (
        "import sys, mnist_core.network; "
        "heavy = {'tensorflow', 'keras', 'pandas', 'scipy', 'PIL', 'dask', 'streamlit'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
