"""A word with a running training: every command, and the waiting for one."""

import threading
import time

import pytest

from mnist_core.training.control import COMMANDS, Control


@pytest.fixture
def control():
    return Control()


def test_nothing_is_asked_for_at_first(control):
    assert not control.stopping and not control.paused and control.delay == 0
    assert control.take_rate() is None and not control.take_step()
    assert not control.wait(0)


def test_a_control_stops_once_told_to(control):
    control.stop()
    assert control.stopping


def test_pause_and_resume(control):
    control.tell("pause")
    assert control.paused and not control.take_step()
    control.tell("resume")
    assert not control.paused and not control.stopping


def test_a_learning_rate_is_taken_once_and_the_last_one_counts(control):
    control.tell("learning_rate", 0.1)
    control.tell("learning_rate", "0.03")
    assert control.take_rate() == 0.03
    assert control.take_rate() is None


def test_a_step_pauses_and_allows_one_batch_each(control):
    control.tell("step")
    assert control.paused
    control.tell("step", 2)
    assert [control.take_step() for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_steps_not_taken_yet_are_forgotten(control, command):
    control.tell("step", 5)
    control.take_step()
    control.tell(command)
    assert not control.take_step()
    control.tell("step")
    assert [control.take_step() for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("given", "delay"), [(0.3, 0.3), (0, 0.0), (-1, 0.0)])
def test_slow_motion_sets_the_delay(control, given, delay):
    control.tell("slow", given)
    assert control.delay == delay and not control.paused


def test_an_unknown_command_is_refused_in_a_sentence(control):
    with pytest.raises(ValueError) as refusal:
        control.tell("__init__")
    assert str(refusal.value) == (
        f"There is no command '__init__'; known are {', '.join(COMMANDS)}."
    )
    assert not control.wait(0)


@pytest.mark.parametrize("rate", [0, -0.1, 1e-7, 10.5, float("nan"), float("inf"), "fast", None])
def test_a_learning_rate_outside_the_limits_is_refused_in_a_sentence(control, rate):
    with pytest.raises(ValueError) as refusal:
        control.tell("learning_rate", rate)
    assert str(refusal.value) == (
        f"The learning rate must be a number from 1e-06 to 10, not {rate!r}."
    )
    assert control.take_rate() is None and not control.wait(0)


# ------------------------------------------------------------------------------- waiting

LONG = 30.0  # seconds that no test may take


def in_a_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("slow", "learning_rate")])
def test_a_command_that_came_before_ends_the_next_wait_only(control, command):
    control.tell(command)
    began = time.monotonic()
    assert control.wait(LONG)
    assert time.monotonic() - began < LONG
    assert not control.wait(0)


def test_a_command_ends_a_wait_under_way(control):
    came = []
    thread = in_a_thread(lambda: came.append(control.wait(LONG)))
    control.tell("learning_rate", 0.1)
    thread.join(LONG / 2)
    assert came == [True]


def test_a_wait_without_a_command_ends_in_time(control):
    assert control.wait(0.01) is False


def test_the_sleep_of_slow_motion_ends_at_a_command(control):
    control.tell("slow", LONG)
    assert control.wait(0)  # the news of slow motion itself
    thread = in_a_thread(control.sleep)
    control.stop()
    thread.join(LONG / 2)
    assert not thread.is_alive()
    control.sleep()  # and none after a stop
