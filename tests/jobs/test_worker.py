"""What a worker does with a job, without the process around it: data, memory, answers."""

from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from mnist_core.data import dataset
from mnist_core.data.identity import Identity
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.jobs import worker
from mnist_core.runs import models
from mnist_core.training import engine, events, inside

SHORT = RunSpec(layers=(Layer(16),), batch_size=64, epochs=1)
QUERY = SHORT.to_query()


@pytest.fixture(autouse=True)
def told(monkeypatch):
    """The messages that leave the worker."""
    messages = []
    here = SimpleNamespace(address="tcp://w", log_event=lambda topic, what: messages.append(what))
    monkeypatch.setattr(worker, "get_worker", lambda: here)
    monkeypatch.setattr(worker, "_shipped", {})
    return messages


@pytest.fixture
def here(tiny):
    return tiny.identity


def test_a_training_obeys_what_it_was_told_before_it_began(here, told):
    done = worker.train("a", QUERY, here, told=[("learning_rate", 0.01), ("stop", None)])
    assert isinstance(done.result.event, events.Stopped) and done.result.event.step == 0
    assert done.result.event.last.learning_rate == 0.01
    assert (done.worker, worker._jobs) == ("tcp://w", {})
    assert 0.2 < done.memory / psutil.Process().memory_info().rss < 5
    assert {message["run"] for message in told} == {"a"}


def test_a_look_inside_waits_to_be_fetched_and_is_announced_after_its_step(here, told, monkeypatch):
    fetched = []
    monkeypatch.setattr(inside, "REST_SECONDS", 0.0)
    monkeypatch.setattr(worker, "get_worker", lambda: SimpleNamespace(
        address="tcp://w", log_event=lambda topic, what: (told.append(what), fetched.append(
            worker.newest_look("a")))))  # fmt: skip
    worker.train("a", QUERY, here, told=[("look", 1.0)])
    looked = [i for i, message in enumerate(told) if message.get("looked")]
    assert looked and fetched[looked[0]].step > 0
    steps = [said["step"] for m in told[: looked[0] + 1] for said in m["events"] if "step" in said]
    assert max(steps) == fetched[looked[0]].step
    said = [said["kind"] for message in told for said in message["events"]]
    assert "Inside" not in said and said.count("Started") == 1
    assert worker.newest_look("a") is None  # the run is over


class ResourceExhaustedError(Exception):
    """As TensorFlow calls it."""


@pytest.mark.parametrize("error", [MemoryError(), ResourceExhaustedError("OOM allocating")])
def test_a_training_that_runs_out_of_memory_fails_with_a_sentence(here, monkeypatch, error):
    def train(*_):
        yield events.Started(1, 1, 1, 1, 1)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(engine, "train", train)
        result = worker.train("a", QUERY, here).result
    assert result.event == events.Failed(0, worker.OUT_OF_MEMORY) and worker._jobs == {}
    assert isinstance(worker.train("a", QUERY, here).result.event, events.Finished)


def test_tensorflow_calls_it_by_this_name():
    error = engine.tf.errors.ResourceExhaustedError(None, None, "OOM")
    assert worker._is_out_of_memory(error)
    assert not worker._is_out_of_memory(engine.tf.errors.InvalidArgumentError(None, None, "no"))


def test_another_error_is_not_taken_for_want_of_memory(here, monkeypatch):
    monkeypatch.setattr(engine, "train", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.train("a", QUERY, here)
    assert worker._jobs == {}


def test_data_that_is_elsewhere_or_another_is_asked_for_and_then_used(tiny, told):
    digest = tiny.digest
    for source in ("/nowhere.npz", "sample"):
        missing = Identity("", source, digest)
        assert worker.train("a", QUERY, missing).result is None
        assert worker.evaluate(QUERY, {}, missing).result is None
    assert told == [] and worker._jobs == {}
    worker.receive(digest, tiny)
    result = worker.train("a", QUERY, Identity("", "/nowhere.npz", digest)).result
    assert result.event.step == 512 // 64
    for other in "bcd":
        worker.receive(other, tiny)
    assert list(worker._shipped) == ["c", "d"]


def test_data_that_nobody_can_read_is_a_sentence():
    with pytest.raises(dataset.DataError, match="does not exist"):
        worker.train("a", QUERY, Identity("", "/nowhere.npz"))


def test_the_default_model_answers_as_the_pages_show_it(here, tiny):
    model = models.default()
    found = worker.evaluate(model.spec.to_query(), model.network.weights(), here, 7).result
    expected = model.network.predict(tiny.test.images)
    assert found.probabilities.dtype == np.float32 and found.probabilities.shape == (200, 10)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    np.testing.assert_array_equal(found.labels, tiny.test.labels)
    chosen = expected[np.arange(200), tiny.test.labels]
    assert found.loss == pytest.approx(-np.log(chosen).mean(), rel=1e-3) and found.step == 7


def test_an_evaluation_says_what_the_run_was_measured_at(here):
    result = worker.train("a", QUERY, here).result
    found = worker.evaluate(QUERY, result.event.last.answer, here).result
    assert found.loss == pytest.approx(result.event.test_loss, rel=1e-5)
    accuracy = (found.probabilities.argmax(axis=1) == found.labels).mean()
    assert accuracy == pytest.approx(result.event.test_accuracy)
