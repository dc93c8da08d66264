"""The Dask side of the service: a scheduler, a worker process, and the calls between them.

Only the service's own thread imports this file: Dask takes half a second to import, and the first
page must not wait for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask.config
import numpy as np
from distributed import Client, Future, KilledWorker, LocalCluster

from mnist_core.data.dataset import Identity, Mnist
from mnist_core.design.spec import RunSpec
from mnist_core.runs.records import Run
from mnist_core.training import events
from mnist_core.training.events import ClusterLost, WorkerDied
from mnist_core.training.inside import Inside

from . import worker

ROOT = Path(__file__).resolve().parents[2]

START_SECONDS = 180.0  # that an embedded worker may take to appear
ANSWER_SECONDS = 5.0  # that a worker may take to answer beside its work
SILENCE_SECONDS = 30.0  # without a sign of life, after which a worker counts as gone
RELEASE_SECONDS = 5.0  # that the scheduler may take to let a fetched result go

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
        self._scheduler: LocalCluster | None = None
        self._process: subprocess.Popen | None = None
        self._folder = folder
        self._given: dict[str, str] = {}  # the worker of each job under way, by its key
        try:
            if address is None:
                self._scheduler = LocalCluster(
                    n_workers=0, processes=False, protocol="tcp://", host="127.0.0.1",
                    dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
                )  # fmt: skip
                self.mend()
            self._client: Client = Client(address or self._scheduler, set_as_default=False)
            self._client.run_on_scheduler(_as_we_need_it, SILENCE_SECONDS)
            self._identity: str = self._client.scheduler_info()["id"]
        except BaseException:
            self.close()
            raise

    def listen(self, heard: Callable[[dict], None], source: str) -> None:
        """Have `heard` called, in Dask's thread, with every message of a worker, and each worker
        warmed up on the data of `source`. Returns when an embedded worker is there."""
        self._client.subscribe_topic(worker.TOPIC, lambda message: heard(message[1]))
        self._client.register_plugin(worker.WarmUp(source))
        if self._process:
            self._wait_for_worker()

    def _wait_for_worker(self) -> None:
        """On a busy host the nanny may give up at first."""
        deadline = time.monotonic() + START_SECONDS
        while not self._scheduler_says(n_workers=1)["workers"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the training process did not start in {START_SECONDS:.0f} s; "
                                   f"{self._folder / 'worker.log'} says why.")  # fmt: skip
            self.mend()
            time.sleep(0.1)

    def connected(self) -> bool:
        """Whether the scheduler that this was made with still answers. One that was started anew at
        its address knows nothing of us."""
        if self._client.status != "running":  # then to ask would wait for an answer
            return False
        return self._scheduler_says(n_workers=1)["id"] == self._identity

    def _scheduler_says(self, n_workers: int) -> dict[str, Any]:
        """Who the scheduler is, and so many of its workers, -1 for all. `Client.scheduler_info`
        would put the answer where a timer of Dask's puts one without workers: a run was then given
        to a busy machine while another idled."""
        found: dict[str, Any] = {"id": self._identity, "workers": {}}
        if scheduler := self._client.scheduler:
            with suppress(OSError):  # it is gone just now: the client's status says so soon
                said = self._client.sync(scheduler.identity, n_workers=n_workers)
                found = said if isinstance(said, dict) else found
        return found

    def mend(self) -> None:
        """Start the embedded worker, if it is not there. One that dies its nanny starts anew; this
        is for the nanny's own end."""
        if self._scheduler and (self._process is None or self._process.poll() is not None):
            self._process = _start_worker(self._scheduler.scheduler_address, self._folder)

    def train(
        self, run: Run, data: Identity, resume: events.Checkpoint | None, told: Sequence[tuple],
        ended: Callable[[Future], None], at: str = "",
    ) -> Future:  # fmt: skip
        """Start a run; `ended` is called, in Dask's thread, when there is a `result`. The worker
        `at` this address is the first choice, such as one that has been sent the data."""
        arguments = run.id, run.spec.to_query(), data, resume, tuple(told)
        return self._submit(worker.train, arguments, f"train-{run.id}", ended, at)

    def evaluate(
        self, spec: RunSpec, weights: Mapping[str, np.ndarray], data: Identity, step: int,
        ended: Callable[[Future], None], at: str = "",
    ) -> Future:  # fmt: skip
        """Have a model answer the test images; `ended` and `at` as for `train`."""
        return self._submit(worker.evaluate, (spec.to_query(), weights, data, step),
                            "evaluate", ended, at)  # fmt: skip

    def call(
        self, name: str, arguments: Mapping[str, Any], ended: Callable[[Future], None]
    ) -> Future:
        """Have a worker do a small job of `errands.CALLS`; `ended` as for `train`."""
        return self._submit(worker.call, (name, dict(arguments)), "call", ended)

    def convert(
        self, spec: RunSpec, weights: Mapping[str, np.ndarray], name: str,
        ended: Callable[[Future], None],
    ) -> Future:  # fmt: skip
        """Have one of `model_formats.MODEL_FILES` made of a model; `ended` as for `train`."""
        return self._submit(worker.convert, (spec.to_query(), weights, name), "convert", ended)

    def _submit(
        self, function: Callable, arguments: tuple, name: str, ended: Callable[[Future], None],
        at: str = "",
    ) -> Future:  # fmt: skip
        """Dask looks at what a worker could hold, not at what it holds now: it would give two runs
        to one worker while another idles. So it is told which is free."""
        free, key = self._free(), f"{name}-{time.time_ns()}"
        chosen = at if at in free else max(free, key=lambda a: free[a], default="")
        future = self._client.submit(
            function, *arguments, key=key,
            resources={"train": 1}, retries=0, pure=False,
            workers=[chosen] if chosen else None, allow_other_workers=bool(chosen),
        )  # fmt: skip
        self._given[key] = chosen
        future.add_done_callback(lambda _: self._given.pop(key, None))
        future.add_done_callback(ended)
        return future

    def _free(self) -> dict[str, int]:
        """The workers that could begin a job now, with their free slots."""
        taken = Counter(list(self._given.values()))
        free = {a: slots - taken[a] for a, slots in self._slots().items()}
        return {address: slots for address, slots in free.items() if slots > 0}

    def _slots(self) -> dict[str, int]:
        """How many jobs each worker takes at once, by its address."""
        workers = self._scheduler_says(n_workers=-1)["workers"]
        return {a: int(w.get("resources", {}).get("train", 0)) for a, w in workers.items()}

    def prepare(self, spec: RunSpec, data: Identity, ended: Callable[[Future], None]) -> None:
        """Have the embedded worker compile a design beside the queue; `ended` as for `train`.
        Somebody else's workers are left alone: nobody knows which of them will train it."""
        if self._process is None:
            return
        self._preparing = self._client.submit(
            worker.prepare, spec.to_query(), data, key=f"prepare-{time.time_ns()}", retries=0,
            pure=False,
        )  # kept: Dask drops a task that nobody holds
        self._preparing.add_done_callback(ended)

    def calibrate(self, source: str) -> None:
        """Have a worker measure its machine, on the data of `source`, when it has nothing to do."""
        self._measuring = self._client.submit(
            worker.calibrate, source, key=f"calibrate-{time.time_ns()}", retries=0, pure=False
        )  # kept: Dask drops a task that nobody holds

    def result(self, future: Future) -> worker.Done:
        """How a job ended; can be asked once. Raises WorkerDied, ClusterLost, or what the job
        raised."""
        try:
            return future.result(timeout=30)
        except KilledWorker as error:
            raise WorkerDied from error
        except CancelledError as error:
            raise ClusterLost from error
        finally:
            future.release()

    def ship(self, address: str, digest: str, data: Mnist) -> None:
        """Send a worker data that its machine does not have."""
        self._client.run(worker.receive, digest, data, workers=[address])

    def replace(self, address: str) -> None:
        """End a worker process between two jobs and start a fresh one in its place."""
        deadline = time.monotonic() + RELEASE_SECONDS
        # A result that the worker still holds would be lost, and so computed again.
        while self._holds_something(address) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._client.restart_workers([address], timeout=60)

    def _holds_something(self, address: str) -> bool:
        held = self._client.has_what([address])
        assert isinstance(held, dict)  # no coroutine: this client waits
        return any(held.values())

    def _asked(self, address: str, function: Callable, *values: Any) -> Any:
        """What a function returns on one worker, called beside whatever it does; None if that does
        not answer soon: its machine may be gone, and the others must not wait for it."""
        try:
            found = self._client.sync(
                self._client._run, function, *values, workers=[address], on_error="ignore",
                callback_timeout=ANSWER_SECONDS,
            )  # fmt: skip
        except (TimeoutError, OSError):
            return None
        assert isinstance(found, dict)  # no coroutine: this client waits
        return found.get(address)

    def tell(self, address: str, run: str, command: str, value: Any = None) -> bool:
        """Pass a command of `control.COMMANDS` to the worker at `address`, which trains the run;
        False if it does not hear it."""
        return self._asked(address, worker.tell, run, command, value) is True

    def newest_checkpoint(self, address: str, run: str) -> events.Checkpoint | None:
        """The latest checkpoint of a run that the worker at `address` is training."""
        return self._asked(address, worker.newest_checkpoint, run)

    def newest_look(self, address: str, run: str) -> Inside | None:
        """The latest look inside a run that the worker at `address` is training."""
        return self._asked(address, worker.newest_look, run)

    def where(self, future: Future) -> str:
        """The address of the worker that a job was given to, "" while there is none."""
        on = self._client.processing()
        assert isinstance(on, dict)  # no coroutine: this client waits
        return next((address for address, keys in on.items() if future.key in keys), "")

    def slots(self) -> int:
        """How many jobs can be worked on at once."""
        found = sum(self._slots().values())
        # An embedded worker that is being restarted still counts: its slot will be back.
        return max(1, found) if self._process else found

    def close(self) -> None:
        """End the worker process and the scheduler, if they were embedded, and the connection."""
        if self._process:
            _end(self._process)
        for opened in (getattr(self, "_client", None), self._scheduler):
            if opened:  # __init__ may have failed half-way
                opened.close(timeout=5)


