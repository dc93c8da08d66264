import numpy as np
import pytest

from mnist_core.statistics import typical


def test_distances_between_means_are_euclidean_in_0_to_1():
    means = np.random.default_rng(0).uniform(0, 255, (10, 28, 28))
    means[3] = np.nan
    found = typical.between(means)
    for i in range(10):
        for j in range(10):
            expected = np.sqrt((((means[i] - means[j]) / 255) ** 2).sum())
            np.testing.assert_allclose(found[i, j], expected)
    assert np.isnan(found[3]).all() and found[0, 0] == 0


def members(n, seed=0):
    """Images that vary in some directions far more than in others."""
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(12, 28, 28)) * np.geomspace(40, 1, 12)[:, None, None]
    images = 128 + np.tensordot(rng.normal(size=(n, 12)), patterns, 1)
    return images.clip(0, 255).astype(np.uint8)


def test_plain_distances_are_those_from_the_mean():
    images = members(200)
    expected = [np.sqrt((((i - images.mean(axis=0)) / 255) ** 2).sum()) for i in images]
    np.testing.assert_allclose(typical.from_mean(images), expected, rtol=1e-4)


@pytest.mark.parametrize("components", [1, 5, 50])
def test_mahalanobis_counts_standard_deviations_along_principal_components(components):
    images = members(100)
    blocks = [images[:, r::2, c::2] / 4 for r in (0, 1) for c in (0, 1)]
    halved = np.sum(blocks, axis=0).reshape(100, -1)
    centred = halved - halved.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    scores = centred @ directions[:components].T
    expected = np.sqrt(((scores / scores.std(axis=0)) ** 2).sum(axis=1))
    np.testing.assert_allclose(typical.mahalanobis(images, components), expected, rtol=2e-3)


def test_mahalanobis_does_not_ask_how_much_a_direction_varies():
    """The image that is odd along a quiet direction is found, though it is near in plain pixels."""
    rng = np.random.default_rng(1)
    images = np.full((400, 28, 28), 100, np.uint8)
    images[:, :14] += rng.integers(0, 120, (400, 1, 1)).astype(np.uint8)
    images[:, 14:] += rng.integers(0, 4, (400, 1, 1)).astype(np.uint8)
    images[7, :14], images[7, 14:] = 160, 115
    assert typical.mahalanobis(images).argmax() == 7 != typical.from_mean(images).argmax()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("measure", typical.MEASURES.values())
def test_few_images_have_distances_too(measure):
    assert measure(members(0)).shape == (0,)
    assert measure(members(1)).tolist() == [0]
    np.testing.assert_allclose(*measure(members(2)), rtol=1e-3)
    assert np.isfinite(measure(np.zeros((5, 28, 28), np.uint8))).all()
