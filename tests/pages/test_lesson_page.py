"""Teacher's links and recipes on the builder page, through AppTest."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from mnist_core.design import recipe_figures
from mnist_core.design.lesson_link import CONTROLS, Lesson
from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import Layer, RunSpec
from pages._builder import design_form, lesson_maker
from tests.pages.visiting import query, remembered, text

SMALL = RunSpec((Layer(16),), "sgd", learning_rate=0.1)


def spec_of(app) -> RunSpec:
    return remembered(app).spec


def widgets(app):
    kinds = (app.slider, app.select_slider, app.selectbox, app.toggle, app.radio, app.number_input,
             app.segmented_control)  # fmt: skip
    return {w.key: w for kind in kinds for w in kind if w.key and w.key.startswith("design.")}


def test_every_control_has_a_name():
    assert set(lesson_maker.NAMES) == set(CONTROLS)
    drawn = {*design_form.NETWORK, *design_form.TRAINING, *design_form.FINER}
    assert drawn | {"validation_share", "label_smoothing", "augment"} == set(CONTROLS)


def test_locked_controls_cannot_be_moved_and_hidden_ones_are_not_there(visit):
    link = SMALL.to_query() | {"lock": "layers,optimizer,learning_rate", "hide": "seed,augment"}
    app = visit("builder", **link)
    drawn = widgets(app)
    locked = {key for key, widget in drawn.items() if widget.disabled}
    assert locked == {key for key in drawn if key.split(".")[1] in
                      ("optimizer", "rate", "count", "units", "activation", "norm", "dropout")
                      }  # fmt: skip
    assert "design.seed" not in drawn and "design.shift" not in drawn
    assert "Locked: Hidden layers, Optimizer, Learning rate." in text(app)
    assert "Hidden: Seed, Augmentation." in text(app)
    app.slider(key="design.epochs").set_value(3).run()
    assert spec_of(app) == replace(SMALL, epochs=3)
    assert query(app)["lock"] == link["lock"] and query(app)["hide"] == link["hide"]


@pytest.mark.parametrize("field", sorted(set(CONTROLS) - {"validation_share", "label_smoothing"}))
def test_each_control_can_be_hidden(visit, field):
    whole, less = widgets(visit("builder")), widgets(visit("builder", hide=field))
    assert less.keys() < whole.keys()


def test_a_recipe_leaves_what_is_locked(visit):
    app = visit("builder", **SMALL.to_query(), lock="optimizer")
    app.pills(key="recipe").set_value("bn-128").run()
    assert spec_of(app) == replace(RECIPES["bn-128"].spec, optimizer="sgd")


def test_a_lesson_outlives_another_page_and_can_be_left(visit):
    app = visit("builder", lock="epochs")
    app.switch_page("pages/draw.py").run()
    app.switch_page("pages/builder.py").run()
    assert query(app)["lock"] == "epochs" and widgets(app)["design.epochs"].disabled
    app.button(key="leave_lesson").click().run()
    assert "lock" not in query(app) and not widgets(app)["design.epochs"].disabled


def test_a_damaged_lesson_is_refused_politely(visit):
    app = visit("builder", **SMALL.to_query(), lock="everything")
    assert "unknown control 'everything'" in text(app) and "Nothing is locked" in text(app)
    assert spec_of(app) == SMALL and "lock" not in query(app)


def test_a_mission_is_checked_when_a_run_meets_it(visit, runs, tiny):
    asked = {"mission": "accuracy90,parameters20000"}
    app = visit("builder", **SMALL.to_query(), **asked)
    assert "**Mission**: Reach 90 % test accuracy with fewer than 20,000 parameters." in text(app)
    assert "known when this design has trained" in text(app)
    for accuracy, met in ((0.89, False), (0.91, True)):
        run = runs.create(SMALL, "ada", tiny.identity).id
        runs.begin(run)
        runs.end(run, "finished", "", test_accuracy=accuracy, test_loss=0.5, seconds=2.0)
        app.run()
        assert ("Mission accomplished" in text(app)) == met
    other = runs.create(SMALL, "bob", tiny.identity).id
    assert other and "91.00 %" in text(app)


def test_the_missions_verdict_agrees_with_the_card_of_the_run_on_the_page(visit, runs, tiny):
    ids = []
    for accuracy in (0.969996, 0.91):  # the first reads "97.00 %", and the second came after it
        run = runs.create(SMALL, "ada", tiny.identity).id
        runs.begin(run)
        runs.end(run, "finished", "", test_accuracy=accuracy, test_loss=0.5, seconds=9.96)
        ids.append(run)
    asked = {"mission": "accuracy97,seconds10"}
    for run, shown, met in ((ids[0], "97.00 %", True), (ids[1], "91.00 %", False)):
        said = text(visit("builder", **SMALL.to_query(), **asked, run=run))
        assert shown in said and "10.0 s" in said
        assert f"{lesson_maker.MARKS[met]} reach 97 % test accuracy" in said
        assert f"{lesson_maker.MARKS[False]} in under 10 s of training" in said


def test_a_link_for_a_class_is_made_and_opens_as_it_says(visit):
    app = visit("builder", **SMALL.to_query())
    app.multiselect(key="lesson_lock").set_value(["optimizer"])
    app.multiselect(key="lesson_hide").set_value(["seed"])
    app.multiselect(key="lesson_goals").set_value(["accuracy", "parameters"]).run()
    app.number_input(key="lesson_parameters").set_value(15000).run()
    link = next(c.value for c in app.code if "lock=" in c.value)
    given = dict(parse_qsl(urlsplit(link).query))
    assert {k: given.pop(k) for k in ("lock", "hide", "mission")} == {
        "lock": "optimizer", "hide": "seed", "mission": "accuracy97,parameters15000",
    }  # fmt: skip
    assert RunSpec.from_query(given) == SMALL
    opened = visit("builder", **dict(parse_qsl(urlsplit(link).query)))
    lesson = opened.session_state["states"]["Workbench"].lesson
    assert lesson == Lesson.from_query(lesson.to_query(), SMALL)
    assert "with fewer than 15,000 parameters" in text(opened)


# ----------------------------------------------------------------------- recipes


@pytest.mark.parametrize("name", RECIPES)
def test_one_click_loads_a_recipe_and_says_what_it_teaches(visit, name):
    app = visit("builder", **SMALL.to_query())
    app.pills(key="recipe").set_value(name).run()
    assert spec_of(app) == RECIPES[name].spec and not app.exception
    assert RECIPES[name].says in text(app) and RECIPES[name].source in text(app)
    figures = recipe_figures.known().get(name)
    assert (recipe_figures.percent(figures.ours) in text(app)) if figures else name == "default"
    app.button(key="own_design").click().run()
    assert spec_of(app) == SMALL and RECIPES[name].says not in text(app)


def test_a_changed_recipe_is_a_design_of_its_own(visit):
    app = visit("builder")
    app.pills(key="recipe").set_value("dense-128-64").run()
    app.slider(key="design.epochs").set_value(7).run()
    assert app.pills(key="recipe").value is None
    assert spec_of(app) == replace(RECIPES["dense-128-64"].spec, epochs=7)