def _start_worker(address: str, folder: Path) -> subprocess.Popen:
    """A nanny and its worker, as a command of their own: multiprocessing would run the Streamlit
    script again in the child. Both end by themselves when the scheduler is gone."""
    command = [
        sys.executable, "-m", "distributed.cli.dask_worker", address,
        "--nthreads", "3", "--resources", "train=1", "--death-timeout", "15",
        "--memory-limit", "0", "--host", "127.0.0.1",
        "--no-dashboard", "--dashboard-address", "127.0.0.1:0",  # else it serves HTTP to everybody
        "--local-directory", str(folder / "dask"),
    ]  # fmt: skip
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "2", "TF_CPP_MIN_LOG_LEVEL": "2",
    }  # fmt: skip
    with open(folder / "worker.log", "wb") as log:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()


def _as_we_need_it(silence: float, dask_scheduler: Any) -> None:
    """Called in the scheduler, which somebody else may have started: as _CONFIG says, and so that a
    machine that disappears is missed in less than Dask's five minutes."""
    dask_scheduler.allowed_failures = 0
    dask_scheduler.worker_ttl = silence
    looks = dask_scheduler.periodic_callbacks["worker-ttl"]
    looks.stop()
    looks.callback_time = 1000 * silence / 3
    looks.start()
