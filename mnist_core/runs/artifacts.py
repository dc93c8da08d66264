"""What a run leaves in files: its checkpoint, its model, its evaluation. A file appears whole by
rename, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

import numpy as np

from mnist_core import storage
from mnist_core.storage import npz
from mnist_core.training import events, snapshots
from mnist_core.training.model_formats import MODEL_FILES
from mnist_core.training.snapshots import Snapshot

from . import models
from .database import StoreError

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
        storage.write(self._artifact(run, name), content)

    def save_checkpoint(self, run: str, checkpoint: events.Checkpoint) -> None:
        """Keep the run's newest weights and state. Raises OSError."""
        arrays = {f"weights/{name}": value for name, value in checkpoint.weights.items()}
        arrays |= {f"state/{name}": value for name, value in checkpoint.state.items()}
        known = {"step": checkpoint.step, "seconds": checkpoint.seconds}
        known |= {f"epoch_{name}": value for name, value in vars(checkpoint.sums).items()}
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
        found = self._arrays(run, "checkpoint.npz")
        if found is None:
            return None
        parts: dict[str, dict[str, np.ndarray]] = {"weights": {}, "state": {}, "best": {}}
        known = {key: value.item() for key, value in found.items() if "/" not in key}
        for key, value in found.items():
            part, _, name = key.partition("/")
            if name:
                parts[part][name] = value
        best = parts.pop("best")
        if "best_epoch" in known:
            known["best"] = events.Best(known.pop("best_epoch"), known.pop("best_value"), best)
        so_far = {f.name: known.pop(key) for f in fields(events.Sums)
                  if (key := f"epoch_{f.name}") in known}  # fmt: skip
        return events.Checkpoint(**parts, **known, sums=events.Sums(**so_far))

    def save_initial(self, run: str, weights: Mapping[str, np.ndarray]) -> None:
        """Keep the weights that a run is to begin with. Raises OSError."""
        self.save(run, "initial.npz", npz(weights))

    def start(self, run: str) -> events.Checkpoint | None:
        """Where a training of the run begins: its newest checkpoint, else the weights that it was
        given, else None for those of its seed."""
        given = None if self.has_weights(run) else self._arrays(run, "initial.npz")
        return self.checkpoint(run) if given is None else events.Checkpoint(0, given, {})

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
        found = self._arrays(run, "snapshots.npz")
        return snapshots.from_arrays(found) if found else []

    def save_evaluation(self, run: str, evaluation: Evaluation, data: str = "") -> None:
        """Keep how a run, or DEFAULT on the data of this digest, answered the test images. Raises
        OSError."""
        content = npz({"probabilities": evaluation.probabilities.astype(np.float32),
                       "labels": evaluation.labels.astype(np.uint8),
                       "loss": evaluation.loss, "step": evaluation.step})  # fmt: skip
        storage.write(self._evaluation(run, data), content)

    def evaluation(self, run: str, data: str = "") -> Evaluation | None:
        """How the run, as it now is, answered the test images; None if nobody has asked yet.
        DEFAULT is evaluated for each data that it meets: `data` is their digest."""
        path = self._evaluation(run, data)
        if run == DEFAULT:
            storage.use(path)
        try:
            kept = storage.read_npz(path)
        except storage.Damaged:  # it can be had again
            storage.remove(path)
            return None
        if kept is None:
            return None
        found = Evaluation(kept["probabilities"], kept["labels"], kept["loss"].item(),
                           kept["step"].item())  # fmt: skip
        return found if run == DEFAULT or found.step == self._step(run) else None

    def _evaluation(self, run: str, data: str) -> Path:
        if run != DEFAULT:
            return self._artifact(run, "evaluation.npz")
        key = hashlib.sha256(_default_model() + data.encode()).hexdigest()[:16]
        return self.folder / "evaluations" / f"default-{key}.npz"

    def _step(self, run: str) -> int | None:
        found = self._arrays(run, "checkpoint.npz", "step")
        return found["step"].item() if found else None

    def _arrays(self, run: str, name: str, *only: str) -> dict[str, np.ndarray] | None:
        """What an .npz of a run holds, None if there is none. StoreError if it is damaged."""
        path = self._artifact(run, name)
        try:
            return storage.read_npz(path, *only)
        except storage.Damaged as error:
            raise StoreError("This run's files are damaged on the server's disk: train its design "
                             "anew.") from error  # fmt: skip

    def bytes_of(self, run: str) -> int:
        """What the run's files take."""
        return storage.size(self._artifact(run, ""))

    def delete_files(self, run: str) -> None:
        storage.remove(self._artifact(run, ""))


@cache
def _default_model() -> bytes:
    return hashlib.sha256(models.DEFAULT.read_bytes()).digest()

