"""What a training run says while it runs: frozen records, and their form on the wire.

The engine yields them in a worker, the service carries them, the run record keeps them and the
pages draw them. This file is a leaf, so the web process reads events without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, get_args

import numpy as np

from .snapshots import Snapshot

DIVERGED = "The loss became"  # how the message of a run begins whose loss is no finite number


@dataclass(frozen=True)
class Best:
    """The epoch that was best so far by the design's own measure, and the weights it left, which
    are empty where the last epoch's are to be kept."""

    epoch: int
    value: float
    weights: Mapping[str, np.ndarray] = field(repr=False)


@dataclass(frozen=True)
class Sums:
    """Over the batches of an epoch so far: how many, the sum of their losses (nats), how many of
    their images were right, and the seconds they took."""

    steps: int = 0
    loss: float = 0.0
    right: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on exactly where it was.

    `weights` maps "layer/variable" to float32 arrays, what the network computes with; `state` maps
    names to the arrays of the optimizer and of the dropout generators; `step` counts the batches
    seen and `seconds` the time they took. The order of the images follows from the seed and the
    epoch, so it is not stored. `best` is kept if the design asks for its best epoch; `sums` are of
    the epoch that it lies within, so that an epoch's figures are of all of it.
    """

    step: int
    weights: Mapping[str, np.ndarray] = field(repr=False)
    state: Mapping[str, np.ndarray] = field(repr=False)
    seconds: float = 0.0
    learning_rate: float | None = None
    best: Best | None = None
    sums: Sums = Sums()

    @property
    def answer(self) -> Mapping[str, np.ndarray]:
        """The weights that speak for the run: the best epoch's if it keeps one, else the last."""
        return (self.best and self.best.weights) or self.weights


@dataclass(frozen=True)
class Predicted:
    """What its owner was told before the run: the fields of `estimate.Estimate`."""

    seconds_per_epoch: float
    compile_seconds: float
    seconds: float
    peak_bytes: int


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
    """An epoch: means over its batches as trained, and the validation images after it. `seconds`
    are those of the training alone."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    validation_seconds: float = 0.0


@dataclass(frozen=True)
class Marked:
    """Something was done to the run at `step`: it was paused, resumed, set into slow motion with
    `value` seconds between two batches, back to full speed, to a new learning rate `value`, or
    taken up on another machine."""

    step: int
    what: str
    value: float | None = None


@dataclass(frozen=True)
class Checkpointed:
    """The run can be taken up again from here if anything happens to it."""

    step: int
    checkpoint: Checkpoint | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Finished:
    """The run came to its end; loss and accuracy on the test set, by the weights that it keeps.

    `note` is a plain sentence if there is more to say, such as why it ended early; `peak_bytes`
    the most memory that the process held meanwhile, 0 if that is not known; `snapshots` what the
    network was on its way.
    """

    step: int
    test_loss: float
    test_accuracy: float
    seconds: float
    note: str = ""
    checkpoint: Checkpoint | None = field(default=None, repr=False, compare=False)
    peak_bytes: int = field(default=0, compare=False)
    snapshots: Sequence[Snapshot] = field(default=(), repr=False, compare=False)

    @property
    def last(self) -> Checkpoint:
        """The checkpoint that the training ended with. Raises ValueError for an event that was read
        from records, which do not hold it."""
        if self.checkpoint is None:
            raise ValueError("This event comes from records: the run's files hold its checkpoint.")
        return self.checkpoint


@dataclass(frozen=True)
class Stopped(Finished):
    """The run was stopped before its end: measured, saved and usable all the same."""


@dataclass(frozen=True)
class Failed:
    """The run could not go on; `message` is one plain sentence."""

    step: int
    message: str

    @property
    def diverged(self) -> bool:
        """Whether its loss was no finite number any more, as records of any age say it."""
        return self.message.startswith(DIVERGED)


class WorkerDied(Exception):
    """The process that trained a run is gone, and what it would have said with it."""


class ClusterLost(Exception):
    """The scheduler is gone, and with it whatever its workers did for us."""


Event = (
    Predicted | Started | Compiled | Progress | EpochEnded | Marked | Checkpointed | Finished
    | Stopped | Failed
)
KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(Event)}


def to_wire(event: Event) -> dict[str, Any]:
    """The event as plain JSON values, without its weights: arrays travel by another way."""
    names = [f.name for f in fields(event) if f.name not in ("checkpoint", "snapshots")]
    values = {name: getattr(event, name) for name in names}
    return {"kind": type(event).__name__, **values}


def from_wire(values: Mapping[str, Any]) -> Event | None:
    """The event that `to_wire` wrote; None for one of a later version, of a kind or with a part
    that is not known here."""
    rest = dict(values)
    kind = KINDS.get(rest.pop("kind", ""))
    if kind is None:
        return None
    needed = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}
    known = needed <= rest.keys() <= {f.name for f in fields(kind)}
    return kind(**rest) if known else None


def timeline(history: Sequence[Event]) -> list[Event]:
    """The history as that of one run: without what came after a checkpoint from which it was taken
    up again, and without the pause or the end that this undid."""
    kept: list[Event] = []
    for event in history:
        if isinstance(event, Started):
            kept = [e for e in kept if _stands(e, event.step)]
        kept.append(event)
    return kept


def _stands(event: Event, step: int) -> bool:
    """Whether the event still holds after the run was taken up again at `step`."""
    undone = isinstance(event, Finished | Failed) or event == Marked(step, "paused")
    return getattr(event, "step", 0) <= step and not undone
