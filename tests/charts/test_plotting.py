"""What holds for the axes of all charts."""

import numpy as np
import pytest

from mnist_core.charts import (
    concept_charts,
    descent_charts,
    map_charts,
    pixel_charts,
    plotting,
    score_charts,
)
from mnist_core.lessons.overfitting import Course

CURVE = np.array([2.0, 1.0, 0.5])
COURSE = Course(CURVE, CURVE, CURVE / 2, CURVE / 2)
SPANS = ("histogram", "film", "flow", "scaling", "components", "costs")


def figure(name):
    match name:
        case "histogram":
            return pixel_charts.histogram(np.arange(1, 257), "all", True).figure
        case "film":
            return score_charts.film(np.array([0, 10, 1500]), CURVE / 2, 1, 100).figure
        case "flow":
            return concept_charts.gradient_flow({"relu": np.array([1e-6, 1e-3, 0.1])}).figure
        case "scaling":
            return concept_charts.scaling(COURSE, COURSE).figure
        case "components":
            return map_charts.explained(np.full(784, 1 / 784)).figure
    return plotting.epoch_costs([{"grows": "width", "value": 1, "seconds": 0.3}])


@pytest.mark.parametrize("name", SPANS)
def test_a_log_axis_has_no_digits_between_its_powers(name):
    """Left to itself Plotly writes "2 5 10 2 5", where 2 stands for 20."""
    layout = figure(name).to_dict()["layout"]
    logs = [axis for key, axis in layout.items() if "axis" in key and axis.get("type") == "log"]
    assert logs
    for axis in logs:
        assert axis.get("dtick") == 1 or len(axis.get("tickvals", ())) > 0


def test_the_last_label_of_an_axis_is_not_left_out():
    shown = concept_charts.course(COURSE, 2).figure.layout.template.layout
    assert shown.xaxis.ticklabeloverflow == "allow" and shown.margin.r >= 20


def test_no_two_paths_share_a_colour_or_a_dash():
    colours, dashes = zip(*descent_charts.STYLES, strict=True)
    assert len(set(colours)) == len(set(dashes)) == len(descent_charts.STYLES)
