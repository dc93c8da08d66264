"""A visitor of the pages, through AppTest: what is opened, read and drawn."""

import base64
import io
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from mnist_core.basis import Job, LabError
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.jobs.service import Service
from mnist_core.network.initial import weight_shapes
from mnist_core.runs import models
from mnist_core.runs.records import Runs
from mnist_core.training import events
from pages._shell import navigation

ROOT = Path(__file__).resolve().parents[2]
STEMS = tuple(navigation.PAGES)
SMALL = RunSpec(layers=(Layer(16),), batch_size=64, epochs=3)
BEGUN = [events.Started(8, 3, 512, 128, SMALL.parameters), events.Compiled(0.5)]
UNDER_WAY = [
    events.Progress(4, 4, 2.0, 0.3, 0.5, 512.0), events.Progress(8, 4, 1.5, 0.5, 1.0, 512.0),
    events.EpochEnded(1, 8, 1.75, 0.4, 1.4, 0.55, 1.1),
    events.Progress(12, 4, 1.25, 0.6, 1.5, 512.0),
]  # fmt: skip


class Desk:
    """Takes runs like the service, but has no worker: what becomes of them, the test decides."""

    state, message = "ready", ""
    calibration, slots, closed = None, 1, False
    ahead = Service.ahead

    def __init__(self, runs: Runs) -> None:
        self.runs, self.stopped, self.told, self.seen = runs, [], [], []
        self.looks_wanted, self.looks = [], {}

    def submit(self, spec, owner, data, predicted=None, part_of="", initial=None):
        run = self.runs.create(spec, owner, data, part_of, initial)
        if predicted:
            self.runs.append(run.id, [events.Predicted(**asdict(predicted))])
        return run

    def submit_all(self, designs, owner, data, part_of=""):
        return self.runs.create_all(designs, owner, data, part_of)

    def look_at(self, spec, data):
        self.looked_at = spec

    def watched(self, run):
        self.seen.append(run)

    def stop(self, run):
        self.stopped.append(run)

    def tell(self, run, command, value=None):
        told = self.looks_wanted if command == "look" else self.told
        told.append((run, command, value))

    def inside(self, run):
        return self.looks.get(run)

    def evaluate(self, run, data=None):
        if self.runs.evaluation(run, data.digest if run == "default" else "") is None:
            raise LabError("There is no worker to evaluate anything.")
        return done()

    def go_on(self, run, epochs=0):
        record = self.runs.get(run)
        return self.runs.reopen(run, replace(record.spec, epochs=record.spec.epochs + epochs))


def done(result=None):
    """A job that is over."""
    job = Job()
    job.set_result(result)
    return job


def open_page(stem: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    if stem != "home":
        app.switch_page(f"pages/{stem}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def text(app: AppTest) -> str:
    """All that is written on the page, as one string."""
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, app.info,
             app.warning, app.error, app.success, app.html)  # fmt: skip
    said = "\n".join(str(element.value) for kind in kinds for element in kind)
    said = re.sub(r"\\([*_\[\]#+\-|~$:<>&`])", r"\1", said)  # what was escaped in Markdown
    return said.replace("\N{NO-BREAK SPACE}", " ")


def line(app: AppTest) -> tuple[str, str]:
    """The one line of a run on the Build page: its kind, and its words."""
    (found,) = (re.search(r'class="run-line (\w+)".*?<p>(.*?)</p>', h.value) for h in app.html
                if 'class="run-line' in h.value)  # fmt: skip
    assert found
    return found[1], re.sub("<[^>]+>", "", found[2]).replace("\N{NO-BREAK SPACE}", " ")


def remembered(app: AppTest, state: str = "Workbench"):
    """One of the dataclasses that the visitor's session keeps."""
    return app.session_state["states"][state]


def query(app: AppTest) -> dict[str, str]:
    """The URL's parameters, each as its one value."""
    return {k: v[-1] if isinstance(v, list) else v for k, v in dict(app.query_params).items()}


def any_weights(spec: RunSpec) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.1, shape).astype(np.float32)
            for name, shape in weight_shapes(spec).items()}  # fmt: skip


def drawing(image: np.ndarray) -> dict:
    """What the canvas sends for this image (28, 28), drawn large in white on black."""
    picture = Image.fromarray(image).resize((336, 336), Image.Resampling.NEAREST).convert("RGBA")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    data = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    raw = {"objects": [{"type": "path", "stroke": "#FFFFFF"}]}
    return {"drawing": {"raw": raw, "data": data}, "backgroundFit": None}


def draw(app: AppTest, image: np.ndarray) -> AppTest:
    app.session_state["canvas_0"] = drawing(image)
    app.run()
    assert not app.exception, app.exception
    return app


def answer(app: AppTest) -> int | None:
    """The label that the page says, None if it says none."""
    found = re.search(r'id="answer"[^>]*>(\d)<', text(app))
    return int(found[1]) if found else None


def surest(data, label: int) -> np.ndarray:
    """The image of this label of which the default model is surest."""
    images = data.test.images[data.test.labels == label]
    return images[models.default().network.predict(images)[:, label].argmax()]


def seen_by_the_model(app: AppTest) -> np.ndarray:
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)" alt="what the model', text(app))
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
