"""The models that can be asked, and what they say to whole splits of the digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from mnist_core import storage
from mnist_core.analysis import short_film as short_films
from mnist_core.analysis import teaching
from mnist_core.basis import Job, LabError
from mnist_core.basis.numbers import percent
from mnist_core.data import dataset, own_data
from mnist_core.jobs.service import Service
from mnist_core.network.network import Network
from mnist_core.runs import StoreError, models
from pages._shell import shared, visitors
from pages._shell.state import bench

TAUGHT = "taught"  # the choice of the copy that the visitor taught
ASKED_AT_ONCE = 2000  # images: a few hundredths of a second for a dense network


@dataclass(frozen=True, eq=False)
class Frame:
    """A run's network as it was after `step` batches."""

    step: int
    network: Network


def model(choice: str) -> models.Model:
    """The shipped model, the copy that this visitor taught, or the model of a run by its id."""
    if choice == TAUGHT:
        return _taught_model(visitors.visitor(), lessons().stamp())
    return models.default() if choice == "default" else _run_model(choice, _ended(choice))


@st.cache_resource(show_spinner=False, max_entries=20)
def _run_model(run: str, ended: float | None) -> models.Model:
    """`ended` tells a run that was trained further from what it was before."""
    record, checkpoint = shared.runs().known(run), shared.runs().checkpoint(run)
    if checkpoint is None:
        raise StoreError("This run has no weights: it may have expired.")
    about = {"test_accuracy": record.test_accuracy}
    network = Network.from_weights(record.spec, checkpoint.answer)
    return models.Model(record.spec, network, about)


@st.cache_resource(show_spinner=False, max_entries=20)
def _taught_model(visitor: str, stamp: int) -> models.Model:
    # There was a copy when `stamp` was taken; if it has been deleted since, the default answers.
    return teaching.Lessons(storage.home(), visitor).model() or models.default()


def lessons() -> teaching.Lessons:
    """What this visitor has taught."""
    return teaching.Lessons(storage.home(), visitors.visitor())


def _ended(choice: str) -> float | None:
    return shared.runs().known(choice).ended if choice != "default" else None


def _state_of(choice: str) -> str:
    """A name for exactly this model: whose it is, and when it was last trained."""
    if choice == TAUGHT:
        return f"{choice} {visitors.visitor()} {lessons().stamp()}"
    return f"{choice} {_ended(choice)}"


def answers(choice: str, split: str) -> Job:
    """What a model says to every image of a split: probabilities float32 (n, 10)."""
    network, images = model(choice).network, getattr(shared.data(), split).images
    worker, shown = shared.service(), shared.data()

    def ask(report: Callable[[float], None]) -> np.ndarray:
        if split == "test" and choice != TAUGHT:
            said = _by_worker(worker, choice, shown)
            if said is not None:
                return said
        return _asked(network, images, report)

    return shared.job(shared.data().digest, f"answers {_state_of(choice)} {split}", ask)


def _asked(
    network: Network, images: np.ndarray, report: Callable[[float], None]
) -> np.ndarray:
    """Probabilities (n, 10) of images uint8 (n, 28, 28); `report` hears the share that is done."""
    parts = []
    for start in range(0, len(images), ASKED_AT_ONCE):
        parts.append(network.predict(images[start : start + ASKED_AT_ONCE]))
        report(min(1.0, (start + ASKED_AT_ONCE) / len(images)))
    return np.concatenate(parts)


def knows_the_data(choice: str) -> bool:
    """Whether a model was trained on the training images that are shown."""
    shown = shared.data()
    if choice in ("default", TAUGHT):
        return not own_data.is_own(shown.source)
    return shared.runs().known(choice).identity.same(shown.identity)


def learned(choice: str, rows: np.ndarray) -> Job:
    """Whether a model reads these training images right, by their index: bool (n,)."""
    network, train = model(choice).network, shared.data().train

    def read(report: Callable[[float], None]) -> np.ndarray:
        return _asked(network, train.images[rows], report).argmax(axis=1) == train.labels[rows]

    return job_of_model(choice, f"{len(rows)} of the first training images", read)


