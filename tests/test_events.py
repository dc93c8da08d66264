"""The events of a run, and their form on the wire."""

import dataclasses
import json

import numpy as np
import pytest

from mnist_core import events

CHECKPOINT = events.Checkpoint(7, {"dense_1/kernel": np.ones((2, 3), np.float32)}, {})
EXAMPLES = [
    events.Started(1500, 10, 48_000, 12_000, 101_770),
    events.Started(1500, 10, 48_000, 12_000, 101_770, step=750),
    events.Compiled(1.25),
    events.Progress(4, 4, 2.3025850929940455, 0.109375, 0.01, 12_800.0),
    events.EpochEnded(1, 1500, 0.3, 0.91, 0.15, 0.95, 0.4),
    events.Checkpointed(1500, CHECKPOINT),
    events.Finished(15_000, 0.07, 0.978, 4.2, CHECKPOINT),
    events.Stopped(750, 0.2, 0.93, 0.2, CHECKPOINT),
    events.Failed(12, "The loss became nan by step 12."),
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
    with_one = events.Finished(1, 2.0, 0.5, 1.0, CHECKPOINT)
    assert with_one == events.Finished(1, 2.0, 0.5, 1.0)
    assert "checkpoint" not in repr(with_one)


def test_reading_the_wire_leaves_the_message_as_it_was():
    wire = events.to_wire(events.Compiled(1.0))
    events.from_wire(wire)
    assert wire == {"kind": "Compiled", "seconds": 1.0}


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError, match="Paused"):
        events.from_wire({"kind": "Paused", "step": 1})


def test_events_cannot_be_changed():
    for event in EXAMPLES:
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.step = 0


def test_a_control_stops_once_told_to():
    control = events.Control()
    assert not control.stopping
    control.stop()
    assert control.stopping
