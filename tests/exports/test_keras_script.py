"""The written script is the design: same layers, same optimizer, and it runs as it stands."""

import ast
import itertools
from dataclasses import replace

import numpy as np
import pytest

from mnist_core.design import augmentation, schedules
from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import (
    ACTIVATIONS,
    AUGMENTATIONS,
    INITIALIZERS,
    KEEPS,
    NO_AUGMENT,
    OPTIMIZERS,
    SCHEDULES,
    Augment,
    Conv,
    Layer,
    RunSpec,
    SpecError,
)
from mnist_core.exports import keras_script
from mnist_core.training import engine

keras = pytest.importorskip("keras")


def one_of_each():
    """Every optimizer, every activation, both validations, and all kinds of layer."""
    choices = zip(itertools.cycle(OPTIMIZERS), ACTIVATIONS, itertools.cycle((0.0, 1 / 3, 1e-05)))
    for i, (optimizer, activation, dropout) in enumerate(choices):
        layers = (Layer(8 + i, activation, bool(i % 2), dropout), Layer(9))
        yield RunSpec(layers, optimizer, 0.1 / 3, 7 + i, 1 + i, ("share", "test")[i % 2], 0.1, i)
    layers = (Layer(8, batch_norm=True), Layer(9))
    for schedule, initializer in zip(SCHEDULES, INITIALIZERS, strict=True):
        yield RunSpec(layers, "nadam", 0.1 / 3, schedule=schedule, initializer=initializer)
        yield RunSpec(layers, "adamw", 0.02, schedule=schedule, l2=1e-5 / 3, validation="test")
    for smoothing in (0.0, 0.1 / 3):
        yield RunSpec(layers, loss="categorical", label_smoothing=smoothing, l2=0.1)
    blocks = Conv(8, 5, "elu", True, 3, 0.25), Conv(9, 1, "linear", pool=1), Conv(6)
    yield RunSpec(layers, convolutions=blocks[:1], initializer="he_normal", l2=0.01)
    yield RunSpec((), convolutions=blocks)
    yield RunSpec(())


def written(code: str, images: int = 60_000) -> dict:
    """The names that a script leaves behind, run without its data and its training."""
    tree = ast.parse(code)
    wanted = ("import", "from", "steps = ", "schedule = ", "model = ", "model.compile")
    tree.body = [node for node in tree.body if ast.unparse(node).startswith(wanted)]
    names = {"x_train": range(images)}
    exec(compile(tree, "script", "exec"), names)
    return names


def assert_same_loss(model, spec):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 10)).astype(np.float32), rng.integers(0, 10, 20)
    wanted = labels
    if spec.loss == "categorical":
        wanted = keras.utils.to_categorical(labels, 10)
        assert model.loss.get_config()["label_smoothing"] == spec.label_smoothing
    assert float(model.loss(wanted, logits)) == pytest.approx(
        float(engine.loss(spec)(labels, logits)), rel=1e-6
    )


def assert_same_rates(schedule, spec, images):
    """The schedule object is, at every step of the run, the learning rate of the engine."""
    steps = images // spec.batch_size * spec.epochs
    expected = spec.learning_rate * schedules.factors(spec.schedule, 0, steps, steps)
    some = np.unique(np.linspace(0, steps - 1, 50).astype(int))
    found = [float(schedule(int(step))) for step in some]
    np.testing.assert_allclose(found, expected[some], rtol=1e-5, atol=1e-7 * spec.learning_rate)


def layer_configs(model):
    skipped = {"name", "build_config", "seed"}
    return [
        (type(layer).__name__, {k: v for k, v in layer.get_config().items() if k not in skipped})
        for layer in model.layers
    ]


@pytest.mark.parametrize(
    "spec",
    [*one_of_each(), *(replace(recipe.spec, augment=NO_AUGMENT) for recipe in RECIPES.values())],
    ids=lambda spec: "&".join(spec.to_query().values()),
)
def test_the_script_builds_the_design_that_the_engine_builds(spec):
    names, ours = written(keras_script.keras_code(spec)), engine.build(spec)
    model = names["model"]
    assert layer_configs(model) == layer_configs(ours)
    assert (model.input_shape, model.input_dtype) == (ours.input_shape, ours.input_dtype)
    assert [w.shape for w in model.weights] == [w.shape for w in ours.weights]
    mine = engine.optimizer(spec)
    assert type(model.optimizer) is type(mine)
    config, rate = model.optimizer.get_config(), mine.get_config()["learning_rate"]
    assert config | {"name": mine.name, "learning_rate": rate} == mine.get_config()
    assert model.loss.get_config()["from_logits"] is True
    assert_same_loss(model, spec)
    assert ("schedule" in names) == (spec.schedule != "constant")
    if "schedule" in names:
        assert model.optimizer._learning_rate is names["schedule"]
        images = 60_000 if spec.validation == "test" else int(60_000 * (1 - spec.validation_share))
        assert_same_rates(names["schedule"], spec, images)
    else:
        assert config["learning_rate"] == rate


