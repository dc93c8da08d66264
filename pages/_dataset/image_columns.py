"""What is known of each image: a table of columns to filter and sort by, open to more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core.basis import Job
from mnist_core.statistics import label_errors, shapes
from mnist_core.statistics.tables import csv_of
from pages._shell import answering, shared
from pages._shell.state import bench


@dataclass(frozen=True)
class Column:
    """A number for each image of a split, (n,); `job` must be done before `values` is asked for."""

    title: str
    values: Callable[[str], np.ndarray]
    job: Callable[[str], Job] | None = None


def labels(split: str) -> np.ndarray:
    """The labels of a split: uint8 (n,)."""
    return getattr(shared.data(), split).labels


def answers(split: str) -> Job:
    """What the chosen model says to each image: probabilities (n, 10)."""
    return answering.answers(chosen_model(), split)


def chosen_model() -> str:
    """The model that the filters ask, the default one if it is gone."""
    return bench().asked if bench().asked in answering.asked_models() else "default"


def _measure(name: str) -> Callable[[str], np.ndarray]:
    return lambda split: shared.measures(split)[name]


def _predicted(split: str) -> np.ndarray:
    return answers(split).result().argmax(axis=1)


def _confidence(split: str) -> np.ndarray:
    return answers(split).result().max(axis=1)


def _out_of_fold(split: str) -> tuple[np.ndarray, np.ndarray, slice]:
    """The out-of-fold predictions of all images, their labels, and which are of this split."""
    first = len(labels("train"))
    part = slice(first) if split == "train" else slice(first, None)
    both = np.concatenate([labels("train"), labels("test")])
    return shared.computed("suspects").result()["probabilities"], both, part


def _doubt(split: str) -> np.ndarray:
    said, given, part = _out_of_fold(split)
    return -label_errors.margins(said, given)[part]


def doubted(split: str) -> np.ndarray:
    """Which labels confident learning counts under another digit: bool (n,)."""
    said, given, part = _out_of_fold(split)
    return label_errors.off_diagonal(said, given)[part] > 0


def _given_to_label(split: str) -> np.ndarray:
    return answers(split).result()[np.arange(len(labels(split))), labels(split)]


COLUMNS: dict[str, Column] = {
    "index": Column("Index", lambda split: np.arange(len(labels(split)))),
    "label": Column("Label", labels),
    **{name: Column(m.title, _measure(name)) for name, m in shapes.MEASURES.items()},
    "predicted": Column("Predicted digit", _predicted, answers),
    "confidence": Column("Confidence of the model", _confidence, answers),
    "for_label": Column("Probability given to the label", _given_to_label, answers),
    "doubt": Column("Doubt about the label", _doubt, lambda split: shared.computed("suspects")),
}


def table(split: str, indices: np.ndarray) -> str:
    """All columns that are already known, of these images, as comma-separated values."""
    asked = {name: c for name, c in COLUMNS.items() if name != "doubt"}  # it may not be begun yet
    known = {name: c for name, c in asked.items() if not c.job or c.job(split).done()}
    return csv_of({name: column.values(split)[indices] for name, column in known.items()})
