"""Teacher's links: what they hold, how they are written, and when a mission is met."""

from dataclasses import replace

import pytest

from mnist_core.design.lesson_link import CONTROLS, GOALS, Lesson, LessonError
from mnist_core.design.spec import Layer, RunSpec

SPEC = RunSpec((Layer(20),), "sgd", learning_rate=0.1, epochs=2)  # 15,910 parameters
MISSION = {"mission": "accuracy97,parameters20000"}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"lock": "optimizer,epochs"},
        {"hide": "seed", **MISSION},
        {"lock": ",".join(CONTROLS), "mission": "accuracy98.5,parameters9999999,seconds0.5"},
    ],
)
def test_a_lesson_comes_back_from_its_link(query):
    lesson = Lesson.from_query(query, SPEC)
    assert lesson.to_query() == query
    assert Lesson.from_query(lesson.to_query(), SPEC) == lesson
    assert bool(lesson) == bool(query)


def test_order_and_spaces_do_not_matter():
    lesson = Lesson.from_query({"lock": " epochs , optimizer", "mission": "seconds9,accuracy90"},
                               SPEC)  # fmt: skip
    assert lesson.to_query() == {"lock": "optimizer,epochs", "mission": "accuracy90,seconds9"}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"lock": "optimiser"}, "'optimiser'"),
        ({"hide": "seed,<script>"}, "'<script>'"),
        ({"mission": "accuracy"}, "'accuracy'"),
        ({"mission": "accuracy97,accuracy98"}, "'accuracy98'"),
        ({"mission": "speed3"}, "'speed3'"),
        ({"mission": "accuracy101"}, "up to 100"),
        ({"mission": "parameters0"}, "above 0"),
        ({"mission": "seconds-1"}, "'seconds-1'"),
        ({"mission": "accuracynan"}, "'accuracynan'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(query, named):
    with pytest.raises(LessonError) as error:
        Lesson.from_query(query, SPEC)
    assert named in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("how", ["lock", "hide"])
def test_what_is_held_stays_as_the_link_has_it(name, how):
    other = RunSpec()
    lesson = Lesson.from_query({how: name}, SPEC)
    assert lesson.held(other) == replace(other, **{name: getattr(SPEC, name)})


def test_a_mission_in_words():
    words = Lesson.from_query(MISSION | {"mission": "accuracy97,parameters20000,seconds8"}, SPEC)
    assert words.words == ("Reach 97 % test accuracy with fewer than 20,000 parameters in under "
                           "8 s of training.")  # fmt: skip
    assert Lesson(lock=frozenset({"seed"})).words == ""


@pytest.mark.parametrize(
    ("spec", "accuracy", "goals", "met"),
    [
        (SPEC, None, [None, True], False),
        (SPEC, 0.9699, [False, True], False),
        (SPEC, 0.97, [True, True], True),
        (replace(SPEC, layers=(Layer(128),)), 0.98, [True, False], False),
        (replace(SPEC, optimizer="adam"), 0.98, [True, True], False),  # the lesson locked it
    ],
)
def test_a_mission_is_met_by_all_its_goals_with_what_was_locked(spec, accuracy, goals, met):
    lesson = Lesson.from_query(MISSION | {"lock": "optimizer"}, SPEC)
    assert [goal.met for goal in lesson.checked(spec, accuracy, 1.0)] == goals
    assert lesson.met(spec, accuracy, 1.0) == met


def test_time_counts_when_it_is_asked_for():
    lesson = Lesson.from_query({"mission": "seconds5"}, SPEC)
    assert lesson.met(SPEC, 0.1, 4.9) and not lesson.met(SPEC, 0.1, 5.0)
    assert not lesson.met(SPEC, 0.1, None)


def test_without_a_mission_nothing_is_met():
    assert not Lesson().met(SPEC, 1.0, 0.1)


@pytest.mark.parametrize("goal", GOALS)
def test_each_goal_has_words_with_its_number(goal):
    assert "7" in Lesson.from_query({"mission": f"{goal}7"}, SPEC).words
