"""A Dask cluster of its own: scheduler and workers as processes that somebody else has started."""

import os
import signal
import sys
import time

import pytest

from mnist_core.data import dataset, formats
from mnist_core.data.identity import Identity
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.jobs import cluster
from mnist_core.jobs.service import Service
from mnist_core.runs.records import Runs
from mnist_core.tools.bench_machines import Machines
from mnist_core.training import events

SHORT = RunSpec(layers=(Layer(16),), batch_size=32, epochs=2)
LONG = RunSpec(layers=(Layer(16),), batch_size=1, epochs=100)  # 51,200 steps of the tiny data
PATIENCE = 240.0  # seconds; TensorFlow is imported more than once here


def wait(condition, seconds=PATIENCE):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "This did not happen in time."
        time.sleep(0.05)


@pytest.fixture
def machines(tmp_path):
    machines = Machines(tmp_path)
    yield machines
    machines.close()


@pytest.fixture
def service(machines, tmp_path):
    service = Service(Runs(tmp_path / "runs"), "auto", machines.address)
    yield service
    service.close()


def endless(service, tiny, owner="ada"):
    """A run that no machine, however fast, has done before the test is: in slow motion."""
    run = service.submit(LONG, owner, Identity(tiny.name, "auto")).id
    service.tell(run, "slow", 0.02)
    return run


def under_way(service, run):
    return any(isinstance(event, events.Progress) for event in service.runs.history(run))


def status(service, run):
    return service.runs.get(run).status


@pytest.mark.slow
def test_two_machines_train_two_runs_at_once_on_the_same_data(
    machines, service, tiny, tmp_path, monkeypatch
):
    """One worker has the data where its own MNIST_DATA says, the other has different data there."""
    monkeypatch.setenv("MNIST_DATA", tiny.source)
    other = tmp_path / "other.npz"
    formats.write(other, dataset.Mnist(tiny.test, tiny.train, "other", "other"))
    machines.scheduler()
    machines.worker(MNIST_DATA=tiny.source)
    machines.worker(MNIST_DATA=str(other))
    service.start()
    wait(lambda: service._dispatcher._cluster and service._dispatcher._cluster.slots() == 2)
    ada, bob = endless(service, tiny), endless(service, tiny, "bob")
    wait(lambda: under_way(service, ada) and under_way(service, bob))
    assert status(service, ada) == status(service, bob) == "running"
    sent = service._dispatcher._cluster._client.run(  # a lambda travels as a whole
        lambda: list(sys.modules["mnist_core.jobs.worker"]._shipped)
    )
    assert sorted(map(len, sent.values())) == [0, 1]
    assert [tiny.digest] in sent.values()
    for run in (ada, bob):
        started = next(e for e in service.runs.history(run) if isinstance(e, events.Started))
        assert started.train_images == 512  # the tiny file's, on either machine
        service.stop(run)
    wait(lambda: not service.runs.active())
    assert status(service, ada) == status(service, bob) == "stopped"


def warm():
    """Called in a worker: whether it has TensorFlow by now and has nothing else to do."""
    ours = sys.modules.get("mnist_core.jobs.worker")
    return "keras" in sys.modules and ours is not None and not ours._engine.locked()


@pytest.mark.slow
def test_a_class_that_presses_train_at_once_is_shared_out_to_both_machines(
    machines, service, tiny, monkeypatch
):
    monkeypatch.setenv("MNIST_DATA", tiny.source)
    machines.scheduler()
    machines.worker()
    machines.worker()
    service.start()
    wait(lambda: service._dispatcher._cluster and service._dispatcher._cluster.slots() == 2)
    wait(lambda: all(service._dispatcher._cluster._client.run(warm).values()))
    where, real = {}, service._dispatcher._cluster.result

    def result(future):
        where[future.key] = (done := real(future)).worker
        return done

    monkeypatch.setattr(service._dispatcher._cluster, "result", result)
    runs = [service.submit(SHORT, f"visitor {i}", tiny.identity).id for i in range(12)]
    wait(lambda: not service.runs.active())
    assert {status(service, run) for run in runs} == {"finished"}
    assert len(where) == 12 and len(set(where.values())) == 2
    assert all(service.runs.model_file(run) for run in runs)  # no disk is shared: all came here


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["ended", "silent"])
def test_a_machine_that_disappears_leaves_its_run_to_the_other(
    machines, service, tiny, monkeypatch, how
):
    monkeypatch.setenv("MNIST_DATA", tiny.source)
    monkeypatch.setattr(cluster, "SILENCE_SECONDS", 6.0)
    machines.scheduler()
    first = machines.worker()
    service.start()
    run = endless(service, tiny)
    wait(lambda: service.runs.has_weights(run))
    asked, real = [], service._dispatcher._cluster._asked
    monkeypatch.setattr(service._dispatcher._cluster, "_asked",
                        lambda where, *what: asked.append(where) or real(where, *what))
    machines.worker()
    wait(lambda: service._dispatcher._cluster.slots() == 2)
    wait(lambda: len(asked) > 1)
    assert len(set(asked)) == 1  # only the one that trains it is asked
    before = service.runs.checkpoint(run).step
    os.killpg(first.pid, how)
    wait(lambda: any(isinstance(e, events.Started) and e.step >= before
                     for e in service.runs.history(run)))  # fmt: skip
    service.tell(run, "slow", 0.02)  # the process that had heard of it is gone
    marks = [e.what for e in service.runs.history(run) if isinstance(e, events.Marked)]
    assert marks.count("another machine") == 1 and status(service, run) == "running"
    seen = service.runs.checkpoint(run).step
    wait(lambda: service.runs.checkpoint(run).step > seen)
    steps = [e.step for e in events.timeline(service.runs.history(run))
             if isinstance(e, events.Progress)]  # fmt: skip
    assert steps == sorted(set(steps)) and len(set(asked)) == 2
    service.stop(run)
    wait(lambda: not service.runs.active())
    assert status(service, run) == "stopped"


