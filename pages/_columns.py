"""What is known of each image: a table of columns to filter and sort by, open to more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core import shapes
from mnist_core.tables import csv_of
from pages import _ui, _work


@dataclass(frozen=True)
class Column:
    """A number for each image of a split, (n,); `job` must be done before `values` is asked for."""

    title: str
    values: Callable[[str], np.ndarray]
    job: Callable[[str], _work.Job] | None = None


def labels(split: str) -> np.ndarray:
    """The labels of a split: uint8 (n,)."""
    return getattr(_ui.data(), split).labels


def answers(split: str) -> _work.Job:
    """What the chosen model says to each image: probabilities (n, 10)."""
    return _ui.answers(chosen_model(), split)


def chosen_model() -> str:
    """The model that the filters ask, the default one if it is gone."""
    return _ui.state().asked if _ui.state().asked in _ui.asked_models() else "default"


def _measure(name: str) -> Callable[[str], np.ndarray]:
    return lambda split: _ui.measures(split)[name]


def _predicted(split: str) -> np.ndarray:
    return answers(split).result.argmax(axis=1)


def _confidence(split: str) -> np.ndarray:
    return answers(split).result.max(axis=1)


def _given_to_label(split: str) -> np.ndarray:
    return answers(split).result[np.arange(len(labels(split))), labels(split)]


COLUMNS: dict[str, Column] = {
    "index": Column("Index", lambda split: np.arange(len(labels(split)))),
    "label": Column("Label", labels),
    **{name: Column(m.title, _measure(name)) for name, m in shapes.MEASURES.items()},
    "predicted": Column("Predicted digit", _predicted, answers),
    "confidence": Column("Confidence of the model", _confidence, answers),
    "for_label": Column("Probability given to the label", _given_to_label, answers),
}


def table(split: str, indices: np.ndarray) -> str:
    """All columns that are already known, of these images, as comma-separated values."""
    known = {name: c for name, c in COLUMNS.items() if not c.job or c.job(split).done()}
    return csv_of({name: column.values(split)[indices] for name, column in known.items()})
