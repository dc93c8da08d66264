"""What takes longer than a page may: computed once in a process of its own, kept, shared by all.

A task is a name of TASKS. Its result is an .npz file in the lab's home, named after the data's
fingerprint, so every visitor and the next server find it. One task runs at a time, at low priority
and on one core: training and pages go first. The process ends with the one that started it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_core import storage
from mnist_core.data import dataset, own_data
from mnist_core.data.dataset import Mnist
from mnist_core.statistics import label_errors, projections

ROOT = Path(__file__).resolve().parents[2]
KEPT = 60  # result files; the ones that were not used for longest go first

Report = Callable[[float], None]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Task:
    """A computation on the data. `version` goes up when its result changes; `seconds` is about how
    long it takes for MNIST, which the first estimate is made from."""

    label: str
    compute: Callable[[Mnist, Report], Arrays]
    seconds: float
    version: int = 1


def _pca(data: Mnist, report: Report) -> Arrays:
    return vars(projections.pca(data.train.images))


def _plane(method: Callable[..., np.ndarray]) -> Callable[[Mnist, Report], Arrays]:
    def compute(data: Mnist, report: Report) -> Arrays:
        images = data.train.images[projections.sample(len(data.train.images))]
        return {"plane": method(images, report=report)}

    return compute


def _probabilities(data: Mnist, report: Report) -> Arrays:
    splits = (data.train, data.test)
    images, labels = (np.concatenate([getattr(s, f) for s in splits]) for f in ("images", "labels"))
    return {"probabilities": label_errors.out_of_fold(images, labels, report=report)}


TASKS = {
    "pca": Task("Principal components", _pca, 8),
    "tsne": Task("t-SNE", _plane(projections.tsne), 25),
    "umap": Task("UMAP", _plane(projections.umap), 30),
    "suspects": Task("Out-of-fold predictions", _probabilities, 40),
}


def fingerprint(data: Mnist) -> str:
    """A name for what the data holds, whatever file it came from; 0.1 s for MNIST."""
    digest = hashlib.blake2b(digest_size=12)
    for split in (data.train, data.test):
        digest.update(str(split.images.shape).encode())
        digest.update(np.ascontiguousarray(split.images).data)
        digest.update(np.ascontiguousarray(split.labels).data)
    return digest.hexdigest()


# ------------------------------------------------------------ in the asking process


class Job:
    """One task on one data set. `state` is "waiting", "running", "done" or "failed" with a
    `message`; `share` is what is done of it, 0…1."""

    def __init__(self, task: str, source: str, path: Path) -> None:
        self.task, self.source, self.path = task, source, path
        self.state, self.message, self.share = "waiting", "", 0.0
        self._first = self._last = (0.0, 0.0)  # when, and the share then
        self._read: Arrays | None = None

    @property
    def label(self) -> str:
        return TASKS[self.task].label

    @property
    def remaining(self) -> float:
        """About how many seconds more, once it is running."""
        now, (began, before), (heard, share) = time.monotonic(), self._first, self._last
        if share <= before:  # nothing was heard yet, or nothing since the first word
            return max(1.0, TASKS[self.task].seconds - (now - began))
        return max(0.0, (heard - began) / (share - before) * (1 - share) - (now - heard))

    def begin(self) -> None:
        """Its process is being started."""
        self.state, self._first = "running", (time.monotonic(), 0.0)

    def hear(self, share: float) -> None:
        """It has come so far. The first word counts from its own time: before it libraries load."""
        self.share = share
        self._last = (time.monotonic(), share)
        if self._first[1] == 0:
            self._first = self._last

    def result(self) -> Arrays:
        """The arrays of a job that is done, read once."""
        if self._read is None:
            with np.load(self.path, allow_pickle=False) as kept:
                self._read = dict(kept)
        return self._read


def job(task: str, source: str, data_fingerprint: str) -> Job:
    """The job for `task` on the data of `dataset.load(source)`, begun if nobody has yet. Returns
    at once; call it again to see how far it is. One that failed is begun anew for whoever has the
    same digits in another place: the first one's file may be gone."""
    name = f"{data_fingerprint}-{task}-{TASKS[task].version}.npz"
    path = (own_data.computed_folder(source) or storage.home() / "computed") / name
    with _lock:
        known = _jobs.get(path)
        if known is None or (known.state == "done" and not path.exists()):
            known = _jobs[path] = Job(task, source, path)
            _enter(known)
        elif known.source != source and known.state in ("waiting", "failed"):
            failed, known.source = known.state == "failed", source
            if failed:
                _enter(known)
        _forget_old()
    return known


def retry(failed: Job) -> None:
    """Try a failed job once more."""
    with _lock:
        _enter(failed)


_lock = threading.RLock()
_jobs: dict[Path, Job] = {}
_line: queue.Queue[Job] = queue.Queue()
_worker: threading.Thread | None = None


def _enter(entered: Job) -> None:
    global _worker
    if entered.path.exists():
        entered.state, entered.share = "done", 1.0
        with contextlib.suppress(OSError):
            os.utime(entered.path)  # used now: the last to be cleared away
        return
    entered.state, entered.share = "waiting", 0.0
    _line.put(entered)
    if _worker is None:
        _worker = threading.Thread(target=_work, name="background", daemon=True)
        _worker.start()


def _forget_old() -> None:
    """Results are a few megabytes each; a visitor's own data must not stay in memory for good."""
    ended = [path for path, job in _jobs.items() if job.state == "done"]
    for path in ended[:-KEPT]:
        del _jobs[path]


def _work() -> None:
    while True:
        entered = _line.get()
        entered.begin()
        try:
            _run(entered)
        except Exception as error:  # whatever it was, the next job must have its turn
            entered.state, entered.message = "failed", f"{entered.label} failed: {error}"


def _run(entered: Job) -> None:
    """Start the process, hear its shares, and look at what it left."""
    own = own_data.computed_folder(entered.source)
    if own and not own.parent.exists():
        raise RuntimeError("these data are no longer here")
    entered.path.parent.mkdir(parents=True, exist_ok=True)
    _clear_away(entered.path.parent)
    command = [sys.executable, "-m", __name__, entered.task, entered.source, str(entered.path)]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # One thread: on a shared machine two of them spend their time waiting for each other.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1",
                                "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    with tempfile.TemporaryFile("w+") as said, subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
        text=True,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            with contextlib.suppress(ValueError):  # a library's own words, not a share
                entered.hear(float(line))
        if process.wait() == 0 and entered.path.exists():
            entered.state, entered.share = "done", 1.0
            return
        said.seek(0)
        words = said.read().strip().splitlines() or ["its process was ended from outside"]
        raise RuntimeError(words[-1].split("Error: ")[-1])


def _clear_away(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime)
    for file in files[:-KEPT]:
        file.unlink(missing_ok=True)


# -------------------------------------------------------------- in its own process


def _main(task: str, source: str, path: str) -> None:
    """Compute, say the share that is done on each line of standard output, leave a whole file."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(10)
    out = sys.stdout  # the task may listen to sys.stdout itself

    def report(share: float) -> None:
        out.write(f"{share:.4f}\n")
        out.flush()

    arrays = TASKS[task].compute(dataset.load(source), report)
    with storage.replacing(Path(path)) as file:
        storage.write_npz(file, arrays)


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the parent has."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
