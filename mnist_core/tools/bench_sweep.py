"""A sweep of short trials: how much of its time is spent training."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mnist_core.analysis.experiments import Sweeps
from mnist_core.analysis.sweep import Plan
from mnist_core.data import dataset
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.jobs.service import Service
from mnist_core.runs.records import Runs

# Ten trials of two programs: the optimizer is compiled in, the learning rate is not.
PLAN = Plan(
    RunSpec((Layer(64),), batch_size=128, epochs=12),
    {"optimizer": ("adam", "rmsprop"), "learning_rate": (0.0005, 0.001, 0.002, 0.003, 0.005)},
    seconds=600.0,
)  # fmt: skip
PATIENCE = 600.0  # seconds


def run(progress: Callable[[str], None] | None = None) -> dict[str, float]:
    """`sweep_trials` of PLAN on one worker that is warm, `sweep_seconds` from its start to its end,
    `sweep_training_seconds` spent training, and that as `sweep_training_share`. Raises RuntimeError
    if it does not end."""
    if progress:
        progress("Timing a sweep of short trials …")
    with tempfile.TemporaryDirectory() as home:
        service = Service(Runs(Path(home)), "auto").start()
        try:
            _until(lambda: service.state == "ready" and service.calibration)
            sweeps, began = Sweeps(service), time.monotonic()
            group = sweeps.start(PLAN, "bench", dataset.load("auto").identity).id
            _until(lambda: service.runs.known_group(group).status != "running")
            took, trials = time.monotonic() - began, service.runs.members(group)
        finally:
            service.close()
    training = sum(trial.seconds or 0.0 for trial in trials)
    return {"sweep_trials": len(trials), "sweep_seconds": took,
            "sweep_training_seconds": training, "sweep_training_share": training / took}


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("The sweep of the bench did not end in time.")
        time.sleep(0.05)
