"""Jobs on the Dask cluster: submit, watch, control.

The web process holds the scheduler and the queue; TensorFlow lives in a worker process of its own.
With MNIST_LAB_SCHEDULER set, the same jobs go to that cluster instead. One thread here does all the
talking and all the writing, so records never race: pages only read them.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import dask.config
from distributed import Client, Future, KilledWorker, LocalCluster

from . import events, worker
from .runs import Run, Runs
from .spec import RunSpec

ROOT = Path(__file__).resolve().parent.parent
CRASHED = "The training process ended unexpectedly"

_CONFIG = {
    # A run whose worker died is reported, never silently trained again from the start.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.admin.low-level-log-length": 200,
    "distributed.comm.timeouts.connect": "10s",
}


class Service:
    """The one gate to training. `state` is "starting", "ready" or "failed" with a `message`."""

    def __init__(self, runs: Runs, source: str, scheduler: str | None = None) -> None:
        """`source` is what workers warm up with; `scheduler` a Dask address, None to embed one."""
        self.runs, self.source, self.address = runs, source, scheduler
        self.state, self.message = "starting", ""
        self._inbox: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._client: Client | None = None
        self._cluster: LocalCluster | None = None
        self._process: subprocess.Popen | None = None
        self._futures: dict[str, Future] = {}
        self._stopping: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="service", daemon=True)

    def start(self) -> Service:
        """Begin in the background: the page that asks first does not wait."""
        self.runs.interrupt()
        atexit.register(self.close)
        self._thread.start()
        return self

    def submit(self, spec: RunSpec, owner: str, data: str, source: str) -> Run:
        """Queue a run on the data that `dataset.load(source)` gives; `data` is that data's name.

        Raises SpecError for a design that cannot be trained.
        """
        run = self.runs.create(spec, owner, data, source)
        if self.state == "failed":
            self.runs.end(run.id, "failed", self.message)
        self._inbox.put(self._dispatch)
        return run

    def stop(self, run: str) -> None:
        """End a run: at once if it is queued, after its current chunk if it is running."""
        if not self.runs.cancel(run):
            self._inbox.put(lambda: self._stop(run))

    def ahead(self, run: str) -> int:
        """How many runs will get the training slot before this queued one."""
        ids = [other.id for other in self.runs.active()]
        return ids.index(run) if run in ids else 0

    def close(self) -> None:
        """End everything that `start` started. Safe to call twice."""
        atexit.unregister(self.close)
        self._inbox.put(None)
        self._thread.join(timeout=15)

    # ---- below, all but the callbacks runs in the service's own thread

    def _work(self) -> None:
        try:
            self._connect()
        except Exception as error:  # no page may break because training cannot start
            logging.getLogger(__name__).exception("The service could not start.")
            self.state, self.message = "failed", f"Training is not available: {error}"
        else:
            while job := self._inbox.get():
                self._guarded(job)
        self._disconnect()

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:  # one bad message must not end the service
            logging.getLogger(__name__).exception("A message could not be handled.")

    def _connect(self) -> None:
        dask.config.set(_CONFIG)
        if self.address is None:
            self._cluster = LocalCluster(
                n_workers=0, processes=False, protocol="tcp://", host="127.0.0.1",
                dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
            )
            self._process = _start_worker(self._cluster.scheduler_address, self.runs.folder)
        self._client = Client(self.address or self._cluster, set_as_default=False)
        self._client.subscribe_topic(worker.TOPIC, self._heard)
        self._client.register_plugin(worker.WarmUp(self.source))
        self._client.wait_for_workers(1, timeout=60)
        self._dispatch()

    def _disconnect(self) -> None:
        for run in self._futures:
            self.runs.end(run, "interrupted", "The server was closed during this run.")
            self._guarded(lambda run=run: self._client.run(worker.stop, run))
        if self._process:
            _end(self._process)
        for opened in (self._client, self._cluster):
            if opened:
                opened.close(timeout=5)

    def _heard(self, message: tuple[float, dict]) -> None:
        """A log event, in Dask's thread: hand it over."""
        self._inbox.put(lambda: self._record(message[1]))

    def _stop(self, run: str) -> None:
        if run in self._futures:
            self._stopping.add(run)
            self._client.run(worker.stop, run)

    def _record(self, message: dict) -> None:
        if "warm" in message:
            self.state = "ready"
            return
        run = message["run"]
        happened = [events.from_wire(values) for values in message["events"]]
        self.runs.append(run, happened)
        if run in self._stopping:  # told before the worker had begun, it may have missed it
            self._stop(run)
        if any(isinstance(event, events.Checkpointed) for event in happened):
            found = self._client.run(worker.newest_checkpoint, run).values()
            for checkpoint in filter(None, found):
                self.runs.save_checkpoint(run, checkpoint)

    def _dispatch(self) -> None:
        """Give waiting runs to free slots. The queue is kept here, not in Dask: Dask would assign
        waiting runs to a worker at once and lose them all with it."""
        if self._client is None:
            return
        for run in self.runs.active():
            if len(self._futures) >= self._slots():
                return
            if run.status == "queued" and self.runs.begin(run.id):
                future = self._client.submit(
                    worker.train, run.id, run.spec.to_query(), run.source,
                    key=f"train-{run.id}", resources={"train": 1}, retries=0, pure=False,
                )
                self._futures[run.id] = future
                future.add_done_callback(lambda _, r=run.id: self._inbox.put(lambda: self._end(r)))

    def _slots(self) -> int:
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        # A worker that is being restarted still counts: its slot will be back.
        return max(1, int(sum(w.get("resources", {}).get("train", 0) for w in workers)))

    def _end(self, run: str) -> None:
        future = self._futures.pop(run)
        self._stopping.discard(run)
        try:
            self._keep(run, future.result(timeout=30))
        except KilledWorker:
            self.state = "starting"  # until the worker that takes its place has warmed up
            self.runs.end(run, "interrupted", f"{CRASHED}; {self.runs.what_is_kept(run)}.")
        except Exception as error:
            logging.getLogger(__name__).exception("Run %s failed.", run)
            self.runs.end(run, "failed", f"The training failed: {error}")
        self._dispatch()

    def _keep(self, run: str, result: worker.Result) -> None:
        """Files first, the status last: what is called finished has its model."""
        event = result.event
        if isinstance(event, events.Failed):
            self.runs.append(run, [event])
            self.runs.end(run, "failed", event.message)
            return
        self.runs.save_checkpoint(run, result.checkpoint)
        self.runs.save(run, "model.keras", result.model)
        self.runs.append(run, [event])
        status = "stopped" if isinstance(event, events.Stopped) else "finished"
        self.runs.end(run, status, test_accuracy=event.test_accuracy, test_loss=event.test_loss,
                      seconds=event.seconds)


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
                                "TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
    with open(folder / "worker.log", "wb") as log:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
