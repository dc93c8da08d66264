"""Computations beside the page: begun once, kept, shared, and never in anyone's way."""

import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from mnist_core.data import dataset
from mnist_core.jobs import background
from mnist_core.statistics import projections
from mnist_core.tools.bench_app import ROOT
from tests.serving import wait_for


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path))
    return tmp_path


def ended(job):
    return job.state in ("done", "failed")


def test_a_task_gives_what_the_core_gives_and_is_kept(tiny, home):
    name = background.fingerprint(tiny)
    began = time.monotonic()
    job = background.job("pca", tiny.source, name)
    assert time.monotonic() - began < 1 and job.state in ("waiting", "running")
    assert background.job("pca", tiny.source, name) is job  # another visitor's
    wait_for(lambda: ended(job), "the components", 120)
    assert job.state == "done", job.message
    expected = projections.pca(tiny.train.images)
    np.testing.assert_allclose(job.result()["mean"], expected.mean, atol=1e-6)
    np.testing.assert_allclose(job.result()["variances"], expected.variances, atol=1e-4)
    background._jobs.clear()  # as after a new start of the server
    again = background.job("pca", tiny.source, name)
    assert again.state == "done" and again.result().keys() == job.result().keys()
    assert [path.suffix for path in (home / "computed").iterdir()] == [".npz"]


def test_a_failure_is_a_sentence_and_can_be_tried_again(home):
    job = background.job("pca", str(home / "gone.npz"), "0")
    wait_for(lambda: ended(job), "the failure", 120)
    assert job.state == "failed"
    assert "Principal components failed" in job.message and "does not exist" in job.message
    assert "Traceback" not in job.message
    background.retry(job)
    assert job.state in ("waiting", "running")
    wait_for(lambda: ended(job), "the second failure", 120)


def test_whoever_has_the_same_digits_elsewhere_is_not_bound_to_a_file_that_is_gone(home, tiny):
    name = background.fingerprint(tiny)
    job = background.job("pca", str(home / "gone.npz"), name)
    wait_for(lambda: ended(job), "the failure", 120)
    assert job.state == "failed"
    again = background.job("pca", tiny.source, name)  # somebody with a file that is there
    assert again is job and again.state in ("waiting", "running")
    wait_for(lambda: ended(again), "the components", 120)
    assert again.state == "done" and len(again.result()["mean"]) == 784
    assert background.job("pca", str(home / "gone.npz"), name).state == "done"


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


def test_the_fingerprint_is_of_the_digits_not_of_the_file(tiny, tmp_path):
    from mnist_core.data import formats

    formats.write(tmp_path / "other.npz", tiny)
    same = dataset.read(tmp_path / "other.npz")
    assert background.fingerprint(same) == background.fingerprint(tiny)
    images = tiny.train.images.copy()
    images[0, 0, 0] += 1
    other = formats.Mnist(formats.Split(images, tiny.train.labels), tiny.test, "", "")
    assert background.fingerprint(other) != background.fingerprint(tiny)


def test_old_results_are_cleared_away(tmp_path):
    for n in range(background.KEPT + 3):
        file = tmp_path / f"{n}.npz"
        file.touch()
        os.utime(file, (n, n))
    background._clear_away(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == background.KEPT and "0.npz" not in left and "3.npz" in left


def test_the_estimate_follows_what_was_heard(monkeypatch):
    now = 100.0
    monkeypatch.setattr(background.time, "monotonic", lambda: now)
    job = background.Job("tsne", "", None)
    job.begin()
    now = 105.0
    assert job.remaining == background.TASKS["tsne"].seconds - 5
    job.hear(0.2)
    now = 110.0
    job.hear(0.4)  # a fifth in five seconds: three more fifths
    assert job.remaining == pytest.approx(15)
    now = 112.0
    assert job.remaining == pytest.approx(13)
