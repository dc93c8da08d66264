"""The line by GradientTape against its NumPy twin and against least squares."""

import inspect

import numpy as np
import pytest

from mnist_core.jobs import errands, tapes
from mnist_core.lessons import regression, source_code
from mnist_core.training import engine

POINTS = regression.generated(40, 0.8, -0.3, 0.1, np.random.default_rng(4))
HOW = {"x": POINTS.x, "y": POINTS.y, "learning_rate": 0.01, "seed": 3}


@pytest.mark.parametrize("name", ["fit_line", "fit_line_inside"])
def test_tensorflow_and_numpy_agree(name):
    twin = {"fit_line": regression.fit, "fit_line_inside": regression.fit_inside}[name]
    tape = getattr(tapes, name)(**HOW, epochs=30)
    assert tape.shape == (31, 3) and tape.dtype == np.float64
    # Keras rounds Adam's 0.01, 0.9 and 0.999 to float32, which is felt in the seventh digit.
    np.testing.assert_allclose(tape, twin(**HOW, epochs=30), rtol=0, atol=1e-5)


def test_it_comes_to_the_exact_solution():
    tape = tapes.fit_line(**HOW | {"learning_rate": 0.05}, epochs=600)
    np.testing.assert_allclose(tape[-1, :2], regression.solved(POINTS.x, POINTS.y), atol=1e-4)


@pytest.mark.filterwarnings("ignore:__array__")  # Keras, as it prints the variable
def test_keras_refuses_weights_that_its_optimizer_was_not_made_for():
    """Why the version with weights inside needs a new optimizer each time."""
    adam = engine.keras.optimizers.Adam(0.01)
    adam.build([engine.keras.Variable(1.0)])
    with pytest.raises(ValueError, match="Unknown variable"):
        adam.apply([engine.tf.constant(1.0)], [engine.keras.Variable(1.0)])


@pytest.mark.parametrize("function", errands.CALLS.values())
def test_each_call_is_of_the_tapes_and_its_shown_source_is_what_runs(function):
    assert source_code.source("jobs/tapes", function) == inspect.getsource(getattr(tapes, function))


def test_the_printed_code_fails_in_tensorflow_and_its_repair_learns_the_line():
    x = tapes.tf.constant(np.linspace(-1, 1, 20), tapes.tf.float32)
    names = {"tf": tapes.tf, "x": x, "y": 2 * x - 1, "epochs": 200}
    given = {**names, "optimizer": tapes.keras.optimizers.Adam(0.1)}
    said = regression.failing(regression.PUBLISHED_TENSORFLOW, given)
    assert "tape.gradient(loss, weights)`: NameError: name 'weights' is not defined" in said
    given = {**names, "optimizer": tapes.keras.optimizers.Adam(0.1)}
    assert regression.failing(regression.REPAIRED_TENSORFLOW, given) == ""
    np.testing.assert_allclose([w.numpy() for w in given["weights"]], [2, -1], atol=0.01)
