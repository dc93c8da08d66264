"""The recipes can be trained, say what they should, and are the tutorials' own designs."""

import re

import pytest

from mnist_core.design.recipes import RECIPES, in_words, network
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.exports import keras_script

recipes = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


@recipes
def test_a_recipe_can_be_trained_shared_and_written(recipe):
    recipe.spec.check()
    assert RunSpec.from_query(recipe.spec.to_query()) == recipe.spec
    compile(keras_script.keras_code(recipe.spec), "script", "exec")


@recipes
def test_a_recipe_says_what_it_teaches_in_three_sentences(recipe):
    assert len(re.findall(r"[.!?](?= [A-Z]|$)", recipe.says)) == 3
    assert recipe.source.endswith(".")


@recipes
def test_a_recipe_deserves_no_warning_but_about_validation(recipe):
    advice = [p for p in recipe.spec.problems() if "on the test set" not in p]
    assert not advice
    assert bool(recipe.spec.problems()) == (recipe.spec.validation == "test")


def test_the_published_figures_belong_to_these_designs():
    published = {name: r.published for name, r in RECIPES.items() if r.published}
    assert published == {"dropout-512-512": 0.984, "rmsprop-512": 0.9799,
                         "numpy-128-64-32": 0.971, "convnet": 0.992}  # fmt: skip
    convnet = RECIPES["convnet"].spec
    assert [(x.filters, x.kernel) for x in convnet.convolutions] == [(32, 5), (64, 5)]
    dropout, rmsprop = RECIPES["dropout-512-512"].spec, RECIPES["rmsprop-512"].spec
    assert dropout.layers == (Layer(512, dropout=0.2), Layer(512, dropout=0.2))
    assert rmsprop.layers == (Layer(512),)
    assert (rmsprop.optimizer, rmsprop.batch_size, rmsprop.epochs) == ("rmsprop", 128, 5)


def test_designs_have_names_of_their_own():
    assert len({recipe.spec for recipe in RECIPES.values()}) == len(RECIPES)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in RECIPES)


def test_a_network_in_short():
    spec = RunSpec((Layer(512, batch_norm=True, dropout=0.25), Layer(64)))
    assert network(spec) == "784-512 BN drop 0.25-64-10"
    spec = RunSpec((), convolutions=(Conv(32, batch_norm=True), Conv(64, dropout=0.5)))
    assert network(spec) == "28x28-conv32 BN-conv64 drop 0.5-10"


def test_a_recipe_is_said_in_words():
    said = {name: in_words(recipe.spec) for name, recipe in RECIPES.items()}
    assert said["bn-128"] == "a layer of 128 units, with batch normalisation"
    assert said["numpy-128-64-32"] == "layers of 128, 64 and 32 units"
    assert said["convnet"] == ("convolutions of 32 and 64 filters, then a layer of 128 units, with "
                               "batch normalisation and dropout")  # fmt: skip
    assert len({recipe.title for recipe in RECIPES.values()}) == len(RECIPES)
    assert in_words(RunSpec(())) == "no hidden layer"
