"""What is known of each image: a table of columns to filter and sort by, open to more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core.statistics import label_errors, shapes
from mnist_core.statistics.tables import csv_of
from pages._shell import answering, shared, waiting
from pages._shell.state import bench


@dataclass(frozen=True)
class Column:
    """A number for each image of a split, (n,); `job` must be done before `values` is asked for."""

    title: str
    values: Callable[[str], np.ndarray]
    job: Callable[[str], waiting.Awaited] | None = None


def labels(split: str) -> np.ndarray:
    """The labels of a split: uint8 (n,)."""
    return getattr(shared.data(), split).labels


def answers(split: str) -> waiting.Job:
    """What the chosen model says to each image: probabilities (n, 10)."""
    return answering.answers(chosen_model(), split)


def chosen_model() -> str:
    """The model that the filters ask, the default one if it is gone."""
    return bench().asked if bench().asked in answering.asked_models() else "default"


def _measure(name: str) -> Callable[[str], np.ndarray]:
    return lambda split: shared.measures(split)[name]


def _predicted(split: str) -> np.ndarray:
    return answers(split).result.argmax(axis=1)


def _confidence(split: str) -> np.ndarray:
    return answers(split).result.max(axis=1)


class _Doubts:
    """The out-of-fold predictions that another process makes, as the job that columns know."""

    def __init__(self) -> None:
        self._job = shared.computed("suspects")

    def done(self, seconds: float = 0.0) -> bool:
        """Whether they are there, or will never be, within so many seconds."""
        end = time.monotonic() + seconds
        while (job := shared.computed("suspects")).state not in ("done", "failed"):
            if time.monotonic() >= end:
                return False
            time.sleep(0.05)
        self._job = job
        return True

    @property
    def share(self) -> float:
        return self._job.share

    def of(self, split: str, measure: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """A measure of labels by these predictions, for a split; NaN if they could not be made."""
        if self._job.state == "failed":
            return np.full(len(labels(split)), np.nan)
        first = len(labels("train"))
        part = slice(first) if split == "train" else slice(first, None)
        both = np.concatenate([labels("train"), labels("test")])
        return measure(self._job.result()["probabilities"], both)[part]


def _doubt(split: str) -> np.ndarray:
    doubts = _Doubts()
    doubts.done()
    return -doubts.of(split, label_errors.margins)


def doubted(split: str) -> np.ndarray:
    """Which labels confident learning counts under another digit: bool (n,)."""
    doubts = _Doubts()
    doubts.done()
    return doubts.of(split, label_errors.off_diagonal) > 0


def _given_to_label(split: str) -> np.ndarray:
    return answers(split).result[np.arange(len(labels(split))), labels(split)]


COLUMNS: dict[str, Column] = {
    "index": Column("Index", lambda split: np.arange(len(labels(split)))),
    "label": Column("Label", labels),
    **{name: Column(m.title, _measure(name)) for name, m in shapes.MEASURES.items()},
    "predicted": Column("Predicted digit", _predicted, answers),
    "confidence": Column("Confidence of the model", _confidence, answers),
    "for_label": Column("Probability given to the label", _given_to_label, answers),
    "doubt": Column("Doubt about the label", _doubt, lambda split: _Doubts()),
}


def table(split: str, indices: np.ndarray) -> str:
    """All columns that are already known, of these images, as comma-separated values."""
    asked = {name: c for name, c in COLUMNS.items() if name != "doubt"}  # it may not be begun yet
    known = {name: c for name, c in asked.items() if not c.job or c.job(split).done()}
    return csv_of({name: column.values(split)[indices] for name, column in known.items()})
