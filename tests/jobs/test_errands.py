"""Small jobs for a worker: what waits, what a worker answers, and what goes wrong."""

from types import SimpleNamespace

import pytest

from mnist_core.basis import LabError
from mnist_core.basis.errors import SORRY
from mnist_core.jobs import dispatcher, errands
from mnist_core.training.events import ClusterLost, WorkerDied
from tests.jobs import test_dispatcher
from tests.jobs.test_dispatcher import made, pretended, started, wait  # noqa: F401  fixtures

NAME = next(iter(errands.CALLS))


def test_only_what_is_listed_can_be_called(service):
    with pytest.raises(ValueError, match="There is no call 'exec'"):
        service.call("exec")


def test_only_so_many_wait_and_none_for_ever(service, monkeypatch):
    monkeypatch.setattr(dispatcher, "TICK_SECONDS", 600)  # they are given up by hand
    first = service.call(NAME)
    wait(lambda: first.state == "running")
    waiting = [service.call(NAME) for _ in range(errands.MOST_CALLS)]
    with pytest.raises(LabError, match="busy"):
        service.call(NAME)
    held = service._dispatcher.errands
    held.give_up()
    assert not waiting[0].over()
    waiting[0].asked -= errands.PATIENCE_SECONDS + 1
    held.give_up()
    assert waiting[0].over() and waiting[0].message == errands.BUSY
    assert waiting[1].state == "waiting"


@pytest.fixture
def service(started, monkeypatch):  # noqa: F811
    """A service whose pretended cluster takes calls as it takes evaluations."""

    def call(self, name, arguments, ended):
        return self._job(ended, run=None, name=name, arguments=arguments)

    monkeypatch.setattr(test_dispatcher.Cluster, "call", call, raising=False)
    return started()


def end(job, outcome):
    job.outcome = outcome
    job.ended(job.future)


def done(result):
    return SimpleNamespace(result=result, worker="tcp://w", memory=0)


def test_a_call_goes_to_the_worker_and_comes_back(service):
    asked = service.call(NAME, seed=3)
    wait(lambda: made and made[0].jobs)
    assert asked.state == "running" and made[0].jobs[0].arguments == {"seed": 3}
    end(made[0].jobs[0], done("a line"))
    assert asked.over(30)
    assert (asked.state, asked.result()) == ("done", "a line")


def test_a_call_waits_while_the_worker_has_other_work(service):
    first, second = service.call(NAME), service.call(NAME)
    wait(lambda: made and made[0].jobs)
    assert (first.state, second.state, len(made[0].jobs)) == ("running", "waiting", 1)
    end(made[0].jobs[0], done(1))
    wait(lambda: second.state == "running")


@pytest.mark.parametrize(
    ("outcome", "says"),
    [(WorkerDied(), "ended unexpectedly during the call: try again"),
     (LabError("It cannot be."), "It cannot be."), (RuntimeError("no"), SORRY)],
)
def test_a_call_that_fails_says_why(service, outcome, says, faults):
    asked = service.call(NAME)
    wait(lambda: made and made[0].jobs)
    end(made[0].jobs[0], outcome)
    assert asked.over(30)
    assert asked.state == "failed" and says in asked.message
    assert len(faults) == isinstance(outcome, RuntimeError)
    faults.clear()


def test_a_call_survives_the_loss_of_its_cluster(service):
    asked = service.call(NAME)
    wait(lambda: made and made[0].jobs)
    end(made[0].jobs[0], ClusterLost())
    wait(lambda: len(made) > 1 and made[1].jobs)
    end(made[1].jobs[0], done(7))
    assert asked.over(30) and asked.result() == 7


def test_a_service_that_failed_takes_no_call(service):
    held = service._dispatcher
    held.state = "failed"
    held.amiss("failed", "Training is not available: no.")
    with pytest.raises(ValueError, match="not available"):
        service.call(NAME)
