"""A loss with two weights: against scikit-learn, finite differences, and paths on it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from mnist_core.charts import descent_charts
from mnist_core.lessons import loss_surfaces
from mnist_core.network.optimizers import OPTIMIZERS


@pytest.fixture(scope="module", params=[False, True], ids=["as measured", "standardised"])
def surface(request):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 120)
    features = rng.standard_normal((120, 2)) * [0.5, 4] + targets[:, None] * [0.3, 3]
    return loss_surfaces.surface(features, targets, request.param)


def test_the_minimum_is_that_of_scikit_learn(surface):
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000)
    fitted.fit(surface.features, surface.targets)
    np.testing.assert_allclose(surface.minimum, fitted.coef_[0], rtol=1e-4)
    expected = log_loss(surface.targets, fitted.predict_proba(surface.features)[:, 1])
    assert surface.loss(surface.minimum) == pytest.approx(expected, rel=1e-8)


def test_derivatives_are_those_of_finite_differences(surface):
    w, h = np.array([0.3, -0.2]), 1e-6
    axes = h * np.eye(2)
    slope = [(surface.loss(w + e) - surface.loss(w - e)) / (2 * h) for e in axes]
    np.testing.assert_allclose(surface.gradient(w), slope, rtol=1e-6)
    bend = [(surface.gradient(w + e) - surface.gradient(w - e)) / (2 * h) for e in axes]
    np.testing.assert_allclose(surface.curvature(w), bend, rtol=1e-6)


def test_on_a_ring_the_loss_is_the_same(surface):
    levels, reach = np.array([0.01, 0.1, 0.5]), 2 / np.sqrt(np.diag(surface.curvature(np.zeros(2))))
    rings = surface.rings(levels, reach)
    assert rings.shape == (3, 145, 2)
    np.testing.assert_allclose(rings[:, 0], rings[:, -1])  # closed
    above = surface.loss(rings) - surface.loss(surface.minimum)
    for level, found in zip(levels, above, strict=True):
        there = found[np.isfinite(found)]
        assert len(there) > 70
        np.testing.assert_allclose(there, level, rtol=0.02)
    beyond = surface.rings(np.array([1e6]), reach)
    assert np.isnan(beyond).all()


def test_digits_that_a_line_separates_have_no_minimum():
    features = np.array([[-1.0, 0.1], [-2, -0.1], [1, 0.1], [2, -0.1]])
    with pytest.raises(ValueError, match="no minimum"):
        _ = loss_surfaces.surface(features, np.array([0, 0, 1, 1]), False).minimum


def path(surface, rate, batch, epochs, optimizer="sgd"):
    start, rng = np.zeros(2), np.random.default_rng(1)
    return loss_surfaces.descend(surface, start, OPTIMIZERS[optimizer](rate), batch, epochs, rng)


def test_an_epoch_shows_each_image_once(surface):
    """Plain descent with a rate so small that the surface does not bend under it: the sum of an
    epoch's steps is that of the gradients of its batches, whatever their order."""
    rate = 1e-9
    stepped = path(surface, rate, 1, 1)[-1] / rate
    np.testing.assert_allclose(-stepped / 120, surface.gradient(np.zeros(2)), rtol=1e-5)


@pytest.mark.parametrize(("batch", "steps"), [(1, 240), (32, 8), (120, 2), (500, 2)])
def test_a_path_has_a_row_for_each_batch(surface, batch, steps):
    assert path(surface, 0.01, batch, 2).shape == (steps + 1, 2)
    seen = loss_surfaces.seen(120, batch, 2)
    assert len(seen) == steps + 1 and seen[0] == 0 and seen[-1] == 240
    assert np.diff(seen).max() == min(batch, 120)


def test_above_the_limit_of_the_curvature_descent_does_not_settle(surface):
    limit = 2 / surface.steepness[1]
    end = {share: path(surface, share * limit, 120, 400)[-1] for share in (0.9, 1.2)}
    least = surface.loss(surface.minimum)
    assert surface.loss(end[0.9]) - least < 1e-4 < surface.loss(end[1.2]) - least


def test_the_window_of_a_chart_holds_the_start_and_the_minimum(surface):
    walked = path(surface, 1.0 / surface.steepness[1], 120, 50)
    x0, x1, y0, y1 = descent_charts.window(surface, [walked])
    for x, y in (walked[0], surface.minimum):
        assert x0 < x < x1 and y0 < y < y1
