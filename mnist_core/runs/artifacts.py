"""What a run leaves in files: its checkpoint, its model, its evaluation. A file appears whole by
rename, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from mnist_core.storage import npz
from mnist_core.training import events, snapshots
from mnist_core.training.model_formats import MODEL_FILES
from mnist_core.training.snapshots import Snapshot

from . import models

ANSWERS_KEPT, ANSWERS_SECONDS = 20, 24 * 3600.0  # of DEFAULT, for each data that it has met
DEFAULT = "default"  # where a run's id is expected: the model that comes with the project


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's answers to the test images: `probabilities` float32 (n, 10), the true `labels`
    uint8 (n,), and `loss`, the mean cross-entropy in nats without penalties or smoothing. `step`
    is the number of batches after which the run was measured, 0 for the default model."""

    probabilities: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    loss: float
    step: int = 0


class Artifacts:
    """The files of all runs, under `folder`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def _artifact(self, run: str, name: str) -> Path:
        return self.folder / "artifacts" / run / name

    def save(self, run: str, name: str, content: bytes) -> None:
        """Write an artifact; a reader sees the old one or the new one, never half of it. Raises
        OSError, and then leaves nothing behind."""
        _write(self._artifact(run, name), content)

    def save_checkpoint(self, run: str, checkpoint: events.Checkpoint) -> None:
        """Keep the run's newest weights and state. Raises OSError."""
        arrays = {f"weights/{name}": value for name, value in checkpoint.weights.items()}
        arrays |= {f"state/{name}": value for name, value in checkpoint.state.items()}
        known = {"step": checkpoint.step, "seconds": checkpoint.seconds}
        if checkpoint.learning_rate is not None:
            known["learning_rate"] = checkpoint.learning_rate
        if best := checkpoint.best:
            known |= {"best_epoch": best.epoch, "best_value": best.value}
            arrays |= {f"best/{name}": value for name, value in best.weights.items()}
        self.save(run, "checkpoint.npz", npz(known | arrays))
        for name in MODEL_FILES:  # they were of older weights
            self._artifact(run, name).unlink(missing_ok=True)

    def checkpoint(self, run: str) -> events.Checkpoint | None:
        """The run's newest checkpoint, or None."""
        path = self._artifact(run, "checkpoint.npz")
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            parts: dict[str, dict[str, np.ndarray]] = {"weights": {}, "state": {}, "best": {}}
            for part, _, name in (key.partition("/") for key in file.files):
                if name:
                    parts[part][name] = file[f"{part}/{name}"]
            known = {key: file[key].item() for key in file.files if "/" not in key}
        best = parts.pop("best")
        if "best_epoch" in known:
            known["best"] = events.Best(known.pop("best_epoch"), known.pop("best_value"), best)
        return events.Checkpoint(**parts, **known)

    def save_initial(self, run: str, weights: Mapping[str, np.ndarray]) -> None:
        """Keep the weights that a run is to begin with. Raises OSError."""
        self.save(run, "initial.npz", npz(weights))

    def start(self, run: str) -> events.Checkpoint | None:
        """Where a training of the run begins: its newest checkpoint, else the weights that it was
        given, else None for those of its seed."""
        path = self._artifact(run, "initial.npz")
        if self.has_weights(run) or not path.exists():
            return self.checkpoint(run)
        with np.load(path, allow_pickle=False) as file:
            return events.Checkpoint(0, dict(file), {})

    def has_weights(self, run: str) -> bool:
        return self._artifact(run, "checkpoint.npz").exists()

    def what_is_kept(self, run: str) -> str:
        """What a run that was cut off has left, as the end of a sentence."""
        if self.has_weights(run):
            return "its last checkpoint is kept and can still answer drawings"
        return "it had no checkpoint yet, so train it again"

    def model_file(self, run: str, name: str = "model.keras") -> Path | None:
        """One of the run's MODEL_FILES, or None while it is not made."""
        path = self._artifact(run, name)
        return path if path.exists() else None

    def save_model_file(self, run: str, name: str, content: bytes, step: int) -> None:
        """Keep one of MODEL_FILES, made of the weights after `step` batches, unless the run has
        been trained further meanwhile. Raises OSError."""
        if step == self._step(run):
            self.save(run, name, content)

    def save_snapshots(self, run: str, taken: Sequence[Snapshot]) -> None:
        """Keep what a run was on its way, beside what is known from before it was taken up again.
        Raises OSError."""
        kept = snapshots.merged(self.snapshots(run), taken)
        self.save(run, "snapshots.npz", snapshots.to_bytes(kept))

    def snapshots(self, run: str) -> list[Snapshot]:
        """What the run was on its way, by step; empty if nothing was kept."""
        path = self._artifact(run, "snapshots.npz")
        return snapshots.from_bytes(path.read_bytes()) if path.exists() else []

    def save_evaluation(self, run: str, evaluation: Evaluation, data: str = "") -> None:
        """Keep how a run, or DEFAULT on the data of this digest, answered the test images. Raises
        OSError."""
        content = npz({"probabilities": evaluation.probabilities.astype(np.float32),
                       "labels": evaluation.labels.astype(np.uint8),
                       "loss": evaluation.loss, "step": evaluation.step})  # fmt: skip
        _write(self._evaluation(run, data), content)

    def evaluation(self, run: str, data: str = "") -> Evaluation | None:
        """How the run, as it now is, answered the test images; None if nobody has asked yet.
        DEFAULT is evaluated for each data that it meets: `data` is their digest."""
        try:
            if run == DEFAULT:
                os.utime(self._evaluation(run, data))  # in use: it is kept for another day
            with np.load(self._evaluation(run, data), allow_pickle=False) as file:
                loss, step = file["loss"].item(), file["step"].item()
                found = Evaluation(file["probabilities"], file["labels"], loss, step)
        except FileNotFoundError:
            return None
        return found if run == DEFAULT or found.step == self._step(run) else None

    def _evaluation(self, run: str, data: str) -> Path:
        if run != DEFAULT:
            return self._artifact(run, "evaluation.npz")
        key = hashlib.sha256(_default_model() + data.encode()).hexdigest()[:16]
        return self.folder / "evaluations" / f"default-{key}.npz"

    def expire_answers(self, now: float) -> None:
        """Delete DEFAULT's answers that nobody has asked for in a day, and all but the latest few;
        `now` is in seconds since 1970."""
        last = {}
        for path in self._evaluation(DEFAULT, "").parent.glob("default-*.npz"):
            with contextlib.suppress(OSError):
                last[path] = path.stat().st_mtime
        kept = sorted(last, key=lambda path: last[path])[-ANSWERS_KEPT:]
        for path, when in last.items():
            if path not in kept or now - when > ANSWERS_SECONDS:
                path.unlink(missing_ok=True)

    def _step(self, run: str) -> int | None:
        if not self.has_weights(run):
            return None
        with np.load(self._artifact(run, "checkpoint.npz"), allow_pickle=False) as file:
            return file["step"].item()

    def bytes_of(self, run: str) -> int:
        """What the run's files take."""
        size = 0
        with contextlib.suppress(OSError):  # one may be replaced or deleted meanwhile
            for entry in os.scandir(self._artifact(run, "")):
                size += entry.stat().st_size
        return size

    def delete_files(self, run: str) -> None:
        shutil.rmtree(self._artifact(run, ""), ignore_errors=True)


@cache
def _default_model() -> bytes:
    return hashlib.sha256(models.DEFAULT.read_bytes()).digest()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)  # half a file would only fill the disk further
        raise
