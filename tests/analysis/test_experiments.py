"""Sweeps and races under way, around a service that only pretends to train."""

import threading
import time

import numpy as np
import pytest

from mnist_core import storage
from mnist_core.analysis import experiments, race
from mnist_core.analysis.experiments import Sweeps
from mnist_core.analysis.sweep import Plan
from mnist_core.basis import LabError
from mnist_core.data.identity import Identity
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.runs.records import Runs
from mnist_core.training import events

PLAN = Plan(RunSpec((Layer(32),), epochs=1), {"units": (16, 32, 64)}, seconds=60.0)


class Service:
    """Ends each run at once, unless the test holds it; `most` is how many were open at a time."""

    def __init__(self, runs):
        self.runs, self.state, self.message, self.slots = runs, "ready", "", 1
        self.held, self.most, self.refuses, self.closed = threading.Event(), 0, "", False
        self.held.set()

    def submit(self, spec, owner, data, part_of="", initial=None):
        return self.submit_all([(spec, initial)], owner, data, part_of)[0]

    def submit_all(self, designs, owner, data, part_of=""):
        if self.refuses:
            raise LabError(self.refuses)
        made = self.runs.create_all(designs, owner, data, part_of)
        for run in made:
            self.runs.begin(run.id)
            threading.Thread(target=self._train, args=(run,), daemon=True).start()
        self.most = max(self.most, len(self.runs.active()))
        return made

    def _train(self, run):
        self.held.wait()
        score = run.spec.layers[0].units / 100
        self.runs.append(run.id, [events.EpochEnded(1, 9, 1.0, 0.5, 1.0, score, 0.1)])
        self.runs.end(run.id, "finished", test_accuracy=score)

    def stop(self, run):
        self.runs.end(run, "stopped")

    def watched(self, run):
        pass


@pytest.fixture
def service(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "POLL_SECONDS", 0.01)
    return Service(Runs(tmp_path))


@pytest.fixture
def lab(service):
    lab = Sweeps(service)
    yield lab
    service.held.set()
    lab.close()


def wait(condition, seconds=20.0):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "This did not happen in time."
        time.sleep(0.005)


def start(lab, plan=PLAN):
    return lab.start(plan, "ada", Identity("d", "sample")).id


def ended(lab, group):
    wait(lambda: lab.runs.group(group).status != "running")
    return lab.runs.group(group)


def test_a_sweep_trains_every_combination_as_a_run_of_its_owner(lab, service):
    group = ended(lab, start(lab))
    assert (group.status, group.message) == ("finished", "Every combination was tried.")
    trials = experiments.trials(lab.runs, group)
    assert {t.values["units"]: t.score for t in trials} == {16: 0.16, 32: 0.32, 64: 0.64}
    assert {run.owner for run in lab.runs.members(group.id)} == {"ada"}
    assert lab.runs.of("ada") == [] and service.most == 1


def test_as_many_trials_as_workers_are_under_way_and_no_more(lab, service):
    service.slots = 2
    service.held.clear()
    group = start(lab)
    wait(lambda: service.most == 2)
    service.held.set()
    ended(lab, group)
    assert service.most == 2


def test_a_stop_keeps_what_is_there_and_what_it_cuts_off_does_not_count(lab, service):
    service.slots = 2
    service.held.clear()
    group = start(lab)
    wait(lambda: len(lab.runs.active()) == 2)
    lab.stop(group)
    found = ended(lab, group)
    assert (found.status, found.body["scores"]) == ("stopped", {})
    assert {run.status for run in lab.runs.members(group)} == {"stopped"}
    service.held.set()
    lab.go_on(group, 30.0)
    found = ended(lab, group)
    assert len(found.body["scores"]) == 3 and found.body["seconds"] >= 30


def test_a_used_up_budget_ends_a_sweep(lab, service):
    service.held.clear()
    group = lab.start(Plan(PLAN.base, PLAN.values, seconds=5.0), "ada", Identity("d", "sample"))
    lab._under_way[group.id]._body["spent"] = 4.99
    found = ended(lab, group.id)
    assert found.status == "finished" and "5 seconds are used up" in found.message


def test_the_budget_waits_for_the_training_process(lab, service):
    service.state = "starting"
    service.held.clear()
    group = start(lab)
    wait(lambda: lab.runs.active())
    time.sleep(0.1)
    assert lab._under_way[group]._body["spent"] == 0.0
    service.state = "ready"
    wait(lambda: lab._under_way[group]._body["spent"] > 0)


def test_a_server_that_closes_trains_no_more_trials_and_the_next_one_says_so(lab, service):
    service.held.clear()
    group = start(lab)
    wait(lambda: lab.runs.active())
    service.closed = True
    service.held.set()
    wait(lambda: group not in lab._under_way)
    assert len(lab.runs.members(group)) == 1 and lab.runs.group(group).status == "running"
    Sweeps(service)
    assert lab.runs.group(group).status == "interrupted"


