import os

import numpy as np
import pytest
from scipy import ndimage

from mnist_core.statistics import shapes


def reference(image):
    """Each measure of one image by SciPy or by the book, in float64."""
    gray = image.astype(np.float64)
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    row, column = ndimage.center_of_mass(gray)
    y, x = np.indices(gray.shape)
    xy, yy = (gray * (x - column) * (y - row)).sum(), (gray * (y - row) ** 2).sum()
    framed = np.pad(gray, 1)
    outline = sum(
        np.hypot(framed[r + 1, c + 1] - framed[r, c], framed[r + 1, c] - framed[r, c + 1])
        for r in range(len(framed) - 1)
        for c in range(framed.shape[1] - 1)
    ) / np.sqrt(2)
    return {
        "ink": 100 * gray.mean() / 255, "row": row, "column": column, "height": height,
        "width": width, "aspect": width / height, "slant": np.degrees(np.arctan2(-xy, yy)),
        "thickness": 2 * gray.sum() / outline,
    }  # fmt: skip


def random_images(n, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
    images[rng.random(images.shape) < rng.random((n, 1, 1))] = 0
    return images


def bar(thickness, degrees, length=20, fine=8):
    """A straight stroke through the middle, its edges smooth; 90 degrees stands upright, and less
    leans to the right."""
    y, x = (np.mgrid[: 28 * fine, : 28 * fine] + 0.5) / fine - 14
    angle = np.radians(-degrees)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = (abs(along) < length / 2) & (abs(across) < thickness / 2)
    return np.round(255 * inside.reshape(28, fine, 28, fine).mean(axis=(1, 3))).astype(np.uint8)


@pytest.mark.parametrize("n", [1, 3, shapes.BATCH, shapes.BATCH + 1])
def test_measures_are_those_of_each_image_alone(n):
    images = random_images(n, seed=n)
    found = shapes.measures(images)
    assert found.keys() == shapes.MEASURES.keys()
    for i in {0, n // 2, n - 1}:
        for name, expected in reference(images[i]).items():
            assert found[name].dtype == np.float32 and found[name].shape == (n,)
            assert found[name][i] == pytest.approx(expected, rel=1e-4, abs=2e-3), name


@pytest.mark.filterwarnings("error")
def test_blank_images_have_no_shape_and_nothing_has_no_measures():
    found = shapes.measures(np.concatenate([random_images(1), np.zeros((1, 28, 28), np.uint8)]))
    assert found.pop("ink")[1] == 0
    assert all(np.isfinite(values[0]) and np.isnan(values[1]) for values in found.values())
    assert all(len(v) == 0 for v in shapes.measures(np.zeros((0, 28, 28), np.uint8)).values())


@pytest.mark.parametrize("degrees", [45, 60, 75, 90, 105, 130])
def test_slant_is_how_far_a_stroke_leans_to_the_right(degrees):
    assert shapes.measures(bar(2, degrees)[None])["slant"][0] == pytest.approx(90 - degrees, abs=1)


@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90])
@pytest.mark.parametrize("thickness", [2, 3, 4])
def test_thickness_is_that_of_a_stroke_at_any_angle(thickness, degrees):
    # Its two ends belong to the outline, which makes a stroke of finite length seem thinner.
    expected = 2 * 20 * thickness / (2 * (20 + thickness))
    found = shapes.measures(bar(thickness, degrees)[None])["thickness"][0]
    assert found == pytest.approx(expected, rel=0.13)


def test_thickness_agrees_with_twice_the_distance_to_the_edge(mnist):
    """The other usual way: the mean of the distance transform along its ridge, four times finer."""
    images = mnist.train.images[:150]
    ridges = []
    for image in images:
        distance = ndimage.distance_transform_edt(ndimage.zoom(image / 255, 4, order=1) > 0.5)
        ridge = (distance == ndimage.maximum_filter(distance, 3)) & (distance > 1)
        ridges.append(2 * distance[ridge].mean() / 4)
    found = shapes.measures(images)["thickness"]
    assert np.corrcoef(found, ridges)[0, 1] > 0.93
    assert found.mean() == pytest.approx(np.mean(ridges), rel=0.1)


def test_quantiles_by_class_leave_out_what_is_missing():
    rng = np.random.default_rng(1)
    values, labels = rng.normal(size=200), rng.choice([0, 1, 2, 4, 8], 200)
    values[::7] = np.nan
    values[labels == 8] = np.nan
    found = shapes.by_class(values, labels)
    assert found.shape == (10, 5)
    for digit in range(10):
        members = [v for v, label in zip(values, labels, strict=True) if label == digit and v == v]
        expected = np.percentile(members, [5, 25, 50, 75, 95]) if members else np.full(5, np.nan)
        np.testing.assert_allclose(found[digit], expected)


@pytest.mark.parametrize("images", [np.zeros((2, 28, 28)), np.zeros((28, 28), np.uint8)])
def test_other_arrays_are_refused(images):
    with pytest.raises(ValueError, match=r"uint8 \(n, h, w\)"):
        shapes.measures(images)


def test_known_figures_of_mnist():
    if "MNIST_DATA" not in os.environ:
        pytest.skip("MNIST_DATA is not set")
    with np.load(os.environ["MNIST_DATA"]) as data:
        images, labels = data["x_test"], data["y_test"]
    found = shapes.measures(images)
    assert found["ink"].mean() == pytest.approx(13.25, abs=0.01)
    assert found["height"].max() == found["width"].max() == 20  # its makers' box
    for centre in ("row", "column"):  # which they put by its centre of mass into the middle
        assert found[centre].min() >= 13.4 and found[centre].max() <= 14.6
    ink, aspect = (shapes.by_class(found[name], labels)[:, 2] for name in ("ink", "aspect"))
    assert (ink.argmin(), ink.argmax(), aspect.argmin()) == (1, 0, 1)
