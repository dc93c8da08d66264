import os

import numpy as np
import pytest

from mnist_core.statistics import pixels

EMPTY = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8)


def random_split(n=600, seed=0):
    """Sparse images, as MNIST's, with no 3 among the labels and a corner never inked."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
    images[rng.random(images.shape) < 0.8] = 0
    images[:, :2, :3] = 0
    labels = rng.choice([0, 1, 2, 4, 5, 6, 7, 8, 9], n).astype(np.uint8)
    return images, labels


SPLITS = pytest.mark.parametrize(
    ("images", "labels"),
    [random_split(), random_split(n=1), random_split(n=2, seed=2), random_split(n=511, seed=1)],
    ids=["many", "one", "two", "an odd number"],
)


def entropy(values):
    """Shannon's entropy in bits of a list of values, by the book."""
    shares = [np.mean(values == value) for value in np.unique(values)]
    return -sum(p * np.log2(p) for p in shares)


def check(found, images):
    """Each statistic of `found` against its plain NumPy form."""
    np.testing.assert_allclose(found.mean, images.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, images.std(axis=0, dtype=np.float64), atol=1e-10)
    np.testing.assert_array_equal(found.median, np.median(images, axis=0))
    np.testing.assert_array_equal(found.never_inked, (images == 0).all(axis=0))
    assert found.histogram.tolist() == [(images == level).sum() for level in range(256)]
    assert found.count == len(images)


@SPLITS
def test_levels_are_those_of_each_class(images, labels):
    found = pixels.levels(images, labels)
    check(found.pooled(), images)
    for digit in range(10):
        members = images[labels == digit]
        assert found.count[digit] == len(members)
        if len(members):
            check(found.of(digit), members)
            np.testing.assert_array_equal(found.mean[digit], found.of(digit).mean)
            np.testing.assert_array_equal(found.std[digit], found.of(digit).std)
        else:
            assert np.isnan(found.mean[digit]).all() and np.isnan(found.std[digit]).all()


@SPLITS
def test_entropy_is_shannons(images, labels):
    found = pixels.levels(images[:, :6, :6], labels).pooled().entropy
    expected = [[entropy(images[:, r, c]) for c in range(6)] for r in range(6)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_entropy_reaches_from_nothing_to_eight_bits():
    images = np.zeros((256, 1, 2), np.uint8)
    images[:, 0, 1] = np.arange(256)
    found = pixels.levels(images, np.zeros(256, np.uint8)).pooled().entropy
    np.testing.assert_allclose(found, [[0, 8]])
    assert not np.signbit(found).any()


def test_sums_are_exact_where_they_are_largest():
    white = np.full((775, 4, 5), 255, np.uint8)
    found = pixels.levels(white, np.full(len(white), 6))
    assert (found.mean[6] == 255).all() and (found.std[6] == 0).all()
    assert (found.of(6).median == 255).all()


@SPLITS
def test_intensity_is_the_mean_and_deviation_of_the_pixels(images, labels):
    mean, std = pixels.intensity(pixels.levels(images, labels).histogram)
    assert mean == pytest.approx((images / 255).mean())
    assert std == pytest.approx((images / 255).std())


@SPLITS
def test_class_counts(images, labels):
    found = pixels.class_counts(labels)
    assert found.dtype == np.int64
    assert found.tolist() == [(labels == digit).sum() for digit in range(10)]


@pytest.mark.filterwarnings("error")
def test_nothing_has_no_mean_and_does_not_warn():
    by_class = pixels.levels(*EMPTY)
    assert by_class.count.tolist() == [0] * 10 and by_class.mean.shape == (10, 28, 28)
    for found in (by_class, by_class.pooled()):
        for nothing in (found.mean, found.std, found.median, found.entropy):
            assert np.isnan(nothing).all()
        assert found.histogram.sum() == 0 and found.never_inked.all()
    assert np.isnan(pixels.intensity(by_class.histogram)).all()


def test_the_arrays_may_be_read_only():
    images, labels = random_split()
    images.setflags(write=False)
    labels.setflags(write=False)
    pixels.levels(images, labels)


def test_facts():
    images = random_split()[0]
    found = pixels.facts("train images", images)
    assert found == pixels.ArrayFacts(
        "train images", (600, 28, 28), 3, "uint8", 0, int(images.max()), 600 * 784
    )
    assert type(found.minimum) is int
    assert pixels.facts("scaled", np.float32([0.5, 1])).maximum == 1.0
    assert pixels.facts("none", EMPTY[0]).minimum is None


LABELS = np.zeros(2, np.uint8)
IMAGES = np.zeros((2, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pixels.levels(IMAGES / 255, LABELS), "uint8.*float64"),
        (lambda: pixels.levels(IMAGES[0], LABELS), r"\(n, h, w\).*\(28, 28\)"),
        (lambda: pixels.levels(IMAGES, LABELS[:1]), "2 have 1"),
        (lambda: pixels.levels(IMAGES, LABELS + 10), "0 to 9.*10 to 10"),
        (lambda: pixels.class_counts(LABELS + 10), "0 to 9.*10 to 10"),
        (lambda: pixels.class_counts(np.array([-1])), "0 to 9.*-1"),
        (lambda: pixels.class_counts(LABELS / 2), "whole numbers.*float64"),
    ],
)
def test_other_arrays_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture(scope="module")
def mnist():
    if "MNIST_DATA" not in os.environ:
        pytest.skip("MNIST_DATA is not set")
    with np.load(os.environ["MNIST_DATA"]) as data:
        return dict(data)


def test_known_figures_of_the_training_set(mnist):
    images, labels = mnist["x_train"], mnist["y_train"]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert pixels.class_counts(labels).tolist() == counts
    found = pixels.levels(images, labels)
    assert np.round(pixels.intensity(found.histogram), 4).tolist() == [0.1307, 0.3081]
    assert found.count.tolist() == counts
    every = found.pooled()
    assert every.never_inked.sum() == 67
    assert every.mean.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    np.testing.assert_array_equal(every.median, np.median(images, axis=0))


def test_known_figures_of_the_test_set(mnist):
    images, labels = mnist["x_test"], mnist["y_test"]
    found = pixels.levels(images, labels)
    assert found.count.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.round(pixels.intensity(found.histogram), 4).tolist() == [0.1325, 0.3105]
