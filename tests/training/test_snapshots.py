"""Snapshots: when they are taken, that they are copies, and that they come back from a file."""

import io

import numpy as np
import pytest

from mnist_core.design.spec import LIMITS, Layer, RunSpec
from mnist_core.network.initial import initial_weights
from mnist_core.training import snapshots


@pytest.mark.parametrize("total", [1, 2, 5, 100, 15_000])
def test_marks_go_from_the_first_step_to_the_last_and_never_repeat(total):
    marks = snapshots.marks(total, 100_000)
    assert marks[0] == 0 and marks[-1] == total
    assert list(marks) == sorted(set(marks)) and len(marks) <= snapshots.MOST
    gaps = np.diff(marks)
    assert gaps[-1] == gaps.max()  # close at first, when most changes


@pytest.mark.parametrize("parameters", [10, 100_000, 1_000_000, int(LIMITS["parameters"].high)])
def test_no_network_takes_more_than_the_budget(parameters):
    marks = snapshots.marks(10_000, parameters)
    assert len(marks) * 2 * parameters <= snapshots.BUDGET
    assert not marks or len(marks) >= snapshots.FEWEST


def test_a_network_that_is_too_large_has_no_film():
    assert snapshots.marks(10_000, snapshots.BUDGET) == ()


def test_a_snapshot_does_not_follow_its_weights_and_comes_back_from_a_file():
    spec = RunSpec((Layer(8, batch_norm=True),))
    weights = initial_weights(spec, np.random.default_rng(0))
    taken = snapshots.take(7, weights)
    before = {name: value.copy() for name, value in weights.items()}
    for value in weights.values():
        value += 1
    back = snapshots.from_arrays(np.load(io.BytesIO(
        snapshots.to_bytes([taken, snapshots.take(100, weights)]))))  # fmt: skip
    assert [snapshot.step for snapshot in back] == [7, 100]
    for name, value in back[0].weights.items():
        assert value.dtype == np.float16 and np.allclose(value, before[name], atol=1e-3)


def test_a_run_that_goes_on_keeps_its_beginning_and_no_more_snapshots_than_any():
    first = [snapshots.Snapshot(step, {}) for step in (0, 1, 10, 100)]
    more = [snapshots.Snapshot(step, {}) for step in (100, 150, 200)]
    steps = [snapshot.step for snapshot in snapshots.merged(first, more)]
    assert steps[0] == 0 and steps[-1] == 200 and len(steps) == 4
    assert snapshots.merged([], more) == more
