"""What is said of a model's inside, against finite differences and loops written out."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from mnist_core.analysis import explanation
from mnist_core.analysis.explanation import Damage
from mnist_core.design.choices import Conv
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network import initial
from mnist_core.network.network import Network

DENSE = RunSpec(layers=(Layer(24, "tanh", True, 0.4), Layer(12, "silu")))
MAPS = RunSpec(convolutions=(Conv(4), Conv(6)), layers=(Layer(12),))


def made(spec, dtype=np.float64):
    """A network of this design with weights as after some training."""
    rng = np.random.default_rng(7)
    weights = initial.initial_weights(replace(spec, initializer="glorot_uniform"), rng)
    for name, value in weights.items():
        if not name.endswith("kernel"):
            weights[name] = rng.uniform(0.2, 0.6, value.shape)
    return Network.from_weights(spec, weights, dtype)


@pytest.fixture
def image(mnist):
    return mnist.test.images[0]


@pytest.fixture(params=[DENSE, MAPS], ids=["dense", "maps"])
def net(request):
    return made(request.param)


# ------------------------------------------------------------------------- saliency


def test_the_gradient_agrees_with_finite_differences(net):
    """On noise: where neighbours are equal, the largest of them has no derivative."""
    rng = np.random.default_rng(1)
    x, step = rng.uniform(0, 255, (28, 28)), 1e-4
    found = explanation.gradient(net, x, 3)
    for row, column in rng.integers(4, 24, (12, 2)):
        nudge = np.zeros_like(x)
        nudge[row, column] = step
        above, below = (net.forward((x + s * nudge)[None])[0, 3] for s in (1, -1))
        expected = (above - below) / (2 * step)
        assert found[row, column] == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert np.abs(found).max() > 1e-6


def test_gradient_times_input_adds_up_to_the_logit_of_a_network_without_biases(image):
    """Piecewise linear and through the origin: f(x) = ∇f · x (Shrikumar et al. 2016)."""
    spec = RunSpec(layers=(Layer(24, "relu"), Layer(12, "relu")))
    net = Network.from_spec(spec, np.random.default_rng(0), np.float64)  # its biases are 0
    found = explanation.gradient_times_input(net, image, 5)
    assert found.sum() == pytest.approx(net.forward(image[None])[0, 5], rel=1e-9)
    assert (found[image == 0] == 0).all()


@pytest.mark.parametrize(("spec", "size"), [(DENSE, 1), (DENSE, 5), (MAPS, 3)])
def test_occlusion_agrees_with_covering_each_place_by_hand(spec, image, size):
    net = made(spec)
    found = explanation.occlusion(net, image, size)
    assert found.shape == (28, 28, 10)
    for row, column in [(0, 0), (27, 27), (0, 14), (13, 9), (20, 27), (14, 14)]:
        hidden = image.copy()
        half = size // 2
        hidden[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1] = 0
        assert np.allclose(found[row, column], net.forward(hidden[None])[0], rtol=1e-9)


def test_a_patch_without_a_middle_is_refused(net, image):
    with pytest.raises(ValueError, match="odd"):
        explanation.occlusion(net, image, 4)


def test_two_visitors_of_one_network_do_not_mix(mnist):
    """Each thread's gradients are those it gets alone, and the shared layers keep none."""
    net = made(DENSE)
    images = mnist.test.images[:8]
    alone = [explanation.gradient(net, image, i) for i, image in enumerate(images)]
    wrong = []

    def visit(i):
        for _ in range(30):
            if not np.array_equal(explanation.gradient(net, images[i], i), alone[i]):
                wrong.append(i)

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong
    assert not any(layer.gradients for layer in net.layers)


# ------------------------------------------------------------- activations and weights


def test_the_steps_are_the_layers_of_the_design(image):
    dense = explanation.steps(made(DENSE), image)
    assert [(s.name, s.values.shape) for s in dense] == [
        ("dense_1/tanh", (24,)), ("batch_norm_1", (24,)), ("dense_2/silu", (12,)),
        ("logits", (10,)),
    ]  # fmt: skip
    maps = [s.values.shape for s in explanation.steps(made(MAPS), image)]
    assert maps == [(26, 26, 4), (13, 13, 4), (11, 11, 6), (5, 5, 6), (12,), (10,)]


def test_a_step_is_what_its_layer_gives_out(net, image):
    for step in explanation.steps(net, image):
        assert np.array_equal(step.values, explanation.output(net, image[None], step.index)[0])
    assert np.allclose(explanation.steps(net, image)[-1].values, net.forward(image[None])[0])
    with pytest.raises(ValueError, match="there is no 99"):
        explanation.output(net, image[None], 99)


def test_a_filter_is_the_picture_of_a_units_weights(image):
    dense, maps = made(DENSE), made(MAPS)
    kernel = dense.weights()["dense_1/kernel"]
    assert np.array_equal(explanation.filters(dense)[5], kernel[:, 5].reshape(28, 28))
    kernel = maps.weights()["conv_1/kernel"]
    assert np.array_equal(explanation.filters(maps)[2], kernel[:, :, 0, 2])
    assert explanation.filters(maps).shape == (4, 3, 3)


