"""Training on several machines, as processes of this one: how a class is shared out, what a run
costs whose files come over the network, and how long a machine that disappears is missed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from mnist_core.data import dataset
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.jobs.service import Service
from mnist_core.runs.records import Run, Runs
from mnist_core.training import events

from .bench_app import ROOT, free_port

VISITORS = 12
CLASS = RunSpec((Layer(128, batch_norm=True),), epochs=3)
LARGE = RunSpec((Layer(512, dropout=0.2), Layer(512, dropout=0.2)), batch_size=128, epochs=12)
PATIENCE = 900.0  # seconds for anything that is waited for


class Machines:
    """What the README's commands start: a scheduler and workers, each in a process group of its
    own, so that one can be ended as a whole, like a machine."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where they write what they say."""
        self.folder, self.port = folder, free_port()
        self.running: list[subprocess.Popen] = []
        self.address = f"tcp://127.0.0.1:{self.port}"

    def scheduler(self) -> subprocess.Popen:
        """Start the scheduler at `address`."""
        return self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))

    def worker(self, **environment: str) -> subprocess.Popen:
        """Start a worker for it, with more in its environment."""
        return self._start("worker", self.address, "--nthreads", "3", "--resources", "train=1",
                           "--memory-limit", "0", "--host", "127.0.0.1", **environment)

    def _start(self, kind: str, *arguments: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments,
                   "--dashboard-address", "127.0.0.1:0", "--no-dashboard"]  # fmt: skip
        given = os.environ | {"PYTHONPATH": str(ROOT)} | environment
        with open(self.folder / f"{kind}.log", "ab") as log:
            self.running.append(subprocess.Popen(command, env=given, cwd=self.folder, stdout=log,
                                                 stderr=log, start_new_session=True))
        return self.running[-1]

    def kill(self, process: subprocess.Popen) -> None:
        """Have a machine disappear."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

    def close(self) -> None:
        """End whatever still runs."""
        for process in self.running:
            if process.poll() is None:
                self.kill(process)


def run(progress: Callable[[str], None] | None = None) -> dict[str, float]:
    """What one embedded worker and what two outside ones take, in one run.

    `class_seconds`: from twelve visitors' click to the last one's end, on two outside workers, and
    `class_embedded_seconds` on the embedded one; `class_share`: the runs of the worker that did
    more. `run_seconds`: a large network's training on an outside worker, `run_embedded_seconds` on
    the embedded one; `checkpoint_mb` and `checkpoint_seconds` of each checkpoint that is fetched
    meanwhile, and `checkpoints` how many. `missed_seconds`: from the end of a machine until its run
    trains on the other one, `lost_seconds` the training that had to be done again.
    """
    say = progress or (lambda words: None)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        say("One embedded worker: a class, and a large run …")
        service = Service(Runs(home / "embedded"), "auto").start()
        try:
            _until(lambda: service.state == "ready" and service.calibration)
            found["class_embedded_seconds"] = _class(service)
            found["run_embedded_seconds"] = _large(service).seconds or 0.0
        finally:
            service.close()
        machines = Machines(home)
        try:
            found |= _outside(machines, home, say)
        finally:
            machines.close()
    return found


def _outside(machines: Machines, home: Path, say: Callable[[str], None]) -> dict[str, float]:
    machines.scheduler()
    workers = [machines.worker(), machines.worker()]
    service = Service(Runs(home / "outside"), "auto", machines.address).start()
    try:
        say("Two outside workers: the same …")
        cluster = _until(lambda: service._dispatcher._cluster)
        _until(lambda: cluster.slots() == 2 and service.state == "ready" and service.calibration)
        where, fetched = Counter(), []
        _watch(service, where, fetched)
        found: dict[str, float] = {"class_seconds": _class(service)}
        found["class_share"] = max(where.values()) / VISITORS
        fetched.clear()
        found["run_seconds"] = _large(service).seconds or 0.0
        found |= {"checkpoints": len(fetched),
                  "checkpoint_mb": median(size for size, _ in fetched) / 2**20,
                  "checkpoint_seconds": median(took for _, took in fetched)}  # fmt: skip
        say("A machine that disappears …")
        return found | _lost(service, machines, workers)
    finally:
        service.close()


def _watch(service: Service, where: Counter, fetched: list[tuple[int, float]]) -> None:
    """Count the runs of each worker, and weigh what is fetched."""
    cluster = service._dispatcher._cluster
    assert cluster
    newest, result = cluster.newest_checkpoint, cluster.result

    def weighed(address: str, run: str) -> events.Checkpoint | None:
        began = time.perf_counter()
        if got := newest(address, run):
            arrays = (*got.weights.values(), *got.state.values())
            fetched.append((sum(a.nbytes for a in arrays), time.perf_counter() - began))
        return got

    def counted(future: Any) -> Any:
        done = result(future)
        where[done.worker] += 1
        return done

    cluster.newest_checkpoint, cluster.result = weighed, counted


def _class(service: Service) -> float:
    """Everybody presses Train at once; seconds until the last one is done."""
    data = dataset.load("auto").identity
    began = time.perf_counter()
    for i in range(VISITORS):
        service.submit(CLASS, f"visitor {i}", data)
    _until(lambda: not service.runs.active())
    return time.perf_counter() - began


def _large(service: Service) -> Run:
    run = service.submit(LARGE, "ada", dataset.load("auto").identity).id
    _until(lambda: not service.runs.known(run).active)
    return service.runs.known(run)


def _lost(
    service: Service, machines: Machines, workers: list[subprocess.Popen]
) -> dict[str, float]:
    """The machine that trains is ended: when its run goes on, and from where."""
    long = RunSpec(LARGE.layers, batch_size=32, epochs=60)
    run = service.submit(long, "ada", dataset.load("auto").identity).id
    _until(lambda: service.runs.has_weights(run))
    trains = max(workers, key=_load)
    machines.kill(trains)
    gone = time.monotonic()
    before = [e for e in service.runs.history(run) if isinstance(e, events.Progress)][-1]
    checkpoint = service.runs.checkpoint(run)
    _until(lambda: any(isinstance(e, events.Marked) for e in service.runs.history(run)))
    _until(lambda: isinstance(service.runs.history(run)[-1], events.Progress))
    found = {"missed_seconds": time.monotonic() - gone,
             "lost_seconds": before.seconds - (checkpoint.seconds if checkpoint else 0.0)}
    service.stop(run)
    _until(lambda: not service.runs.active())
    return found


def _load(worker: subprocess.Popen) -> float:
    """What share of a core a machine's processes take, over half a second."""
    import psutil

    machine = psutil.Process(worker.pid)
    all_of_it = [machine, *machine.children(recursive=True)]
    before = sum(sum(p.cpu_times()[:2]) for p in all_of_it)
    time.sleep(0.5)
    return sum(sum(p.cpu_times()[:2]) for p in all_of_it) - before


def _until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError("The cluster did not do in time what the bench waits for.")
        time.sleep(0.05)
    return found
