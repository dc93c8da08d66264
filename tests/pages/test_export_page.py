"""The Export and Import parts of a page: what can be taken from a run, and brought back."""


import numpy as np
import pytest

from mnist_core.basis import Job
from mnist_core.exports import catalogue
from mnist_core.jobs.service import Service
from mnist_core.network.initial import weight_shapes
from mnist_core.network.network import Network
from mnist_core.runs import models
from mnist_core.runs.artifacts import Evaluation
from mnist_core.runs.records import IMPORTED
from mnist_core.training.model_formats import MODEL_FILES
from pages._builder import export_panel
from tests.pages.visiting import BEGUN, SMALL, UNDER_WAY, Desk, line, query, text


class Worker(Desk):
    """A desk with a worker that converts when the test says so."""

    adopt, measured = Service.adopt, None

    def __init__(self, store):
        super().__init__(store)
        self.asked = {}

    def convert(self, run, file):
        self.asked[run, file] = Job()

    def conversion(self, run, file):
        return self.asked.get((run, file))

    def evaluate(self, run, data=None):
        self.measured, failed = Job(), Job()
        failed.fail("It failed.")
        return failed

    def evaluation(self, run, data=""):
        return self.measured


@pytest.fixture
def desk(runs, monkeypatch):
    found = Worker(runs)
    monkeypatch.setattr("pages._shell.shared.service", lambda: found)
    return found


@pytest.fixture
def ended(make, runs):
    """A finished run's id, with weights and a history."""
    run = make(BEGUN + UNDER_WAY, weights=True)
    runs.end(run, "finished", test_accuracy=0.9, test_loss=0.3, seconds=2.5)
    return run


@pytest.fixture
def export(visit, ended):
    """The page of the ended run with its Export opened."""
    app = visit("builder", run=ended)
    app.session_state[f"export.{ended}"] = True
    return app.run()


def downloads(app):
    return {button.key: button.label for button in app.get("download_button")}


def test_an_ended_run_offers_everything_that_can_be_taken(export, ended):
    found = downloads(export)
    for key, chosen in catalogue.EXPORTS.items():
        kind = chosen.suffix.rpartition(".")[2]
        assert found[f"export_{key}"] == f"{chosen.title} (.{kind})"
    made = {button.key for button in export.button}
    assert {f"make_{file}" for file in MODEL_FILES} <= made


def test_nothing_is_made_before_the_box_is_opened(visit, ended, desk):
    app = visit("builder", run=ended)
    assert not downloads(app) and "make_model.onnx" not in {b.key for b in app.button}


@pytest.mark.parametrize("key", catalogue.EXPORTS)
def test_each_file_is_made_when_it_is_clicked(key, ended, desk):
    made = export_panel._make(desk.runs.get(ended), key, desk)
    assert len(made) > 100


def test_a_model_file_is_made_by_the_worker_and_then_offered(export, ended, desk, runs):
    export.button(key="make_model.tflite").click().run()
    assert "TensorFlow Lite: waits for the training process" in text(export)
    desk.asked[ended, "model.tflite"].begin()
    assert "TensorFlow Lite: being made" in text(export.run())
    runs.save_model_file(ended, "model.tflite", b"TFL3", 12)
    desk.asked.clear()
    assert downloads(export.run())["export_model.tflite"] == "TensorFlow Lite (.tflite)"


def test_a_conversion_that_fails_says_why_and_can_be_tried_again(export, ended, desk):
    export.button(key="make_model.onnx").click().run()
    desk.asked[ended, "model.onnx"].fail("It failed.")
    assert [e.value for e in export.run().error] == ["It failed."]
    assert export.run().button(key="make_model.onnx")


def test_a_chart_is_drawn_as_it_will_be_saved(export, ended, runs):
    export.segmented_control(key="export_chart").set_value("loss").run()
    assert "The camera in its corner saves it as SVG" in text(export)
    assert {"export_page", "export_numbers"} <= set(downloads(export))
    export.segmented_control(key="export_chart").set_value("confusion").run()
    assert export_panel.NO_ANSWERS in text(export)
    labels = np.arange(20, dtype=np.uint8) % 10
    runs.save_evaluation(ended, Evaluation(np.eye(10, dtype=np.float32)[labels], labels, 0.1, 12))
    assert "No image was misread." not in (said := text(export.run())) and "camera" in said


# ------------------------------------------------------------------------ import


def upload(app, name, content):
    app.file_uploader(key="import_file").set_value([(name, content, "")]).run()
    return app.button(key="import").click().run()


def exported(weights=None):
    rng = np.random.default_rng(1)
    shapes = weight_shapes(SMALL)
    weights = weights or {k: rng.normal(0, 0.1, s).astype(np.float32) for k, s in shapes.items()}
    return weights, models.to_bytes(SMALL, weights, {"test_accuracy": 1.0})


def test_an_imported_model_is_a_run_of_its_visitor(visit, desk, runs, tiny):
    weights, content = exported()
    app = upload(visit("runs", tab="Import"), "mine.npz", content)
    assert not app.exception and not app.error
    (run,) = runs.of("ada")
    assert (run.status, run.spec, run.test_accuracy) == (IMPORTED, SMALL, None)
    assert query(app)["run"] == run.id and query(app)["epochs"] == str(SMALL.epochs)
    assert "being measured" in line(app)[1]
    runs.measured(run.id, 0.1234, 2.0, runs.checkpoint(run.id).step)
    app.switch_page("pages/builder.py").run()
    assert "12.34 % of the test images" in line(app)[1]
    found = runs.checkpoint(run.id)
    assert found.step == 512 // SMALL.batch_size * SMALL.epochs
    expected = Network.from_weights(SMALL, weights).predict(tiny.test.images)
    mine = Network.from_weights(SMALL, found.answer).predict(tiny.test.images)
    np.testing.assert_array_equal(mine, expected)
    app.button(key="to_draw").click().run()
    assert app.selectbox[0].value == run.id


def test_a_file_that_cannot_be_imported_is_refused_in_a_sentence(visit, runs):
    app = visit("runs", tab="Import")
    for content in (b"PK\3\4", b"\x80\4.", exported()[1][:-30]):
        upload(app, "odd.npz", content)
        (error,) = app.error
        assert error.value.startswith("odd.npz is damaged or not a model file of this project (")
    assert not runs.of("ada")
