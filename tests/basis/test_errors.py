"""Whose fault an error is: what is told, what is recorded."""

import pytest

from mnist_core.basis.errors import SORRY, LabError, told
from mnist_core.data import DataError
from mnist_core.design.lesson_link import LessonError
from mnist_core.design.spec import SpecError
from mnist_core.imaging.pictures import BadImage, EmptyDrawing
from mnist_core.lessons.microscope import Diverged
from mnist_core.runs import StoreError


@pytest.mark.parametrize(
    "kind", [BadImage, DataError, Diverged, EmptyDrawing, LabError, LessonError, SpecError,
             StoreError]
)  # fmt: skip
def test_what_is_a_sentence_is_told_as_it_is(kind, faults):
    assert issubclass(kind, LabError) and issubclass(kind, ValueError)
    assert told(LabError("Choose fewer."), "a test") == "Choose fewer." and not faults


@pytest.mark.parametrize("error", [ValueError("shapes"), KeyError("x"), TypeError("no"), OSError()])
def test_any_other_error_is_recorded_with_its_traceback_and_not_told(error, faults):
    try:
        raise error
    except Exception as raised:
        assert told(raised, "the page was drawn") == SORRY
    (record,) = faults
    assert record.getMessage() == "the page was drawn" and record.exc_info[1] is error
    assert record.exc_info[2] is not None
    faults.clear()
