"""What is promised is asked of the real thing: pages, a service, a worker that trains."""

import time

import pytest
import streamlit as st

from mnist_core import storage
from mnist_core.jobs import dispatcher
from mnist_core.jobs.service import Service
from mnist_core.runs.records import Runs
from pages._shell import shared, visitors
from tests.pages.visiting import open_page


def wait(condition, seconds=120.0):
    """Poll until `condition` holds; what it then is."""
    began = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() - began < seconds, "This did not happen in time."
        time.sleep(0.02)
    return found


@pytest.fixture(autouse=True)
def fresh():
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="module")
def lab(tmp_path_factory, tiny):
    """The service with its worker, on small data, in a home of its own."""
    home = tmp_path_factory.mktemp("promises")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_LAB_HOME", str(home))
        patch.setenv("MNIST_DATA", tiny.source)
        patch.setattr(dispatcher, "SWEEP_SECONDS", 0.2)
        patch.setattr(dispatcher, "TICK_SECONDS", 0.2)
        service = Service(Runs(storage.home() / "runs"), tiny.source).start()
        wait(lambda: service.state == "ready")
        yield service
        service.close()


@pytest.fixture
def home(lab, monkeypatch, tiny):
    """The lab's folder."""
    monkeypatch.setenv("MNIST_LAB_HOME", str(lab.runs.folder.parent))
    monkeypatch.setenv("MNIST_DATA", tiny.source)
    return lab.runs.folder.parent


@pytest.fixture
def as_visitor(lab, home, monkeypatch):
    """A function that opens a page as the visitor of this name, in a session of their own."""
    monkeypatch.setattr(shared, "service", lambda: lab)
    monkeypatch.setattr(shared, "runs", lambda: lab.runs)
    monkeypatch.setattr(visitors, "first_tour", lambda: False)

    def visit(name, stem, **query):
        monkeypatch.setattr(visitors, "visitor", lambda: name)
        return open_page(stem, **query)

    return visit


@pytest.fixture
def train(lab, tiny):
    """A function that trains a design to its end, as a visitor's run."""

    def train(spec, owner="ada", data=None, **how):
        run = lab.submit(spec, owner, (data or tiny).identity, **how).id
        wait(lambda: not lab.runs.known(run).active)
        return run

    return train


@pytest.fixture(autouse=True)
def nothing_left(lab):
    """What a test leaves training is none of the next one's business."""
    yield
    for run in lab.runs.active():
        lab.stop(run.id)
    wait(lambda: not lab.runs.active())
