"""What the charts of the Evaluate page say is what their numbers say."""

import numpy as np
import pytest

from mnist_core.analysis import evaluation
from mnist_core.basis.numbers import percent
from mnist_core.charts import score_charts

COUNTS = np.diag(np.full(10, 90))
COUNTS[4, 9], COUNTS[9, 4], COUNTS[7, 2] = 3, 2, 4


def test_the_confusion_names_the_commonest_mistake_and_pair():
    reading = score_charts.confusion_reading(COUNTS)
    assert "a 7 read as a 2 (4 times)" in reading
    assert "4 and 9 are taken for each other 5 times, of 9 mistakes in all" in reading
    assert score_charts.confusion_reading(np.diag(np.ones(10, int))) == "No image was misread."


def test_the_numbers_of_the_confusion_are_its_cells():
    numbers = score_charts.confusion_numbers(COUNTS)
    at = 10 * 7 + 2
    assert [numbers[k][at] for k in ("true", "predicted", "images")] == [7, 2, 4]
    assert numbers["share of the true digit"][at] == pytest.approx(4 / 94)


def test_the_best_and_the_worst_digit_are_named():
    scores = evaluation.per_class(COUNTS)
    chart = score_charts.per_class(scores)
    best, worst = scores.f1.argmax(), scores.f1.argmin()
    assert chart.figure.layout.title.text == f"The {best} is read best, the {worst} worst"
    assert f"({percent(scores.f1[worst])})" in chart.reading
    assert np.array_equal(chart.numbers["recall"], scores.recall)
    nothing = evaluation.per_class(np.zeros((10, 10), int))
    assert score_charts.per_class(nothing).reading == "No digit occurs."


def test_the_calibration_leaves_empty_bins_out_and_says_which_way_it_leans():
    p = np.full((100, 10), 0.1 / 9)
    p[:, 0] = 0.9
    curve = evaluation.calibration(np.array([0] * 60 + [1] * 40), p)
    chart = score_charts.calibration(curve)
    assert "30.00 %" in chart.reading and "surer than it is right" in chart.reading
    assert chart.numbers["images"].tolist() == [100]
    assert chart.figure.data[1].y.tolist() == [60]


@pytest.mark.parametrize(("wrong", "says"), [(30, "whole interval lies below"), (2, "chance")])
def test_a_trend_says_whether_its_worst_bin_can_be_chance(wrong, says):
    right = np.ones(400, bool)
    right[:wrong], right[200] = False, False
    binned = evaluation.trend(np.arange(400.0), right, bins=4)
    chart = score_charts.trend("ink", binned, right.mean())
    assert says in chart.reading and chart.reading.startswith("Ink 0.0 to 99.8 is read worst")
    assert len(chart.numbers["accuracy"]) == 4


def test_a_layers_units_come_the_most_active_first():
    chart = score_charts.activations(np.array([0.0, 2.5, -1.0, 0.0]), "dense_1")
    assert chart.numbers["unit"].tolist() == [1, 0, 3, 2]
    assert chart.reading == "Unit 1 is the most active (2.50); 2 of 4 are silent."
    assert list(chart.figure.data[0].x) == ["unit 1", "unit 0", "unit 3", "unit 2"]
    many = score_charts.activations(np.arange(100.0), "dense_1")
    assert many.figure.data[0].x[0] == 0 and many.numbers["unit"][0] == 99


def test_saliency_is_coloured_evenly_around_zero():
    values = np.zeros((28, 28))
    values[3, 4], values[5, 6] = 2.0, -3.0
    chart = score_charts.saliency(values, "title", "reading")
    assert (chart.figure.data[0].zmin, chart.figure.data[0].zmax) == (-3, 3)
    at = 28 * 3 + 4
    assert [chart.numbers[k][at] for k in ("row", "column", "value")] == [3, 4, 2.0]
    assert score_charts.saliency(0 * values, "", "").figure.data[0].zmax == 1
