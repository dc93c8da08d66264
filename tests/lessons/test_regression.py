"""A line through points against NumPy's and SciPy's own, and files that hold no points."""

import numpy as np
import pytest
import scipy.stats

from mnist_core.lessons import regression

POINTS = regression.generated(80, 0.7, 0.2, 0.3, np.random.default_rng(2))


def test_the_closed_form_is_least_squares():
    theirs = scipy.stats.linregress(POINTS.x, POINTS.y)
    for mine in (regression.exact(POINTS.x, POINTS.y), regression.solved(POINTS.x, POINTS.y)):
        np.testing.assert_allclose(mine, (theirs.slope, theirs.intercept), rtol=1e-10)


def test_equal_x_have_no_slope():
    with pytest.raises(ValueError, match="All x are the same"):
        regression.exact(np.ones(3), np.arange(3.0))


def test_generated_points_lie_about_their_line():
    quiet = regression.generated(50, -1.5, 0.4, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(quiet.y, -1.5 * quiet.x + 0.4)
    loud = regression.generated(4000, 0, 0, 0.5, np.random.default_rng(0))
    assert loud.y.std() == pytest.approx(0.5, rel=0.05)


def test_the_gradient_is_that_of_finite_differences():
    weights = {"slope": np.array(0.3), "intercept": np.array(-0.2)}
    _, gradients = regression.differentiate(weights, POINTS.x, POINTS.y)
    for name in weights:
        up, down = (
            regression.differentiate(weights | {name: weights[name] + h}, POINTS.x, POINTS.y)[0]
            for h in (1e-6, -1e-6)
        )
        assert gradients[name] == pytest.approx((up - down) / 2e-6, rel=1e-6)


def test_adam_comes_to_the_exact_solution():
    path = regression.fit(POINTS.x, POINTS.y, 0.05, 1000, 0)
    assert path.shape == (1001, 3)
    np.testing.assert_allclose(path[-1, :2], regression.exact(POINTS.x, POINTS.y), atol=1e-5)
    slope, intercept, loss = path[40]
    assert loss == pytest.approx(regression.loss(POINTS.x, POINTS.y, slope, intercept))


def test_weights_made_inside_learn_nothing():
    outside = regression.fit(POINTS.x, POINTS.y, 0.01, 400, 0)
    inside = regression.fit_inside(POINTS.x, POINTS.y, 0.01, 400, 0)
    np.testing.assert_array_equal(inside[0], outside[0])
    first, last = inside[:200, 2], inside[201:, 2]
    assert scipy.stats.ks_2samp(first, last).pvalue > 0.01  # as lucky late as early
    assert outside[-1, 2] < np.median(last) / 5


# ------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1,2\n3,4.5\n", ("x", "y")),
        ("size, price\n1, 2\n\n3, 4.5\n", ("size", "price")),
        ("\ufeffa;b\r\n1,0;2,0\r\n3;4,5\r\n", ("a", "b")),
        ("1\t2\n3\t4.5", ("x", "y")),
    ],
)
def test_files_of_two_columns_are_read(text, names):
    points = regression.read_csv(text.encode())
    assert points.names == names
    np.testing.assert_array_equal(points.x, [1, 3])
    np.testing.assert_array_equal(points.y, [2, 4.5])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"", "0 points"),
        (b"x,y\n1,2\n", "1 points"),
        (b"1,2\n3,4,5\n", "Line 2 has 3 columns"),
        (b"1\n2\n", "Line 1 has 1 column:"),
        (b"1,2\n3,four\n", "Line 2 holds 'four'"),
        (b"1,2\n3,nan\n", "Line 2 holds 'nan'"),
        (b"1,2\n3,1e300\n", "Line 2 holds '1e300'"),
        (b"1,2\n1,3\n", "All x are the same"),
        (b"\x89PNG\r\n\x1a\n\x00", "not a text file"),
        (b"1,2\n\x003,4\n", "not a text file"),
        (b"1,2\n" * 300_000, "more than 1 MB"),
        (b"1,2\n" * 6000, "6,000 points"),
        (b'1,"' + b"2" * 200_000, "cannot be read as CSV"),
    ],
)
def test_other_files_get_a_sentence(given, says):
    with pytest.raises(ValueError, match=says) as caught:
        regression.read_csv(given)
    assert "\n" not in str(caught.value)
