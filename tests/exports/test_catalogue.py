"""What can be taken from a run, each file read by its own tool and held against the run."""

import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace

import nbformat
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_core.basis.numbers import percent
from mnist_core.data.identity import MNIST_DIGEST
from mnist_core.design.choices import ACTIVATIONS
from mnist_core.design.spec import Augment, Conv, Layer, RunSpec
from mnist_core.exports import catalogue, chart_sheets, keras_script
from mnist_core.network.initial import initial_weights
from mnist_core.network.network import Network
from mnist_core.runs import models
from mnist_core.runs.artifacts import Evaluation
from mnist_core.runs.records import Runs
from mnist_core.training import engine, events
from mnist_core.training.model_formats import MODEL_FILES

SPEC = RunSpec((Layer(24, batch_norm=True, dropout=0.2),), batch_size=32, epochs=2, seed=3)
SHORT = RunSpec((Layer(64, batch_norm=True),), batch_size=128, epochs=3)


def answers_of(spec, weights, data):
    p = Network.from_weights(spec, weights).predict(data.test.images)
    return Evaluation(p, data.test.labels, 0.5)


def kept(runs, spec, happened, data, name):
    """A finished run with all that its training said."""
    run = runs.create(spec, "ada", replace(data.identity, name=name)).id
    runs.begin(run)
    runs.append(run, happened)
    end = happened[-1]
    runs.save_checkpoint(run, end.checkpoint)
    answers = answers_of(spec, end.checkpoint.answer, data)
    runs.save_evaluation(run, replace(answers, step=end.step))
    runs.end(run, "finished", test_accuracy=end.test_accuracy, test_loss=end.test_loss,
             seconds=end.seconds)  # fmt: skip
    return catalogue.take(runs, runs.get(run))


@pytest.fixture(scope="module")
def taken(tiny, tmp_path_factory):
    runs = Runs(tmp_path_factory.mktemp("runs"))
    return kept(runs, SPEC, list(engine.train(SPEC, tiny)), tiny, tiny.name)


def made(taken, key):
    return catalogue.EXPORTS[key].make(taken)


def of(kind, taken):
    return [event for event in taken.history if isinstance(event, kind)]


# --------------------------------------------------------------------- weights and code


def test_the_weights_come_back_as_they_were(taken, tiny):
    model = models.read("mine.npz", made(taken, "weights"))
    expected = Network.from_weights(SPEC, taken.weights).predict(tiny.test.images)
    np.testing.assert_array_equal(model.network.predict(tiny.test.images), expected)
    assert model.spec == SPEC and model.about["step"] == taken.step
    assert model.about["test_accuracy"] == taken.run.test_accuracy


def test_the_script_is_the_one_that_the_page_shows(taken):
    assert made(taken, "script") == keras_script.keras_code(SPEC)


def code_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("spec", [
    SPEC, replace(SPEC, loss="categorical", augment=Augment(shift=2)),
    replace(SPEC, keep="val_accuracy", patience=2, convolutions=(Conv(8),)),
], ids=["plain", "augmented", "kept"])  # fmt: skip
def test_the_notebook_is_valid_and_has_the_script_in_steps(taken, spec):
    run = replace(taken.run, spec=spec)
    notebook = nbformat.reads(made(replace(taken, run=run), "notebook"), as_version=4)
    nbformat.validate(notebook)
    code = "\n".join(code_of(notebook))
    for line in filter(None, keras_script.keras_code(spec).splitlines()[1:]):
        assert line in code.splitlines()
    compile(code, "notebook", "exec")
    assert percent(run.test_accuracy) in notebook.cells[0].source
    assert ("Distort" in code) == bool(spec.augment)


def test_what_the_code_does_not_repeat_is_said(taken):
    assert catalogue.notes(taken) == [
        f"It was trained on other data than the 60,000 images of MNIST ({taken.run.data})."
    ]
    run = replace(taken.run, data="mine", digest=MNIST_DIGEST)  # whatever it is called
    assert catalogue.notes(replace(taken, run=run)) == []
    changed = [events.Marked(0, "imported"), events.Marked(3, "learning rate", 0.1)]
    run = replace(run, status="stopped")
    said = " ".join(catalogue.notes(replace(taken, run=run, history=changed)))
    for words in ("came in a file", "changed by hand", "stopped after 32 batches"):
        assert words in said


# ----------------------------------------------------------------------------- record


@pytest.mark.parametrize(("key", "kind"), [
    ("epochs", events.EpochEnded), ("batches", events.Progress),
])  # fmt: skip
def test_the_history_is_a_table_of_what_was_said(taken, key, kind):
    head, *rows = made(taken, key).splitlines()
    assert len(rows) == len(of(kind, taken)) > 1
    for row, event in zip(rows, of(kind, taken), strict=True):
        for name, text in zip(head.split(","), row.split(","), strict=True):
            assert float(text) == getattr(event, name)


