"""The service: a real scheduler and worker on small data, and what happens when they are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from mnist_core.data.identity import Identity
from mnist_core.design.spec import Layer, RunSpec, SpecError
from mnist_core.jobs import dispatcher
from mnist_core.jobs.service import Service
from mnist_core.network.network import Network
from mnist_core.runs.records import Runs
from mnist_core.training import events
from tests.serving import measured

ROOT = Path(__file__).resolve().parents[2]
SHORT = RunSpec(layers=(Layer(16),), batch_size=32, epochs=2)
LONG = RunSpec(layers=(Layer(1024),) * 4, batch_size=64, epochs=100)  # minutes, on any data
SMALL = RunSpec((Layer(16, dropout=0.2),), batch_size=1, epochs=10, keep="val_accuracy")


def wait(condition, seconds=180.0):
    """Poll until `condition` holds; how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "This did not happen in time."
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def service(tmp_path_factory, tiny):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatcher, "LARGE", 1e12)  # a replacement has a test of its own
        service = Service(Runs(measured(tmp_path_factory.mktemp("runs"))), tiny.source).start()
        yield service
        service.close()


@pytest.fixture
def submit(service, tiny):
    """Submit a design; whatever is left of it is stopped after the test."""
    submitted = []

    def submit(spec, source=tiny.source):
        for run in submitted:  # a slow machine may take longer than an idle visitor may
            service.watched(run)
        submitted.append(service.submit(spec, "ada", Identity(tiny.name, source)).id)
        return submitted[-1]

    yield submit
    for run in submitted:
        service.stop(run)
    wait(lambda: not service.runs.active())


@pytest.fixture
def status(service):
    return lambda run: service.runs.get(run).status


def gone(processes):
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def progress(service, run):
    return [event for event in service.runs.history(run) if isinstance(event, events.Progress)]


def under_way(service, run):
    return bool(progress(service, run))


def of(kind, service, run):
    return [event for event in service.runs.history(run) if isinstance(event, kind)]


def marks(service, run):
    return [mark.what for mark in of(events.Marked, service, run)]


@pytest.fixture
def paused(service, submit):
    """Submit a design and pause it at its first steps; its id."""

    def paused(spec):
        run = submit(spec)
        service.tell(run, "slow", 0.05)  # or it may be over before the word arrives
        wait(lambda: under_way(service, run))
        service.tell(run, "pause")
        wait(lambda: marks(service, run) == ["slow motion", "paused"])
        service.tell(run, "slow", 0.0)
        wait(lambda: marks(service, run)[-1] == "full speed")
        return run

    return paused


def assert_in_one_piece(service, run, epochs):
    """The run's timeline has every step once, and every epoch."""
    told = events.timeline(service.runs.history(run))
    step = 0
    for p in (e for e in told if isinstance(e, events.Progress)):
        assert p.step - p.steps == step
        step = p.step
    ended = [e.epoch for e in told if isinstance(e, events.EpochEnded)]
    assert ended == list(range(1, epochs + 1))
    assert isinstance(told[-1], events.Finished) and told[-1].step == step
    assert not any(isinstance(e, events.Finished | events.Failed) for e in told[:-1])


def worker_process(service):
    """The process that trains: the nanny's child that has TensorFlow loaded, hence the largest."""
    children = psutil.Process(service._dispatcher._cluster._process.pid).children(recursive=True)
    return max(children, key=lambda child: child.memory_info().rss)


# The first test finds the worker still loading TensorFlow, which is when a stop is easily lost.
@pytest.mark.slow
def test_a_stop_is_not_lost_on_a_worker_that_is_still_starting(service, submit, status):
    assert service.state == "starting"
    run = submit(LONG, "auto")
    wait(lambda: status(run) == "running")
    assert not under_way(service, run)
    service.stop(run)
    wait(lambda: status(run) == "stopped")