@pytest.mark.parametrize("share", [0.05, 0.07, 0.2, 0.32, 1 / 3, 0.5])
def test_the_schedule_runs_over_the_steps_of_the_engine(share, tiny):
    spec = RunSpec((Layer(8),), batch_size=1, epochs=3, schedule="cosine", validation_share=share)
    names = written(keras_script.keras_code(spec))
    assert names["steps"] == int(60_000 * (1 - share)) * 3
    images = len(tiny.train.labels)
    started = next(engine.train(spec, tiny))
    steps = written(keras_script.keras_code(spec), images)["steps"]
    assert steps == started.steps_per_epoch * started.epochs


@pytest.mark.parametrize("total", [1, 5, 9, 10, 25])
@pytest.mark.parametrize("schedule", ["step", "cosine", "warmup"])
def test_a_very_short_schedule_is_that_of_the_engine_too(schedule, total):
    spec = RunSpec((Layer(8),), epochs=total, batch_size=100, schedule=schedule, validation="test")
    names = written(keras_script.keras_code(spec), images=100)
    assert names["steps"] == total
    assert_same_rates(names["schedule"], spec, 100)


def test_any_design_can_be_written(random_spec):
    rng = np.random.default_rng(0)
    for spec in (random_spec(rng, widest=64) for _ in range(200)):
        calls = {
            ast.unparse(node.func): node
            for node in ast.walk(ast.parse(keras_script.keras_code(spec)))
            if isinstance(node, ast.Call)
        }
        fit = {k.arg: ast.unparse(k.value) for k in calls["model.fit"].keywords}
        assert (int(fit["batch_size"]), int(fit["epochs"])) == (spec.batch_size, spec.epochs)
        if spec.validation == "test":
            assert fit["validation_data"] == "(x_test, y_test)"
        else:
            assert float(fit["validation_split"]) == spec.validation_share
        assert ast.literal_eval(calls["keras.utils.set_random_seed"].args[0]) == spec.seed
        assert ("keras.utils.to_categorical" in calls) == (spec.loss == "categorical")
        assert_callbacks(calls, spec)


def assert_callbacks(calls, spec):
    """The script keeps and ends by the measure that the engine keeps and ends by."""
    measure = "val_loss" if spec.keep == "last" else spec.keep
    watched = {"monitor": measure, "mode": "max" if measure == "val_accuracy" else "min"}
    found = {}
    for name in ("ModelCheckpoint", "EarlyStopping"):
        if call := calls.get(f"keras.callbacks.{name}"):
            found[name] = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    best = {**watched, "save_best_only": True, "save_weights_only": True}
    expected = {"ModelCheckpoint": best} if spec.keep != "last" else {}
    if spec.patience:
        expected["EarlyStopping"] = {**watched, "patience": spec.patience}
    assert found == expected
    assert ("model.load_weights" in calls) == (spec.keep != "last")


def test_the_script_reads_like_a_tutorial():
    spec = RunSpec((Layer(128, batch_norm=True), Layer(64, "linear", dropout=0.3)))
    code = keras_script.keras_code(spec)
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


def test_a_convolutional_script_reads_like_a_tutorial():
    code = keras_script.keras_code(RunSpec((), convolutions=(Conv(32, dropout=0.25), Conv(64, 5))))
    assert code.startswith('"""MNIST with Keras: 28x28-conv32-conv64-10."""')
    assert "\n".join((
        "        layers.Rescaling(1 / 255),",
        "        layers.Reshape((28, 28, 1)),",
        '        layers.Conv2D(32, kernel_size=3, activation="relu"),',
        "        layers.MaxPooling2D(2),",
        "        layers.Dropout(0.25),",
        '        layers.Conv2D(64, kernel_size=5, activation="relu"),',
        "        layers.MaxPooling2D(2),",
        "        layers.Flatten(),",
        "        layers.Dense(10),",
    )) in code  # fmt: skip


DENSE = RunSpec((Layer(32, batch_norm=True, dropout=0.1),), epochs=3)
WHOLE = {
    "share": DENSE,
    "test": replace(DENSE, validation="test"),
    "convolutions": RunSpec((), epochs=3, learning_rate=0.01, convolutions=(
        Conv(8, 5, "relu", True, 2, 0.1), Conv(8)
    )),
}  # fmt: skip


