"""What can be taken from an ended run, as files: one table that the pages and the tests read.

`model_formats.MODEL_FILES` are the others: they need TensorFlow, so a worker makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from mnist_core.basis import LabError
from mnist_core.basis.numbers import percent
from mnist_core.data.identity import MNIST_DIGEST
from mnist_core.runs import models
from mnist_core.runs.artifacts import Evaluation
from mnist_core.runs.records import IMPORTED, Run, Runs
from mnist_core.statistics.tables import csv_of
from mnist_core.training import events

from . import chart_sheets, keras_script, notebook, report, tensorboard_logs


@dataclass(frozen=True, eq=False)
class Taken:
    """All that is known of an ended run: its record, its timeline, the weights that speak for it
    with the number of batches they have seen, and its answers to the test images if anybody has
    asked for them."""

    run: Run
    history: Sequence[events.Event]
    weights: Mapping[str, np.ndarray]
    step: int
    answers: Evaluation | None


class Export(NamedTuple):
    """A file: what it is called and what it is for, how its name ends, its MIME type, and how it is
    made."""

    title: str
    says: str
    suffix: str
    mime: str
    make: Callable[[Taken], str | bytes]


def take(runs: Runs, run: Run) -> Taken:
    """Everything about an ended run. Raises LabError if its weights are gone."""
    checkpoint = runs.checkpoint(run.id)
    if checkpoint is None:
        raise LabError("This run has no weights to take away: it may have expired.")
    history = events.timeline(runs.history(run.id))
    answers = runs.evaluation(run.id)
    return Taken(run, history, checkpoint.answer, checkpoint.step, answers)


def stem(run: Run) -> str:
    """How the names of a run's files begin."""
    return f"mnist-{'-'.join(run.spec.sizes)}-{run.id[:4]}"


def notes(taken: Taken) -> list[str]:
    """What training the design anew would not repeat of the run, in sentences."""
    run, found = taken.run, []
    marks = {event.what for event in taken.history if isinstance(event, events.Marked)}
    if IMPORTED in marks:
        found.append("Its first weights came in a file, and were not trained here.")
    # By its name only in records of before the digest was noted.
    whole = run.digest == MNIST_DIGEST if run.digest else run.data.startswith("full MNIST")
    if not whole:
        data = " ".join(run.data.split())
        found.append(f"It was trained on other data than the 60,000 images of MNIST ({data}).")
    if "learning rate" in marks:
        found.append("Its learning rate was changed by hand on the way.")
    if run.status in ("stopped", "interrupted"):
        found.append(f"It was {run.status} after {taken.step:,} batches, before its end.")
    return found


def _weights(taken: Taken) -> bytes:
    run = taken.run
    about = {"test_accuracy": run.test_accuracy, "test_loss": run.test_loss, "data": run.data,
             "seed": run.spec.seed, "step": taken.step}  # fmt: skip
    return models.to_bytes(run.spec, taken.weights, about)


def _notebook(taken: Taken) -> str:
    run = taken.run
    result = "This is a run of MNIST Lab."
    if run.test_accuracy is not None:
        result += (f" It read {percent(run.test_accuracy)} of its test images correctly, with a "
                   "loss "
                   f"of {run.test_loss:.4f}.")  # fmt: skip
    return notebook.notebook(run.spec, result, notes(taken))


def _rows(taken: Taken, kind: type) -> str:
    """Every event of a kind as a line of a table, its fields as columns."""
    chosen = [event for event in taken.history if isinstance(event, kind)]
    names = [f.name for f in fields(kind)]
    return csv_of({name: [getattr(event, name) for event in chosen] for name in names})


def _logs(taken: Taken) -> bytes:
    run = taken.run
    return tensorboard_logs.tensorboard(taken.history, stem(run), run.started or run.created)


def charts(taken: Taken) -> dict[str, chart_sheets.Chart]:
    """The run's charts by name, on white paper."""
    return chart_sheets.charts(taken.history, taken.answers)


def _report(taken: Taken) -> str:
    about = report.Subject(taken.run, charts(taken), taken.answers, notes(taken))
    return report.report(about, stem(taken.run))


EXPORTS: dict[str, Export] = {
    "weights": Export("Weights", "Design and weights as NumPy arrays; can be imported here again.",
                      ".npz", "application/octet-stream", _weights),
    "script": Export("Keras script", "Trains the same design with Keras alone.",
                     ".py", "text/x-python", lambda taken: keras_script.keras_code(taken.run.spec)),
    "notebook": Export("Notebook", "The same in steps, with curves, for Jupyter.",
                       ".ipynb", "application/x-ipynb+json", _notebook),
    "epochs": Export("History by epoch", "Loss and accuracy of training and validation.",
                     "-epochs.csv", "text/csv", lambda taken: _rows(taken, events.EpochEnded)),
    "batches": Export("History by batches", "Loss, accuracy and speed, a few batches a line.",
                      "-batches.csv", "text/csv", lambda taken: _rows(taken, events.Progress)),
    "tensorboard": Export("TensorBoard logs", "Unpack, then: tensorboard --logdir .",
                          "-logs.zip", "application/zip", _logs),
    "report": Export("Report", "One page of HTML with curves, confusion and design, which needs no "
                     "network. Its charts can be saved from it as PNG or SVG.",
                     ".html", "text/html", _report),
}  # fmt: skip
