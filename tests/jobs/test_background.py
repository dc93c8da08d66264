"""Computations beside the page: begun once, kept, shared, and never in anyone's way."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from mnist_core.basis import Jobs
from mnist_core.basis.errors import SORRY
from mnist_core.jobs import background
from mnist_core.statistics import projections
from mnist_core.tools.bench_app import ROOT
from tests.serving import wait_for


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    """A server that has just started."""
    monkeypatch.setattr(background, "_jobs", Jobs(background.MOST_READ))


def gone(data, home):
    """The same digits, as of a file that is no longer there."""
    return replace(data, source=str(home / "gone.npz"))


def test_a_task_gives_what_the_core_gives_and_is_kept(tiny, home, monkeypatch):
    began = time.monotonic()
    job = background.job("pca", tiny)
    assert time.monotonic() - began < 1 and job.state in ("waiting", "running")
    assert background.job("pca", tiny) is job  # another visitor's
    found = job.result(120)
    expected = projections.pca(tiny.train.images)
    np.testing.assert_allclose(found["mean"], expected.mean, atol=1e-6)
    np.testing.assert_allclose(found["variances"], expected.variances, atol=1e-4)
    monkeypatch.setattr(background, "_jobs", Jobs(9))  # as after a new start of the server
    again = background.job("pca", tiny)
    assert again.state == "done" and again.result().keys() == found.keys()
    (kept,) = (home / "computed").iterdir()
    assert kept.suffix == ".npz"
    kept.unlink()  # swept away meanwhile
    assert background.job("pca", tiny).result(120).keys() == found.keys() and kept.exists()


def test_what_the_data_are_at_fault_for_is_a_sentence(tiny, home):
    job = background.job("pca", gone(tiny, home))
    assert job.over(120) and job.state == "failed"
    assert "Principal components cannot be computed" in job.message
    assert "does not exist" in job.message and "Traceback" not in job.message


def test_what_we_are_at_fault_for_is_recorded(tiny, home, monkeypatch, faults):
    monkeypatch.setitem(background.TASKS, "nonsense", background.Task("Nonsense", print, 1))
    job = background.job("nonsense", tiny)
    assert job.over(120) and (job.state, job.message) == ("failed", SORRY)
    assert "KeyError" in str(faults[0].exc_info[1])  # its process knows no such task
    faults.clear()


def test_whoever_asks_for_a_failed_task_begins_it_anew_with_a_file_that_is_there(home, tiny):
    job = background.job("pca", gone(tiny, home))
    assert job.over(120) and job.state == "failed"
    again = background.job("pca", tiny)  # somebody with a file that is there
    assert again is not job and len(again.result(120)["mean"]) == 784
    assert background.job("pca", gone(tiny, home)).state == "done"


def test_the_process_ends_with_the_one_that_asked(home, tiny):
    """Its standard input ends when the asking process is killed."""
    command = [sys.executable, "-m", "mnist_core.jobs.background", "tsne", tiny.source,
               str(home / "plane.npz")]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        mine = psutil.Process().nice()
        wait_for(lambda: psutil.Process(process.pid).nice() > mine, "it gives way to others", 60)
        process.stdin.close()
        assert process.wait(timeout=30) == 1
    assert not (home / "plane.npz").exists()


