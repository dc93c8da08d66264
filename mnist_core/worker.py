"""What runs in a worker process: one training at a time, and a word with it while it runs.

The web process imports this file to name its functions to Dask, so TensorFlow is only imported
inside them. Events leave as Dask log events; checkpoints wait here until they are fetched, because
Dask would keep each one in the scheduler's memory.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

from distributed import WorkerPlugin, get_worker
from distributed.system import MEMORY_LIMIT

from . import dataset, events, host
from .control import Control
from .spec import RunSpec

TOPIC = "mnist-lab"
FLUSH_SECONDS = 0.1  # ten messages a second cost training nothing measurable
CALM_SECONDS = 0.5  # between two looks whether the trainings are over, when there is time to spare


@dataclass
class _Job:
    control: Control = field(default_factory=Control)
    checkpoint: events.Checkpoint | None = None


_jobs: dict[str, _Job] = {}
_engine = threading.Lock()  # a warm-up would reset the compiled network that a training uses


@dataclass(frozen=True)
class Result:
    """How a training ended, its weights, and the model as a `.keras` file."""

    event: events.Finished | events.Failed
    checkpoint: events.Checkpoint | None
    model: bytes | None


def train(
    run: str, query: dict[str, str], source: str, resume: events.Checkpoint | None = None
) -> Result:
    """Train the design of `query` on the data of `source`, from the beginning or from a checkpoint;
    Dask runs this in a worker thread."""
    job = _jobs.setdefault(run, _Job())  # before the slow import: a stop may come meanwhile
    from . import engine

    spec = RunSpec.from_query(query)
    send = _Sender(run)
    try:
        with _engine:
            host.forget_peak()
            for event in engine.train(spec, dataset.load(source), job.control, resume):
                if isinstance(event, events.Finished | events.Failed):
                    return _result(engine, spec, event)
                if isinstance(event, events.Checkpointed):
                    job.checkpoint = event.checkpoint
                send(event)
                if job.control.paused:  # nothing may come after it for a while
                    send.flush()
    finally:
        send.flush()
        del _jobs[run]
    raise AssertionError("A training ends in Finished, Stopped or Failed.")


def _result(engine: Any, spec: RunSpec, event: events.Finished | events.Failed) -> Result:
    if isinstance(event, events.Failed):
        return Result(event, None, None)
    model = engine.keras_file(spec, event.checkpoint.answer)
    return Result(replace(event, peak_bytes=host.peak_bytes()), event.checkpoint, model)


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

    def flush(self) -> None:
        if self.waiting:
            self.worker.log_event(TOPIC, {"run": self.run, "events": self.waiting})
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


def calibrate(source: str) -> None:
    """Measure this machine and send the figures to the service: a piece at a time, each of about a
    second, and none while there is a training to do. Dask runs this in a worker thread."""
    from . import calibrate

    measuring = calibrate.measure(dataset.load(source), MEMORY_LIMIT)
    found = None
    while found is None:
        while _jobs:
            time.sleep(CALM_SECONDS)
        with _engine:
            found = next(measuring)
    message = {"calibration": found.to_json()}
    get_worker().log_event(TOPIC, message)


class WarmUp(WorkerPlugin):
    """Has each new worker load TensorFlow, the data and the default network before it is asked."""

    name = "mnist-lab-warm-up"

    def __init__(self, source: str) -> None:
        self.source = source

    def setup(self, worker: Any) -> None:
        threading.Thread(target=self._warm, args=(worker,), daemon=True).start()

    def teardown(self, worker: Any) -> None:
        """The scheduler is gone or has no more use for this worker, which would wait half a minute
        for a training to end."""
        for job in list(_jobs.values()):
            job.control.stop()

    def _warm(self, worker: Any) -> None:
        from . import engine

        try:
            with _engine:
                engine.warm(dataset.load(self.source))
        finally:  # whatever is wrong here, a training will say better
            worker.log_event(TOPIC, {"warm": worker.address})
