"""The service around a cluster that only pretends: who is next, what is told, what goes wrong."""

import errno
import queue
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_core import storage
from mnist_core.basis.errors import SORRY
from mnist_core.data.identity import Identity
from mnist_core.design.spec import Layer, RunSpec, SpecError
from mnist_core.jobs import cluster, dispatcher, worker
from mnist_core.jobs.service import Service
from mnist_core.runs import database, models, patience
from mnist_core.runs import records as records
from mnist_core.runs.artifacts import DEFAULT, Evaluation
from mnist_core.runs.records import Runs
from mnist_core.training import events
from mnist_core.training.events import ClusterLost, WorkerDied

SPEC = RunSpec(layers=(Layer(8),), epochs=2)
FULL = OSError(errno.ENOSPC, "No space left on device")
EVALUATION = Evaluation(np.full((3, 10), 0.1, np.float32), np.arange(3, dtype=np.uint8), 2.3)


class Cluster:
    """Takes jobs like a Dask cluster; the test says how each one ends."""

    def __init__(self, address, folder):
        self.address, self.free = address, 1
        self.jobs, self.told, self.shipped, self.replaced = [], [], [], []
        self.alive, self.hears, self.closed = True, True, False
        self.checkpoint = None
        made.append(self)

    def listen(self, heard, source):
        self.heard = heard

    def connected(self):
        return self.alive

    def mend(self):
        pass

    def slots(self):
        return self.free

    def train(self, run, data, resume, told, ended, at=""):
        return self._job(ended, run=run.id, data=data, resume=resume, told=list(told))

    def evaluate(self, spec, weights, data, step, ended, at=""):
        return self._job(ended, run=None, data=data, step=step, spec=spec)

    def convert(self, spec, weights, name, ended):
        return self._job(ended, run=None, file=name, spec=spec, weights=weights)

    def _job(self, ended, **known):
        self.jobs.append(job := SimpleNamespace(ended=ended, **known))
        return _Future(job)

    def result(self, future):
        if isinstance(future.job.outcome, Exception):
            raise future.job.outcome
        return future.job.outcome

    def where(self, future):
        return "tcp://w" if future.job in self.jobs else ""

    def tell(self, address, run, command, value=None):
        assert address == "tcp://w"
        self.told += [(run, command, value)] * self.hears
        return self.hears

    def newest_checkpoint(self, address, run):
        assert address == "tcp://w"  # the one that said so, and no other
        return self.checkpoint

    def ship(self, address, digest, data):
        self.shipped.append((address, digest, data.name))

    def replace(self, address):
        self.replaced.append(address)

    def close(self):
        self.closed = True


class _Future:
    def __init__(self, job):
        self.job, job.future = job, self


made: list[Cluster] = []