@pytest.mark.parametrize("spec", WHOLE.values(), ids=WHOLE)
def test_the_whole_script_runs(tiny, monkeypatch, capsys, spec):
    splits = [(split.images, split.labels) for split in (tiny.train, tiny.test)]
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: splits)
    names: dict = {}
    exec(keras_script.keras_code(spec), names)
    assert names["accuracy"] > 0.5
    assert "Test accuracy: " in capsys.readouterr().out
    assert len(names["model"].history.history["val_loss"]) == 3


@pytest.mark.parametrize("keep", [
    keep if keep == "val_accuracy" else pytest.param(keep, marks=pytest.mark.slow)
    for keep in KEEPS
])  # fmt: skip
def test_the_whole_script_keeps_and_ends_as_it_was_designed(keep, tiny, tmp_path, monkeypatch):
    splits = [(split.images, split.labels) for split in (tiny.train, tiny.test)]
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: splits)
    monkeypatch.chdir(tmp_path)  # where the script keeps its best weights
    spec = RunSpec((Layer(64),), learning_rate=0.03, epochs=12, loss="categorical", l2=1e-5,
                   label_smoothing=0.05, schedule="step", initializer="he_normal", keep=keep,
                   patience=2)  # fmt: skip
    names: dict = {}
    exec(keras_script.keras_code(spec), names)
    history = names["model"].history.history
    measure = "val_loss" if keep == "last" else keep
    pick = np.argmax if measure == "val_accuracy" else np.argmin
    best = int(pick(history[measure]))  # the first of equals, as the engine has it
    epochs = len(history[measure])
    assert epochs == min(best + 1 + spec.patience, spec.epochs)
    assert (tmp_path / "best.weights.h5").exists() == (keep != "last")
    x, y = tiny.train.images[512:], keras.utils.to_categorical(tiny.train.labels[512:], 10)
    found = names["model"].evaluate(x, y, verbose=0, return_dict=True)[measure[4:]]
    assert found == pytest.approx(history[measure][best if keep != "last" else -1], rel=1e-4)


SOME = Augment(2, 10, 0.1, 10, 1.4, 0.5)


def executed(spec, tiny, monkeypatch):
    """The names that the whole script leaves behind, run on tiny data."""
    splits = [(split.images, split.labels) for split in (tiny.train, tiny.test)]
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: splits)
    names: dict = {}
    exec(keras_script.keras_code(spec), names)
    return names


def test_the_script_distorts_as_the_engine_does_and_only_in_training(tiny, monkeypatch, capsys):
    spec = RunSpec((Layer(16),), epochs=2, batch_size=100, seed=3, augment=SOME)
    names = executed(spec, tiny, monkeypatch)
    assert "Test accuracy: " in capsys.readouterr().out
    assert np.isfinite(names["model"].history.history["loss"]).all()
    distort, *others = names["model"].layers
    assert [type(x) for x in others] == [type(x) for x in engine.build(spec).layers]
    images = tiny.test.images[:50]
    np.testing.assert_array_equal(distort(images, training=False), images)
    rng = np.random.default_rng(0)
    noise = rng.uniform(-1, 1, (50, augmentation.draws(SOME))).astype("float32")
    monkeypatch.setattr(keras.random, "uniform", lambda *_, **__: noise)
    expected = np.round(augmentation.distort(images.astype("float32"), noise, SOME))
    found = distort(images, training=True).numpy()
    assert abs(found - expected).max() <= 1 and np.mean(found != expected) < 1e-3
    assert np.mean(found != images) > 0.1


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_script_has_each_distortion_and_stays_plain_without(name):
    spec = RunSpec((Layer(8),), augment=Augment(**{name: 0.4}))
    code = keras_script.keras_code(spec)
    names: dict = {}
    exec(code.partition("keras.utils.set_random_seed")[0], names)
    assert names["augment"] == tuple(0.4 if x == name else 0.0 for x in AUGMENTATIONS)
    assert max(map(len, code.splitlines())) <= 100
    plain = keras_script.keras_code(RunSpec((Layer(8),)))
    assert "istort" not in plain and "numpy" not in plain
    assert plain.startswith('"""MNIST with Keras: 784-8-10."""\n\nimport keras\n')


def test_an_impossible_design_is_not_written():
    with pytest.raises(SpecError, match="number of epochs"):
        keras_script.keras_code(RunSpec(epochs=0))