def test_the_worker_is_not_profiled(service):
    """Dask's profiler takes a part of every training."""
    wait(lambda: service.state == "ready")
    looks = service._dispatcher._cluster._client.run(  # a lambda travels as a whole
        lambda dask_worker: [n for n in dask_worker.periodic_callbacks if n.startswith("profile")]
    )
    assert list(looks.values()) == [[]]


def test_a_run_is_trained_recorded_and_kept(service, submit, status, tiny):
    run = submit(SHORT)
    wait(lambda: not service.runs.get(run).active)
    wait(lambda: service.state == "ready")
    found, history = service.runs.get(run), service.runs.history(run)
    assert (found.status, found.message) == ("finished", "")
    assert found.created <= found.started <= found.ended
    often = events.Progress | events.Checkpointed
    assert [type(e) for e in history if not isinstance(e, often)] == [
        events.Started, events.Compiled, events.EpochEnded, events.EpochEnded, events.Finished,
    ]  # fmt: skip
    assert history[-1] == events.Finished(32, found.test_loss, found.test_accuracy, found.seconds)
    net = Network.from_weights(SHORT, service.runs.checkpoint(run).weights)
    right = net.predict(tiny.test.images).argmax(axis=1) == tiny.test.labels
    assert right.mean() == pytest.approx(found.test_accuracy, abs=0.01)
    assert service.runs.model_file(run).read_bytes()[:2] == b"PK"


def test_an_evaluation_answers_every_test_image(service, submit, status, tiny):
    run = submit(SHORT)
    wait(lambda: status(run) == "finished")
    service.evaluate(run)
    service.evaluate("default", tiny.identity)
    for key in ((run, ""), ("default", tiny.digest)):
        wait(lambda key=key: service.evaluation(*key).state in ("done", "failed"))
        assert service.evaluation(*key).message == ""
    found, shipped = service.runs.evaluation(run), service.runs.evaluation("default", tiny.digest)
    right = (found.probabilities.argmax(axis=1) == found.labels).mean()
    assert right == pytest.approx(service.runs.get(run).test_accuracy)
    assert found.loss == pytest.approx(service.runs.get(run).test_loss, rel=1e-4)
    assert (shipped.probabilities.argmax(axis=1) == tiny.test.labels).mean() > 0.9
    np.testing.assert_array_equal(found.labels, tiny.test.labels)


def test_a_queued_run_begins_as_it_was_told(service, submit, status):
    first, second = submit(SHORT), submit(SMALL)
    service.tell(second, "pause")
    wait(lambda: marks(service, second) == ["paused"])
    assert of(events.Marked, service, second)[0].step == 0
    assert (status(first), status(second)) == ("finished", "running")


def test_a_run_is_paused_stepped_and_resumed(service, paused, status):
    run = paused(SMALL)
    before = service.runs.history(run)

    def since(kind):  # an epoch may end on the way, which is an event too
        return [e for e in service.runs.history(run)[len(before) :] if isinstance(e, kind)]

    for n in (1, 2):
        service.tell(run, "step")
        service.tell(run, "step")
        wait(lambda n=n: len(since(events.Progress)) == 2 * n)
    stepped = since(events.Progress)
    assert [e.steps for e in stepped] == [1] * 4
    assert status(run) == "running"
    service.tell(run, "resume")
    wait(lambda: status(run) == "finished")
    assert since(events.Marked)[0] == events.Marked(stepped[-1].step, "resumed")
    assert_in_one_piece(service, run, 10)


def test_a_learning_rate_is_changed_in_the_middle(service, paused, status):
    run = paused(SMALL)
    service.tell(run, "learning_rate", 0.0025)
    with pytest.raises(ValueError, match="There is no command 'nonsense'"):
        service.tell(run, "nonsense")  # is refused, and ends nothing
    service.tell(run, "resume")
    wait(lambda: status(run) == "finished")
    _slow, paused_at, _full, changed, resumed = of(events.Marked, service, run)
    assert changed == events.Marked(paused_at.step, "learning rate", 0.0025)
    assert resumed.step == changed.step < service.runs.history(run)[-1].step
    assert service.runs.checkpoint(run).learning_rate == 0.0025