def test_tensorboard_reads_the_logs(taken, tmp_path):
    zipfile.ZipFile(io.BytesIO(made(taken, "tensorboard"))).extractall(tmp_path)
    parts = {path.name: EventAccumulator(str(path)) for path in tmp_path.glob("*/*")}
    for part in parts.values():
        part.Reload()
    ends, chunks, last = of(events.EpochEnded, taken), of(events.Progress, taken), taken.history[-1]
    expected = {
        ("train", "epoch_loss"): {e.epoch - 1: e.loss for e in ends},
        ("train", "epoch_accuracy"): {e.epoch - 1: e.accuracy for e in ends},
        ("validation", "epoch_loss"): {e.epoch - 1: e.val_loss for e in ends},
        ("validation", "epoch_accuracy"): {e.epoch - 1: e.val_accuracy for e in ends},
        ("train", "batch_loss"): {e.step: e.loss for e in chunks},
        ("train", "batch_accuracy"): {e.step: e.accuracy for e in chunks},
        ("train", "images_per_second"): {e.step: e.images_per_second for e in chunks},
        ("test", "epoch_loss"): {1: last.test_loss},
        ("test", "epoch_accuracy"): {1: last.test_accuracy},
    }
    tags = {(name, tag) for name, part in parts.items() for tag in part.Tags()["scalars"]}
    assert tags == set(expected)
    for (name, tag), values in expected.items():
        found = parts[name].Scalars(tag)
        assert {e.step: e.value for e in found} == pytest.approx(values, rel=1e-6)
        assert [e.wall_time for e in found] == sorted(e.wall_time for e in found)
        assert found[0].wall_time >= taken.run.started


