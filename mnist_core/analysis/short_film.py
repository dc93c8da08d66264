"""A small network that learns to read while somebody waits: the film for who has no run yet."""

from __future__ import annotations

from collections.abc import Callable

from mnist_core.basis import LabError
from mnist_core.data.dataset import Mnist
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.training import events, numpy_engine
from mnist_core.training.snapshots import Snapshot

SPEC = RunSpec((Layer(32),), framework="numpy", batch_size=32, epochs=1)


def take(data: Mnist, report: Callable[[float], None] = lambda share: None) -> list[Snapshot]:
    """Train SPEC on these digits in this thread, a second or two; `report` hears the share that is
    done. Raises LabError if they are too few for a batch."""
    total = 1
    for event in numpy_engine.train(SPEC, data):
        if isinstance(event, events.Started):
            total = event.steps_per_epoch * event.epochs
        elif isinstance(event, events.Progress):
            report(event.step / total)
        elif isinstance(event, events.Finished):
            return list(event.snapshots)
        elif isinstance(event, events.Failed):
            raise LabError(event.message)
    return []
