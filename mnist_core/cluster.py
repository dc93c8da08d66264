"""The Dask side of the service: a scheduler, a worker process, and the calls between them.

Only the service's own thread imports this file: Dask takes half a second to import, and the first
page must not wait for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.config
from distributed import Client, Future, KilledWorker, LocalCluster

from . import events, worker
from .events import WorkerDied
from .runs import Run

ROOT = Path(__file__).resolve().parent.parent

_CONFIG = {
    # A run whose worker died is reported, never silently trained again from the start.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.admin.low-level-log-length": 200,
    "distributed.comm.timeouts.connect": "10s",
    # A checkpoint to go on from travels with its task.
    "distributed.admin.large-graph-warning-threshold": "1GB",
}


class Cluster:
    """A Dask cluster that trains: the one at `address`, or one embedded in this process."""

    def __init__(self, address: str | None, folder: Path) -> None:
        """`folder` is where an embedded worker may write. Raises OSError or TimeoutError."""
        dask.config.set(_CONFIG)
        self._scheduler = self._process = None
        if address is None:
            self._scheduler = LocalCluster(
                n_workers=0, processes=False, protocol="tcp://", host="127.0.0.1",
                dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
            )  # fmt: skip
            self._process = _start_worker(self._scheduler.scheduler_address, folder)
        self._client = Client(address or self._scheduler, set_as_default=False)

    def listen(self, heard: Callable[[dict], None], source: str) -> None:
        """Have `heard` called, in Dask's thread, with every message of a worker, and each worker
        warmed up on the data of `source`. Returns when there is a worker."""
        self._client.subscribe_topic(worker.TOPIC, lambda message: heard(message[1]))
        self._client.register_plugin(worker.WarmUp(source))
        self._client.wait_for_workers(1, timeout=60)

    def train(
        self, run: Run, resume: events.Checkpoint | None, ended: Callable[[], None]
    ) -> Future:
        """Start a run; `ended` is called, in Dask's thread, when there is a `result`."""
        future = self._client.submit(
            worker.train, run.id, run.spec.to_query(), run.source, resume,
            key=f"train-{run.id}-{time.time_ns()}", resources={"train": 1}, retries=0, pure=False,
        )  # fmt: skip
        future.add_done_callback(lambda _: ended())
        return future

    def calibrate(self, source: str) -> None:
        """Have a worker measure its machine, on the data of `source`, when it has nothing to do."""
        self._measuring = self._client.submit(
            worker.calibrate, source, key=f"calibrate-{time.time_ns()}", retries=0, pure=False
        )  # kept: Dask drops a task that nobody holds

    def result(self, future: Future) -> worker.Result:
        """How a training ended. Raises WorkerDied, or what the training raised."""
        try:
            return future.result(timeout=30)
        except KilledWorker as error:
            raise WorkerDied from error

    def tell(self, run: str, command: str, value: Any = None) -> None:
        """Pass a command of `control.COMMANDS` to whichever worker trains the run."""
        self._client.run(worker.tell, run, command, value)

    def newest_checkpoint(self, run: str) -> events.Checkpoint | None:
        """The latest checkpoint of a run that is training."""
        found = self._client.run(worker.newest_checkpoint, run).values()
        return next(filter(None, found), None)

    def slots(self) -> int:
        """How many runs can train at once."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        # A worker that is being restarted still counts: its slot will be back.
        return max(1, int(sum(w.get("resources", {}).get("train", 0) for w in workers)))

    def close(self) -> None:
        """End the worker process and the scheduler, if they were embedded, and the connection."""
        if self._process:
            _end(self._process)
        for opened in (self._client, self._scheduler):
            if opened:
                opened.close(timeout=5)


def _start_worker(address: str, folder: Path) -> subprocess.Popen:
    """A nanny and its worker, as a command of their own: multiprocessing would run the Streamlit
    script again in the child. Both end by themselves when the scheduler is gone."""
    command = [
        sys.executable, "-m", "distributed.cli.dask_worker", address,
        "--nthreads", "3", "--resources", "train=1", "--death-timeout", "5",
        "--memory-limit", "0", "--host", "127.0.0.1",
        "--no-dashboard", "--dashboard-address", "127.0.0.1:0",  # else it serves HTTP to everybody
        "--local-directory", str(folder / "dask"),
    ]  # fmt: skip
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "2",
                                "TF_CPP_MIN_LOG_LEVEL": "2"}
    with open(folder / "worker.log", "wb") as log:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
