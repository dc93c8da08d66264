"""Compiled ahead: when, what, and when not."""

from types import SimpleNamespace

import pytest

from mnist_core.data.identity import Identity
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.jobs import ahead
from mnist_core.jobs.ahead import Ahead
from mnist_core.training.events import WorkerDied

DATA = Identity("d", "s", "abc")
ONE, OTHER = RunSpec((Layer(16),)), RunSpec((Layer(24),))


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(ahead.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def office():
    asked = []
    return SimpleNamespace(
        state="ready", asked=asked, known=lambda data: data, hand_in=lambda job: job(),
        cluster=SimpleNamespace(prepare=lambda spec, data, ended: asked.append((spec, ended)),
                                result=lambda future: future()),
    )  # fmt: skip


def specs(office):
    return [spec for spec, _ in office.asked]


def test_a_design_is_compiled_once_when_it_has_stood_still(office, clock):
    found = Ahead(office)
    found.prepare()
    found.wish(ONE, DATA)
    found.prepare()
    assert specs(office) == []
    clock.now += 0.5
    found.wish(OTHER, DATA)  # a slider on its way
    clock.now += 0.5
    found.prepare()
    assert specs(office) == []
    clock.now += 0.5
    found.wish(OTHER, DATA)  # drawn anew, unchanged
    found.prepare()
    found.prepare()
    assert specs(office) == [OTHER]
    found.wish(ONE, DATA)
    clock.now += 1
    found.prepare()
    assert specs(office) == [OTHER, ONE]


def test_a_worker_that_starts_or_is_large_is_left_alone(office, clock):
    found = Ahead(office)
    found.wish(ONE, DATA)
    clock.now += 1
    office.state = "starting"
    found.prepare()
    assert specs(office) == []
    office.state, found.memory = "ready", ahead.LARGE
    found.prepare()
    assert specs(office) == []


def test_what_a_preparation_left_in_memory_is_noted(office, clock):
    found = Ahead(office)
    found.wish(ONE, DATA)
    clock.now += 1
    found.prepare()
    ((_, ended),) = office.asked
    ended(lambda: SimpleNamespace(memory=123))
    assert found.memory == 123

    def gone():
        raise WorkerDied

    ended(gone)
    assert found.memory == 123
