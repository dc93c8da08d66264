"""The schedules: at every step the learning rate that Keras's own schedule objects give."""

import numpy as np
import pytest

from mnist_core.design import schedules
from mnist_core.design.spec import SCHEDULES
from mnist_core.training.engine import keras

TOTALS = [1, 2, 5, 9, 10, 37, 1000]
RATE = 0.1


def by_keras(name, total):
    """The schedule object that a tutorial would take for a run of `total` steps."""
    kinds, rising = keras.optimizers.schedules, int(0.1 * total)
    return {
        "constant": lambda: lambda step: RATE,
        "step": lambda: kinds.PiecewiseConstantDecay(
            [int(0.5 * total), int(0.75 * total)], [RATE, RATE / 10, RATE / 100]
        ),
        "cosine": lambda: kinds.CosineDecay(RATE, total),
        "warmup": lambda: kinds.CosineDecay(
            0.0, total - rising, warmup_target=RATE, warmup_steps=rising
        ),
    }[name]()


@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_that_of_keras_at_every_step(name, total):
    found = RATE * schedules.factors(name, 0, total, total)
    schedule = by_keras(name, total)
    expected = [float(schedule(step)) for step in range(total)]
    # Near its end the cosine is a difference of two almost equal float32 numbers in Keras.
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7 * RATE)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_part_of_a_schedule_is_cut_from_the_whole(name):
    whole = schedules.factors(name, 0, 100, 100)
    assert whole.shape == (100,) and whole.dtype == np.float32
    for first, count in [(0, 1), (0, 30), (9, 3), (45, 40), (99, 1), (50, 0)]:
        part = schedules.factors(name, first, count, 100)
        np.testing.assert_array_equal(part, whole[first : first + count])


def test_the_constant_schedule_is_one():
    np.testing.assert_array_equal(schedules.factors("constant", 3, 7, 10), np.ones(7))


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "constant"])
def test_a_schedule_ends_far_below_its_peak_and_never_leaves_0_to_1(name):
    whole = schedules.factors(name, 0, 400, 400)
    assert whole.max() == 1 and whole.min() >= 0
    assert whole[-1] <= 0.0101
    assert (np.diff(whole[int(0.1 * 400) :]) <= 0).all()


def test_the_warm_up_rises_over_the_first_tenth():
    rising = schedules.factors("warmup", 0, 41, 400)
    np.testing.assert_allclose(rising, np.arange(41) / 40, rtol=1e-6)


def test_an_unknown_schedule_is_refused():
    with pytest.raises(KeyError, match="sawtooth"):
        schedules.factors("sawtooth", 0, 1, 1)
