"""Who computes a run: TensorFlow, or this project's own NumPy."""

from __future__ import annotations

from collections.abc import Iterator

from mnist_core.data.formats import Mnist
from mnist_core.design.spec import RunSpec

from . import events
from .control import Control
from .inside import Inside


def train(
    spec: RunSpec,
    data: Mnist,
    control: Control | None = None,
    resume: events.Checkpoint | None = None,
) -> Iterator[events.Event | Inside]:
    """Train `spec` on `data`, in the framework that it names, and yield what happens, ending in
    Finished, Stopped or Failed; between, if the control asks for it, looks inside.

    Each epoch is a fresh permutation in whole batches; the rest that does not fill a batch sits
    out that epoch (`drop_remainder` in tf.data), so that one compiled shape serves all steps.
    `control` is looked at after every chunk; `resume` is a Checkpoint of the same design and seed,
    whose number of epochs may have grown. Raises SpecError for a design that cannot be trained.
    """
    if spec.framework == "numpy":
        from . import numpy_engine

        return numpy_engine.train(spec, data, control, resume)
    from . import engine  # TensorFlow: seconds, and only where something is trained

    return engine.train(spec, data, control, resume)
