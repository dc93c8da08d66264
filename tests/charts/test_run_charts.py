"""Charts of several runs: each says what its numbers say."""

import numpy as np
import pytest

from mnist_core.analysis import race
from mnist_core.analysis.comparison import Curve
from mnist_core.analysis.sweep import Plan, Trial
from mnist_core.charts import run_charts
from mnist_core.design.spec import RunSpec

UP = Curve(np.arange(3.0), np.array([0.1, 0.5, 0.9]))
FLAT = Curve(np.arange(3.0), np.array([0.3, 0.3, 0.3]))
NONE = Curve(np.zeros(0), np.zeros(0))
PLAN = Plan(RunSpec(), {"learning_rate": (0.001, 0.01), "optimizer": ("adam", "sgd"),
                        "units": (16, 64)})  # fmt: skip
TRIALS = [
    Trial("a", {"learning_rate": 0.001, "optimizer": "sgd", "units": 16}, 0.8),
    Trial("b", {"learning_rate": 0.01, "optimizer": "adam", "units": 64}, 0.9),
    Trial("c", {"learning_rate": 0.01, "optimizer": "sgd", "units": 64}, None),
]


@pytest.mark.parametrize(("metric", "best"), [("accuracy", "up"), ("loss", "flat")])
def test_curves_over_each_other_name_the_best(metric, best):
    chart = run_charts.overlay({"up": UP, "flat": FLAT, "none": NONE}, metric, "epochs")
    assert f"{best} ends best" in chart.figure.layout.title.text
    assert f"over the last epoch {best} is best" in chart.reading
    assert chart.numbers["run"] == ["up"] * 3 + ["flat"] * 3
    assert len(chart.figure.data) == 3 and len({t.line.dash for t in chart.figure.data}) == 3
    assert "no points yet" in run_charts.overlay({"none": NONE}, metric, "epochs").reading


def test_twelve_curves_are_all_told_apart():
    assert len({run_charts.style(i) for i in range(12)}) == 12


def test_moving_curves_are_in_their_unit_and_thinned():
    long = Curve(np.linspace(0, 5, 5000), np.linspace(0, 1, 5000))
    options = run_charts.live_overlay({"long": long, "none": NONE}, "accuracy", 5)
    first, second = options["series"]
    assert first["data"][-1] == [5.0, 100.0] and len(first["data"]) <= 200
    assert second["data"] == [] and options["xAxis"]["max"] == 5


def test_pairs_lie_around_zero_and_the_told_ones_are_blue():
    right = {"a": np.arange(900) < 800, "b": np.arange(900) < 700, "c": np.arange(900) < 701}
    chart = run_charts.pairs(race.verdict(right))
    blue = [color == run_charts.TRAIN for color in chart.figure.data[0].marker.color]
    assert blue == [True, True, False]
    assert "2 of 3" in chart.reading and chart.numbers["ahead"] == [100, 99, 1]


def test_trials_are_lines_through_their_values_to_their_score():
    chart = run_charts.trials(PLAN, TRIALS)
    rate, optimizer, units, score = chart.figure.data[0].dimensions
    assert list(rate["values"]) == pytest.approx([-3, -2])
    assert list(rate.ticktext) == ["0.001", "0.01"]
    assert list(optimizer.ticktext) == ["SGD", "Adam"] and list(optimizer["values"]) == [0, 1]
    assert list(units["values"]) == [16, 64] and list(score["values"]) == [80, 90]
    assert chart.reading.startswith("2 trials") and "optimizer Adam, units 64" in chart.reading


def test_importance_and_progress_say_what_is_in_them():
    chart = run_charts.importance({"units": 0.7, "optimizer": 0.1}, True)
    said = chart.reading.replace("\N{NO-BREAK SPACE}", " ")
    assert "70 % come from units" in said and "20 % are interplay" in said
    assert "interplay" not in run_charts.importance({"units": 0.7}, False).reading
    chart = run_charts.progress(TRIALS)
    assert chart.reading == "Trial 2 of 2 was the best, with 90.00\N{NO-BREAK SPACE}%."
