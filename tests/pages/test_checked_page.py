"""The section Gradients checked through AppTest: three ways, two, and what is said meanwhile."""


import ast
import inspect
import textwrap

import pytest

from mnist_core.basis import LabError
from mnist_core.jobs import Call, tapes
from mnist_core.lessons import gradient_checks
from mnist_core.network.layers import Dense
from pages._backprop import gradients_checked
from pages._shell import waiting
from tests.pages.visiting import text

LINK = {"topic": "Gradients checked"}
SOME = ("Dense, ReLU", "Softmax, cross-entropy")


@pytest.fixture
def tape(desk, monkeypatch):
    """A service whose worker does as the test says: "answers", "waits" or "fails"."""
    kinds = {name: gradient_checks.KINDS[name] for name in SOME}
    monkeypatch.setattr(gradient_checks, "KINDS", kinds)
    monkeypatch.setattr(waiting, "PATIENCE", 60)
    monkeypatch.setattr(gradients_checked, "PER_ARRAY", {"dense": 6, "convolution": 6})
    desk.mode = "answers"

    def call(name, **arguments):
        asked = Call(name, arguments)
        if desk.mode == "refuses":
            raise LabError("The worker is busy.")
        if desk.mode == "answers":
            asked.set_result(tapes.tapes(**arguments))
        if desk.mode == "fails":
            asked.fail("The training process ended unexpectedly meanwhile: try again.")
        return asked

    desk.call = call
    return desk


def columns(app):
    return [list(table.value.columns) for table in app.dataframe]


def test_three_ways_agree_on_a_runs_own_weights_and_for_each_kind(visit, trained, tape):
    app = visit("backprop", run=trained(), **LINK)
    own, kinds = (table.value for table in app.dataframe)
    assert "batch_norm_1/gamma" in set(own["Array"]) and "image" in set(own["Array"])
    assert list(kinds["Layer or loss"]) == list(SOME)
    for table in (own, kinds):
        assert set(table["agree"]) == {"✓"}
        for pair in gradients_checked.PAIRS.values():
            assert (table[pair] <= gradient_checks.TOLERANCE).all()
    assert [m.value for m in app.success].count("") == 0 and len(app.success) == 2
    assert all("three ways agree" in found.value for found in app.success)


def test_other_images_and_training_are_another_check(visit, trained, tape):
    app = visit("backprop", run=trained(), **LINK)
    before = app.dataframe[0].value
    app.number_input(key="checked_image").set_value(9).run()
    images = app.dataframe[0].value
    app.toggle(key="checked_training").set_value(True).run()
    training = app.dataframe[0].value
    assert not images.equals(before) and not training.equals(images)
    assert set(training["agree"]) == {"✓"}


@pytest.mark.parametrize(
    ("state", "says"),
    [("starting", "as soon as the training process has started"), ("ready", "in the queue")],
)
def test_while_the_tape_is_awaited_the_other_two_are_shown(visit, trained, tape, state, says):
    tape.mode, tape.state = "waits", state
    app = visit("backprop", run=trained(), **LINK)
    assert says in text(app) and "two ways that have answered agree" in text(app)
    assert all(gradients_checked.PAIRS["hand_slope"] in found for found in columns(app))
    assert not any(gradients_checked.PAIRS["hand_tape"] in found for found in columns(app))


@pytest.mark.parametrize(("mode", "says"), [("fails", "ended unexpectedly"), ("refuses", "busy")])
def test_a_tape_that_failed_says_so_and_is_asked_again(visit, trained, tape, mode, says):
    tape.mode = mode
    app = visit("backprop", run=trained(), **LINK)
    assert says in app.warning[0].value
    tape.mode = "answers"
    app.button(key="ask_tape_own").click().run()
    assert gradients_checked.PAIRS["hand_tape"] in columns(app)[0]


def test_a_wrong_gradient_is_not_called_right(visit, trained, tape, monkeypatch):
    right = Dense.backward

    def wrong(self, d_out):
        d_in = right(self, d_out)
        self.gradients["bias"] = self.gradients["bias"] * 1.00001
        return d_in

    monkeypatch.setattr(Dense, "backward", wrong)
    app = visit("backprop", run=trained(), **LINK)
    own = app.dataframe[0].value
    assert set(own["Array"][own["agree"] == "✗"]) == {
        "dense_1/bias", "dense_2/bias", "logits/bias"
    }  # fmt: skip
    assert "differ by more than 10⁻⁶" in app.warning[0].value


def test_the_shown_code_is_the_executed_code(visit, trained, tape):
    shown = [block.value for block in visit("backprop", run=trained(), **LINK).code]
    for function, code in zip((Dense, tapes.tape, gradient_checks.Case.slope), shown, strict=True):
        executed = textwrap.dedent(inspect.getsource(function))
        assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(executed))


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, "–"), (0.0, "0"), (4.66e-11, "4.7 × 10⁻¹¹"), (1.0, "1")],
)
def test_a_power_of_ten_as_it_is_written(value, written):
    assert gradients_checked.power(value) == written
