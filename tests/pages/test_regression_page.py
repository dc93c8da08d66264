"""The regression of the Backprop page through AppTest, with a worker that the test plays."""


import json

import numpy as np
import pytest

from mnist_core.basis import LabError
from mnist_core.jobs.errands import BUSY, Call
from mnist_core.lessons import regression, source_code
from tests.pages.visiting import text

TWINS = {"fit_line": regression.fit, "fit_line_inside": regression.fit_inside}


@pytest.fixture
def calls(desk):
    """The calls that the page made; the worker answers with NumPy's path, a millionth beside it."""
    made = []

    def call(name, **arguments):
        made.append(Call(name, arguments))
        made[-1].set_result(TWINS[name](**arguments) + 1e-6)
        return made[-1]

    desk.call = call
    return made


@pytest.fixture
def app(visit, calls):
    return visit("backprop", topic="Regression")


def rows(app):
    found = app.table[0].value
    return {name: tuple(float(v.replace("−", "-")) for v in row)
            for name, *row in found.itertuples(index=False)}  # fmt: skip


def test_the_printed_code_fails_and_its_repair_runs(app):
    said = app.error[0].value
    assert "NameError: name 'weights' is not defined" in text(app)
    assert said.startswith("Line 7, ") and "differentiate(weights, x, y)" in said
    assert "learned" not in said


def test_the_title_says_what_became_of_the_line(app):
    def title():
        return json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["title"]["text"]

    app.select_slider(key="line_epochs").set_value(1000).run()
    assert title() == "The line has reached the points"
    app.select_slider(key="line_epochs").set_value(20).run()
    assert title() == "The line turns to the points, but is not there yet"
    app.toggle(key="line_inside").set_value(True).run()
    assert "Nothing is learned" in text(app) and "reached" not in title()


def test_numpy_is_there_at_once_beside_the_exact_solution(app, calls):
    found = rows(app)
    assert not calls and "Adam, TensorFlow" not in found
    points = regression.generated(60, 0.8, 0.3, 0.2, np.random.default_rng(0))
    exact = np.polyfit(points.x, points.y, 1)
    for name in ("exact (closed form)", "exact (np.linalg.lstsq)"):
        np.testing.assert_allclose(found[name][:2], exact, atol=1e-6)
    path = regression.fit(points.x, points.y, 0.01, 100, 1)
    np.testing.assert_allclose(found["Adam, NumPy"][:2], path[-1, :2], atol=1e-6)


def test_tensorflow_is_asked_for_exactly_this_line(app, calls):
    app.select_slider(key="line_epochs").set_value(50).run()
    app.button(key="line_run").click().run()
    (call,) = calls
    assert call.name == "fit_line"
    assert (call.arguments["epochs"], call.arguments["learning_rate"]) == (50, 0.01)
    assert "differ by **1.0 × 10⁻⁶** at most" in text(app)
    assert "Adam, TensorFlow" in rows(app)
    app.slider(key="line_noise").set_value(0.5).run()
    assert "Adam, TensorFlow" not in rows(app)  # it has not seen these points


def test_the_switch_runs_the_version_with_weights_inside(app, calls):
    before = rows(app)["Adam, NumPy"]
    app.toggle(key="line_inside").set_value(True).run()
    assert "Nothing is learned" in text(app)
    assert rows(app)["Adam, NumPy"] != before
    assert [c.value for c in app.code[:2]] == [
        source_code.source("jobs/tapes", "fit_line_inside").strip(),
        "\n\n".join(source_code.source("lessons/regression", name)
                    for name in ("draw", "differentiate", "fit_inside")).strip(),
    ]  # fmt: skip
    app.button(key="line_run").click().run()
    assert [c.name for c in calls] == ["fit_line_inside"]


def test_without_a_worker_numpy_goes_on_and_the_page_says_so(app, desk):
    def refuse(name, **arguments):
        raise LabError("Training is not available: no room.")

    desk.call = refuse
    app.button(key="line_run").click().run()
    assert app.warning[0].value.startswith("Training is not available: no room.")
    assert "Adam, NumPy" in rows(app) and "Adam, TensorFlow" not in rows(app)


def test_a_busy_worker_is_waited_for_and_then_given_up(app, desk):
    waits = Call("fit_line", {})
    desk.call = lambda name, **arguments: waits
    app.button(key="line_run").click().run()
    assert not app.warning and "Adam, NumPy" in rows(app)
    waits.fail(BUSY)
    app.run()
    assert app.warning[0].value.startswith(BUSY)


@pytest.mark.parametrize("points", ["Given: y = 2x − 1", "Digits: ink against thickness"])
def test_other_points_are_fitted(app, points):
    app.selectbox(key="line_points").select(points).run()
    assert not app.exception
    found = rows(app)
    if points.startswith("Given"):
        assert found["exact (closed form)"] == (2, -1, 0)
        assert "Adam's step is about its learning rate" in text(app)
    else:
        assert found["exact (closed form)"][0] > 0  # a thicker stroke, more ink


def test_a_file_is_read_or_refused(app):
    app.selectbox(key="line_points").select("Your own (CSV)").run()
    assert "Choose a CSV file" in text(app) and not app.table
    app.file_uploader(key="line_csv").upload("p.csv", b"size,price\n0,1\n1,3\n2,5\n", "text/csv")
    app.run()
    assert rows(app)["exact (closed form)"] == (2, 1, 0)
    app.file_uploader(key="line_csv").upload("p.csv", b"0,1\n1,three\n", "text/csv")
    app.run()
    assert "Line 2 holds 'three'" in app.error[0].value and not app.table
