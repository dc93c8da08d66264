"""Why a model misread: steps, likenesses and what tips the balance, each against a second way."""

import numpy as np
import pytest

from mnist_core.analysis import misreading
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.imaging import drawing, normalization
from mnist_core.network.network import Network
from mnist_core.runs import models
from mnist_core.statistics import projections
from tests.imaging.test_drawing import photo, seven

named = pytest.mark.parametrize


@pytest.fixture(scope="module")
def nine(mnist):
    return mnist.test.images[np.flatnonzero(mnist.test.labels == 9)[3]]


# --- the steps -----------------------------------------------------------------------------------


@named("picture", [seven(), 255 - seven(), photo(seven())], ids=["light", "dark", "photo"])
def test_mnists_own_steps_end_in_what_the_model_gets(picture):
    shown = misreading.steps(picture, "auto", misreading.MNISTS_OWN)
    assert list(shown) == list(misreading.STEPS)
    assert all(image.shape == (28, 28) and image.dtype == np.uint8 for image in shown.values())
    expected = np.round(255 * drawing.to_mnist(picture)).astype(np.uint8)
    for name in ("mass", "deslant", "pen"):
        np.testing.assert_array_equal(shown[name], expected)


@named("name", ["ink", "crop", "box", "mass", "deslant", "pen"])
def test_a_step_that_is_off_changes_nothing_by_itself(name):
    order = list(misreading.STEPS)
    picture = photo(seven())
    shown = misreading.steps(picture, "auto", [n for n in order if n != name])
    before = order[order.index(name) - 1]
    np.testing.assert_array_equal(shown[name], shown[before])
    with_it = misreading.steps(picture, "auto", order)
    assert (with_it[name] != with_it[before]).any()


def test_without_inverting_dark_ink_stays_dark():
    shown = misreading.steps(255 - seven(), "auto", [])
    assert shown["pen"].mean() > 200
    assert misreading.steps(255 - seven(), "auto", ["ink"])["pen"].mean() < 60


# --- two more ways to make digits alike ----------------------------------------------------------


def second_moment(image):
    y, x = np.mgrid[:28, :28]
    weight = image / image.sum()
    row, column = (weight * y).sum(), (weight * x).sum()
    return (weight * (y - row) * (x - column)).sum()


def test_deslanting_takes_the_slant_away(mnist):
    images = mnist.test.images[:50] / np.float32(255)
    before = np.mean([abs(second_moment(i)) for i in images])
    after = np.mean([abs(second_moment(normalization.deslant(i[None])[0])) for i in images])
    assert after < 0.1 * before
    blank = np.zeros((28, 28), np.float32)
    assert not normalization.deslant(blank[None]).any() and not normalization.with_pen(blank).any()


@named("pixels", [1.5, 2.4, 3.5])
def test_a_pen_is_as_thick_as_asked(pixels, mnist):
    images = mnist.test.images[:12] / np.float32(255)
    found = [normalization.pen_width(normalization.with_pen(i, pixels)) for i in images]
    assert abs(np.median(found) - pixels) < 0.45


# --- likenesses ----------------------------------------------------------------------------------


def test_the_nearest_are_the_nearest(tiny):
    images, image = tiny.train.images, tiny.test.images[0]
    found, distances = projections.nearest(images, image, 7)
    flat = images.reshape(len(images), -1) / 255
    exact = np.linalg.norm(flat - image.ravel() / 255, axis=1)
    np.testing.assert_array_equal(found, np.argsort(exact)[:7])
    np.testing.assert_allclose(distances, np.sort(exact)[:7], rtol=1e-6)
    assert projections.nearest(images, images[5], 1)[0].tolist() == [5]
    assert len(projections.nearest(images[:3], image, 10)[0]) == 3


def test_percentiles():
    values = np.array([1.0, 2, 2, 3, np.nan])
    assert [misreading.percentile(values, v) for v in (0, 2, 9)] == [0, 50, 100]
    assert np.isnan(misreading.percentile(values[4:], 1.0))
    assert np.isnan(misreading.percentile(values, np.nan))


# --- what tips the balance -----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["default", "tanh"])
def network(request):
    if request.param == "default":
        return models.default().network
    return Network.from_spec(RunSpec((Layer(24, "tanh"),)), np.random.default_rng(2))


def test_the_shares_of_the_ink_add_up_to_the_margin(network, nine):
    """Completeness: against two plain forward passes."""
    found = misreading.balance(network, nine, 9, 4)
    logits = network.forward(np.stack([nine, np.zeros_like(nine)])).astype(float)
    margin, black = logits[:, 9] - logits[:, 4]
    assert found.margin == pytest.approx(margin, abs=1e-4)
    assert found.ink.sum() == pytest.approx(margin - black, abs=0.05 * abs(margin - black) + 0.05)
    assert sum(found.by_region().values()) == pytest.approx(found.ink.sum(), abs=1e-3)
    assert not found.ink[nine == 0].any() and not found.adding[nine > 0].any()


def test_adding_ink_does_what_the_gradient_says(nine):
    spec = RunSpec((Layer(24, "tanh"),))
    network = Network.from_spec(spec, np.random.default_rng(2), np.float64)
    found = misreading.balance(network, nine, 9, 4)
    for place in np.argwhere(found.adding != 0)[::17]:
        more = nine.astype(float)
        more[tuple(place)] += 0.5
        logits = network.forward(more[None])[0]
        slope = (logits[9] - logits[4] - found.margin) / 0.5
        assert found.adding[tuple(place)] == pytest.approx(255 * slope, rel=0.02, abs=2e-3)


def test_verdicts_are_what_the_model_says_without_that_ink(nine):
    network = models.default().network
    found = misreading.balance(network, nine, 9, 4)
    assert set(found.verdicts) <= set(misreading.REGIONS)
    for name, verdict in found.verdicts.items():
        region = misreading.REGIONS.index(name)
        without = np.where(found.regions == region, 0, nine).astype(np.uint8)
        assert verdict == network.predict(without[None])[0].argmax()


def test_the_sentences_name_the_strongest_regions(nine):
    found = misreading.balance(models.default().network, nine, 9, 4)
    words, sums = " ".join(misreading.in_words(found)), found.by_region()
    assert words.startswith("Between 9 and 4 alone, it is 9, with ")
    assert f"{max(sums, key=sums.get)} speaks most for 9" in words
    flips = [n for n, verdict in found.verdicts.items() if verdict == 4]
    assert ("would say 4" in words) == bool(flips)


def test_regions_are_thirds_of_the_ink():
    image = np.zeros((28, 28), np.uint8)
    image[4:16, 10:19] = 9
    regions = misreading.thirds(image)
    assert regions[4, 10] == 0 and regions[15, 18] == 8 and regions[10, 14] == 4
    assert np.bincount(regions[4:16, 10:19].ravel()).tolist() == [12] * 9


def test_a_shared_network_is_left_as_it_was(nine):
    network = models.default().network
    before = {id(layer): dict(vars(layer)) for layer in network.layers}
    gradients = [dict(layer.gradients) for layer in network.layers]
    misreading._gradient(network, nine[None].astype(np.float32), 1, 2)
    assert [dict(layer.gradients) for layer in network.layers] == gradients
    for layer in network.layers:
        assert before[id(layer)].keys() == vars(layer).keys()
