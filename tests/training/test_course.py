"""What the events of a run say of it as it is now."""

import pytest

from mnist_core.design.spec import RunSpec
from mnist_core.training import course, events
from mnist_core.training.control import Control
from mnist_core.training.frameworks import train

SPEC = RunSpec((), epochs=4)
BEGUN = events.Started(10, 4, 320, 80, SPEC.parameters)
PAUSED, RESUMED = events.Marked(5, "paused"), events.Marked(5, "resumed")
SLOW, FULL = events.Marked(6, course.SLOW, 0.3), events.Marked(8, course.FULL)
RATE = events.Marked(7, course.RATE, 0.01)


@pytest.mark.parametrize(("happened", "expected"), [
    ([], (False, 0.0, 0.001)),
    ([PAUSED], (True, 0.0, 0.001)),
    ([PAUSED, SLOW, RATE], (True, 0.3, 0.01)),
    ([PAUSED, RESUMED, SLOW, FULL, RATE], (False, 0.0, 0.01)),
    ([PAUSED, SLOW, RATE, BEGUN], (False, 0.0, 0.01)),  # another process has taken it up
])  # fmt: skip
def test_steering_is_what_was_said_last(happened, expected):
    found = course.steering(SPEC, [BEGUN, *happened])
    assert (found.paused, found.delay, found.rate) == expected


@pytest.mark.parametrize("framework", ["numpy", "keras"])
def test_a_run_says_how_it_is_steered(tiny, framework):
    control = Control()
    control.tell("slow", 0.001)
    spec = RunSpec((), batch_size=256, epochs=2, framework=framework)
    seen = []
    for event in train(spec, tiny, control):
        seen.append(event)
        if isinstance(event, events.Progress) and event.step == 1:
            assert course.steering(spec, seen).delay == 0.001
            control.tell("slow", 0)
            control.tell("learning_rate", 0.5)
    assert course.steering(spec, seen) == course.Steering(False, 0.0, 0.5)
    assert [e.what for e in course.of(events.Marked, seen)] == [
        course.SLOW, course.RATE, course.FULL
    ]  # fmt: skip


def test_the_present_rate_follows_schedule_and_hand():
    def at(step, *more):
        return course.present_rate(stepwise, [
            BEGUN, events.Progress(step, 1, 1.0, 0.5, 1.0, 1.0), *more
        ])  # fmt: skip

    stepwise = RunSpec((), epochs=4, schedule="step")  # drops after 20 and 30 of 40 steps
    assert course.present_rate(stepwise, []) == 0.001
    assert at(20) == pytest.approx(0.001)
    assert at(22) == pytest.approx(0.0001)
    assert at(40) == pytest.approx(0.00001)
    assert at(40, events.Marked(40, course.RATE, 0.5)) == pytest.approx(0.005)


def test_the_best_epoch_is_by_the_designs_own_measure_and_the_first_of_equals():
    def end(epoch, val_loss, val_accuracy):
        return events.EpochEnded(epoch, 10 * epoch, 1.0, 0.5, val_loss, val_accuracy, 1.0)

    history = [BEGUN, end(1, 0.5, 0.8), end(2, 0.4, 0.9), end(3, 0.3, 0.9)]
    assert course.best_epoch(SPEC, history).epoch == 3
    assert course.best_epoch(RunSpec(keep="val_accuracy"), history).epoch == 2
    assert course.best_epoch(SPEC, history[:1]) is None
