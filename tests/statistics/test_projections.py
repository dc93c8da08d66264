"""PCA, maps and neighbours against slow, obvious forms."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from mnist_core.statistics import projections


@pytest.fixture(scope="module")
def some(mnist):
    return mnist.train.images[:400], mnist.train.labels[:400]


@pytest.fixture(scope="module")
def fitted(some):
    return projections.pca(some[0])


def test_components_and_variances_are_those_of_the_singular_values(some, fitted):
    rows = projections.flat(some[0]).astype(np.float64)
    _, singular, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    variances = singular**2 / (len(rows) - 1)
    np.testing.assert_allclose(fitted.mean, rows.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(fitted.variances, variances, atol=1e-4)
    np.testing.assert_allclose(fitted.explained[:50], variances[:50] / variances.sum(), rtol=1e-4)
    cosines = (fitted.components[:20] * right[:20]).sum(axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-3)


def test_components_are_orthonormal(fitted):
    k = 100
    product = fitted.components[:k] @ fitted.components[:k].T
    np.testing.assert_allclose(product, np.eye(k), atol=1e-5)


def test_all_components_give_the_image_back(some, fitted):
    image = some[0][7]
    np.testing.assert_allclose(fitted.rebuild(image, None), image / 255, atol=1e-4)


@pytest.mark.parametrize("k", [0, 1, 20, 399])
def test_the_error_is_that_of_the_rebuilt_image(some, fitted, k):
    image = some[0][3]
    off = fitted.rebuild(image, k) - image / 255
    assert fitted.errors(image)[k] == pytest.approx(np.sqrt(np.mean(off**2)), abs=2e-4)


def test_more_components_never_make_it_worse(some, fitted):
    assert (np.diff(fitted.errors(some[0][5])) <= 1e-12).all()


def test_equal_images_vary_along_nothing():
    fitted = projections.pca(np.full((6, 28, 28), 9, np.uint8))
    assert np.isfinite(fitted.explained).all() and fitted.explained.sum() <= 1 + 1e-6


def test_one_image_has_no_components():
    with pytest.raises(ValueError, match="at least two images"):
        projections.pca(np.zeros((1, 28, 28), np.uint8))


def test_neighbours_are_those_of_brute_force(some):
    images = some[0]
    for index in (0, 17, 399):
        away = [np.linalg.norm(images[index] / 255.0 - other / 255.0) for other in images]
        expected = [i for i in np.argsort(away, kind="stable") if i != index][:10]
        found, far = projections.nearest(images, images[index], 10, index)
        assert found.tolist() == expected
        np.testing.assert_allclose(far, np.array(away)[expected], rtol=1e-12)


def test_a_copy_is_at_distance_zero_and_comes_first(some):
    images = np.concatenate([some[0], some[0][5:6]])
    found, far = projections.nearest(images, images[400], 3, 400)
    assert (found[0], far[0]) == (5, 0.0)


def test_there_are_no_more_neighbours_than_other_images(some):
    assert len(projections.nearest(some[0][:4], some[0][0], 10, 0)[0]) == 3


def test_the_sample_is_seeded_sorted_and_without_repeats():
    first = projections.sample(60_000)
    assert (first == projections.sample(60_000)).all() and len(first) == projections.SAMPLE
    assert (np.diff(first) > 0).all() and first[-1] < 60_000
    assert (first != projections.sample(60_000, seed=1)).any()
    assert projections.sample(7).tolist() == list(range(7))


def test_tsne_repeats_itself_and_keeps_neighbours_together(some):
    images, labels = some[0][:80], some[1][:80]
    shares = []
    with threadpool_limits(1):  # two threads on a busy machine wait for each other
        plane = projections.tsne(images, seed=3, report=shares.append)
        assert plane.shape == (80, 2) and np.isfinite(plane).all()
        assert (plane == projections.tsne(images, seed=3)).all()
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 5
    chance = np.mean(labels[:, None] == labels)
    assert projections.agreement(plane, labels) > 3 * chance


@pytest.mark.parametrize("method", [projections.tsne, projections.umap])
def test_too_few_images_make_no_map(method, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=None))
    with pytest.raises(ValueError, match="at least five"):
        method(np.zeros((4, 28, 28), np.uint8))


def test_agreement_is_that_of_brute_force(some):
    images, labels = some[0][:80], some[1][:80]
    rows = projections.flat(images)
    away = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    np.fill_diagonal(away, np.inf)
    expected = np.mean(labels[away.argmin(axis=1)] == labels)
    assert projections.agreement(rows, labels) == pytest.approx(expected)


def test_umap_is_offered_only_where_it_is_installed(monkeypatch):
    found = {"umap": None}
    monkeypatch.setattr(projections.importlib.util, "find_spec", found.get)
    assert list(projections.methods()) == ["pca", "tsne"]
    found["umap"] = object()
    assert list(projections.methods()) == ["pca", "tsne", "umap"]
