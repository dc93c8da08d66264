"""What the recipes reach: how it is measured, and that the figures hold up."""

import json

import pytest

from mnist_core.design import recipe_figures, recipes
from mnist_core.design.recipe_figures import Figures
from mnist_core.design.recipes import RECIPES, Recipe
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.tools import measure_recipes

SMALL = Recipe("Small", RunSpec((Layer(16),), epochs=1, batch_size=16), "Ours.", "A. B. C.", ())


@pytest.fixture
def small(monkeypatch, tiny):
    monkeypatch.setitem(recipes.RECIPES, "small", SMALL)
    monkeypatch.setenv("MNIST_DATA", tiny.source)
    return "small"


def test_figures_are_kept_and_forgotten_when_the_recipe_changes(small, monkeypatch, tmp_path):
    path, told = tmp_path / "recipes.json", []
    measure_recipes.measure([small], (0, 1), told.append, path)
    (found,) = recipe_figures.known(path).values()
    assert len(found.ours) == len(found.keras) == 2
    assert all(0.1 < x < 1 for x in (*found.ours, *found.keras))
    assert [line.split(":")[0] for line in told] == ["small, seed 0", "small, seed 1"]
    assert json.loads(path.read_text())["seeds"] == [0, 1]
    changed = SMALL.spec.__class__((Layer(17),), epochs=1, batch_size=16)
    monkeypatch.setitem(recipes.RECIPES, "small", Recipe("Small", changed, "Ours.", "A. B. C.", ()))
    assert recipe_figures.known(path) == {}


def test_the_same_seed_gives_the_same_figures(small, tmp_path):
    paths = [tmp_path / name for name in ("a.json", "b.json")]
    for path in paths:
        measure_recipes.measure([small], (3,), None, path)
    assert paths[0].read_text() == paths[1].read_text()


def test_a_spread_is_that_of_whoever_spreads_more():
    assert Figures((0.97, 0.98), (0.95, 0.99)).spread == pytest.approx(0.04)
    assert recipe_figures.percent((0.97, 0.98, 0.99)) == "98.00 % (97.00–99.00)"


@pytest.mark.parametrize("name", recipe_figures.MEASURED)
def test_each_recipe_reaches_its_figure_and_is_no_worse_than_keras(name):
    found = recipe_figures.known()[name]
    assert len(found.ours) == len(found.keras) == 3
    assert found.mean >= (RECIPES[name].published or 0) - 0.005
    assert found.mean >= sum(found.keras) / 3 - found.spread


@pytest.mark.slow
def test_the_kept_figures_are_what_training_gives(tmp_path, mnist):
    if len(mnist.train.labels) < 60_000:
        pytest.skip("The figures are of all of MNIST.")
    path = tmp_path / "recipes.json"
    measure_recipes.measure(["rmsprop-512"], (0,), None, path)
    (now,), kept = recipe_figures.known(path).values(), recipe_figures.known()["rmsprop-512"]
    assert now.ours[0] == pytest.approx(kept.ours[0], abs=0.003)
    assert now.keras[0] == pytest.approx(kept.keras[0], abs=0.003)
