"""Runs side by side: every difference is found, and a curve is the run's own numbers."""

import re
from dataclasses import fields, replace

import pytest

from mnist_core.analysis import comparison
from mnist_core.data.identity import Identity
from mnist_core.design.spec import Augment, Conv, Layer, RunSpec
from mnist_core.exports import report
from mnist_core.runs.records import Runs
from mnist_core.training import events

HISTORY = [
    events.Started(10, 2, 320, 80, 1000),
    events.Progress(4, 4, 2.0, 0.2, 0.5, 100.0),
    events.Progress(10, 6, 1.0, 0.6, 1.0, 100.0),
    events.EpochEnded(1, 10, 1.4, 0.44, 0.9, 0.7, 1.0),
    events.Progress(20, 10, 0.5, 0.8, 3.0, 100.0),
    events.EpochEnded(2, 20, 0.5, 0.8, 0.6, 0.85, 2.0),
]


OTHER = {  # another value of each field of a design, and of what its blocks are made of
    "layers": (Layer(64),), "optimizer": "sgd", "learning_rate": 0.01, "batch_size": 64,
    "epochs": 3, "validation": "test", "validation_share": 0.1, "seed": 7, "schedule": "cosine",
    "initializer": "he_normal", "l2": 1e-4, "loss": "categorical", "label_smoothing": 0.1,
    "keep": "val_loss", "patience": 4, "convolutions": (Conv(8),), "augment": Augment(shear=5.0),
    "framework": "numpy",
}  # fmt: skip
BASE = RunSpec((Layer(128, "relu"),), keep="val_accuracy")
PARTS = [
    *((BASE, replace(BASE, **{name: value})) for name, value in OTHER.items()),
    *((BASE, replace(BASE, layers=(replace(BASE.layers[0], **part),)))
      for part in ({"units": 64}, {"activation": "tanh"}, {"batch_norm": True}, {"dropout": 0.1})),
    *((replace(BASE, convolutions=(Conv(8),)), replace(BASE, convolutions=(Conv(8, **part),)))
      for part in ({"kernel": 5}, {"activation": "tanh"}, {"batch_norm": True}, {"pool": 1},
                   {"dropout": 0.1})),
    *((BASE, replace(BASE, augment=Augment(**{name: 0.5}))) for name in vars(Augment())),
]  # fmt: skip


def test_the_table_of_other_values_knows_every_field():
    assert OTHER.keys() == {field.name for field in fields(RunSpec)}


@pytest.mark.parametrize(("one", "other"), PARTS, ids=str)
def test_designs_that_differ_in_one_thing_are_told_apart(one, other):
    """In Compare and in a report, which says the rest of the layers in its table of them."""
    assert one != other and comparison.differences([one, other])
    pages = [report._layers(spec) + report._settings(spec) for spec in (one, other)]
    assert pages[0] != pages[1]
    for page in pages:
        assert not re.search(r"\w+=|\w\(|None|True|False|np\.|\[|\{", re.sub("<[^>]*>", " ", page))


def test_only_the_settings_that_differ_are_listed():
    a = RunSpec()
    assert comparison.differences([a, a]) == comparison.differences([]) == {}
    b = RunSpec(optimizer="sgd", learning_rate=0.1)
    found = comparison.differences([a, b, a])
    assert found == {"Optimizer": ["Adam", "SGD", "Adam"],
                     "Learning rate": ["0.001", "0.1", "0.001"]}  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "x"),
    [("batches", [10, 20]), ("epochs", [1, 2]), ("images", [320, 640]), ("seconds", [1, 3])],
)
def test_validation_has_a_point_an_epoch_on_each_axis(axis, x):
    curve = comparison.curve(HISTORY, 32, "val_accuracy", axis)
    assert curve.x.tolist() == x and curve.y.tolist() == [0.7, 0.85]


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_training_is_smoothed_and_lies_in_the_middle_of_its_batches(metric):
    curve = comparison.curve(HISTORY, 32, metric, "batches")
    values = [getattr(e, metric) for e in HISTORY if isinstance(e, events.Progress)]
    assert curve.x.tolist() == [2, 7, 15]
    assert curve.y[0] == pytest.approx(values[0])
    assert min(values) <= curve.y[-1] <= max(values)


def test_a_run_that_has_hardly_begun_has_an_empty_curve():
    for metric in comparison.METRICS:
        for axis in comparison.AXES:
            assert len(comparison.curve([], 32, metric, axis).x) == 0
            assert len(comparison.curve(HISTORY[:1], 32, metric, axis).x) == 0


def test_the_best_figure_of_each_line(tmp_path):
    runs, found = Runs(tmp_path), []
    for accuracy, seconds in ((0.9, 2.0), (0.95, 3.0), (None, None)):
        run = runs.create(RunSpec(), "ada", Identity("d", "sample")).id
        if accuracy:
            runs.end(run, "finished", test_accuracy=accuracy, seconds=seconds)
        found.append(runs.get(run))
    figures = {f.label: f for f in comparison.figures(found, [HISTORY, HISTORY, []])}
    accuracy, time = figures["Test accuracy"], figures["Training time (s)"]
    assert accuracy.winners() == {1} and time.winners() == {0}
    assert [accuracy.write(v) for v in accuracy.values] == ["90.00\xa0%", "95.00\xa0%", "–"]
    assert figures["Parameters"].winners() == set()
    assert figures["Validation accuracy"].values == (0.85, 0.85, None)
    assert figures["Epochs done"].values == (2.0, 2.0, 0.0)