def test_a_paused_run_can_be_stopped_and_goes_on_later(service, paused, status):
    run = paused(SMALL)
    service.stop(run)
    wait(lambda: status(run) == "stopped")
    stopped = service.runs.history(run)[-1]
    assert isinstance(stopped, events.Stopped) and stopped.step < 5120
    assert service.go_on(run).status == "queued"
    wait(lambda: status(run) == "finished")
    assert [s.step for s in of(events.Started, service, run)] == [0, stopped.step]
    assert service.runs.get(run).message.endswith("are kept.")
    assert_in_one_piece(service, run, 10)


def test_a_finished_run_trains_more(service, submit, status, tiny):
    run = submit(SHORT)
    wait(lambda: status(run) == "finished")
    first = service.runs.get(run)
    assert service.go_on(run, 3).spec.epochs == 5
    wait(lambda: status(run) == "finished")
    found, checkpoint = service.runs.get(run), service.runs.checkpoint(run)
    assert (found.spec.epochs, checkpoint.step) == (5, 80)
    assert found.seconds > first.seconds and found.created == first.created
    assert_in_one_piece(service, run, 5)
    net = Network.from_weights(found.spec, checkpoint.answer)
    right = net.predict(tiny.test.images).argmax(axis=1) == tiny.test.labels
    assert right.mean() == pytest.approx(found.test_accuracy, abs=0.01)
    assert found.test_accuracy != first.test_accuracy or found.test_loss != first.test_loss


def refusal(service, run, epochs=0):
    with pytest.raises(ValueError) as error:
        service.go_on(run, epochs)
    return str(error.value)


def test_what_cannot_go_on_says_why_in_a_sentence(service, submit, status):
    running, waiting = submit(LONG), submit(SHORT)
    wait(lambda: status(running) == "running")
    assert refusal(service, running) == refusal(service, waiting, 5) == (
        "This run is not over yet: wait for its end, or stop it first."
    )
    service.stop(waiting)
    assert refusal(service, waiting) == (
        "This run has no checkpoint to go on from: train its design anew."
    )
    assert "no such run" in refusal(service, "nobody")
    service.stop(running)
    finished = submit(SHORT)
    wait(lambda: status(finished) == "finished")
    before = service.runs.get(finished)
    assert refusal(service, finished) == (
        "This run has finished: say how many epochs more it should train."
    )
    assert "number of epochs must be a whole number from 1 to 100" in refusal(service, finished, 99)
    assert service.runs.get(finished) == before


def test_two_runs_queue_and_finish_in_order(service, submit, status):
    first = submit(RunSpec(layers=(Layer(16),), batch_size=1, epochs=20))
    second = submit(SHORT)
    assert (service.ahead(first), service.ahead(second)) == (0, 1)
    assert status(second) == "queued"
    wait(lambda: status(second) == "finished")
    a, b = service.runs.get(first), service.runs.get(second)
    assert a.status == "finished" and a.ended <= b.started
    assert service.ahead(first) == service.ahead(second) == 0


def test_stop_ends_a_running_run_soon_and_a_queued_one_at_once(service, submit, status):
    running, queued = submit(LONG, "auto"), submit(SHORT)
    wait(lambda: under_way(service, running))
    service.stop(queued)
    assert status(queued) == "stopped"
    service.stop(running)
    assert wait(lambda: status(running) == "stopped") < 15
    assert isinstance(service.runs.history(running)[-1], events.Stopped)
    assert service.runs.get(running).test_accuracy is not None
    assert service.runs.has_weights(running) and service.runs.model_file(running)
    assert service.runs.history(queued) == [] and not service.runs.has_weights(queued)


def test_stopping_what_has_ended_changes_nothing(service, submit, status):
    run = submit(SHORT)
    wait(lambda: status(run) == "finished")
    before = service.runs.get(run)
    service.stop(run)
    service.stop("nobody")
    again = submit(SHORT)
    wait(lambda: status(again) == "finished")
    assert service.runs.get(run) == before


