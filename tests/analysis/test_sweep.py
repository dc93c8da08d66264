"""A search over settings: a grid tries all, Optuna finds better ones, and importance is right."""

import itertools
import json
import math
import subprocess
import sys
from dataclasses import asdict

import pytest

from mnist_core.analysis import sweep
from mnist_core.analysis.sweep import Plan, Trial
from mnist_core.design.spec import Layer, RunSpec

BASE = RunSpec((Layer(32),), epochs=1)
GRID = Plan(BASE, {"optimizer": ("adam", "sgd"), "units": (16, 32, 64)})
SEARCH = Plan(BASE, {"learning_rate": (1e-4, 0.1), "optimizer": ("adam", "sgd")}, "search", seed=1)


def tried(plan, score, most=40, done=()):
    """The trials of a plan by a function of their values."""
    found, searcher = list(done), sweep.searcher(plan, done)
    while len(found) < most and (values := searcher.ask()) is not None:
        searcher.tell(values, score(values))
        found.append(Trial(str(len(found)), values, score(values)))
    return found


def hill(values):
    return 0.9 - 0.1 * abs(math.log10(values["learning_rate"]) + 2)


def test_a_plan_survives_its_json():
    for plan in (GRID, SEARCH):
        assert Plan.from_body(json.loads(json.dumps(plan.to_body()))) == plan


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"values": {}}, "Choose one to 5 settings"),
        ({"values": {"units": (16,)}}, "two values or more"),
        ({"values": {"colour": (1, 2)}}, "no setting 'colour'"),
        ({"base": RunSpec(())}, "no setting 'units'"),
        ({"method": "luck"}, "grid, search"),
        ({"seconds": 1e9}, "The budget is 5 to 1,800 seconds."),
        ({"base": RunSpec(epochs=0)}, "number of epochs"),
    ],
)
def test_a_plan_that_cannot_begin_says_why(change, says):
    given = {"base": BASE, "values": {"units": (16, 32)}, "method": "grid", "seconds": 60.0}
    assert not Plan(**given).problems()
    assert any(says in sentence for sentence in Plan(**given | change).problems())


def test_a_grid_tries_every_combination_once_in_an_order_of_its_seed():
    found = [tuple(t.values.items()) for t in tried(GRID, lambda v: 0.5)]
    every = itertools.product([("optimizer", o) for o in ("adam", "sgd")],
                              [("units", n) for n in (16, 32, 64)])  # fmt: skip
    assert sorted(found) == sorted(every) and len(found) == GRID.combinations == 6
    assert found != sorted(found)
    assert tried(GRID, lambda v: 0.5, done=tried(GRID, lambda v: 0.5)[:4])[4:][0].values in [
        dict(x) for x in found[4:]
    ]


def test_a_search_proposes_within_its_ends_and_nothing_twice():
    found = tried(SEARCH, hill)
    assert len({tuple(t.values.items()) for t in found}) == len(found) == 40
    assert all(1e-4 <= t.values["learning_rate"] <= 0.1 for t in found)
    for trial in found:
        assert SEARCH.read(SEARCH.design(trial.values)) == trial.values


def test_a_search_comes_nearer_to_the_best():
    found = [t.score for t in tried(SEARCH, hill)]
    assert sum(found[-10:]) / 10 > sum(found[:10]) / 10
    assert max(found) > 0.89


def test_a_search_that_goes_on_knows_what_was_tried():
    before = tried(SEARCH, hill, 15)
    after = tried(SEARCH, hill, 25, before)
    assert len({tuple(t.values.items()) for t in after}) == 25
    assert sum(t.score for t in after[15:]) / 10 > 0.8


def test_a_search_without_numbers_ends_when_all_is_tried():
    plan = Plan(BASE, {"optimizer": ("adam", "sgd"), "batch_norm": (False, True)}, "search")
    assert len(tried(plan, lambda v: 0.5)) == 4


def test_a_trial_that_failed_is_no_hindrance():
    searcher = sweep.searcher(SEARCH)
    for _ in range(12):
        searcher.tell(searcher.ask(), None)
    assert searcher.ask()


def test_importance_of_a_whole_grid_is_the_variance_explained():
    def score(values):
        return 0.9 + 0.03 * (values["optimizer"] == "adam") + 0.001 * values["units"] / 16

    found = tried(GRID, score)
    shares = sweep.importance(GRID, found)
    assert sweep.whole(GRID, found) and list(shares) == ["optimizer", "units"]
    assert sum(shares.values()) == pytest.approx(1.0)  # the score has no interplay
    only = sweep.importance(GRID, tried(GRID, lambda v: float(v["units"])))
    assert only["units"] == pytest.approx(1.0) and only["optimizer"] == pytest.approx(0.0)


@pytest.mark.slow
def test_importance_of_a_search_names_what_matters_and_grows_its_forest_elsewhere():
    code = ("import sys, test_sweep as t\nfrom mnist_core.analysis import sweep\n"
            "found = sweep.weighed(t.SEARCH, t.tried(t.SEARCH, t.hill, 20))\n"
            "print(list(found), found['learning_rate'] > 0.8, 'sklearn' in sys.modules)")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        cwd=sweep.ROOT / "tests" / "analysis", env={"PYTHONPATH": str(sweep.ROOT)},
    )  # fmt: skip
    assert done.stdout.strip() == "['learning_rate', 'optimizer'] True False", done.stderr


def test_too_few_trials_or_equal_ones_say_nothing():
    assert sweep.importance(GRID, tried(GRID, lambda v: 0.5)) == {}
    assert sweep.importance(GRID, tried(GRID, hash_score)[:3]) == {}
    assert sweep.best([]) is None
    unfinished = Trial("x", {}, None)
    assert sweep.best([unfinished, Trial("y", {}, 0.1)]).run == "y"
    assert set(asdict(unfinished)) == {"run", "values", "score"}


def hash_score(values):
    return values["units"] / 100
