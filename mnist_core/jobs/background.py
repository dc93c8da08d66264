"""What takes longer than a page may: computed once in a process of its own, kept, shared by all.

A task is a name of TASKS. Its result is an .npz file in the lab's home, named after the data's
digest, so every visitor and the next server find it. One task runs at a time, at low priority
and on one core: training and pages go first. The process ends with the one that started it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_core import storage
from mnist_core.basis import Job, Jobs, LabError
from mnist_core.data import dataset, own_data
from mnist_core.data.dataset import Mnist
from mnist_core.statistics import label_errors, projections

ROOT = Path(__file__).resolve().parents[2]
MOST_READ = 12  # results that are held in memory, a few megabytes each
REFUSED = 2  # how its process ends when the data are at fault, with a sentence

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


# ------------------------------------------------------------ in the asking process


class Computation(Job):
    """One task of TASKS on the data of `source`. Its result is the arrays of the file `path`."""

    def __init__(self, task: str, source: str, path: Path) -> None:
        super().__init__(TASKS[task].label, TASKS[task].seconds)
        self.task, self.source, self.path = task, source, path

    def read(self) -> None:
        """It is done: its arrays are what the file holds. They are in use now."""
        storage.use(self.path)
        with np.load(self.path, allow_pickle=False) as kept:
            self.set_result(dict(kept))


def job(task: str, data: Mnist) -> Computation:
    """The job for `task` on these data, begun if nobody has yet. Returns at once; call it again to
    see how far it is."""
    name = f"{data.digest[:24]}-{task}-{TASKS[task].version}.npz"
    path = (own_data.computed_folder(data.source) or storage.home() / "computed") / name
    known = _jobs.look(path)
    if known and known.state == "done" and not path.exists():  # it was swept away
        _jobs.forget(path)
    found = _jobs.ask(path, lambda: _begun(task, data.source, path))
    if found.state == "waiting":  # the same digits in a file that is there now
        found.source = data.source
    return found


_jobs = Jobs(MOST_READ)
_line: queue.Queue[Computation] = queue.Queue()
_worker: threading.Thread | None = None


def _begun(task: str, source: str, path: Path) -> Computation:
    global _worker
    begun = Computation(task, source, path)
    if path.exists():
        begun.read()
        return begun
    _line.put(begun)
    if _worker is None:
        _worker = threading.Thread(target=_work, name="background", daemon=True)
        _worker.start()
    return begun


def _work() -> None:
    while True:
        entered = _line.get()
        entered.begin()
        try:
            _run(entered)
            entered.read()
        except Exception as error:  # whatever it was, the next job must have its turn
            entered.fail(error)


def _run(entered: Computation) -> None:
    """Start the process and hear its shares, until its file is there. Raises LabError with the
    process's own sentence, RuntimeError with its last words for a fault of ours."""
    own = own_data.computed_folder(entered.source)
    if own and not own.parent.exists():
        raise LabError("These data are no longer here.")
    entered.path.parent.mkdir(parents=True, exist_ok=True)
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
                entered.report(float(line))
        ended = process.wait()
        said.seek(0)
        words = said.read().strip()
    if ended == REFUSED:
        raise LabError(f"{entered.label} cannot be computed: {words.splitlines()[-1]}")
    if ended or not entered.path.exists():
        raise RuntimeError(words[-3000:] or f"its process was ended from outside ({ended})")


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

    try:
        arrays = TASKS[task].compute(dataset.load(source), report)
    except LabError as error:
        sys.stderr.write(f"\n{error}")
        sys.exit(REFUSED)
    with storage.replacing(Path(path)) as file:
        storage.write_npz(file, arrays)


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the parent has."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
