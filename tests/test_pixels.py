import os

import numpy as np
import pytest

from mnist_core import pixels

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
    [random_split(), random_split(n=1), random_split(n=pixels.CHUNK), random_split(n=511, seed=1)],
    ids=["many", "one", "a chunk", "a chunk less one"],
)


@SPLITS
def test_moments_are_those_of_each_class(images, labels):
    found = pixels.moments(images, labels)
    for digit in range(10):
        members = images[labels == digit].astype(np.float64)
        assert found.count[digit] == len(members)
        if len(members):
            np.testing.assert_allclose(found.mean[digit], members.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(found.std[digit], members.std(axis=0), atol=1e-10)
        else:
            assert np.isnan(found.mean[digit]).all() and np.isnan(found.std[digit]).all()


@SPLITS
def test_pooled_moments_are_the_mean_and_std_images(images, labels):
    pooled = pixels.moments(images, labels).pooled()
    assert pooled.count == len(images)
    for found in (pooled.mean, pixels.mean_image(images)):
        np.testing.assert_allclose(found, images.mean(axis=0, dtype=np.float64), rtol=1e-12)
    for found in (pooled.std, pixels.std_image(images)):
        np.testing.assert_allclose(found, images.std(axis=0, dtype=np.float64), atol=1e-10)


def test_sums_are_exact_where_they_are_largest():
    white = np.full((3 * pixels.CHUNK + 7, 4, 5), 255, np.uint8)
    found = pixels.moments(white, np.full(len(white), 6))
    assert (found.total[6] == 255 * len(white)).all()
    assert (found.squares[6] == 255**2 * len(white)).all()
    assert (found.mean[6] == 255).all() and (found.std[6] == 0).all()


@SPLITS
def test_histogram_counts_every_pixel(images, labels):
    found = pixels.histogram(images)
    assert found.dtype == np.int64 and found.shape == (256,)
    assert found.tolist() == [(images == level).sum() for level in range(256)]
    np.testing.assert_array_equal(
        pixels.histogram(images[0]), np.bincount(images[0].ravel(), minlength=256)
    )


@SPLITS
def test_intensity_is_the_mean_and_deviation_of_the_pixels(images, labels):
    mean, std = pixels.intensity(pixels.histogram(images))
    assert mean == pytest.approx((images / 255).mean())
    assert std == pytest.approx((images / 255).std())


@SPLITS
def test_inked_and_never_inked(images, labels):
    found = pixels.inked(images)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, (images > 0).sum(axis=0))
    np.testing.assert_array_equal(pixels.never_inked(images), (images == 0).all(axis=0))


def test_inked_does_not_overflow():
    assert (pixels.inked(np.full((1000, 2, 2), 7, np.uint8)) == 1000).all()


@SPLITS
def test_ink_is_the_mean_of_each_image(images, labels):
    found = pixels.ink(images)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [(image / 255).mean() for image in images])


@SPLITS
def test_ink_by_class_holds_each_class_s_quantiles(images, labels):
    found = pixels.ink_by_class(images, labels)
    assert found.shape == (10, 5)
    for digit in range(10):
        shares = [(image / 255).mean() for image in images[labels == digit]]
        expected = np.percentile(shares, [5, 25, 50, 75, 95]) if shares else np.full(5, np.nan)
        np.testing.assert_allclose(found[digit], expected)


@SPLITS
def test_class_counts(images, labels):
    found = pixels.class_counts(labels)
    assert found.dtype == np.int64
    assert found.tolist() == [(labels == digit).sum() for digit in range(10)]


@pytest.mark.filterwarnings("error")
def test_nothing_has_no_mean_and_does_not_warn():
    images, labels = EMPTY
    found = pixels.moments(images, labels)
    assert found.count.tolist() == [0] * 10 and found.mean.shape == (10, 28, 28)
    for nothing in (found.mean, found.std, pixels.mean_image(images), pixels.std_image(images)):
        assert np.isnan(nothing).all()
    assert np.isnan(pixels.intensity(pixels.histogram(images))).all()
    assert np.isnan(pixels.ink_by_class(images, labels)).all()
    assert pixels.ink(images).shape == (0,)
    assert pixels.histogram(images).sum() == pixels.inked(images).sum() == 0
    assert pixels.never_inked(images).all() and pixels.never_inked(images).shape == (28, 28)


def test_the_arrays_may_be_read_only():
    images, labels = random_split()
    images.setflags(write=False)
    labels.setflags(write=False)
    pixels.moments(images, labels)
    pixels.inked(images)
    pixels.ink_by_class(images, labels)


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
        (lambda: pixels.histogram(IMAGES / 255), "uint8.*float64"),
        (lambda: pixels.mean_image(IMAGES[0]), r"\(n, h, w\).*\(28, 28\)"),
        (lambda: pixels.inked(IMAGES.astype(int)), "uint8.*int64"),
        (lambda: pixels.moments(IMAGES, LABELS[:1]), "2 have 1"),
        (lambda: pixels.ink_by_class(IMAGES, LABELS[:1]), "2 have 1"),
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
    assert np.round(pixels.intensity(pixels.histogram(images)), 4).tolist() == [0.1307, 0.3081]
    assert pixels.never_inked(images).sum() == 67
    assert pixels.mean_image(images).mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    median = pixels.ink_by_class(images, labels)[:, 2]
    assert median.argmin() == 1 and median.argmax() == 0


def test_known_figures_of_the_test_set(mnist):
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert pixels.class_counts(mnist["y_test"]).tolist() == counts
    assert np.round(pixels.intensity(pixels.histogram(mnist["x_test"])), 4).tolist() == [
        0.1325,
        0.3105,
    ]
