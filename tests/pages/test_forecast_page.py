"""What the builder page says a run will take, and what it took."""

import pytest

from mnist_core.design.spec import RunSpec
from mnist_core.estimates import estimate
from mnist_core.estimates.estimate import Calibration
from mnist_core.training import events
from pages._builder import forecast
from tests.pages.visiting import text

SECONDS = 1 / (2 * estimate.MARGIN)  # a step, so that an epoch of two is told to take one second
FIGURES = Calibration("here", dict.fromkeys(estimate.REFERENCE, 0.0) | {"step": SECONDS}, 0.5, 0.25,
                      900_000_000, 4_000_000_000)  # fmt: skip
SPEC = RunSpec((), "sgd", batch_size=256, epochs=3)  # 2 steps an epoch on 512 tiny images


@pytest.fixture
def measured(desk, monkeypatch):
    monkeypatch.setattr(desk, "calibration", FIGURES)
    return FIGURES


def test_a_host_that_is_not_measured_yet_gives_no_number(visit):
    page = text(visit("builder", **SPEC.to_query()))
    assert "measuring this machine…" in page
    assert "Takes **about" not in page


def test_time_and_memory_stand_beside_train(visit, measured):
    page = text(visit("builder", **SPEC.to_query()))
    assert "Takes **about 3 s**, after a second to compile, and 0.9 GB of memory." in page
    assert "measuring" not in page


def test_the_estimate_follows_the_design(visit, measured):
    app = visit("builder", **SPEC.to_query())
    app.slider(key="design.epochs").set_value(90).run()
    assert "about 90 s" in text(app)
    assert not app.warning


def test_a_long_run_is_warned_of(visit, measured, monkeypatch):
    monkeypatch.setitem(measured.costs, "step", 50.0)
    app = visit("builder", **(SPEC.to_query() | {"epochs": "100"}))
    assert "take about 3 h" in text(app) and "fewer epochs" in text(app)
    assert not app.button(key="train").disabled


def test_a_run_beyond_the_memory_is_warned_of():
    expected = estimate.Estimate(1, 1, 9, 4_100_000_000)
    (sentence,) = forecast.warnings(expected, 4_000_000_000)
    assert "4.1 GB" in sentence and "4.0 GB" in sentence
    assert not forecast.warnings(expected, 0)


def test_a_design_that_cannot_be_trained_is_not_estimated(visit, measured):
    app = visit("builder", **(SPEC.to_query() | {"net": "16-relu-bn"}))
    assert "Takes" in text(app)
    app.select_slider(key="design.batch").set_value(1).run()
    assert app.button(key="train").disabled
    assert "Takes" not in text(app)


def test_what_was_said_is_kept_with_the_run_and_compared(visit, measured, runs):
    app = visit("builder", **SPEC.to_query())
    app.button(key="train").click().run()
    (run,) = runs.of("ada")
    (told,) = runs.history(run.id)
    assert isinstance(told, events.Predicted)
    found = (told.seconds_per_epoch, told.seconds, told.compile_seconds)
    assert found == pytest.approx((1.0, 3.0, 0.5))
    assert told.peak_bytes > FIGURES.base_bytes
    assert "Predicted" not in text(app)
    runs.begin(run.id)
    end = events.Finished(6, 0.1, 0.9, 3.5, peak_bytes=1_200_000_000)
    epochs = [events.EpochEnded(i, 2 * i, 0.1, 0.9, 0.1, 0.9, 1.2, 0.1) for i in (1, 2, 3)]
    runs.append(run.id, [events.Started(2, 3, 512, 128, 7850), events.Compiled(0.01), *epochs, end])
    runs.end(run.id, "finished", test_accuracy=0.9, test_loss=0.1, seconds=3.5)
    page = text(app.run())
    assert "Predicted: 3.0 s. It took 3.5 s of training and 0.3 s of validation." in page
    assert "Compiling: predicted 0.5 s, took 0.0 s (the network was there already)." in page
    assert "Memory: predicted 0.9 GB, took 1.2 GB." in page


@pytest.mark.parametrize(("seconds", "said"), [
    (0.2, "1 s"), (5.6, "6 s"), (9.7, "10 s"), (38.2, "40 s"), (92, "90 s"), (97, "2 min"),
    (200, "3 min"), (700, "10 min"), (55 * 60, "55 min"), (2 * 3600 + 1500, "2.5 h"),
])  # fmt: skip
def test_times_are_rounded_to_what_an_estimate_knows(seconds, said):
    assert forecast.duration(seconds) == said
