"""The events of a run, and their form on the wire."""

import dataclasses
import json

import numpy as np
import pytest

from mnist_core.training import events

CHECKPOINT = events.Checkpoint(7, {"dense_1/kernel": np.ones((2, 3), np.float32)}, {})
EXAMPLES = [
    events.Predicted(0.4, 1.0, 4.1, 900_000_000),
    events.Started(1500, 10, 48_000, 12_000, 101_770),
    events.Started(1500, 10, 48_000, 12_000, 101_770, step=750),
    events.Compiled(1.25),
    events.Progress(4, 4, 2.3025850929940455, 0.109375, 0.01, 12_800.0),
    events.EpochEnded(1, 1500, 0.3, 0.91, 0.15, 0.95, 0.4),
    events.Checkpointed(1500, CHECKPOINT),
    events.Marked(160, "paused"),
    events.Marked(160, "learning rate", 0.003),
    events.Finished(15_000, 0.07, 0.978, 4.2, "Ended early.", CHECKPOINT),
    events.Stopped(750, 0.2, 0.93, 0.2, checkpoint=CHECKPOINT),
    events.Failed(12, "The loss became nan at step 12."),
]


def test_there_is_an_example_of_every_kind():
    assert {type(event) for event in EXAMPLES} == set(events.KINDS.values())


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_survives_the_wire_as_json(event):
    again = events.from_wire(json.loads(json.dumps(events.to_wire(event))))
    assert type(again) is type(event)
    for field in dataclasses.fields(event):
        if field.name != "checkpoint":
            assert getattr(again, field.name) == getattr(event, field.name)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_a_checkpoint_never_goes_on_the_wire(event):
    wire = events.to_wire(event)
    assert "checkpoint" not in wire
    assert getattr(events.from_wire(wire), "checkpoint", None) is None


def test_a_checkpoint_is_left_out_of_comparison_and_print():
    with_one = events.Finished(1, 2.0, 0.5, 1.0, checkpoint=CHECKPOINT)
    assert with_one == events.Finished(1, 2.0, 0.5, 1.0)
    assert "checkpoint" not in repr(with_one)


def test_reading_the_wire_leaves_the_message_as_it_was():
    wire = events.to_wire(events.Compiled(1.0))
    events.from_wire(wire)
    assert wire == {"kind": "Compiled", "seconds": 1.0}


@pytest.mark.parametrize("wire", [
    {"kind": "Paused", "step": 1},  # of a later version
    {"kind": "Failed", "step": 1, "message": "No.", "advice": "Yes."},
    {"kind": "Failed", "step": 1},
    {"step": 1},
])  # fmt: skip
def test_what_is_not_known_here_is_no_event(wire):
    assert events.from_wire(wire) is None


def test_events_cannot_be_changed():
    for event in EXAMPLES:
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.step = 0


def test_a_record_from_before_there_were_notes_is_read():
    wire = {"kind": "Finished", "step": 1, "test_loss": 2.0, "test_accuracy": 0.5, "seconds": 1.0}
    assert events.from_wire(wire) == events.Finished(1, 2.0, 0.5, 1.0)


# ------------------------------------------------------------------------------- what answers

LAST, BEST = {"logits/bias": np.zeros(10)}, {"logits/bias": np.ones(10)}


@pytest.mark.parametrize(
    ("best", "answer"),
    [(None, LAST), (events.Best(2, 0.9, BEST), BEST), (events.Best(2, 0.1, {}), LAST)],
)
def test_the_best_weights_answer_if_they_were_kept(best, answer):
    assert events.Checkpoint(7, LAST, {}, best=best).answer is answer


# ------------------------------------------------------------------------------- timeline


def progress(*steps):
    return [events.Progress(step, 10, 0.5, 0.9, 0.1, 1e5) for step in steps]


def started(step=0):
    return [events.Started(20, 5, 640, 160, 1000, step), events.Compiled(0.5)]


def epoch(n):
    return [events.EpochEnded(n, 20 * n, 0.5, 0.9, 0.4, 0.9, 0.2), events.Checkpointed(20 * n)]


def test_a_run_in_one_go_is_its_own_timeline():
    paused, resumed = events.Marked(10, "paused"), events.Marked(10, "resumed")
    history = [*started(), *progress(10), paused, resumed, *progress(20), *epoch(1),
               events.Finished(20, 0.3, 0.9, 1.0)]  # fmt: skip
    assert events.timeline(history) == history
    assert events.timeline([]) == []


def test_what_came_after_the_checkpoint_happened_to_nobody():
    before = [*started(), *progress(10, 20), *epoch(1)]
    lost = [*progress(30, 40), *epoch(2), events.Marked(45, "learning rate", 0.1), *progress(50)]
    after = [*started(20), *progress(24, 40), *epoch(2)]
    assert events.timeline([*before, *lost, *after]) == [*before, *after]
    again = [*started(40), *progress(60), *epoch(3)]
    both = [*before, *lost, *after, *progress(50), *again]
    assert events.timeline(both) == [*before, *after, *again]


@pytest.mark.parametrize(
    "end", [events.Finished(20, 0.3, 0.9, 1.0), events.Stopped(20, 0.3, 0.9, 1.0)]
)
def test_an_end_from_which_a_run_goes_on_is_none(end):
    before, after = [*started(), *progress(10, 20), *epoch(1)], [*started(20), *progress(30)]
    assert events.timeline([*before, end]) == [*before, end]
    assert events.timeline([*before, end, *after]) == [*before, *after]


def test_a_failure_from_before_the_checkpoint_is_over_too():
    before = [*started(), *progress(10, 20), *epoch(1)]
    history = [*before, events.Failed(24, "The loss became nan."), *started(20)]
    assert events.timeline(history) == [*before, *started(20)]


def test_a_run_that_was_cut_off_in_a_pause_is_paused_no_more():
    changed, paused = events.Marked(20, "learning rate", 0.1), events.Marked(20, "paused")
    before, after = [*started(), *progress(10, 20)], [*started(20), *progress(30)]
    stopped = events.Stopped(20, 0.3, 0.9, 1.0)
    found = events.timeline([*before, changed, paused, stopped, *after])
    assert found == [*before, changed, *after]
