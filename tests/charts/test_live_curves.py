"""A run's curves as numbers, for whatever draws them."""

import json
import math

import numpy as np
import pytest

from mnist_core.charts import live_curves
from mnist_core.design.spec import RunSpec
from mnist_core.statistics.smoothing import smoothed
from mnist_core.training import course, events

SPEC = RunSpec(epochs=10)
BEGUN = events.Started(100, 10, 3200, 800, SPEC.parameters)


def chunk(step, steps, loss=1.0, accuracy=0.5):
    return events.Progress(step, steps, loss, accuracy, step / 100, 100.0)


def end(epoch, val_loss, val_accuracy=0.9):
    return events.EpochEnded(epoch, 100 * epoch, 1.0, 0.8, val_loss, val_accuracy, 1.0)


def test_the_axis_grows_with_the_run():
    assert live_curves.curves(SPEC, [BEGUN])["x"] == [0.0, 1.0]
    short, long = ([BEGUN, chunk(n, 10)] for n in (10, 500))
    assert live_curves.curves(SPEC, short)["x"][1] == pytest.approx(0.102)
    assert live_curves.curves(SPEC, long)["x"][1] == pytest.approx(5.1)


def test_a_chunk_lies_in_the_middle_of_its_steps_and_the_line_is_smoothed():
    chunks = [chunk(10 * (i + 1), 10, 2.0 - i / 100, i / 100) for i in range(60)]
    found = live_curves.curves(SPEC, [BEGUN, *chunks])
    assert found["unit"] == "epoch" and found["batches"]["x"][:2] == [0.05, 0.15]
    line = smoothed([c.loss for c in chunks], [10] * 60)
    np.testing.assert_allclose(found["train"]["loss"], line, rtol=1e-4)
    assert found["batches"]["accuracy"][-1] == 0.59


def test_a_long_run_is_thinned_to_its_ends():
    found = live_curves.curves(SPEC, [BEGUN, *(chunk(i + 1, 1) for i in range(1, 900)),
                                      chunk(1000, 100), chunk(1010, 10)])  # fmt: skip
    assert len(found["train"]["x"]) == 300
    assert found["train"]["x"][0] == 0.015 and found["train"]["x"][-1] == 10.05


def test_batches_that_are_trained_one_by_one_are_seen_one_by_one():
    before = [chunk(100 * (i + 1), 100) for i in range(3)]
    ones = [chunk(301 + i, 1, loss=i / 10) for i in range(50)]
    found = live_curves.curves(SPEC, [BEGUN, *before, *ones])
    assert found["unit"] == "batch" and found["x"] == [310, 351]
    assert found["batches"]["x"] == [float(x) for x in range(311, 351)]
    assert found["train"]["loss"] == found["batches"]["loss"]  # not smoothed
    assert live_curves.curves(SPEC, [BEGUN, *before])["unit"] == "epoch"


def test_the_best_epoch_is_marked_as_soon_as_it_can_be_told():
    one = live_curves.curves(SPEC, [BEGUN, end(1, 0.5)])
    assert one["best"] is None and one["marks"] == []
    found = live_curves.curves(SPEC, [BEGUN, end(1, 0.5), end(2, 0.3), end(3, 0.4)])
    assert found["best"] == 2 and found["validation"]["epoch"] == [1, 2, 3]
    assert found["marks"] == [{"x": 2.0, "text": "best: 2"}]


def test_what_was_done_to_a_run_stands_at_its_place():
    done = [events.Marked(50, "paused"), events.Marked(50, "resumed"),
            events.Marked(60, course.RATE, 1e-6), events.Marked(70, course.SLOW, 0.3),
            events.Failed(80, "The loss became nan at step 80: lower the rate.")]  # fmt: skip
    marks = live_curves.curves(SPEC, [BEGUN, chunk(40, 40), *done])["marks"]
    assert [(m["x"], m["text"]) for m in marks] == [
        (0.5, "paused"), (0.5, "on"), (0.6, "0.000001"), (0.7, "slow"), (0.8, "no number"),
    ]  # fmt: skip


def test_what_is_no_number_is_none_and_the_rest_is_json():
    found = live_curves.curves(SPEC, [BEGUN, chunk(10, 10, math.inf), chunk(20, 10, math.nan),
                                      end(1, math.nan)])  # fmt: skip
    assert found["batches"]["loss"] == [None, None] and found["validation"]["loss"] == [None]
    assert "NaN" not in json.dumps(found["batches"]) + json.dumps(found["train"])


def test_who_cannot_see_the_curves_is_told_where_they_are():
    said = live_curves.curves(SPEC, [BEGUN, end(3, 0.25, 0.931)])["summary"]
    assert "after epoch 3 of 10" in said and "validation 0.2500 and 93.10\xa0%" in said