def test_a_run_that_cannot_go_on_says_why(service, submit, status):
    diverging = RunSpec(layers=(Layer(64, "linear"),) * 4, optimizer="sgd", learning_rate=10.0)
    too_large = RunSpec(batch_size=1024)
    no_data = submit(SHORT, "/nowhere.npz")
    runs = [submit(diverging), submit(too_large), no_data]
    wait(lambda: not service.runs.active())
    assert [status(run) for run in runs] == ["failed"] * 3
    messages = [service.runs.get(run).message for run in runs]
    assert "lower it" in messages[0] and "choose a smaller one" in messages[1]
    assert "/nowhere.npz does not exist" in messages[2]
    assert isinstance(service.runs.history(runs[0])[-1], events.Failed)


def test_a_design_over_the_limits_is_refused_at_the_gate(service):
    with pytest.raises(SpecError):
        service.submit(RunSpec(epochs=10_000), "ada", Identity("d", "sample"))
    assert not service.runs.active()


def test_workers_are_asked_of_the_scheduler_and_not_of_dasks_cache(service, monkeypatch):
    """Which a timer overwrites with an answer that names none, be it between two of our lines."""
    wait(lambda: service.state == "ready")
    cluster = service._dispatcher.cluster

    async def timer(n_workers=0):
        cluster._client._scheduler_identity = {"id": "", "workers": {}}

    monkeypatch.setattr(cluster._client, "_update_scheduler_info", timer)
    assert list(cluster._slots().values()) == [1] and len(cluster._free()) == 1
    assert cluster.connected()


@pytest.mark.slow
def test_a_worker_that_has_grown_is_replaced_between_two_runs(service, submit, status, monkeypatch):
    before = worker_process(service).pid
    first, second = submit(SHORT), submit(SHORT)
    with monkeypatch.context() as patch:
        patch.setattr(dispatcher, "LARGE", 0.0)
        wait(lambda: status(first) == "finished" and status(second) == "running")
    wait(lambda: status(second) == "finished")
    assert worker_process(service).pid != before
    assert service.runs.get(second).message == ""


@pytest.mark.slow
def test_a_killed_worker_interrupts_its_run_which_can_be_taken_up_again(service, submit, status):
    design = RunSpec((Layer(16, dropout=0.2),), batch_size=1, epochs=50, schedule="cosine",
                     keep="val_accuracy")  # fmt: skip
    killed, waiting, after = submit(design), submit(LONG, "auto"), submit(SHORT)
    wait(lambda: service.runs.has_weights(killed))
    step = service.runs.checkpoint(killed).step
    wait(lambda: progress(service, killed)[-1].step > step)  # work that will be lost
    service.tell(killed, "pause")
    wait(lambda: marks(service, killed) == ["paused"])
    worker_process(service).kill()
    assert wait(lambda: status(killed) != "running", 20) < 20
    found = service.runs.get(killed)
    assert found.status == "interrupted"
    assert found.message.startswith("The training process ended unexpectedly; its last checkpoint")
    wait(lambda: status(waiting) == "running")
    service.stop(waiting)  # there is no worker to tell it to yet
    wait(lambda: status(waiting) == "stopped")
    assert sum(p.steps for p in progress(service, waiting)) < 100
    checkpoint = service.runs.checkpoint(killed)
    Network.from_weights(design, checkpoint.answer)
    assert 0 < checkpoint.step < progress(service, killed)[-1].step
    wait(lambda: status(after) == "finished")
    assert status(killed) == "interrupted"  # and is not trained again behind anybody's back
    service.go_on(killed)
    wait(lambda: status(killed) == "finished")
    assert [s.step for s in of(events.Started, service, killed)] == [0, checkpoint.step]
    assert_in_one_piece(service, killed, 50)
    assert "paused" not in [getattr(e, "what", "") for e in events.timeline(
        service.runs.history(killed))]  # fmt: skip
    assert service.runs.get(killed).test_accuracy > 0.6


