"""The source that a page shows is that of the function that runs."""

import inspect

import pytest

from mnist_core.lessons import regression, source_code
from mnist_core.lessons.regression import Points
from mnist_core.network import layers


@pytest.mark.parametrize(
    "thing", [regression.fit, regression.fit_inside, regression.draw, Points, layers.Dense]
)
def test_it_is_what_inspect_says(thing):
    module = "/".join(thing.__module__.split(".")[1:])
    assert source_code.source(module, thing.__name__) == inspect.getsource(thing)


def test_what_is_not_there_gets_a_sentence():
    with pytest.raises(ValueError, match="no 'nothing' at the top of lessons/regression"):
        source_code.source("lessons/regression", "nothing")
