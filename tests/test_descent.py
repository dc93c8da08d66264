"""The rules of descent against Keras's own optimizers."""

import keras
import numpy as np
import pytest

from mnist_core.descent import OPTIMIZERS

KERAS = {
    "sgd": keras.optimizers.SGD, "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam,
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_steps_as_keras_does(name):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((4, 3)).astype(np.float32)
    variable, mine = keras.Variable(start), start
    theirs, ours = KERAS[name](0.05), OPTIMIZERS[name](0.05)
    for _ in range(20):
        gradient = rng.standard_normal((4, 3)).astype(np.float32)
        theirs.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        mine = ours.update("w", mine, gradient)
    # Keras rounds 0.9 and 0.999 to float32.
    np.testing.assert_allclose(mine, variable.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_parameter_has_a_memory_of_its_own(name):
    together, alone = OPTIMIZERS[name](0.1), OPTIMIZERS[name](0.1)
    a = b = np.array(1.0)
    for _ in range(3):
        together.update("other", np.array(1.0), np.array(100.0))
        a, b = together.update("w", a, a), alone.update("w", b, b)
    assert a == b
