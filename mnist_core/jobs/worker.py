"""What runs in a worker process: one training at a time, and a word with it while it runs.

The web process imports this file to name its functions to Dask, so TensorFlow is only imported
inside them. Events leave as Dask log events; checkpoints and looks inside wait here until they are
fetched, as Dask would keep each one in the scheduler's memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import psutil
from distributed import Worker, WorkerPlugin, get_worker
from distributed.system import MEMORY_LIMIT

from mnist_core.data import dataset
from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.estimates import host
from mnist_core.network import losses
from mnist_core.runs.artifacts import Evaluation
from mnist_core.training import events, frameworks
from mnist_core.training.control import Control
from mnist_core.training.inside import Inside

from .errands import CALLS

TOPIC = "mnist-lab"
FLUSH_SECONDS = 0.1  # ten messages a second cost training nothing measurable
CALM_SECONDS = 3.0  # without a training, after which there is time to measure
LOOK_SECONDS = 0.25  # between two looks whether there is one
SHIPPED_KEPT = 2  # data sets that came over the network; MNIST has 55 MB
OUT_OF_MEMORY = ("The training ran out of memory: choose a smaller batch, or fewer and narrower "
                 "layers.")  # fmt: skip


@dataclass
class _Job:
    control: Control = field(default_factory=Control)
    checkpoint: events.Checkpoint | None = None
    inside: Inside | None = None


_jobs: dict[str, _Job] = {}
_engine = threading.Lock()  # a warm-up would reset the compiled network that a training uses


@dataclass(frozen=True)
class Result:
    """How a training ended, with its weights in the event, and the model as a `.keras` file, which
    is empty if it failed."""

    event: events.Finished | events.Failed
    model: bytes = b""


@dataclass(frozen=True)
class Done:
    """A job's end: its `result`, or None if this worker does not have the data, and the worker's
    address and memory in bytes."""

    result: Any
    worker: str
    memory: int


def _done(result: Any) -> Done:
    return Done(result, get_worker().address, psutil.Process().memory_info().rss)


_shipped: dict[str, dataset.Mnist] = {}


def receive(digest: str, data: dataset.Mnist) -> None:
    """Keep data that came from the web process, because this machine has none of its own."""
    _shipped[digest] = data
    while len(_shipped) > SHIPPED_KEPT:
        del _shipped[next(iter(_shipped))]


def _load(wanted: Identity) -> dataset.Mnist | None:
    """The data if this worker has it. Raises DataError if nobody can say what it should be."""
    if not wanted.digest:
        return dataset.load(wanted.source)
    if wanted.digest in _shipped:
        return _shipped[wanted.digest]
    try:
        found = dataset.load(wanted.source)
    except dataset.DataError:
        return None
    return found if found.digest == wanted.digest else None


def train(
    run: str,
    query: dict[str, str],
    wanted: Identity,
    resume: events.Checkpoint | None = None,
    told: Sequence[tuple] = (),
) -> Done:
    """Train the design of `query`, from the beginning or from a checkpoint, obeying first the
    commands of `told`. `result` is a Result. Dask runs this in a worker thread."""
    if (data := _load(wanted)) is None:
        return _done(None)
    job = _jobs.setdefault(run, _Job())  # before the slow import: a stop may come meanwhile
    for command in told:
        job.control.tell(*command)
    try:
        return _done(_train(run, RunSpec.from_query(query), data, resume))
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        return _done(Result(events.Failed(0, OUT_OF_MEMORY)))
    finally:
        del _jobs[run]


def _is_out_of_memory(error: Exception) -> bool:
    # TensorFlow's own error by its name: it is not imported here.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def evaluate(
    query: dict[str, str], weights: Mapping[str, np.ndarray], wanted: Identity, step: int = 0
) -> Done:
    """Have a design with these weights answer the test images; `result` is an Evaluation."""
    if (data := _load(wanted)) is None:
        return _done(None)
    from mnist_core.training import engine

    with _engine:
        logits = engine.predict(RunSpec.from_query(query), weights, data.test.images)
    loss, _ = losses.cross_entropy(logits, data.test.labels)
    return _done(Evaluation(losses.softmax(logits), data.test.labels, loss, step))


def call(name: str, arguments: Mapping[str, Any]) -> Done:
    """Do a small job of CALLS; `result` is what its function of `tapes` returns."""
    from . import tapes

    with _engine:
        return _done(getattr(tapes, CALLS[name])(**arguments))


def prepare(query: dict[str, str], wanted: Identity) -> Done:
    """Compile a design that somebody looks at, so that its training begins at once; nothing while
    there is a training, or without the data."""
    if not _jobs and (data := _load(wanted)) is not None:
        from mnist_core.training import engine

        with _engine:
            if not _jobs:
                engine.prepared(RunSpec.from_query(query), data)
    return _done(True)


def convert(query: dict[str, str], weights: Mapping[str, np.ndarray], name: str) -> Done:
    """Make one of `model_formats.MODEL_FILES` of a design with these weights; `result` is its
    bytes."""
    from mnist_core.training import engine

    with _engine:
        return _done(engine.model_file(RunSpec.from_query(query), weights, name))


def _train(
    run: str, spec: RunSpec, data: dataset.Mnist, resume: events.Checkpoint | None
) -> Result:
    job, send = _jobs[run], _Sender(run)
    try:
        with _engine:
            host.forget_peak()
            for event in frameworks.train(spec, data, job.control, resume):
                if isinstance(event, Inside):
                    job.inside = event
                    send.looked()
                    continue
                if isinstance(event, events.Finished | events.Failed):
                    return _result(spec, event)
                if isinstance(event, events.Checkpointed):
                    job.checkpoint = event.checkpoint
                send(event)
                if job.control.paused:  # nothing may come after it for a while
                    send.flush()
    finally:
        send.flush()
    raise AssertionError("A training ends in Finished, Stopped or Failed.")


def _result(spec: RunSpec, event: events.Finished | events.Failed) -> Result:
    from mnist_core.training import engine

    if isinstance(event, events.Failed):
        return Result(event)
    model = engine.model_file(spec, event.last.answer)
    return Result(replace(event, peak_bytes=host.peak_bytes()), model)


class _Sender:
    """Gathers progress into a few messages a second; anything else goes out at once."""

    def __init__(self, run: str) -> None:
        self.run, self.worker = run, get_worker()
        self.waiting: list[dict] = []
        self.flushed = 0.0

    def __call__(self, event: events.Event) -> None:
        self.waiting.append(events.to_wire(event))
        late = time.perf_counter() - self.flushed > FLUSH_SECONDS
        if late or not isinstance(event, events.Progress):
            self.flush()

    def looked(self) -> None:
        """Say that there is a look inside to fetch, after all that came before it."""
        self._send(looked=True)

    def flush(self) -> None:
        """Send what waits."""
        if self.waiting:
            self._send()

    def _send(self, **more: bool) -> None:
        message = {"run": self.run, "worker": self.worker.address, "events": self.waiting, **more}
        self.worker.log_event(TOPIC, message)
        self.waiting, self.flushed = [], time.perf_counter()


def tell(run: str, command: str, value: Any = None) -> bool:
    """Pass a command of `control.COMMANDS` to a training of this worker; False if it is not here.

    Dask calls this in the worker's event loop, so it arrives while the training computes.
    """
    job = _jobs.get(run)
    if job:
        job.control.tell(command, value)
    return job is not None


def newest_checkpoint(run: str) -> events.Checkpoint | None:
    """The latest checkpoint of a training of this worker."""
    job = _jobs.get(run)
    return job.checkpoint if job else None


def newest_look(run: str) -> Inside | None:
    """The latest look inside a training of this worker."""
    job = _jobs.get(run)
    return job.inside if job else None


def calibrate(source: str) -> None:
    """Measure this machine and send the figures to the service: a piece at a time, each of about a
    second, and none while there is a training to do. Dask runs this in a worker thread."""
    from mnist_core.estimates import calibrate

    data, found = dataset.load(source), None
    while found is None:
        calm = time.monotonic()
        while time.monotonic() - calm < CALM_SECONDS:
            calm = time.monotonic() if _jobs else calm
            time.sleep(LOOK_SECONDS)
        measuring = calibrate.measure(data, MEMORY_LIMIT)
        while found is None and not _jobs:  # what has been disturbed begins anew
            with _engine:
                found = next(measuring)
    message = {"calibration": found.to_json()}
    get_worker().log_event(TOPIC, message)


class WarmUp(WorkerPlugin):
    """Has each new worker load TensorFlow, the data and the default network before it is asked."""

    name = "mnist-lab-warm-up"

    def __init__(self, source: str) -> None:
        self.source = source

    def setup(self, worker: Worker) -> None:
        # Dask's profiler looks into every thread a hundred times a second: a seventh of the time.
        for name in ("profile", "profile-cycle"):
            if looks := worker.periodic_callbacks.pop(name, None):
                looks.stop()
        threading.Thread(target=self._warm, args=(worker,), daemon=True).start()

    def teardown(self, worker: Worker) -> None:
        """The scheduler is gone or has no more use for this worker, which would wait half a minute
        for a training to end."""
        for job in list(_jobs.values()):
            job.control.stop()

    def _warm(self, worker: Worker) -> None:
        from mnist_core.training import engine

        try:
            with _engine:
                engine.warm(dataset.load(self.source))
        finally:  # whatever is wrong here, a training will say better
            worker.log_event(TOPIC, {"warm": worker.address})
