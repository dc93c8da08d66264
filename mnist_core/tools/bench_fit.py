"""Plain Keras in a process of its own, for the bench: as it runs for whoever has no engine.

In the engine's process `fit` would take over the engine's settings of XLA, and leave its threads
and its memory to the engine's own measurement.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from mnist_core.data import dataset
from mnist_core.design.spec import RunSpec

CALL = 64  # steps in one call of the tuned `fit`
KINDS = ("plain", "tuned")


def warm_up(steps: int) -> int:
    """How many steps to take before so many are timed: the first after another's turn find neither
    their threads awake nor their data in the cache."""
    return max(CALL, steps // 4)


class Fit:
    """`model.fit` on a design and its images, in another process that waits in between.

    `plain` is Keras as it comes; `tuned` compiles CALL steps into one call, with XLA where the
    network is dense. Raises EOFError if that process ends before it was asked to.
    """

    def __init__(self, spec: RunSpec, steps: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, spec, steps), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()  # both are compiled

    def seconds(self, kind: str) -> float:
        """How long `fit` of this kind took for all steps."""
        self._pipe.send(kind)
        return self._pipe.recv()

    def __enter__(self) -> Fit:
        return self

    def __exit__(self, *_: Any) -> None:
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection, spec: RunSpec, steps: int) -> None:
    """Build both kinds, then time the one that is asked for, until nobody asks any more."""
    os.environ["XLA_FLAGS"] = ""  # the engine sets them only where there are none
    from mnist_core.training import engine

    images, labels = training_images(spec.batch_size * steps)

    def fit(model: Any, steps: int) -> None:
        n = spec.batch_size * steps
        model.fit(images[:n], labels[:n], batch_size=spec.batch_size, verbose=0)

    tuned = engine.compiled(spec, jit_compile=engine.fused(spec), steps_per_execution=CALL)
    models = dict(zip(KINDS, (engine.compiled(spec), tuned), strict=True))
    for model in models.values():
        fit(model, CALL)
    pipe.send("ready")
    try:
        while kind := pipe.recv():
            fit(models[kind], warm_up(steps))
            began = time.perf_counter()
            fit(models[kind], steps)
            pipe.send(time.perf_counter() - began)
    except EOFError:
        return


def training_images(n: int) -> tuple[np.ndarray, np.ndarray]:
    """n training images (n, 28, 28) uint8 and their labels, repeated if there are fewer."""
    train = dataset.load("auto").train
    rows = np.arange(n) % len(train.labels)
    return train.images[rows], train.labels[rows]