def test_a_design_that_was_looked_at_begins_at_once(service, submit, status, tiny):
    def compiling(spec):
        run = submit(spec)
        wait(lambda: status(run) == "finished")
        return of(events.Compiled, service, run)[0].seconds

    looked_at, other = (RunSpec((Layer(n),) * 3, batch_size=48, epochs=1) for n in (40, 44))
    wait(lambda: service.state == "ready" and not service.runs.active())
    service._dispatcher.ahead.memory = 0
    service.look_at(looked_at, tiny.identity)
    wait(lambda: service._dispatcher.ahead.memory)
    assert compiling(other) > 3 * compiling(looked_at)


def test_nothing_listens_beyond_this_machine(service):
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    sockets = [s for process in processes for s in process.net_connections("inet")]
    listening = [s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN]
    assert len(listening) >= 4 and set(listening) == {"127.0.0.1"}


def test_close_ends_every_process_and_marks_what_was_running(service, submit, status):
    run = submit(LONG, "auto")
    wait(lambda: under_way(service, run))
    processes = psutil.Process().children(recursive=True)
    assert len(processes) >= 2
    service.close()
    wait(lambda: gone(processes), 45)
    assert status(run) == "interrupted"
    service.close()


# ------------------------------------------------------------------------------- other processes

SERVER = """
import sys, time
from mnist_core.runs import Runs
from mnist_core.jobs import Service
from mnist_core.data import Identity
from mnist_core.design import Layer, RunSpec
service = Service(Runs(sys.argv[1]), sys.argv[2]).start()
spec = RunSpec(layers=(Layer(1024),) * 4, batch_size=64, epochs=100)
run = service.submit(spec, "ada", Identity("sample", sys.argv[2])).id
while not service.runs.history(run):
    time.sleep(0.05)
heavy = sorted({"tensorflow", "keras"} & set(sys.modules))
print(run, service._dispatcher._cluster._process.pid, *heavy, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_killed_server_leaves_no_worker_and_its_run_interrupted(tmp_path, tiny):
    command = [sys.executable, "-c", SERVER, str(tmp_path), tiny.source]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            run, nanny, *heavy = server.stdout.readline().split()
            nanny = psutil.Process(int(nanny))
            processes = [nanny, *nanny.children(recursive=True)]
        finally:
            os.kill(server.pid, signal.SIGKILL)
    assert heavy == [], "The server process must stay free of TensorFlow."
    assert len(processes) >= 2
    wait(lambda: gone(processes), 45)
    runs = Runs(tmp_path)
    assert runs.get(run).status == "running"
    restarted = Service(runs, tiny.source).start()
    try:
        assert runs.get(run).status == "interrupted"
        assert runs.get(run).message.startswith("The server ended while this run was running")
    finally:
        restarted.close()


def test_a_service_that_cannot_start_says_so(tmp_path, monkeypatch):
    def start(*_):
        raise OSError("no more processes")

    monkeypatch.setattr("mnist_core.jobs.cluster._start_worker", start)
    service = Service(Runs(tmp_path), "sample")
    service.start()
    early = service.submit(SHORT, "ada", Identity("d", "sample"))
    try:
        wait(lambda: service.state == "failed", 30)
        assert service.message == "Training is not available: no more processes"
        wait(lambda: not service.runs.active())
        assert service.runs.get(early.id).status == "failed"
        assert service.runs.get(early.id).message == service.message
        service.runs.save_checkpoint(early.id, events.Checkpoint(0, {}, {}))
        before = service.runs.get(early.id)
        assert refusal(service, early.id) == service.message
        assert service.runs.get(early.id) == before
        late = service.submit(SHORT, "ada", Identity("d", "sample"))
        assert service.runs.get(late.id).message == service.message
    finally:
        service.close()


def test_the_web_side_imports_no_tensorflow():
    code = (
        "import sys, mnist_core.jobs.service; "
        "heavy = {'tensorflow', 'keras', 'mnist_core.training.engine'}; "
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
