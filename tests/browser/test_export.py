"""Export and Import in a browser: files that arrive, a picture that the browser makes."""


import numpy as np
import pytest

from mnist_core.basis.numbers import percent
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network.network import Network
from mnist_core.runs import models
from tests.serving import settle

SHORT = RunSpec((Layer(32, batch_norm=True),), batch_size=128, epochs=1)
TRAINED = 1000 * 120.0  # milliseconds that a first training may take on a busy machine


def button(page, key):
    return page.locator(f".st-key-{key} button:visible")


def fetched(page, key):
    """The file that a click on a button brings: its name and its bytes."""
    with page.expect_download(timeout=TRAINED) as download:
        button(page, key).click()
    with open(download.value.path(), "rb") as file:
        return download.value.suggested_filename, file.read()


@pytest.mark.slow
def test_a_run_is_taken_away_and_brought_back(go, mnist):
    page = go("builder", query=SHORT.to_query())
    button(page, "train").click()
    page.get_by_text("Finished in").wait_for(timeout=TRAINED)
    settle(page)
    page.locator("summary", has_text="Export").click()
    name, weights = fetched(page, "export_weights")
    model = models.read(name, weights)
    assert model.spec == SHORT
    for kind, start in (("tflite", b"TFL3"), ("onnx", b"tf2onnx")):
        button(page, f"make_model-{kind}").click()
        button(page, f"export_model-{kind}").wait_for(timeout=TRAINED)
        name, content = fetched(page, f"export_model-{kind}")
        assert name.endswith(f".{kind}") and start in content[:200]
    name, report = fetched(page, "export_report")
    assert b"The bluer, the commoner the mistake" in report
    page.locator(".st-key-export_chart button", has_text="Loss").click()
    with page.expect_download() as download:
        page.locator(".js-plotly-plot .modebar-btn").first.click()
    assert download.value.suggested_filename.endswith("-loss.svg")
    assert download.value.path().read_text().startswith("<svg")
    page.get_by_role("link", name="Runs").first.click()
    page.get_by_role("radio", name="Import").click()
    file = {"name": "mine.npz", "mimeType": "application/octet-stream", "buffer": weights}
    page.locator(".st-key-import_file input").set_input_files(file)
    button(page, "import").click()
    measured = page.get_by_text("of the test images are read right")
    page.get_by_text("Imported: these weights").wait_for()
    measured.wait_for(timeout=TRAINED)
    right = Network.predict(model.network, mnist.test.images).argmax(axis=1) == mnist.test.labels
    assert percent(np.mean(right)) in measured.inner_text()
