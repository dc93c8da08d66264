"""Augmentation: each distortion against SciPy's, the two backends against each other, training."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from mnist_core.design import augmentation
from mnist_core.design.spec import AUGMENTATIONS, LIMITS, Augment, Conv, Layer, RunSpec
from mnist_core.network.network import Network
from mnist_core.training import engine, events
from mnist_core.training.control import Control

MOST = {name: LIMITS[name].high for name in AUGMENTATIONS}
ONE_EACH = [Augment(**{name: most}) for name, most in MOST.items()]
SOME = Augment(2, 10, 0.1, 10, 1.4, 0.5)
named = pytest.mark.parametrize


@pytest.fixture(scope="module")
def digits(mnist):
    return mnist.train.images[:40].astype(np.float32)


def noise(n, **most):
    """Noise that asks for nothing but these shares of the most."""
    order = ("right", "down", "turn", "zoom", "lean", "pen")
    values = np.zeros((n, 6 + 2 * augmentation.KNOTS**2), np.float32)
    for name, value in most.items():
        values[:, order.index(name)] = value
    return values


def random_noise(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, 104)).astype(np.float32)


def by_scipy(images, matrix, offset=(0, 0)):
    """Linear interpolation of the output pixel (y, x) at `matrix` times it, about pixel 14."""
    middle = np.array([14, 14])
    start = middle - matrix @ (middle + offset)
    return np.array([ndimage.affine_transform(image, matrix, start, order=1, mode="grid-constant")
                     for image in images])  # fmt: skip


# ------------------------------------------------------------------------- each distortion


@named("setting", [Augment(), *ONE_EACH, SOME])
def test_no_noise_is_no_change(digits, setting):
    found = augmentation.distort(digits, noise(40), setting)
    np.testing.assert_allclose(found, digits, atol=1e-3)
    assert found.shape == digits.shape and found.dtype == np.float32


def test_no_augmentation_takes_any_noise(digits):
    np.testing.assert_array_equal(augmentation.distort(digits, random_noise(40), Augment()), digits)


@named(("right", "down"), [*itertools.product((-1, 0, 1), (-1, 0.5, 1))])
def test_whole_pixels_move_and_leave_black_behind(right, down):
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28)).astype(np.float32)
    found = augmentation.distort(images, noise(3, right=right, down=down), Augment(shift=4))
    y, x = int(4 * down), int(4 * right)
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4)))[:, 4 - y : 32 - y, 4 - x : 32 - x]
    np.testing.assert_array_equal(found, padded)


def test_half_a_pixel_is_the_mean_of_two(digits):
    found = augmentation.distort(digits, noise(40, right=0.5), Augment(shift=1))
    np.testing.assert_allclose(found[..., 1:], (digits[..., 1:] + digits[..., :-1]) / 2, atol=1e-3)


@named("share", [-1, 0.3, 1])
def test_a_rotation_is_that_of_scipy(digits, share):
    found = augmentation.distort(digits, noise(40, turn=share), Augment(rotation=40))
    a = np.deg2rad(40 * share)
    matrix = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    np.testing.assert_allclose(found, by_scipy(digits, matrix), atol=0.01)


@named("share", [-1, 0.3, 1])
def test_zoom_and_shear_are_those_of_scipy(digits, share):
    found = augmentation.distort(digits, noise(40, zoom=share), Augment(zoom=0.4))
    np.testing.assert_allclose(found, by_scipy(digits, np.eye(2) / (1 + 0.4 * share)), atol=0.01)
    found = augmentation.distort(digits, noise(40, lean=share), Augment(shear=30))
    matrix = np.array([[1, 0], [-np.tan(np.deg2rad(30 * share)), 1]])
    np.testing.assert_allclose(found, by_scipy(digits, matrix), atol=0.01)


def test_a_larger_zoom_makes_more_ink(digits):
    distort, zoom = augmentation.distort, Augment(zoom=0.3)
    small, large = (distort(digits, noise(40, zoom=z), zoom) for z in (-1, 1))
    assert (small.sum((1, 2)) < digits.sum((1, 2))).all()
    assert (digits.sum((1, 2)) < large.sum((1, 2))).all()


def test_the_parts_of_the_shape_combine(digits):
    """Zoomed, then sheared, then turned, then shifted; from the result back, in reverse."""
    given = noise(40, right=0.5, down=-1, turn=1, zoom=1, lean=-1)
    found = augmentation.distort(digits, given, Augment(3, 20, 0.2, 15))
    a, k = np.deg2rad(20), np.tan(np.deg2rad(-15))
    back = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    back = np.array([[1, 0], [-k, 1]]) @ back / 1.2
    np.testing.assert_allclose(found, by_scipy(digits, back, (-3, 1.5)), atol=0.02)


@named("share", [-1, -0.4, 0.4, 1])
def test_the_pen_is_a_share_of_grey_dilation_or_erosion(digits, share):
    found = augmentation.distort(digits, noise(40, pen=share), Augment(pen=1.0))
    change = ndimage.grey_dilation if share > 0 else ndimage.grey_erosion
    ends = np.array([change(x, size=(3, 3), mode="constant", cval=0) for x in digits])
    np.testing.assert_allclose(found, digits + abs(share) * (ends - digits), atol=0.01)
    assert (found >= digits - 1e-3).all() if share > 0 else (found <= digits + 1e-3).all()
    assert abs(found - digits).max() > 50


def test_ink_at_the_edge_does_not_come_back_on_the_other_side():
    images = np.full((1, 28, 28), 255, np.float32)
    wide = augmentation.distort(images, noise(1, pen=1, right=1), Augment(shift=6, pen=1))
    assert (wide[..., :5] == 0).all() and (wide[..., 6:] == 255).all()
    away = noise(1)
    away[:, 6:] = 100  # every pixel from far outside
    assert (augmentation.distort(images, away, Augment(elastic=4)) == 0).all()


def test_the_elastic_field_is_smooth_and_as_strong_as_it_says():
    field = augmentation.bend(random_noise(4000)[:, 6:])
    assert field.shape == (4000, 2, 28, 28)
    np.testing.assert_allclose(field.std(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(field.mean(axis=0), 0, atol=0.08)
    assert abs(np.diff(field)).mean() < 0.2 and abs(np.diff(field, axis=2)).mean() < 0.2
    assert abs(np.corrcoef(field[:, 0, 14, 14], field[:, 1, 14, 14])[0, 1]) < 0.06


# ------------------------------------------------------------------------- all of them


@named("setting", [*ONE_EACH, Augment(**MOST)])
def test_values_stay_within_0_and_255_and_differ_per_image(setting):
    digit = np.tile(np.random.default_rng(2).integers(0, 256, (28, 28)), (50, 1, 1))
    found = augmentation.distort(digit.astype(np.float32), random_noise(50), setting)
    assert found.min() >= -0.01 and found.max() <= 255.01
    assert len(np.unique(found.reshape(50, -1), axis=0)) == 50
    pixels = augmentation.distorted(digit.astype(np.uint8), setting, np.random.default_rng(0))
    assert pixels.dtype == np.uint8 and pixels.shape == (50, 28, 28)


@named("setting", [Augment(), *ONE_EACH, SOME])
def test_an_empty_batch_stays_empty(setting):
    none = np.zeros((0, 28, 28), np.uint8)
    empty = augmentation.distorted(none, setting, np.random.default_rng(0))
    assert empty.shape == (0, 28, 28) and empty.dtype == np.uint8


def test_a_generator_decides_the_draw(digits):
    images = digits.astype(np.uint8)
    a, b, c = (augmentation.distorted(images, SOME, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    np.testing.assert_array_equal(images, digits)  # the originals are left as they were


@named("setting", [*ONE_EACH, SOME, Augment(**MOST)])
def test_numpy_and_keras_agree(digits, setting):
    given = random_noise(40)[:, : augmentation.draws(setting)]
    theirs = augmentation.distort(engine.tf.constant(digits), engine.tf.constant(given), setting,
                             engine.keras.ops)  # fmt: skip
    np.testing.assert_allclose(augmentation.distort(digits, given, setting), theirs, atol=0.02)


# ------------------------------------------------------------------------- in training

BASE = RunSpec((Layer(16, dropout=0.1),), epochs=4, augment=SOME)
CONVOLVED = replace(BASE, convolutions=(Conv(4),), layers=())


def run(spec, data, stop=None, resume=None):
    control, happened = Control(), []
    for event in engine.train(spec, data, control, resume):
        happened.append(event)
        if isinstance(event, events.EpochEnded) and event.epoch == stop:
            control.stop()
    return happened


@named("spec", [BASE, CONVOLVED], ids=["dense", "convolutional"])
def test_the_compiled_step_distorts_as_the_preview_does(spec, digits):
    program = engine.Program(spec)
    seed = engine.tf.constant([3, 4])
    images = engine.tf.constant(digits.astype(np.uint8))
    found = program._distort(images, seed).numpy()
    given = engine.tf.function(
        lambda: engine.tf.random.stateless_uniform((40, 104), seed, -1, 1, alg="threefry"),
        jit_compile=True,
    )().numpy()  # fmt: skip
    assert found.dtype == np.uint8 and given.std(axis=0).min() > 0.3
    expected = np.round(augmentation.distort(digits, given, SOME))
    assert abs(found - expected).max() <= 1 and np.mean(found != expected) < 1e-3
    for other in ([3, 5], [2, 4]):  # another step, another seed
        assert np.mean(found != program._distort(images, engine.tf.constant(other))) > 0.1


def test_half_a_run_taken_up_again_ends_like_the_whole(tiny):
    whole = run(BASE, tiny)[-1]
    half = run(BASE, tiny, stop=2)[-1]
    assert (half.step, list(half.checkpoint.state["augment/draws"])) == (32, [BASE.seed, 32])
    run(replace(BASE, seed=9), tiny)  # another run on the same program in between
    resumed = run(BASE, tiny, resume=half.checkpoint)[-1]
    for name, value in whole.checkpoint.weights.items():
        np.testing.assert_allclose(resumed.checkpoint.weights[name], value, rtol=1e-5, atol=1e-6)
    other = run(replace(BASE, seed=9), tiny)[-1]
    assert other.test_loss != pytest.approx(whole.test_loss, rel=1e-3)


def test_training_is_harder_and_evaluation_is_on_the_digits_as_they_are(tiny):
    spec = replace(BASE, epochs=10, learning_rate=0.01)
    ends = {}
    for setting in (Augment(), SOME):
        happened = run(replace(spec, augment=setting), tiny)
        assert all(np.isfinite(e.loss) for e in happened if isinstance(e, events.Progress))
        ends[bool(setting)] = [e for e in happened if isinstance(e, events.EpochEnded)][-1].accuracy
    assert ends[True] < ends[False] - 0.05
    network = Network.from_weights(spec, happened[-1].checkpoint.weights)
    right = np.mean(network.forward(tiny.test.images).argmax(axis=1) == tiny.test.labels)
    assert happened[-1].test_accuracy == pytest.approx(right)


def test_a_convolutional_network_trains_on_distorted_digits_too(tiny):
    happened = run(replace(CONVOLVED, epochs=1), tiny)
    assert isinstance(happened[-1], events.Finished)
    assert np.isfinite(happened[-1].test_loss)
    assert happened[-1].checkpoint.state["augment/draws"][1] == happened[-1].step
