"""The written script is the design: same layers, same optimizer, and it runs as it stands."""

import ast
import itertools

import numpy as np
import pytest

from mnist_core import engine, export
from mnist_core.recipes import RECIPES
from mnist_core.spec import ACTIVATIONS, OPTIMIZERS, Layer, RunSpec, SpecError

keras = pytest.importorskip("keras")


def one_of_each():
    """Every optimizer, every activation, both validations, and all four kinds of layer."""
    choices = zip(itertools.cycle(OPTIMIZERS), ACTIVATIONS, itertools.cycle((0.0, 1 / 3, 1e-05)))
    for i, (optimizer, activation, dropout) in enumerate(choices):
        layers = (Layer(8 + i, activation, bool(i % 2), dropout), Layer(9))
        yield RunSpec(layers, optimizer, 0.1 / 3, 7 + i, 1 + i, ("share", "test")[i % 2], 0.1, i)


def written_model(code: str):
    """Run only `model = ...` and `model.compile(...)` of a script, and return the model."""
    tree = ast.parse(code)
    wanted = ("import", "from", "model = ", "model.compile")
    tree.body = [node for node in tree.body if ast.unparse(node).startswith(wanted)]
    assert len(tree.body) == 4
    names: dict = {}
    exec(compile(tree, "script", "exec"), names)
    return names["model"]


def layer_configs(model):
    skipped = {"name", "build_config", "seed"}
    return [
        (type(layer).__name__, {k: v for k, v in layer.get_config().items() if k not in skipped})
        for layer in model.layers
    ]


@pytest.mark.parametrize(
    "spec",
    [*one_of_each(), *(recipe.spec for recipe in RECIPES.values())],
    ids=lambda spec: "&".join(spec.to_query().values()),
)
def test_the_script_builds_the_design_that_the_engine_builds(spec):
    model, ours = written_model(export.keras_code(spec)), engine.build(spec)
    assert layer_configs(model) == layer_configs(ours)
    assert (model.input_shape, model.input_dtype) == (ours.input_shape, ours.input_dtype)
    assert [w.shape for w in model.weights] == [w.shape for w in ours.weights]
    mine = engine.optimizer(spec)
    assert type(model.optimizer) is type(mine)
    assert model.optimizer.get_config() | {"name": mine.name} == mine.get_config()
    assert model.loss.get_config()["from_logits"] is True


def test_any_design_can_be_written(random_spec):
    rng = np.random.default_rng(0)
    for spec in (random_spec(rng, widest=64) for _ in range(200)):
        calls = {
            ast.unparse(node.func): node
            for node in ast.walk(ast.parse(export.keras_code(spec)))
            if isinstance(node, ast.Call)
        }
        fit = {k.arg: ast.unparse(k.value) for k in calls["model.fit"].keywords}
        assert (int(fit["batch_size"]), int(fit["epochs"])) == (spec.batch_size, spec.epochs)
        if spec.validation == "test":
            assert fit["validation_data"] == "(x_test, y_test)"
        else:
            assert float(fit["validation_split"]) == spec.validation_share
        assert ast.literal_eval(calls["keras.utils.set_random_seed"].args[0]) == spec.seed


def test_the_script_reads_like_a_tutorial():
    spec = RunSpec((Layer(128, batch_norm=True), Layer(64, "linear", dropout=0.3)))
    code = export.keras_code(spec)
    for line in (
        "        layers.Rescaling(1 / 255),",
        "        layers.Flatten(),",
        '        layers.Dense(128, activation="relu"),',
        "        layers.BatchNormalization(),",
        "        layers.Dense(64),",
        "        layers.Dropout(0.3),",
        "        layers.Dense(10),",
        "model.fit(x_train, y_train, batch_size=32, epochs=10, validation_split=0.2)",
    ):
        assert line in code.splitlines()
    assert max(map(len, code.splitlines())) <= 100


@pytest.mark.parametrize("validation", ["share", "test"])
def test_the_whole_script_runs(tiny, monkeypatch, capsys, validation):
    splits = [(split.images, split.labels) for split in (tiny.train, tiny.test)]
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: splits)
    spec = RunSpec((Layer(32, batch_norm=True, dropout=0.1),), epochs=3, validation=validation)
    names: dict = {}
    exec(export.keras_code(spec), names)
    assert names["accuracy"] > 0.5
    assert "Test accuracy: " in capsys.readouterr().out
    assert len(names["model"].history.history["val_loss"]) == 3


def test_an_impossible_design_is_not_written():
    with pytest.raises(SpecError, match="number of epochs"):
        export.keras_code(RunSpec(epochs=0))
