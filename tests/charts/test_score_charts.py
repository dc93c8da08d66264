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
    worst = scores.f1.argmin()
    assert (chart.figure.layout.title.text ==
            "The 0, 1, 3, 5, 6 and 8 are read best, the 4 and 9 worst")  # fmt: skip
    assert f"({percent(scores.f1[worst])})" in chart.reading
    assert np.array_equal(chart.numbers["recall"], scores.recall)
    nothing = evaluation.per_class(np.zeros((10, 10), int))
    assert score_charts.per_class(nothing).reading == "No digit occurs."


def test_the_calibration_leaves_empty_bins_out_and_says_which_way_it_leans():
    p = np.full((100, 10), 0.1 / 9)
    p[:, 0] = 0.9
    curve = evaluation.calibration(np.array([0] * 60 + [1] * 40), p)
    lean = evaluation.lean(np.array([0] * 60 + [1] * 40), p)
    chart = score_charts.calibration(curve, lean)
    said = chart.reading.replace("\N{NO-BREAK SPACE}", " ")
    assert "90.00 % sure and 60.00 % right: it is surer than it is right" in said
    assert "30.00 %" in said and "−39.60 to −20.40 points" in said  # 1.96 · √(0.6 · 0.4 / 100)
    assert chart.numbers["images"].tolist() == [100]
    assert chart.figure.data[1].y.tolist() == [60]


def test_two_hundredths_of_a_point_on_a_thousand_images_are_no_finding():
    p = np.full((1000, 10), 0.008 / 9)
    p[:, 0] = 0.992
    labels = np.repeat([0, 1], [993, 7])
    curve, lean = evaluation.calibration(labels, p), evaluation.lean(labels, p)
    assert "no more apart than chance" in score_charts.calibration(curve, lean).reading


def test_a_bin_of_one_image_is_drawn_smaller_than_one_of_many():
    one, many = score_charts.sizes(np.array([1, 977]))
    assert one <= many / 4 and many == 16


def test_what_shares_a_place_is_named_with_it():
    counts = COUNTS.copy()
    counts[1, 8] = 4
    reading = score_charts.confusion_reading(counts)
    assert "commonest mistakes are a 1 read as a 8 and a 7 read as a 2 (4 times each)" in reading
    twins = evaluation.per_class(np.diag(np.full(10, 5)))
    title = score_charts.per_class(twins).figure.layout.title.text
    assert title == "All digits are read equally well"


@pytest.mark.parametrize(("wrong", "says"), [(30, "more than chance"), (5, "as low by chance")])
def test_a_trend_says_whether_its_worst_bin_can_be_chance(wrong, says):
    """5 of 100 against 1.5 of 100 lies outside the interval of one bin, not of the worst of 24."""
    right = np.ones(400, bool)
    right[:wrong], right[200] = False, False
    binned = evaluation.trend(np.arange(400.0), right, bins=4)
    chart = score_charts.trend("ink", binned, right.mean(), 24)
    assert says in chart.reading and chart.reading.startswith("Ink 0.0 to 99.8 is read worst")
    assert len(chart.numbers["accuracy"]) == 4


def test_a_layers_units_come_the_most_active_first():
    chart = score_charts.activations(np.array([0.0, 2.5, -1.0, 0.0]), "dense_1")
    assert chart.numbers["unit"].tolist() == [1, 0, 3, 2]
    assert chart.reading == "Unit 1 is the most active (2.50); 2 of 4 are silent."
    assert list(chart.figure.data[0].x) == ["unit 1", "unit 0", "unit 3", "unit 2"]
    many = score_charts.activations(np.arange(100.0), "dense_1")
    assert many.figure.data[0].x[0] == 0 and many.numbers["unit"][0] == 99
    assert not many.figure.layout.xaxis.showticklabels and chart.figure.layout.xaxis.showticklabels


def test_saliency_is_coloured_evenly_around_zero():
    values = np.zeros((28, 28))
    values[3, 4], values[5, 6] = 2.0, -3.0
    chart = score_charts.saliency(values, "title", "reading")
    assert (chart.figure.data[0].zmin, chart.figure.data[0].zmax) == (-3, 3)
    at = 28 * 3 + 4
    assert [chart.numbers[k][at] for k in ("row", "column", "value")] == [3, 4, 2.0]
    assert score_charts.saliency(0 * values, "", "").figure.data[0].zmax == 1
