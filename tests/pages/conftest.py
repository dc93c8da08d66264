"""What the tests of all pages begin with: runs, a service without a worker, a visit."""

import numpy as np
import pytest
import streamlit as st

from mnist_core.design import Layer, RunSpec
from mnist_core.network import initial
from mnist_core.runs.records import Runs
from mnist_core.training import events
from pages._shell import shared, visitors
from tests.pages.visiting import SMALL, Desk, any_weights, open_page

DENSE = RunSpec(layers=(Layer(16, "relu", True, 0.2), Layer(12)))


@pytest.fixture(autouse=True)
def fresh():
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The store that the pages read."""
    store = Runs(tmp_path / "runs")
    monkeypatch.setattr(shared, "runs", lambda: store)
    return store


@pytest.fixture
def desk(runs, monkeypatch):
    desk = Desk(runs)
    monkeypatch.setattr(shared, "service", lambda: desk)
    return desk


@pytest.fixture
def use(monkeypatch):
    """Have the pages show the digits of this file."""
    return lambda data: monkeypatch.setenv("MNIST_DATA", data.source)


@pytest.fixture
def visit(desk, tiny, use, monkeypatch):
    """A function that opens a page in a new session of one visitor, "ada", on tiny data."""
    use(tiny)
    monkeypatch.setattr(visitors, "visitor", lambda: "ada")
    monkeypatch.setattr(visitors, "first_tour", lambda: False)  # she has seen it
    return open_page


@pytest.fixture
def make(runs, tiny):
    """A function that puts a run with this history, and perhaps weights, into the store."""

    def make(history, weights=False):
        run = runs.create(SMALL, "ada", tiny.identity).id
        runs.begin(run)
        runs.append(run, history)
        if weights:
            runs.save_checkpoint(run, events.Checkpoint(12, any_weights(SMALL), {}))
        return run

    return make


@pytest.fixture
def trained(runs, tiny):
    """A function that keeps an ended run of "ada" with untrained weights; its id."""

    def trained(spec=DENSE, seed=0):
        weights = initial.initial_weights(spec, np.random.default_rng(seed))
        weights = {name: value.astype(np.float32) for name, value in weights.items()}
        run = runs.create(spec, "ada", tiny.identity).id
        runs.begin(run)
        runs.save_checkpoint(run, events.Checkpoint(10, weights, {}))
        runs.end(run, "finished", test_accuracy=0.1, test_loss=2.3, seconds=1.0)
        return run

    return trained
