"""Charts that play: frames that add up to what stands still."""

import numpy as np
import pytest

from mnist_core.charts import animations, descent_charts
from mnist_core.lessons import loss_surfaces, regression
from mnist_core.network.optimizers import OPTIMIZERS


@pytest.mark.parametrize(("n", "kept"), [(1, 1), (30, 30), (48, 48), (1001, None)])
def test_few_moments_are_kept_and_the_ends_among_them(n, kept):
    found = animations.sampled(n)
    assert (found[0], found[-1]) == (0, n - 1) and len(found) <= animations.MOST_FRAMES
    assert kept is None or len(found) == kept
    assert (np.diff(found) > 0).all()


def paths_on_a_surface():
    rng = np.random.default_rng(0)
    surface = loss_surfaces.surface(rng.standard_normal((50, 2)), rng.integers(0, 2, 50), True)
    paths = {name: loss_surfaces.descend(surface, np.ones(2), OPTIMIZERS[name](0.1), 50, 30, rng)
             for name in ("sgd", "adam")}  # fmt: skip
    times = {name: np.arange(31) for name in paths}
    return descent_charts.descent(surface, paths, times, "", ("a", "b"), "step", "reading")


def a_line():
    points = regression.generated(20, 1, 0, 0.1, np.random.default_rng(0))
    path = regression.fit(points.x, points.y, 0.01, 60, 0)
    return descent_charts.regression(points, {"NumPy": path}, (1.0, 0.0), "reading", "title")


@pytest.mark.parametrize("chart", [paths_on_a_surface, a_line])
def test_the_last_frame_is_what_stands_still(chart):
    figure = chart().figure
    last = figure.frames[-1]
    for place, trace in zip(last.traces, last.data, strict=True):
        still = figure.data[place]
        np.testing.assert_allclose(np.array(trace.x, float), np.array(still.x, float))
        np.testing.assert_allclose(np.array(trace.y, float), np.array(still.y, float), atol=1e-5)
    assert [step.args[0][0] for step in figure.layout.sliders[0].steps] == [
        frame.name for frame in figure.frames
    ]


@pytest.mark.parametrize("chart", [paths_on_a_surface, a_line])
def test_only_scatters_are_played(chart):
    """Of other traces Plotly keeps nothing on the screen while it plays."""
    assert {trace.type for trace in chart().figure.data} == {"scatter"}


def test_a_chart_gives_every_step_as_numbers():
    numbers = a_line().numbers
    assert len(numbers["epoch"]) == len(numbers["by"]) == len(numbers["slope"]) == 61
