"""What a training run says while it runs: frozen records, and their form on the wire.

The engine yields them in a worker, the service carries them, the run record keeps them and the
pages draw them. This file is a leaf, so the web process reads events without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on exactly where it was.

    `weights` maps "layer/variable" to float32 arrays, what the network computes with; `state` maps
    names to the arrays of the optimizer and of the dropout generators; `step` counts the batches
    seen. The order of the images follows from the seed and the epoch, so it is not stored.
    """

    step: int
    weights: Mapping[str, np.ndarray]
    state: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Started:
    """The first event: what will be trained, before anything is compiled."""

    steps_per_epoch: int
    epochs: int
    train_images: int
    validation_images: int
    parameters: int
    step: int = 0


@dataclass(frozen=True)
class Compiled:
    """The network is ready to train after `seconds` of building and compiling."""

    seconds: float


@dataclass(frozen=True)
class Progress:
    """A chunk of steps: mean loss (nats) and accuracy (0…1) over just these `steps` batches.

    `step` counts all batches so far; `seconds` is time spent training, compilation excluded.
    """

    step: int
    steps: int
    loss: float
    accuracy: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class EpochEnded:
    """An epoch: means over its batches as trained, and the validation images after it."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Checkpointed:
    """The run can be taken up again from here if anything happens to it."""

    step: int
    checkpoint: Checkpoint | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Finished:
    """The run came to its last epoch; loss and accuracy on the test set."""

    step: int
    test_loss: float
    test_accuracy: float
    seconds: float
    checkpoint: Checkpoint | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Stopped(Finished):
    """The run was stopped before its end: measured, saved and usable all the same."""


@dataclass(frozen=True)
class Failed:
    """The run could not go on; `message` is one plain sentence."""

    step: int
    message: str


Event = Started | Compiled | Progress | EpochEnded | Checkpointed | Finished | Stopped | Failed
KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (Started, Compiled, Progress, EpochEnded, Checkpointed, Finished, Stopped, Failed)
}


class Control:
    """What a run's owner wants of it; the engine looks at it between two chunks."""

    def __init__(self) -> None:
        self.stopping = False

    def stop(self) -> None:
        """End after the chunk under way, keeping weights and history."""
        self.stopping = True


def to_wire(event: Event) -> dict[str, Any]:
    """The event as plain JSON values, without its checkpoint: arrays travel by another way."""
    values = {f.name: getattr(event, f.name) for f in fields(event) if f.name != "checkpoint"}
    return {"kind": type(event).__name__, **values}


def from_wire(values: Mapping[str, Any]) -> Event:
    """The event that `to_wire` wrote; KeyError if its kind is unknown."""
    rest = dict(values)
    return KINDS[rest.pop("kind")](**rest)