@pytest.fixture(autouse=True)
def pretended(monkeypatch):
    made.clear()
    monkeypatch.setattr(cluster, "Cluster", Cluster)
    monkeypatch.setattr(dispatcher, "FIRST_PAGE_SECONDS", 0.0)
    monkeypatch.setattr(dispatcher, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(dispatcher, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(patience, "RETRY_SECONDS", 0.02)


def hear(run, *happened):
    """A worker's word on a run."""
    said = [events.to_wire(event) for event in happened]
    made[-1].heard({"run": run, "worker": "tcp://w", "events": said})


def wait(condition, seconds=30.0):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "This did not happen in time."
        time.sleep(0.005)


@pytest.fixture
def started(tmp_path, tiny):
    services = []

    def started(scheduler=None, **how):
        runs = Runs(tmp_path / "runs")
        services.append(Service(runs, tiny.source, scheduler).start())
        wait(lambda: made and services[-1]._dispatcher._cluster is made[-1])
        return services[-1]

    yield started
    for service in services:
        service.close()


@pytest.fixture
def service(started):
    return started()


@pytest.fixture
def submit(service, tiny):
    def submit(owner="ada", spec=SPEC, source=tiny.source):
        return service.submit(spec, owner, Identity(tiny.name, source)).id

    return submit


def job(number=-1):
    """The newest job that the cluster has taken, or the one of this number."""
    wait(lambda: made[-1].jobs and len(made[-1].jobs) > number)
    return made[-1].jobs[number]


def end(task, result="finished", memory=5e8, address="tcp://w"):
    """A job ends: as a training that finished, with this result, or by this exception."""
    if result == "finished":
        result = finished()
    task.outcome = result
    if not isinstance(result, Exception):
        task.outcome = worker.Done(result, address, int(memory))
    task.ended(task.future)


def finished(step=8):
    checkpoint = events.Checkpoint(step, {"w": np.ones(3, np.float32)}, {})
    return worker.Result(events.Finished(step, 0.5, 0.9, 1.0, "", checkpoint), b"PK")


def idle(service):
    """Wait until the service's thread has done all that it was given."""
    done = threading.Event()
    service._dispatcher._inbox.put(done.set)
    assert done.wait(30)


def status(service, run):
    return service.runs.get(run).status


def sentence(call, *values):
    with pytest.raises(ValueError) as error:
        call(*values)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)
    return str(error.value)


# ------------------------------------------------------------------------------- whose turn it is


def test_each_visitor_trains_one_run_at_a_time_however_many_workers_are_free(service, submit):
    made[-1].free = 3
    ada = [submit("ada"), submit("ada")]
    bob = submit("bob")
    wait(lambda: len(made[-1].jobs) == 2)
    idle(service)
    assert [status(service, run) for run in (*ada, bob)] == ["running", "queued", "running"]
    end(job(0))
    wait(lambda: status(service, ada[1]) == "running")


def test_what_races_trains_side_by_side_after_everybody_had_a_turn(service, tiny, submit):
    def racer():
        return service.submit(SPEC, "ada", tiny.identity, part_of="race").id

    first = submit("ada")
    wait(lambda: status(service, first) == "running")
    racers, own, bob = [racer() for _ in range(5)], submit("ada"), submit("bob")
    made[-1].free = 3
    wait(lambda: len(made[-1].jobs) == 3)
    idle(service)
    assert {job.run for job in made[-1].jobs} == {first, bob, racers[0]}
    assert service.slots == 3 and status(service, own) == "queued"


def test_a_run_begins_with_the_weights_that_it_was_given(service, tiny):
    given = {"logits/kernel": np.ones((784, 10), np.float32)}
    run = service.submit(SPEC, "ada", tiny.identity, initial=given).id
    started = job().resume
    assert started.step == 0 and not started.state
    assert np.array_equal(started.weights["logits/kernel"], given["logits/kernel"])
    assert not service.runs.has_weights(run)


def test_visitors_take_turns_on_one_worker(service, submit):
    order = [submit("ada"), submit("ada"), submit("ada"), submit("bob")]
    for number in range(4):
        end(job(number))
        wait(lambda n=number: status(service, made[-1].jobs[n].run) == "finished")
    assert [made[-1].jobs[n].run for n in range(4)] == [order[0], order[3], order[1], order[2]]


def test_a_class_of_thirty_gets_a_run_each_before_anybody_gets_a_second(service, submit):
    pupils = [f"pupil {i}" for i in range(30)]
    first = [run for pupil in pupils for run in (submit(pupil), submit(pupil))][::2]
    for number in range(30):
        end(job(number))
        wait(lambda n=number: status(service, made[-1].jobs[n].run) == "finished")
    assert [made[-1].jobs[n].run for n in range(30)] == first


def test_one_run_may_train_and_three_may_wait(service, submit):
    running = submit()
    wait(lambda: status(service, running) == "running")
    for _ in range(3):
        submit()
    assert "3 runs waiting already" in sentence(submit)
    submit("bob")


def test_who_leaves_a_run_alone_starts_no_other_until_it_ends(service, submit, monkeypatch):
    run = submit()
    wait(lambda: status(service, run) == "running")
    submit()  # it has just begun: nobody could have looked at it longer ago
    monkeypatch.setattr(dispatcher.time, "time", lambda real=time.time: real() + 300)
    refused = sentence(submit)
    assert service.runs.get(run).name in refused and "for 5 minutes" in refused
    assert status(service, run) == "running"  # it is allowed to finish
    submit("bob")
    service.watched(run)
    submit()
    monkeypatch.setattr(dispatcher.time, "time", lambda real=time.time: real() + 300)
    sentence(submit)
    end(job(0))
    wait(lambda: status(service, run) == "finished")
    submit()


# ------------------------------------------------------------------------------- what is told


def test_what_a_queued_run_is_told_it_obeys_from_its_first_step(service, submit):
    first, second = submit(), submit()
    service.tell(second, "pause")
    service.tell(second, "learning_rate", 0.01)
    idle(service)
    end(job(0))
    told = job(1).told
    assert told == [("pause", None), ("learning_rate", 0.01)] and made[-1].told == []
    assert status(service, first) == "finished"


def test_what_a_worker_did_not_hear_it_is_told_again(service, submit):
    run = submit()
    job()
    made[-1].hears = False
    service.tell(run, "slow", 0.3)
    service.stop(run)
    idle(service)
    made[-1].hears = True
    wait(lambda: made[-1].told == [(run, "slow", 0.3), (run, "stop", None)])
    idle(service)
    assert len(made[-1].told) == 2


def test_what_a_run_was_told_is_forgotten_with_its_end(service, submit):
    run = submit()
    job()
    made[-1].hears = False
    service.stop(run)
    idle(service)
    end(job())
    wait(lambda: status(service, run) == "finished")
    service.tell(run, "pause")
    idle(service)
    service.go_on(run, 1)
    assert job(1).told == []


@pytest.mark.parametrize("told", [("nonsense",), ("learning_rate", 11.0), ("learning_rate", None)])
def test_what_no_training_can_be_told_is_refused_in_a_sentence(service, submit, told):
    sentence(service.tell, submit(), *told)


# ------------------------------------------------------------------------------- evaluations


def trained(service, submit):
    run = submit()
    end(job())
    wait(lambda: status(service, run) == "finished")
    return run


def test_an_evaluation_goes_before_runs_that_have_not_begun_and_is_kept(service, submit, tiny):
    run = trained(service, submit)
    assert service.evaluation(run) is None and service.runs.evaluation(run) is None
    running, waiting = submit(), submit()
    wait(lambda: status(service, running) == "running")
    assert service.evaluate(run).state == "waiting"
    assert service.evaluate(run).state == "waiting"  # and is done once, however often it is asked
    end(job(1))
    task = job(2)
    assert (task.run, task.step, task.data) == (
        None, 8, tiny.identity,
    )  # fmt: skip
    wait(lambda: service.evaluation(run).state == "running")
    assert status(service, waiting) == "queued"
    end(task, replace(EVALUATION, step=8))
    wait(lambda: service.evaluation(run).state == "done")
    kept = service.runs.evaluation(run)
    assert kept.probabilities.dtype == np.float32 and kept.labels.dtype == np.uint8
    np.testing.assert_array_equal(kept.probabilities, EVALUATION.probabilities)
    np.testing.assert_array_equal(kept.labels, EVALUATION.labels)
    assert (kept.loss, kept.step) == (2.3, 8)
    assert job(3).run == waiting
    assert service.evaluate(run).state == "done"


def test_training_further_makes_an_evaluation_void(service, submit):
    run = trained(service, submit)
    service.runs.save_evaluation(run, replace(EVALUATION, step=8))
    assert service.runs.evaluation(run)
    service.runs.save_checkpoint(run, finished(12).event.last)
    assert service.runs.evaluation(run) is None and service.evaluation(run) is None


def test_the_default_model_is_evaluated_once_for_each_data(service, tiny):
    asked = service.evaluate(DEFAULT, tiny.identity)
    assert asked.state == "waiting"
    task = job()
    assert (task.spec, task.step) == (models.default().spec, 0)
    end(task, EVALUATION)
    wait(lambda: service.evaluation(DEFAULT, tiny.digest).state == "done")
    assert service.runs.evaluation(DEFAULT, tiny.digest).loss == 2.3
    assert service.runs.evaluation(DEFAULT, "other data") is None
    assert Runs(service.runs.folder).evaluation(DEFAULT, tiny.digest)


ENDS = {
    "died": (WorkerDied(), "The training process ended unexpectedly during the evaluation"),
    "bad": (RuntimeError("no such thing"), SORRY),
}


@pytest.mark.parametrize(("error", "says"), ENDS.values(), ids=ENDS)
def test_an_evaluation_that_fails_says_why_and_can_be_asked_for_again(
    service, submit, error, says, faults
):
    run = trained(service, submit)
    service.evaluate(run)
    end(job(1), error)
    wait(lambda: service.evaluation(run).state == "failed")
    assert service.evaluation(run).message.startswith(says)
    assert len(faults) == isinstance(error, RuntimeError)
    faults.clear()
    assert service.evaluate(run).state == "waiting"
    end(job(2), replace(EVALUATION, step=8))
    wait(lambda: service.evaluation(run).state == "done")


def test_what_cannot_be_evaluated_says_why(service, submit):
    run = submit()
    assert "not over yet" in sentence(service.evaluate, run)
    assert "no such run" in sentence(service.evaluate, "nobody")
    assert "on which" in sentence(service.evaluate, DEFAULT)
    end(job(), WorkerDied())
    wait(lambda: status(service, run) == "interrupted")
    assert "no weights" in sentence(service.evaluate, run)


# ------------------------------------------------------------------------------- data, memory


def test_data_that_a_worker_lacks_is_sent_to_it_and_the_job_begins_again(service, submit, tiny):
    run = submit()
    end(job(), None, address="tcp://far")
    end(job(1))
    wait(lambda: status(service, run) == "finished")
    assert made[-1].shipped == [("tcp://far", tiny.digest, tiny.name)]
    service.evaluate(run)
    end(job(2), None, address="tcp://farther")
    end(job(3), replace(EVALUATION, step=8))
    wait(lambda: service.evaluation(run).state == "done")
    assert [address for address, *_ in made[-1].shipped] == ["tcp://far", "tcp://farther"]


def test_a_worker_that_has_grown_is_replaced_between_two_jobs(service, submit):
    first, second, third = submit(), submit(), submit()
    end(job(0), memory=dispatcher.LARGE - 1)
    wait(lambda: status(service, second) == "running")
    assert made[-1].replaced == []
    end(job(1), memory=dispatcher.LARGE + 1)
    wait(lambda: status(service, third) == "running")
    wait(lambda: len(made[-1].jobs) == 3)
    assert made[-1].replaced == ["tcp://w"]
    assert status(service, first) == status(service, second) == "finished"


# ------------------------------------------------------------------------------- bad luck


def on_machines(started, checkpoint):
    """A run on a cluster of two machines, with a checkpoint or without."""
    service = started("tcp://127.0.0.1:8786")
    run = service.submit(SPEC, "ada", Identity("d", "sample")).id
    task, made[-1].free = job(), 2
    if checkpoint:
        made[-1].checkpoint = finished(4).event.last
        hear(run, events.Started(8, 2, 512, 128, 10), events.Checkpointed(4))
        wait(lambda: service.runs.has_weights(run))
    return service, run, task


def test_a_run_whose_machine_is_gone_is_taken_up_on_another_from_its_last_checkpoint(started):
    service, run, task = on_machines(started, checkpoint=True)
    end(task, WorkerDied())
    again = job(1)
    assert (again.run, again.resume.step) == (run, 4)
    assert events.Marked(4, "another machine") in service.runs.history(run)
    end(again)
    wait(lambda: status(service, run) == "finished")


def test_a_run_that_may_be_what_ends_machines_is_taken_up_once(started):
    service, run, task = on_machines(started, checkpoint=True)
    end(task, WorkerDied())
    end(job(1), WorkerDied())
    wait(lambda: status(service, run) == "interrupted")
    assert "its last checkpoint is kept" in service.runs.get(run).message


@pytest.mark.parametrize("why", ["no checkpoint", "no other machine"])
def test_a_run_that_cannot_go_on_elsewhere_is_interrupted(started, why):
    service, run, task = on_machines(started, checkpoint=why != "no checkpoint")
    made[-1].free = 0 if why == "no other machine" else 2
    end(task, WorkerDied())
    wait(lambda: status(service, run) == "interrupted")


def test_a_lost_scheduler_interrupts_its_runs_and_a_new_one_takes_the_next(started, tiny):
    service = started("tcp://127.0.0.1:1")
    old = made[-1]
    running = service.submit(SPEC, "ada", tiny.identity).id
    waiting = service.submit(SPEC, "ada", tiny.identity).id
    job()
    old.alive = False
    wait(lambda: len(made) == 2)
    assert old.closed and status(service, running) == "interrupted"
    assert service.runs.get(running).message == (
        "The connection to the training cluster was lost; it had no checkpoint yet, so train it "
        "again."
    )
    end(job(0))
    wait(lambda: status(service, waiting) == "finished")
    end(old.jobs[0], ClusterLost())  # heard of too late
    idle(service)
    assert service._dispatcher._cluster is made[-1] and status(service, running) == "interrupted"


def test_a_scheduler_that_does_not_answer_is_tried_until_it_does(started, tiny, monkeypatch):
    service = started("tcp://127.0.0.1:1")
    with monkeypatch.context() as patch:
        patch.setattr(Cluster, "listen", lambda *_: (_ for _ in ()).throw(OSError("refused")))
        made[-1].alive = False
        wait(lambda: service.state == "away")
        assert service.message == (
            "Training waits for the scheduler at tcp://127.0.0.1:1, which does not answer. It is "
            "tried again every few seconds."
        )
        run = service.submit(SPEC, "ada", tiny.identity).id
        wait(lambda: len(made) > 3)
        assert all(found.closed for found in made[:-1])  # a half-open one is not left behind
        assert status(service, run) == "queued"
    wait(lambda: service.state != "away")
    wait(lambda: made[-1].jobs)
    assert service.message == "" and status(service, run) == "running"


def test_a_cluster_without_workers_says_what_is_missing(started, tiny):
    service = started("tcp://127.0.0.1:1")
    made[-1].free = 0
    run = service.submit(SPEC, "ada", tiny.identity).id
    wait(lambda: "has no worker: start one with --resources train=1." in service.message)
    assert status(service, run) == "queued"
    made[-1].free = 1
    wait(lambda: status(service, run) == "running" and service.message == "")


def test_a_worker_out_of_memory_is_a_sentence_in_the_run(service, submit):
    run = submit()
    end(job(), worker.Result(events.Failed(0, worker.OUT_OF_MEMORY)), memory=1.4e9)
    wait(lambda: status(service, run) == "failed")
    assert service.runs.get(run).message == worker.OUT_OF_MEMORY
    wait(lambda: made[-1].replaced == ["tcp://w"])
    killed = submit()  # the system's own way of saying it
    end(job(1), WorkerDied())
    wait(lambda: status(service, killed) == "interrupted")
    assert service.runs.get(killed).message.endswith("short of memory: make the design smaller.")


def no_room(*_):
    raise FULL


def test_a_full_disk_at_the_end_of_a_run_leaves_its_last_checkpoint(service, submit, monkeypatch):
    run = submit()
    task = job()
    service.runs.save_checkpoint(run, finished(4).event.last)
    with monkeypatch.context() as patch:
        patch.setattr("mnist_core.storage.files.os.replace", no_room)
        end(task)
        wait(lambda: status(service, run) == "interrupted")
    assert service.runs.get(run).message == (
        "The training ended, but its model could not be saved (No space left on device): make room "
        "on the server's disk; its last checkpoint is kept and can still answer drawings."
    )
    assert service.runs.checkpoint(run).step == 4
    folder = service.runs.folder / "artifacts" / run
    assert [file.name for file in folder.iterdir()] == ["checkpoint.npz"]  # and no half file
    service.go_on(run)
    assert job(1).resume.step == 4
    end(job(1))
    wait(lambda: status(service, run) == "finished")


@contextmanager
def full_disk(service, run, monkeypatch):
    """A run whose checkpoint finds no room on the way, for as long as this lasts."""
    made[-1].checkpoint = finished(4).event.last
    with monkeypatch.context() as patch:
        patch.setattr("mnist_core.storage.files.os.replace", no_room)
        hear(run, events.Checkpointed(4))
        wait(lambda: "make room on the server's disk" in service.message)
        yield


def test_a_full_disk_during_a_run_is_said_and_the_run_goes_on(service, submit, monkeypatch):
    run, task = submit(), job()
    with full_disk(service, run, monkeypatch):
        assert status(service, run) == "running" and not service.runs.has_weights(run)
    hear(run, events.Checkpointed(4))
    wait(lambda: service.message == "")  # there is room again: nothing is amiss
    assert service.runs.checkpoint(run).step == 4
    end(task)
    wait(lambda: status(service, run) == "finished")


def test_what_was_said_of_a_run_goes_with_it(service, submit, monkeypatch):
    run, task = submit(), job()
    with full_disk(service, run, monkeypatch):
        end(task)
        wait(lambda: status(service, run) == "interrupted")
    wait(lambda: service.message == "")


def test_two_things_amiss_are_both_said_and_each_is_cleared_by_its_owner(service):
    held = service._dispatcher
    held.amiss("disk", "There is no room.")
    held.amiss("records", "The records are locked.")
    assert service.message == "There is no room. The records are locked."
    held.amiss("disk")
    assert service.message == "The records are locked."
    held.amiss("records")
    assert service.message == ""


# ------------------------------------------------------------------------------- model files


def test_a_model_file_is_made_once_and_kept(service, submit):
    run = trained(service, submit)
    assert service.conversion(run, "model.onnx") is None
    for _ in range(2):  # however often it is asked
        assert service.convert(run, "model.onnx").state in ("waiting", "running")
    task = job(1)
    assert (task.file, task.spec) == ("model.onnx", SPEC)
    np.testing.assert_equal(task.weights, service.runs.checkpoint(run).answer)
    assert service.evaluate(run).state == "waiting"  # another matter
    end(task, b"ONNX")
    wait(lambda: service.conversion(run, "model.onnx").state == "done")
    assert service.runs.model_file(run, "model.onnx").read_bytes() == b"ONNX"
    assert service.convert(run, "model.onnx").state == "done"
    end(job(2), EVALUATION)


def test_a_model_file_of_a_run_that_was_trained_further_meanwhile_is_not_kept(service, submit):
    run = trained(service, submit)
    service.convert(run, "model.tflite")
    task = job(1)
    service.runs.save_checkpoint(run, finished(99).event.last)
    end(task, b"old")
    wait(lambda: service.conversion(run, "model.tflite") is None)
    assert service.runs.model_file(run, "model.tflite") is None


@pytest.mark.parametrize(("error", "says"), [
    (WorkerDied(), "The training process ended unexpectedly during the conversion: try again."),
    (RuntimeError("no such thing"), SORRY),
])  # fmt: skip
def test_a_conversion_that_fails_says_why(service, submit, error, says, faults):
    run = trained(service, submit)
    service.convert(run, "model.onnx")
    end(job(1), error)
    wait(lambda: service.conversion(run, "model.onnx").state == "failed")
    assert service.conversion(run, "model.onnx").message == says
    assert len(faults) == isinstance(error, RuntimeError)
    faults.clear()
    assert service.convert(run, "model.onnx").state == "waiting"
    end(job(2), b"ONNX")


def test_what_has_no_weights_is_not_converted(service, submit):
    run = submit()
    job()
    assert "not over yet" in sentence(service.convert, run, "model.onnx")
    assert "no such run" in sentence(service.convert, "nobody", "model.onnx")


def test_an_imported_model_is_measured_and_can_be_trained_further(service, tiny):
    model = models.default()
    run = service.adopt(model, "ada", tiny.identity)
    task = job()
    np.testing.assert_equal(service.runs.checkpoint(run.id).answer, model.network.weights())
    answers = np.eye(10, dtype=np.float32)[[0, 1, 1, 3]]
    end(task, Evaluation(answers, np.arange(4, dtype=np.uint8), 2.5, task.step))
    wait(lambda: service.runs.get(run.id).test_accuracy == 0.75)
    assert service.runs.get(run.id).test_loss == 2.5
    assert "say how many epochs more" in sentence(service.go_on, run.id)
    service.go_on(run.id, 1)
    spec = model.spec
    steps = int(640 * (1 - spec.validation_share)) // spec.batch_size
    assert job(1).resume.step == steps * spec.epochs and job(1).resume.state == {}


def test_a_full_disk_under_an_evaluation_is_said(service, submit, monkeypatch):
    run = trained(service, submit)
    service.evaluate(run)
    task = job(1)
    with monkeypatch.context() as patch:
        patch.setattr("mnist_core.storage.files.os.replace", no_room)
        end(task, EVALUATION)
        wait(lambda: service.evaluation(run).state == "failed")
    assert "could not be saved (No space left on device)" in service.evaluation(run).message


HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA locking_mode = EXCLUSIVE")
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
db.execute("COMMIT")
"""


@pytest.fixture
def locked(service, monkeypatch):
    """Another process holds the run records to itself, until this is called."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    command = [sys.executable, "-c", HOLDER, str(service.runs.folder / "runs.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        yield lambda: holder.communicate(b"\n", timeout=30)
        holder.kill()


@pytest.fixture
def under_way(submit):
    run = submit()
    return run, job()


def test_nothing_is_lost_while_another_program_locks_the_records(
    service, submit, under_way, request
):
    run, task = under_way
    unlock = request.getfixturevalue("locked")
    hear(run, events.Compiled(1.0))
    end(task)
    wait(lambda: "locked by another program" in service.message)
    assert sentence(submit) == database._TROUBLES["SQLITE_BUSY"]
    unlock()
    wait(lambda: status(service, run) == "finished")
    wait(lambda: service.message == "")
    assert [type(e) for e in service.runs.history(run)] == [events.Compiled, events.Finished]


def test_a_full_database_waits_for_room_too(service, submit, monkeypatch):
    run, task = submit(), job()
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorname = "SQLITE_FULL"
    real, tried = sqlite3.connect, queue.Queue()

    def connect(*values, **named):
        if threading.current_thread() is service._dispatcher._thread and tried.qsize() < 3:
            tried.put(1)
            raise full
        return real(*values, **named)

    with monkeypatch.context() as patch:
        patch.setattr(database.sqlite3, "connect", connect)
        end(task)
        wait(lambda: tried.qsize() == 3)
    wait(lambda: status(service, run) == "finished")
    assert service.runs.has_weights(run) and service.runs.history(run)


def test_a_design_over_the_limits_goes_past_no_gate(service, submit):
    with pytest.raises(SpecError):
        submit(spec=replace(SPEC, epochs=10_000))
    assert not service.runs.active() and not made[-1].jobs


@pytest.mark.parametrize("design", ['{"epochs": "10000"}', '{"net": "9999-relu"}', "[1]", "no"])
def test_a_record_made_by_hand_is_never_trained_and_holds_nobody_up(service, submit, design):
    run = submit("bob")
    task = job()
    forged = submit("mallory")
    with sqlite3.connect(service.runs.folder / "runs.sqlite") as db:
        db.execute("UPDATE runs SET spec = ? WHERE id = ?", (design, forged))
    db.close()
    after = submit()
    end(task)
    assert job(1).run == after and job(0).run == run and len(made[-1].jobs) == 2
    assert service.runs.get(forged) is None


def test_a_checkpoint_that_cannot_be_read_fails_its_run_alone(service, submit):
    run = trained(service, submit)
    (service.runs.folder / "artifacts" / run / "checkpoint.npz").write_bytes(b"PK\3\4 nonsense")
    service.go_on(run, 1)
    wait(lambda: status(service, run) == "failed")
    says = "The training could not begin. This run's files are damaged"
    assert service.runs.get(run).message.startswith(says)
    again = submit("bob")
    end(job(1))
    wait(lambda: status(service, again) == "finished")


def test_closing_does_not_wait_for_locked_records(service, under_way, locked):
    end(under_way[1])
    wait(lambda: "locked" in service.message)
    began = time.monotonic()
    service.close()
    assert time.monotonic() - began < 10 and made[-1].closed


# ------------------------------------------------------------------------------- expiry


def aged(service, run, days):
    with sqlite3.connect(service.runs.folder / "runs.sqlite") as db:
        db.execute("UPDATE runs SET ended = ended - ? WHERE id = ?", (days * 86400, run))
    db.close()


def test_old_runs_go_when_a_run_ends_but_none_that_is_looked_at(service, submit):
    ids = []
    for number in range(3):
        ids.append(submit())
        end(job(number))
        wait(lambda: status(service, ids[-1]) == "finished")
    old, watched, new = ids
    aged(service, old, 31)
    aged(service, watched, 31)
    service.watched(watched)
    last = submit()
    end(job(3))
    wait(lambda: service.runs.get(old) is None)
    assert all(service.runs.get(run) for run in (watched, new, last))
    assert not (service.runs.folder / "artifacts" / old).exists()


def test_own_data_go_by_the_clock_though_nobody_trains(started, monkeypatch):
    swept = []
    monkeypatch.setattr(dispatcher, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(dispatcher, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(storage, "sweep", lambda: swept.append(1))
    started()
    wait(lambda: len(swept) > 2)


def test_what_was_promised_to_be_deleted_is_so_while_no_training_can_be(tmp_path, monkeypatch):
    class Gone(Cluster):
        def __init__(self, address, folder):
            raise OSError("no such address")

    swept = []
    monkeypatch.setattr(cluster, "Cluster", Gone)
    monkeypatch.setattr(dispatcher, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(storage, "sweep", lambda: swept.append(1))
    for address in ("tcp://127.0.0.1:1", None):  # away; failed for good
        swept.clear()
        service = Service(Runs(tmp_path / "runs"), "sample", address).start()
        wait(lambda: len(swept) > 2)
        assert service.state == ("away" if address else "failed")
        service.close()


def test_old_runs_go_at_the_start(started, tiny):
    first = started()
    run = first.submit(SPEC, "ada", tiny.identity).id
    end(job())
    wait(lambda: status(first, run) == "finished")
    first.close()
    aged(first, run, 31)
    made.clear()
    second = started()
    wait(lambda: second.runs.get(run) is None)