def _by_worker(worker: Service, choice: str, shown: dataset.Mnist) -> np.ndarray | None:
    """A worker's answers to the test images, kept with the run; None if it has other work, the run
    is about other data, or the default model is asked about a visitor's own, of which nothing is
    kept: then the page computes them itself."""
    record = worker.runs.get(choice) if choice != "default" else None
    if not record.identity.same(shown.identity) if record else own_data.is_own(shown.source):
        return None
    try:
        asked = worker.evaluate(choice, shown.identity)
        while not asked.over(0.05):
            busy = any(run.status == "running" for run in worker.runs.active())
            if worker.state != "ready" or busy:
                return None
    except LabError:
        return None
    kept = worker.runs.evaluation(choice, "" if record else shown.digest)
    same = kept is not None and np.array_equal(kept.labels, shown.test.labels)
    return kept.probabilities if kept and same else None


def of_model(choice: str, what: str, compute: Callable[[], Any]) -> Any:
    """Something of a model on the session's data, computed once for all visitors."""
    return shared.resource(shared.data().digest, f"{what} of {_state_of(choice)}", compute)


def job_of_model(choice: str, what: str, compute: Callable[..., Any]) -> Job:
    """As `of_model`, in a thread of its own."""
    return shared.job(shared.data().digest, f"{what} of {_state_of(choice)}", compute)


def film(choice: str) -> list[Frame]:
    """What a run was on its way, as networks: by the number of batches; empty for other models."""
    return _film(choice, _ended(choice)) if choice not in ("default", TAUGHT) else []


@st.cache_resource(show_spinner=False, max_entries=4)
def _film(run: str, ended: float | None) -> list[Frame]:
    spec = shared.runs().known(run).spec
    return [Frame(taken.step, Network.from_weights(spec, taken.weights))
            for taken in shared.runs().snapshots(run)]  # fmt: skip


def short_film() -> Job:
    """The film of a small network that learns these digits, made once for all visitors: list of
    Frame."""
    data = shared.data()

    def make(report: Callable[[float], None]) -> list[Frame]:
        taken = short_films.take(data, report)
        return [Frame(x.step, Network.from_weights(short_films.SPEC, x.weights)) for x in taken]

    return shared.job(data.digest, "short film", make)


def frames_read(whose: str, frames: list[Frame], images: np.ndarray) -> Job:
    """What each frame of a film says to these images: probabilities float32 (frames, n, 10).
    `whose` is the run that the film is of, or "" for the short one."""

    def read(report: Callable[[float], None]) -> np.ndarray:
        said = []
        for i, frame in enumerate(frames, 1):
            said.append(frame.network.predict(images))
            report(i / len(frames))
        return np.array(said)

    of = _state_of(whose) if whose else "nobody"
    return shared.job(shared.data().digest, f"film of {of} on {len(images)} test images", read)


def answering_models() -> dict[str, str]:
    """Who can answer a drawing: choice -> name. The visitor's runs, the newest first."""
    runs, opened = shared.runs(), bench().run
    records = {r.id: r for r in runs.of(visitors.visitor())}
    if opened and (shown := runs.get(opened)):
        records.setdefault(opened, shown)
    mine = [r for r in records.values() if not r.active and runs.has_weights(r.id)]
    names = {"default": "Default model (comes with the app)"}
    if lessons().stamp():
        names[TAUGHT] = f"Taught your hand · {percent(model(TAUGHT).about['test_accuracy'])}"
    return names | {
        r.id: f"{r.name} · {percent(r.test_accuracy)}" if r.test_accuracy else r.name
        for r in mine
    }


def asked_models() -> dict[str, str]:
    """Who can be asked about all images: as `answering_models`, and the run of the link."""
    mine = bench()
    mine.asked = mine.asked or st.query_params.get("model", "default")
    run = shared.runs().get(mine.asked)
    if run and not run.active and shared.runs().has_weights(run.id):
        return {run.id: run.name} | answering_models()
    return answering_models()


def ask(choice: str) -> None:
    """Make this the model that the images are filtered by, and keep it in the URL."""
    bench().asked = choice
    if choice == "default":
        st.query_params.pop("model", None)
    elif st.query_params.get("model") != choice:
        st.query_params["model"] = choice