@pytest.mark.slow
def test_a_scheduler_that_goes_and_comes_back(machines, service, tiny, monkeypatch):
    monkeypatch.setenv("MNIST_DATA", tiny.source)
    monkeypatch.setitem(cluster._CONFIG, "distributed.comm.timeouts.connect", "2s")
    service.start()
    wait(lambda: service.state == "away")  # there is none yet
    scheduler = machines.scheduler()
    wait(lambda: "has no worker" in service.message)
    machines.worker()
    run = endless(service, tiny)
    wait(lambda: under_way(service, run))
    machines.kill(scheduler)
    wait(lambda: service.state == "away")
    assert f"the scheduler at {machines.address}, which does not answer" in service.message
    assert status(service, run) == "interrupted"
    assert service.runs.get(run).message.startswith("The connection to the training cluster was")
    waiting = service.submit(SHORT, "ada", Identity(tiny.name, "auto")).id
    scheduler = machines.scheduler()
    machines.worker()
    wait(lambda: status(service, waiting) == "finished")
    machines.kill(scheduler)  # and now while nothing runs
    wait(lambda: service.state == "away")
    machines.scheduler()
    machines.worker()
    wait(lambda: service.state == "ready" and not service.message)
    last = service.submit(SHORT, "ada", Identity(tiny.name, "auto")).id
    wait(lambda: status(service, last) == "finished")
    assert status(service, run) == "interrupted"


def test_what_was_opened_is_closed_if_a_cluster_cannot_be_made(tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(cluster, "_start_worker", lambda *_: _Process(closed))
    monkeypatch.setattr(cluster, "Client", lambda *_, **__: 1 / 0)
    real = cluster.LocalCluster.close
    monkeypatch.setattr(cluster.LocalCluster, "close",
                        lambda self, **how: (closed.append("scheduler"), real(self, **how)))
    with pytest.raises(ZeroDivisionError):
        cluster.Cluster(None, tmp_path)
    assert closed == ["process", "scheduler"]


class _Process:
    def __init__(self, closed):
        self.closed = closed

    def poll(self):
        return None

    def terminate(self):
        self.closed.append("process")

    def wait(self, timeout):
        return 0


# ------------------------------------------------------------------------------- many runs


@pytest.mark.long
def test_two_hundred_runs_leave_the_server_and_the_worker_small(tmp_path, tiny):
    """Each of another design, so that each is compiled and leaves some of its code behind."""
    import psutil

    service = Service(Runs(tmp_path / "runs"), tiny.source).start()
    try:
        wait(lambda: service.state == "ready")
        mine, most, workers, before = psutil.Process(), 0, set(), 0
        for number in range(200):
            spec = RunSpec(layers=(Layer(8 + number),), batch_size=64, epochs=1)
            run = service.submit(spec, "ada", tiny.identity).id
            wait(lambda run=run: not service.runs.get(run).active)
            assert status(service, run) == "finished", service.runs.get(run).message
            if number == 4:  # what is imported and cached once is there now
                before = mine.memory_info().rss
            nanny = psutil.Process(service._dispatcher._cluster._process.pid)
            biggest = max(nanny.children(recursive=True), key=lambda p: p.memory_info().rss)
            most = max(most, biggest.memory_info().rss)
            workers.add(biggest.pid)
        grown = mine.memory_info().rss - before
        print(f"server +{grown / 2**20:.0f} MB; worker at most {most / 2**20:.0f} MB, "
              f"{len(workers)} of them")  # fmt: skip
        assert grown < 50 * 2**20 and most < 1.5e9
    finally:
        service.close()
