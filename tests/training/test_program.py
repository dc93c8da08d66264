"""What every Program promises the loop, whoever computes it: one contract, both backends."""

from dataclasses import replace

import numpy as np
import pytest

from mnist_core.analysis import race
from mnist_core.design import Conv, Layer, RunSpec
from mnist_core.training import engine, events, loop, numpy_engine, train

SPEC = RunSpec((Layer(16, batch_norm=True), Layer(12, "tanh", dropout=0.2)), batch_size=32,
               epochs=2)  # fmt: skip
DESIGNS = {
    "dense": SPEC,
    "convolutions": replace(SPEC, layers=(Layer(12),), convolutions=(Conv(4, 5, pool=3),)),
}
FRAMEWORKS = {"keras": engine, "numpy": numpy_engine}
# The engine's convolutions go through the same code; they are compiled in tests of their own.
CASES = [("keras", "dense"), ("numpy", "dense"), ("numpy", "convolutions")]


@pytest.fixture(params=CASES, ids="-".join)
def spec(request):
    framework, design = request.param
    return replace(DESIGNS[design], framework=framework)


@pytest.fixture
def framework(spec):
    return spec.framework


@pytest.fixture
def data(framework, tiny):
    arrays = engine.arrays if framework == "keras" else loop.Arrays
    return arrays(tiny.train.images[:128], tiny.train.labels[:128])


@pytest.fixture
def fresh(spec, framework):
    """A function that makes a program of the design, as a new run has it."""
    return lambda: FRAMEWORKS[framework].Program(spec)


def steps(program, data, first=0, count=2):
    rows = program.epoch(len(data), 0, 0)
    return program.run(data, rows, np.full(len(rows), 0.01), first, count)


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-5, atol=1e-6, err_msg=name)


def checkpoint(program, **changes):
    return replace(events.Checkpoint(2, program.weights(), program.state()), **changes)


def test_a_run_of_steps_tells_each_loss_and_its_right_answers(fresh, data):
    program = fresh()
    program.compile(data)
    losses, right = steps(program, data)
    assert losses.shape == right.shape == (2,) and np.isfinite(losses).all()
    assert (right >= 0).all() and (right <= 32).all()


def test_to_compile_trains_nothing(fresh, data):
    program = fresh()
    before = program.weights()
    program.compile(data)
    same(program.weights(), before)


def test_a_checkpoint_goes_on_as_if_nothing_had_happened(fresh, data):
    whole, other = fresh(), fresh()
    steps(whole, data)
    other.restore(checkpoint(whole))
    for program in (whole, other):
        steps(program, data, first=2)
    same(other.weights(), whole.weights())


def test_what_is_kept_does_not_move_with_the_training(fresh, data):
    program = fresh()
    kept = checkpoint(program)
    before = {name: value.copy() for name, value in kept.weights.items()}
    steps(program, data)
    same(kept.weights, before)


def test_an_empty_state_is_a_fresh_start_from_these_weights(fresh, data):
    """As the racers of a race begin, and an imported model that is trained further."""
    one, two = fresh(), fresh()
    steps(one, data)
    given = checkpoint(one, step=0, state={})
    for program in (one, two):
        program.restore(given)
        same(program.weights(), given.weights)


def test_weights_of_another_design_are_refused(fresh):
    program = fresh()
    weights = {f"other/{name}": value for name, value in program.weights().items()}
    with pytest.raises(KeyError):
        program.restore(checkpoint(program, weights=weights))


def test_an_evaluation_is_a_loss_in_nats_and_a_share(fresh, data):
    loss, accuracy = fresh().evaluate(data)
    assert 0.5 < loss < 20 and 0 <= accuracy <= 1


def test_a_racer_is_trained_from_the_weights_that_it_shares(spec, tiny):
    start = events.Checkpoint(0, race.initial_weights(spec), {})
    *_, ended = train(spec, tiny, resume=start)
    assert isinstance(ended, events.Finished) and ended.step == 2 * (512 // 32)