@pytest.mark.slow
def test_the_logs_are_written_without_tensorflow():
    """As in the web process."""
    code = (
        "import sys; from mnist_core.exports import catalogue, tensorboard_logs\n"
        "from mnist_core.training import events\n"
        "tensorboard_logs.tensorboard([events.Progress(1, 1, 0.5, 0.5, 0.1, 9.0)], 'a', 0.0)\n"
        "heavy = {'tensorflow', 'keras', 'onnx', 'pandas'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------- charts and report


def test_the_charts_have_the_numbers_of_the_run(taken):
    found = catalogue.charts(taken)
    assert list(found) == ["loss", "accuracy", "confusion", "digits"]
    ends = of(events.EpochEnded, taken)
    np.testing.assert_allclose(found["loss"].numbers["validation"], [e.val_loss for e in ends])
    np.testing.assert_allclose(found["accuracy"].numbers["train"], [100 * e.accuracy for e in ends])
    assert found["confusion"].numbers["images"].sum() == 200
    (heat,) = found["confusion"].figure.data
    right = np.mean(taken.answers.probabilities.argmax(axis=1) == taken.answers.labels)
    assert np.trace(heat.z) == 0 and heat.z.sum() == round(200 * (1 - right))
    for chart in found.values():
        assert chart.figure.layout.paper_bgcolor == "white" and chart.reading
        assert chart.figure.layout.title.text and chart.figure.layout.yaxis.title.text


def test_a_run_without_epochs_or_answers_has_fewer_charts(taken):
    bare = replace(taken, history=taken.history[:2], answers=None)
    assert catalogue.charts(bare) == {}
    assert "open this run on the Evaluate page" in made(bare, "report")


def addresses(page):
    """What a browser would load for the page, its own scripts' text left aside."""
    bare = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    return re.findall(r"(?:src|href)=.([^\s\"']+)", bare) + re.findall(r"<script[^>]+src=", page)


def test_a_chart_and_the_report_need_nothing_from_elsewhere(taken):
    chart = catalogue.charts(taken)["loss"]
    for page in (chart_sheets.html(chart, "loss"), made(taken, "report")):
        assert not addresses(page) and "Plotly.newPlot" in page


def test_the_report_says_what_the_run_is(taken):
    page = made(taken, "report")
    for words in (
        "784-24-10 · Adam", percent(taken.run.test_accuracy), f"{SPEC.parameters:,}",
        "BatchNormalization", "Dropout", "20 % of the training images", "Glorot uniform",
        "The bluer, the commoner the mistake",
    ):  # fmt: skip
        assert words in page
    assert page.count("Plotly.downloadImage(") - page.count("downloadImage(t") >= 8


def test_a_strangers_words_stay_words_in_the_report(taken):
    evil = "<script>alert(1)</script>"
    page = made(replace(taken, run=replace(taken.run, data=evil, message=evil)), "report")
    assert evil not in page and "&lt;script&gt;alert(1)" in page


# ------------------------------------------------------------------------- model files


def by_keras(path, images):
    return engine.keras.models.load_model(path)(images, training=False).numpy()


def by_litert(path, images):
    from ai_edge_litert.interpreter import Interpreter

    reader = Interpreter(model_path=str(path))
    (given,), (found,) = reader.get_input_details(), reader.get_output_details()
    reader.resize_tensor_input(given["index"], images.shape)
    reader.allocate_tensors()
    reader.set_tensor(given["index"], images)
    reader.invoke()
    return reader.get_tensor(found["index"])


def by_onnx(path, images):
    import onnx
    import onnxruntime

    onnx.checker.check_model(path, full_check=True)
    reader = onnxruntime.InferenceSession(path)
    (given,) = reader.get_inputs()
    return reader.run(None, {given.name: images})[0]


READERS = {"model.keras": by_keras, "model.tflite": by_litert, "model.onnx": by_onnx}
CONVOLVED = replace(SPEC, convolutions=(Conv(8, 5, "elu", True, 3, 0.25), Conv(6, pool=1)))


def assert_same_answers(spec, name, images, folder):
    """The file's own reader says what the NumPy network says, for one image and for many."""
    rng = np.random.default_rng(0)
    weights = initial_weights(spec, rng)
    weights = {k: (w + rng.normal(0, 0.1, w.shape) ** 2).astype("f4") for k, w in weights.items()}
    path = folder / name
    path.write_bytes(engine.model_file(spec, weights, name))
    for some in (images[:1], images):
        logits = READERS[name](path, some)
        expected = Network.from_weights(spec, weights).predict(some)
        found = np.exp(logits - logits.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_model_file_answers_by_its_own_tool_as_the_numpy_network(name, tiny, tmp_path):
    assert_same_answers(SPEC, name, tiny.test.images, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("spec", [
    CONVOLVED, RunSpec((), convolutions=(Conv(8),)), RunSpec(()), replace(SPEC, l2=0.01),
    *(RunSpec((Layer(16, name), Layer(8, name, True))) for name in ACTIVATIONS),
], ids=lambda spec: "&".join(spec.to_query().values()))  # fmt: skip
def test_every_kind_of_layer_is_in_every_model_file(name, spec, tiny, tmp_path):
    assert_same_answers(spec, name, tiny.test.images, tmp_path)


# ------------------------------------------------------- the exported code, executed

LOAD = """\
import keras, numpy
_file = numpy.load({path!r})
_splits = [(_file["x_" + part], _file["y_" + part]) for part in ("train", "test")]
keras.datasets.mnist.load_data = lambda: _splits
"""


@pytest.fixture(scope="module")
def seeds(mnist):
    """The run's accuracy with each of three seeds."""
    specs = [replace(SHORT, seed=seed) for seed in range(3)]
    return [list(engine.train(spec, mnist))[-1].test_accuracy for spec in specs]


def assert_within_the_spread(accuracy, seeds, images):
    spread = max(seeds) - min(seeds)
    chance = 2 * np.sqrt(0.25 / images) * 0.4  # two deviations of a share near 95 % of the images
    assert min(seeds) - spread - chance < accuracy < max(seeds) + spread + chance


@pytest.mark.slow
def test_the_exported_script_gets_the_accuracy_of_the_run(seeds, mnist, digits_file, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(LOAD.format(path=digits_file) + keras_script.keras_code(SHORT))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = float(re.search(r"Test accuracy: ([\d.]+)%", done.stdout)[1]) / 100
    assert_within_the_spread(found, seeds, len(mnist.test.labels))


@pytest.mark.slow
def test_the_exported_notebook_gets_the_accuracy_of_the_run(
    seeds, mnist, digits_file, tmp_path, taken
):
    from nbclient import NotebookClient

    run = replace(taken.run, spec=SHORT)
    notebook = nbformat.reads(made(replace(taken, run=run), "notebook"), as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(LOAD.format(path=digits_file)))
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.output_type == "error"]
    printed = "".join(out.text for out in outputs if out.output_type == "stream")
    found = float(re.search(r"Test accuracy: ([\d.]+)%", printed)[1]) / 100
    assert_within_the_spread(found, seeds, len(mnist.test.labels))
    drawn = [out.data for out in outputs if "data" in out]
    figures = [data for data in drawn if "application/vnd.plotly.v1+json" in data]
    assert len(figures) == 2
    lines = json.dumps(figures[0]["application/vnd.plotly.v1+json"]["data"])
    assert '"val_loss"' in lines
    truth = re.search(r"true (\[.*\])", printed)[1]
    assert json.loads(truth) == mnist.test.labels[:5].tolist()