def test_designs_that_no_host_takes_are_passed_over(lab):
    wide = Plan(RunSpec((Layer(1024),) * 4, epochs=1), {"units": (16, 1024), "depth": (1, 6)})
    found = ended(lab, start(lab, wide))
    assert found.status == "finished" and len(lab.runs.members(found.id)) == 3


def test_what_cannot_be_is_a_sentence(lab, service):
    with pytest.raises(ValueError, match="two values or more"):
        start(lab, Plan(PLAN.base, {"units": (16,)}))
    service.held.clear()
    start(lab)
    with pytest.raises(ValueError, match="You have a sweep under way"):
        start(lab)
    with pytest.raises(ValueError, match="not there"):
        lab.go_on("nobody", 30.0)
    service.state, service.message = "failed", "Training is not available."
    with pytest.raises(ValueError, match="not available"):
        lab.start(PLAN, "bob", Identity("d", "sample"))


def test_a_refusal_ends_the_sweep_with_its_words(lab, service):
    service.refuses = "Your run is still training."
    found = ended(lab, start(lab))
    assert found.status == "interrupted" and "still training" in found.message


def test_a_sweep_that_dies_takes_its_trials_with_it(lab, service, monkeypatch, faults):
    """They would train on, in no list, and count as runs that nobody looks at."""
    service.slots = 2
    service.held.clear()
    group = start(lab)
    wait(lambda: len(lab.runs.active()) == 2)
    monkeypatch.setattr(experiments._Sweep, "_wait", lambda self: {}["gone"])
    found = ended(lab, group)
    assert found.status == "interrupted" and "was recorded" in found.message
    assert not lab.runs.active()
    assert {run.status for run in lab.runs.members(group)} == {"stopped"}
    assert "KeyError" in str(faults[0].exc_info)
    faults.clear()


def test_what_an_earlier_server_left_is_interrupted_and_can_go_on(lab, service):
    group = lab.runs.create_group(
        "ada", "sweep", PLAN.to_body() | {"data": "d", "source": "s", "spent": 7.0, "scores": {}}
    )
    later = Sweeps(service)
    assert lab.runs.group(group.id).status == "interrupted"
    later.go_on(group.id, 10.0)
    assert len(ended(later, group.id).body["scores"]) == 3


# ------------------------------------------------------------------------------ races

RACERS = {"Adam": PLAN.base, "SGD": RunSpec((Layer(32),), optimizer="sgd", epochs=1)}


def test_a_race_begins_its_runs_with_the_same_weights(lab, service):
    service.held.clear()
    group = lab.race(RACERS, "ada", Identity("d", "sample"), "Optimizer", "SGD")
    assert group.body["guess"] == "SGD"
    assert list(group.body["names"].values()) == ["Adam", "SGD"] and not lab.race_over(group.id)
    starts = [lab.runs.start(run).weights for run in group.body["names"]]
    for name, weight in race.initial_weights(PLAN.base).items():
        assert all(np.array_equal(start[name], weight) for start in starts)
    with pytest.raises(ValueError, match="You have a race under way"):
        start(lab)
    service.held.set()
    wait(lambda: lab.race_over(group.id))
    assert lab.runs.group(group.id).status == "finished"
    assert len(lab.runs.of("ada")) == 2


def test_a_stopped_race_is_over(lab, service):
    service.held.clear()
    group = lab.race(RACERS, "ada", Identity("d", "sample"), "Optimizer")
    lab.stop(group.id)
    assert lab.race_over(group.id) and lab.runs.group(group.id).status == "stopped"


def test_a_race_that_is_refused_leaves_nothing(lab, service):
    with pytest.raises(ValueError, match="2 to 6 networks"):
        lab.race({"Adam": PLAN.base}, "ada", Identity("d", "sample"), "Optimizer")
    service.refuses = "No."
    with pytest.raises(ValueError, match="No"):
        lab.race(RACERS, "ada", Identity("d", "sample"), "Optimizer")
    assert lab.runs.groups("ada", "race") == []


def test_a_race_that_breaks_off_half_made_leaves_nothing(lab, monkeypatch):
    def full(*_):
        if list((lab.runs.folder / "artifacts").glob("*/initial.npz")):
            raise OSError(28, "No space left on device")
        real(*_)

    real = storage.write
    monkeypatch.setattr("mnist_core.storage.write", full)
    with pytest.raises(OSError):  # the real service makes a sentence of it
        lab.race(RACERS, "ada", Identity("d", "sample"), "Optimizer")
    assert lab.runs.groups("ada", "race") == [] and not lab.runs.kept()
    assert lab.runs.running_groups("race") == []


def test_a_race_goes_on_over_a_restart_of_the_page(lab, service):
    service.held.clear()
    group = lab.race(RACERS, "ada", Identity("d", "sample"), "Optimizer")
    assert not Sweeps(service).race_over(group.id)


def test_a_score_is_the_last_epochs_validation():
    one, two = (events.EpochEnded(n, n, 1.0, 0.5, 1.0, n / 10, 0.1) for n in (1, 2))
    assert experiments.score([one, two]) == 0.2 and experiments.score([]) is None
