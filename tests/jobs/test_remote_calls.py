"""Small jobs for a worker: the queue, the service around it, and the worker's side of the table."""

from types import SimpleNamespace

import pytest

from mnist_core.jobs import remote_calls
from mnist_core.jobs.remote_calls import Calls
from mnist_core.training.events import ClusterLost, WorkerDied
from tests.jobs import test_dispatcher
from tests.jobs.test_dispatcher import made, pretended, started, wait  # noqa: F401  fixtures

NAME = next(iter(remote_calls.CALLS))


def test_calls_are_taken_in_their_order_and_only_once():
    waiting = Calls()
    asked = [waiting.ask(NAME, {"seed": i}) for i in range(3)]
    assert waiting.take(2) == asked[:2]
    waiting.back(asked[0])
    assert waiting.take(9) == [asked[0], asked[2]]
    assert waiting.take(9) == [] == waiting.take(-1)


def test_only_what_is_listed_can_be_called():
    with pytest.raises(ValueError, match="There is no call 'exec'"):
        Calls().ask("exec", {})


def test_only_so_many_wait_and_none_for_ever():
    waiting = Calls()
    first = [waiting.ask(NAME, {}) for _ in range(remote_calls.MOST_WAITING)]
    with pytest.raises(ValueError, match="busy"):
        waiting.ask(NAME, {})
    waiting.give_up()
    assert not first[0].over.is_set()
    first[0].asked -= remote_calls.PATIENCE_SECONDS + 1
    waiting.give_up()
    assert first[0].over.is_set() and first[0].message == remote_calls.BUSY
    assert waiting.take(99) == first[1:]


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
    assert asked.status == "running" and made[0].jobs[0].arguments == {"seed": 3}
    end(made[0].jobs[0], done("a line"))
    assert asked.over.wait(30)
    assert (asked.status, asked.result) == ("done", "a line")


def test_a_call_waits_while_the_worker_has_other_work(service):
    first, second = service.call(NAME), service.call(NAME)
    wait(lambda: made and made[0].jobs)
    assert (first.status, second.status, len(made[0].jobs)) == ("running", "queued", 1)
    end(made[0].jobs[0], done(1))
    wait(lambda: second.status == "running")


@pytest.mark.parametrize(
    ("outcome", "says"),
    [(WorkerDied(), "ended unexpectedly: try again"), (RuntimeError("no"), "could not do it: no")],
)
def test_a_call_that_fails_says_why(service, outcome, says):
    asked = service.call(NAME)
    wait(lambda: made and made[0].jobs)
    end(made[0].jobs[0], outcome)
    assert asked.over.wait(30)
    assert asked.status == "failed" and says in asked.message


def test_a_call_survives_the_loss_of_its_cluster(service):
    asked = service.call(NAME)
    wait(lambda: made and made[0].jobs)
    end(made[0].jobs[0], ClusterLost())
    wait(lambda: len(made) > 1 and made[1].jobs)
    end(made[1].jobs[0], done(7))
    assert asked.over.wait(30) and asked.result == 7


def test_a_service_that_failed_takes_no_call(service):
    held = service._dispatcher
    held.state, held.message = "failed", "Training is not available: no."
    with pytest.raises(ValueError, match="not available"):
        service.call(NAME)