def test_the_most_exciting_images_are_found(net, mnist):
    images = mnist.test.images[:40]
    for step in explanation.steps(net, images[0])[::2]:
        values = explanation.output(net, images, step.index)
        peaks = values.reshape(40, -1, step.units).max(axis=1)
        place, value = explanation.most_exciting(net, images, step.index, 5)
        assert place.shape == value.shape == (step.units, 5)
        assert np.allclose(value, -np.sort(-peaks, axis=0)[:5].T)
        assert np.allclose(peaks[place[3], 3], value[3])


# ---------------------------------------------------------------------------- damage


def test_no_damage_changes_nothing(net, mnist):
    images = mnist.test.images[:50]
    assert explanation.disturbed(images, Damage()) is images
    hurt = explanation.damaged(net, Damage(layer=explanation.damage_points(net)[0]))
    assert np.array_equal(hurt.forward(images), net.forward(images))
    labels = net.forward(images).argmax(axis=1)
    assert (explanation.answers(net, images, Damage()) == labels).sum() == 50


def test_units_are_taken_from_what_goes_into_weights():
    dense, maps = made(DENSE), made(MAPS)
    assert [dense.layers[i].name for i in explanation.damage_points(dense)] == [
        "batch_norm_1", "dense_2/silu",
    ]  # fmt: skip
    names = [maps.layers[i].name for i in explanation.damage_points(maps)]
    assert names == ["pool_1", "pool_2", "dense_1/relu"]


def test_a_removed_unit_is_as_good_as_having_no_weights_further_on(net, mnist):
    images, point = mnist.test.images[:20], explanation.damage_points(net)[-1]
    hurt = explanation.damaged(net, Damage(layer=point, removed=(1, 4)))
    weights = net.weights()
    weights["logits/kernel"] = weights["logits/kernel"].copy()
    weights["logits/kernel"][[1, 4]] = 0
    spec = DENSE if "batch_norm_1/gamma" in weights else MAPS
    expected = Network.from_weights(spec, weights, np.float64)
    assert np.allclose(hurt.forward(images), expected.forward(images))
    assert not np.allclose(hurt.forward(images), net.forward(images))


def test_with_all_units_gone_every_image_gets_the_same_answer(net, mnist):
    for point in explanation.damage_points(net):
        units = explanation.output(net, mnist.test.images[:1], point).shape[-1]
        hurt = explanation.damaged(net, Damage(layer=point, removed=tuple(range(units))))
        assert np.ptp(hurt.forward(mnist.test.images[:20]), axis=0).max() < 1e-9


def test_dropout_at_inference_silences_a_share_and_repeats_itself(mnist):
    net, images = made(DENSE), mnist.test.images[:200]
    point = explanation.damage_points(net)[0]
    hurt = [explanation.damaged(net, Damage(layer=point, dropout=0.3)) for _ in range(2)]
    first, second = (explanation.output(h, images, point + 1) for h in hurt)
    assert np.array_equal(first, second)
    assert abs((first == 0).mean() - 0.3) < 0.03
    whole = explanation.output(net, images, point)
    assert np.allclose(first[first != 0], (whole / 0.7)[first != 0])


def test_noise_is_as_strong_as_asked_for():
    gray = np.full((40, 28, 28), 128, np.uint8)
    found = explanation.disturbed(gray, Damage(noise=20)).astype(float) - 128
    assert abs(found.std() - 20) < 0.5 and abs(found.mean()) < 0.5
    assert np.array_equal(found, explanation.disturbed(gray, Damage(noise=20)).astype(float) - 128)
    assert not np.array_equal(found[0], found[1])


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, 2), (-4, -1), (10, 10)])
def test_a_shift_moves_the_image_and_brings_in_black(mnist, right, down):
    images = mnist.test.images[:20]
    found = explanation.disturbed(images, Damage(right=right, down=down))
    expected = ndimage.shift(images, (0, down, right), order=0, cval=0)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("angle", [90, 180, -90])
def test_a_quarter_turn_moves_every_pixel_whole(mnist, angle):
    images = mnist.test.images[:20]
    found = explanation.disturbed(images, Damage(angle=angle))
    assert np.array_equal(found, np.rot90(images, angle // 90, axes=(1, 2)))


def test_a_rotation_is_that_of_scipy(mnist):
    images = mnist.test.images[:20]
    found = explanation.disturbed(images, Damage(angle=25)).astype(float)
    padded = np.pad(images.astype(float), ((0, 0), (4, 4), (4, 4)))  # SciPy cuts edges off
    turned = ndimage.rotate(padded, 25, axes=(1, 2), order=1, reshape=False)
    assert np.abs(found - turned[:, 4:-4, 4:-4]).max() <= 0.51


def test_damage_costs_the_default_model_accuracy(mnist):
    from mnist_core.runs import models

    net = models.default().network
    images, labels = mnist.test.images[:200], mnist.test.labels[:200]
    left = [(explanation.answers(net, images, Damage(angle=a)) == labels).sum()
            for a in (0, 30, 90)]  # fmt: skip
    assert left[0] > 185 and left[0] > left[1] > left[2]
    p = explanation.answer(net, images[0], Damage(angle=90))
    assert p.shape == (10,) and p.sum() == pytest.approx(1, abs=1e-5)
