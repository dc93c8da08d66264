"""The design: its tables, its stack, its rules and its URL form."""

import dataclasses
import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from mnist_core.design import schedules
from mnist_core.design.spec import (
    ACTIVATIONS,
    AUGMENTATIONS,
    FRAMEWORKS,
    INITIALIZERS,
    KEEPS,
    L2,
    LIMITS,
    LOSSES,
    OPTIMIZERS,
    QUERY_KEYS,
    SCHEDULES,
    VALIDATIONS,
    VERSION,
    Augment,
    Conv,
    Layer,
    Limit,
    RunSpec,
    SpecError,
)
from mnist_core.network import initial, layers

PLAIN = RunSpec(layers=(Layer(128),))


def one_sentence(text):
    return bool(re.fullmatch(r"[A-Z](?:(?!\. [A-Z])[^\n])*\.", text))


def with_layer(**values):
    return RunSpec(layers=(Layer(**values),))


def conv(*blocks):
    return RunSpec(convolutions=blocks)


# ------------------------------------------------------------------------------- tables


TABLES = [ACTIVATIONS, OPTIMIZERS, VALIDATIONS, INITIALIZERS, LOSSES, SCHEDULES, KEEPS,
          AUGMENTATIONS]  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_every_choice_has_a_label_and_a_sentence(table):
    labels = [choice.label for choice in table.values()]
    assert len(set(labels)) == len(labels) and all(labels)
    assert all(choice.says.endswith(".") for choice in table.values())


def test_the_numpy_side_knows_the_same_choices():
    assert set(layers.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(initial.INITIALIZERS) == set(INITIALIZERS)
    assert set(schedules._SCHEDULES) == set(SCHEDULES)


def test_every_distortion_is_a_field_with_a_limit_and_off_at_first():
    assert list(AUGMENTATIONS) == [field.name for field in dataclasses.fields(Augment)]
    assert all(LIMITS[name].low == getattr(Augment(), name) == 0 for name in AUGMENTATIONS)
    assert not Augment() and all(Augment(**{name: 0.5}) for name in AUGMENTATIONS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_at_its_usual_learning_rate_is_without_remark(name):
    spec = dataclasses.replace(PLAIN, optimizer=name, learning_rate=OPTIMIZERS[name].learning_rate)
    assert spec.problems() == ()


@pytest.mark.parametrize("inside", [1, 2, 1.5, 3])
def test_a_limit_takes_its_ends_and_what_is_between(inside):
    assert inside in Limit(1, 3)


@pytest.mark.parametrize("outside", [0.999, 3.001, math.nan, math.inf, -math.inf, True, "2", None])
def test_a_limit_refuses_what_is_outside_or_no_number(outside):
    assert outside not in Limit(1, 3)


# ------------------------------------------------------------------------------- stack


def test_the_stack_of_the_tutorial_network():
    spec = RunSpec(layers=(Layer(512, dropout=0.2), Layer(64, "tanh", batch_norm=True)))
    assert [(b.kind, b.name, b.output) for b in spec.stack()] == [
        ("Rescaling", "rescaling", (28, 28)),
        ("Flatten", "flatten", (784,)),
        ("Dense", "dense_1", (512,)),
        ("Dropout", "dropout_1", (512,)),
        ("Dense", "dense_2", (64,)),
        ("BatchNormalization", "batch_norm_2", (64,)),
        ("Dense", "logits", (10,)),
    ]
    assert [b.trainable for b in spec.stack()] == [0, 0, 401_920, 0, 32_832, 128, 650]
    assert [b.fixed for b in spec.stack()] == [0, 0, 0, 0, 0, 128, 0]
    assert spec.parameters == 435_658


def test_the_stack_of_a_convolutional_network():
    blocks = Conv(32), Conv(64, batch_norm=True, pool=1, dropout=0.25)
    spec = RunSpec(layers=(), convolutions=blocks)
    assert [(b.kind, b.name, b.output, b.trainable, b.multiplications) for b in spec.stack()] == [
        ("Rescaling", "rescaling", (28, 28), 0, 0),
        ("Reshape", "reshape", (28, 28, 1), 0, 0),
        ("Conv2D", "conv_1", (26, 26, 32), 320, 26 * 26 * 9 * 32),
        ("MaxPooling2D", "pool_1", (13, 13, 32), 0, 0),
        ("Conv2D", "conv_2", (11, 11, 64), 18_496, 11 * 11 * 9 * 32 * 64),
        ("BatchNormalization", "conv_norm_2", (11, 11, 64), 128, 0),
        ("Dropout", "conv_dropout_2", (11, 11, 64), 0, 0),
        ("Flatten", "flatten", (7744,), 0, 0),
        ("Dense", "logits", (10,), 77_450, 77_440),
    ]
    assert spec.parameters == 320 + 18_496 + 2 * 128 + 77_450
    assert spec.multiplications == 26 * 26 * 288 + 11 * 11 * 18_432 + 77_440


def test_parameters_are_what_arithmetic_says(random_spec):
    rng = np.random.default_rng(1)
    for _ in range(100):
        spec = random_spec(rng)
        side, channels, expected = 28, 1, 0
        for x in spec.convolutions:
            expected += (x.kernel**2 * channels + 1) * x.filters + 4 * x.filters * x.batch_norm
            side, channels = (side - x.kernel + 1) // x.pool, x.filters
        widths = [side * side * channels, *(layer.units for layer in spec.layers), 10]
        expected += sum(d * m + m for d, m in itertools.pairwise(widths))
        assert spec.parameters == expected + sum(4 * x.units for x in spec.layers if x.batch_norm)


def test_the_sizes_name_a_design():
    layers = Layer(128, batch_norm=True), Layer(64)
    blocks = Conv(32), Conv(16, 5, dropout=0.5)
    assert RunSpec(layers).sizes == ("784", "128", "64", "10")
    assert RunSpec((), convolutions=blocks).sizes == ("28x28", "conv32", "conv16", "10")
    assert RunSpec(layers, convolutions=blocks[:1]).sizes[:3] == ("28x28", "conv32", "128")
    assert RunSpec(()).sizes == ("784", "10")


def test_every_kernel_gets_the_initializer_and_the_penalty_and_nothing_else_does():
    layers = (Layer(16, batch_norm=True, dropout=0.1), Layer(8))
    given = {"kernel_initializer": "he_normal", "kernel_regularizer": L2(0.01)}
    for block in RunSpec(layers, initializer="he_normal", l2=0.01).stack():
        found = {name: value for name, value in block.arguments.items() if "kernel" in name}
        assert found == (given if block.kind == "Dense" else {})
    assert not [name for b in RunSpec(layers).stack() for name in b.arguments if "kernel" in name]


def test_block_names_are_unique(random_spec):
    rng = np.random.default_rng(2)
    for _ in range(50):
        names = [block.name for block in random_spec(rng).stack()]
        assert len(set(names)) == len(names)


# ------------------------------------------------------------------------------- problems

IMPOSSIBLE = {
    "seven layers": (RunSpec(layers=(Layer(8),) * 7), "not 7"),
    "layers in a list": (RunSpec(layers=[Layer()]), "tuple of Layer"),
    "a layer that is none": (RunSpec(layers=(128,)), "tuple of Layer"),
    "too few units": (with_layer(units=7), "units from 8 to 1,024"),
    "too many units": (with_layer(units=1025), "units from 8 to 1,024"),
    "units not whole": (with_layer(units=64.0), "whole number of units"),
    "units a bool": (with_layer(units=True), "whole number of units"),
    "unknown activation": (with_layer(activation="gelu"), "no activation 'gelu'"),
    "batch norm no bool": (with_layer(batch_norm=2), "True or False"),
    "batch norm None": (with_layer(batch_norm=None), "True or False"),
    "dropout below 0": (with_layer(dropout=-0.1), "from 0 to 0.9"),
    "dropout of everything": (with_layer(dropout=1.0), "from 0 to 0.9"),
    "dropout nan": (with_layer(dropout=math.nan), "from 0 to 0.9"),
    "unknown optimizer": (RunSpec(optimizer="lion"), "no optimizer 'lion'"),
    "learning rate 0": (RunSpec(learning_rate=0.0), "from 0.000001 to 10"),
    "learning rate negative": (RunSpec(learning_rate=-0.1), "learning rate"),
    "learning rate too large": (RunSpec(learning_rate=11.0), "learning rate"),
    "learning rate nan": (RunSpec(learning_rate=math.nan), "learning rate"),
    "learning rate inf": (RunSpec(learning_rate=math.inf), "learning rate"),
    "learning rate a text": (RunSpec(learning_rate="0.1"), "learning rate"),
    "batch 0": (RunSpec(batch_size=0), "batch size must be a whole number from 1 to 1,024"),
    "batch too large": (RunSpec(batch_size=1025), "batch size"),
    "batch not whole": (RunSpec(batch_size=32.0), "batch size"),
    "no epoch": (RunSpec(epochs=0), "number of epochs must be a whole number from 1 to 100"),
    "too many epochs": (RunSpec(epochs=101), "number of epochs"),
    "seed negative": (RunSpec(seed=-1), "seed must be a whole number from 0"),
    "seed too large": (RunSpec(seed=2**31), "seed"),
    "seed a bool": (RunSpec(seed=True), "seed"),
    "unknown validation": (RunSpec(validation="train"), "no validation 'train'"),
    "share too small": (RunSpec(validation_share=0.04), "from 0.05 to 0.5"),
    "share too large": (RunSpec(validation_share=0.51), "from 0.05 to 0.5"),
    "share nan": (RunSpec(validation_share=math.nan), "from 0.05 to 0.5"),
    "unknown schedule": (RunSpec(schedule="sawtooth"), "no schedule 'sawtooth'"),
    "unknown initializer": (RunSpec(initializer="ones"), "no initializer 'ones'"),
    "unknown loss": (RunSpec(loss="hinge"), "no loss 'hinge'"),
    "unknown rule to keep": (RunSpec(keep="best"), "no rule for the weights to keep 'best'"),
    "L2 negative": (RunSpec(l2=-1e-3), "from 0 to 0.1"),
    "L2 too large": (RunSpec(l2=0.11), "from 0 to 0.1"),
    "L2 nan": (RunSpec(l2=math.nan), "from 0 to 0.1"),
    "smoothing negative": (RunSpec(loss="categorical", label_smoothing=-0.1), "from 0 to 0.5"),
    "smoothing too large": (RunSpec(loss="categorical", label_smoothing=0.6), "from 0 to 0.5"),
    "smoothing of a number": (RunSpec(label_smoothing=0.1), "needs the categorical loss"),
    "patience negative": (RunSpec(patience=-1), "patience must be a whole number from 0 to 20"),
    "patience too long": (RunSpec(patience=21), "patience"),
    "patience not whole": (RunSpec(patience=2.0), "patience"),
    "too many parameters": (RunSpec(layers=(Layer(1024),) * 5), "at most 4,000,000"),
    "batch norm of one image": (RunSpec(batch_size=1), "batch of at least 2"),
}

IMPOSSIBLE |= {
    "four convolutions": (conv(*[Conv(8, pool=1)] * 4), "0 to 3 convolution blocks, not 4"),
    "convolutions in a list": (RunSpec(convolutions=[Conv()]), "tuple of Conv"),
    "too few filters": (conv(Conv(3)), "whole number of filters, 4 to 64"),
    "too many filters": (conv(Conv(65)), "whole number of filters, 4 to 64"),
    "kernel too large": (conv(Conv(8, 8)), "pixels in its kernel's side, 1 to 7"),
    "kernel not whole": (conv(Conv(8, 3.0)), "pixels in its kernel's side"),
    "pool of nothing": (conv(Conv(8, pool=0)), "pixels in its pooling's side, 1 to 3"),
    "unknown activation of a convolution": (conv(Conv(8, activation="gelu")), "'gelu'"),
    "batch norm of a convolution no bool": (conv(Conv(8, batch_norm=1)), "True or False"),
    "dropout of a whole feature map": (conv(Conv(8, dropout=1.0)), "from 0 to 0.9"),
    "nothing left to convolve": (conv(*[Conv(8, 7, pool=3)] * 2), "only 7 × 7 pixels left"),
    "too much arithmetic": (conv(Conv(64, pool=1), Conv(64, 5)), "multiplies 50,"),
    "augmentation a dict": (RunSpec(augment={"shift": 1}), "must be an Augment"),
    **{
        f"too much {name}": (RunSpec(augment=Augment(**{name: LIMITS[name].high * 1.01})), label)
        for name, (label, _, _) in AUGMENTATIONS.items()
    },
    "rotation nan": (RunSpec(augment=Augment(rotation=math.nan)), "from 0 to 45 degrees"),
    "shift backwards": (RunSpec(augment=Augment(shift=-1.0)), "from 0 to 6 pixels"),
}

UNWISE = {
    "batch norm of few images": (RunSpec(batch_size=4), "over only 4 images"),
    "learning rate large": (RunSpec(learning_rate=0.01), "10 times Adam's usual 0.001"),
    "learning rate small": (RunSpec(learning_rate=1e-5), "100 times smaller than Adam's usual"),
    "linear layers": (RunSpec(layers=(Layer(64, "linear"),) * 2), "a single linear one"),
    "vanishing gradients": (RunSpec(layers=(Layer(64, "sigmoid"),) * 4), "vanishing gradients"),
    "heavy dropout": (with_layer(dropout=0.7), "drops 70\N{NO-BREAK SPACE}% of the units"),
    "narrow layer": (with_layer(units=8), "through 8 numbers"),
    "validation on test": (RunSpec(validation="test"), "test set"),
    "zeros": (RunSpec(initializer="zeros"), "hardly learn"),
    "far shift": (RunSpec(augment=Augment(shift=5)), "Shift by up to 5 pixels moves strokes out"),
    "far rotation": (RunSpec(augment=Augment(rotation=31)), "31 degrees brings 6 and 9"),
    "far zoom": (RunSpec(augment=Augment(zoom=0.5)), "makes digits larger than the image"),
    "far shear": (RunSpec(augment=Augment(shear=45)), "further than a hand does"),
    "far elastic": (RunSpec(augment=Augment(elastic=3)), "folds strokes over each other"),
    "far pen": (RunSpec(augment=Augment(pen=1.0)), "wipes thin strokes out"),
    "patience in vain": (RunSpec(patience=5, epochs=5), "cannot end a run of 5 epochs early"),
}


@pytest.mark.parametrize(("spec", "says"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_value_is_one_blocking_sentence(spec, says):
    problem, *more = spec.problems()
    assert says in problem and problem.blocking and not more
    assert one_sentence(problem)
    with pytest.raises(SpecError, match=re.escape(problem)):
        spec.check()


@pytest.mark.parametrize(("spec", "says"), UNWISE.values(), ids=UNWISE)
def test_an_unwise_value_is_advice_and_can_be_trained(spec, says):
    assert [says in problem for problem in spec.problems()] == [True]
    assert not any(problem.blocking for problem in spec.problems())
    spec.check()


@pytest.mark.parametrize(
    "spec",
    [
        RunSpec(),
        with_layer(activation="linear"),
        RunSpec(layers=(Layer(64, "sigmoid", batch_norm=True),) * 4),
        RunSpec(augment=Augment(4, 30, 0.4, 30, 2.5, 0.7)),
        RunSpec(layers=(Layer(64, "tanh"),) * 3),
        RunSpec(batch_size=8),
        dataclasses.replace(PLAIN, batch_size=1),
        with_layer(dropout=0.6),
        RunSpec(patience=4, epochs=5),
        RunSpec(loss="categorical", label_smoothing=0.1, l2=1e-4, keep="val_loss"),
        *(RunSpec(schedule=schedule) for schedule in SCHEDULES),
    ],
)
def test_a_sound_design_is_without_remark(spec):
    assert spec.problems() == ()


def test_every_impossible_value_is_named_and_advice_is_kept_for_later():
    spec = RunSpec(layers=(Layer(7, "gelu", dropout=0.95), Layer(2000)), epochs=0, batch_size=4)
    assert len(spec.problems()) == 5
    assert all(problem.blocking for problem in spec.problems())


@pytest.mark.parametrize(
    "name",
    ["learning_rate", "batch_size", "epochs", "validation_share", "l2", "label_smoothing",
     "patience", "seed"],
)  # fmt: skip
def test_the_ends_of_a_limit_can_be_trained(name):
    for value in LIMITS[name]:
        dataclasses.replace(PLAIN, loss="categorical", **{name: value}).check()


# ------------------------------------------------------------------------------- URL form


def test_any_design_survives_its_link(random_spec):
    rng = np.random.default_rng(3)
    trainable = 0
    for _ in range(400):
        spec = random_spec(rng)
        if spec.parameters in LIMITS["parameters"]:
            again = RunSpec.from_query(spec.to_query())
            assert again == spec and hash(again) == hash(spec)
            assert again.to_query() == spec.to_query()
            trainable += 1
    assert trainable > 300


def test_a_link_leaves_out_defaults_and_reads_like_the_design():
    assert RunSpec().to_query() == {"v": VERSION}
    spec = RunSpec(layers=(Layer(512, dropout=0.2), Layer(64, "tanh", True)), epochs=3)
    assert spec.to_query() == {"v": VERSION, "net": "512-relu-d0.2~64-tanh-bn", "epochs": "3"}
    spec = RunSpec(schedule="cosine", initializer="he_normal", l2=1e-4, loss="categorical",
                   label_smoothing=0.1, keep="val_loss", patience=3)  # fmt: skip
    assert spec.to_query() == {
        "v": VERSION, "sched": "cosine", "init": "he_normal", "l2": "0.0001",
        "loss": "categorical", "smooth": "0.1", "keep": "val_loss", "patience": "3",
    }  # fmt: skip


def test_a_link_is_plain_text_under_known_keys(random_spec):
    rng = np.random.default_rng(4)
    for _ in range(50):
        query = random_spec(rng).to_query()
        assert set(query) <= QUERY_KEYS
        assert all(re.fullmatch(r"[\w.~-]+", value, re.ASCII) for value in query.values())


def test_a_link_without_its_version_is_of_the_present_one():
    assert RunSpec.from_query({"epochs": "3"}) == RunSpec(epochs=3)


def test_numpy_numbers_survive_a_link():
    spec = RunSpec(
        layers=(Layer(64, dropout=np.float64(0.25)),),
        learning_rate=np.float64(0.02),
        validation_share=np.float64(0.1),
    )
    assert RunSpec.from_query(spec.to_query()) == spec


def test_from_query_leaves_the_link_as_it_was():
    link = RunSpec(epochs=3).to_query()
    RunSpec.from_query(link)
    assert link == {"v": VERSION, "epochs": "3"}


def test_any_convolutions_and_distortions_survive_their_link():
    rng = np.random.default_rng(5)
    for _ in range(200):
        blocks = tuple(
            Conv(int(rng.integers(4, 65)), int(rng.integers(1, 4)),
                 str(rng.choice(list(ACTIVATIONS))), bool(rng.integers(2)),
                 int(rng.integers(1, 3)), float(rng.choice([0, 0.25, rng.uniform(0, 0.9)])))
            for _ in range(rng.integers(0, 3))
        )  # fmt: skip
        most = {name: float(rng.uniform(0, LIMITS[name].high) * rng.choice([0, 1e-5, 1]))
                for name in AUGMENTATIONS}  # fmt: skip
        spec = RunSpec(convolutions=blocks, layers=(), augment=Augment(**most))
        if not any(problem.blocking for problem in spec.problems()):
            query = spec.to_query()
            assert RunSpec.from_query(query) == spec
            assert all(re.fullmatch(r"[\w.~-]+", value, re.ASCII) for value in query.values())
    spec = RunSpec((), convolutions=(Conv(), Conv(64, dropout=0.5)), augment=Augment(shift=2))
    assert spec.to_query() == {
        "v": VERSION, "net": "none", "conv": "32-k3-relu-p2~64-k3-relu-p2-d0.5", "aug": "shift2.0"
    }  # fmt: skip


REFUSED = {
    "unknown key": ({"epoch": "3"}, "unknown part 'epoch'"),
    "later version": ({"v": "2"}, "version '2'"),
    "no version": ({"v": ""}, "version ''"),
    "words for a number": ({"epochs": "three"}, "epochs='three'"),
    "fraction of an epoch": ({"epochs": "1.5"}, "cannot be read"),
    "negative": ({"seed": "-1"}, "cannot be read"),
    "no value": ({"lr": ""}, "cannot be read"),
    "endless digits": ({"seed": "9" * 5000}, "cannot be read"),
    "no layer": ({"net": ""}, "cannot be read"),
    "half a layer": ({"net": "128"}, "cannot be read"),
    "layer with more": ({"net": "128-relu-bn-d0.2-x"}, "cannot be read"),
    "dropout no number": ({"net": "128-relu-d1e--5"}, "cannot be read"),
    "unknown activation": ({"net": "128-gelu"}, "no activation 'gelu'"),
    "unknown optimizer": ({"opt": "lion"}, "no optimizer 'lion'"),
    "unknown validation": ({"val": "train"}, "no validation 'train'"),
    "learning rate nan": ({"lr": "nan"}, "learning rate"),
    "learning rate inf": ({"lr": "inf"}, "learning rate"),
    "share nan": ({"share": "nan"}, "validation"),
    "unknown schedule": ({"sched": "sawtooth"}, "no schedule 'sawtooth'"),
    "unknown initializer": ({"init": "ones"}, "no initializer 'ones'"),
    "unknown loss": ({"loss": "hinge"}, "no loss 'hinge'"),
    "unknown rule to keep": ({"keep": "best"}, "no rule for the weights to keep 'best'"),
    "L2 nan": ({"l2": "nan"}, "from 0 to 0.1"),
    "smoothing of a number": ({"smooth": "0.1"}, "needs the categorical loss"),
    "patience of minus one": ({"patience": "-1"}, "cannot be read"),
    "half a convolution": ({"conv": "32-k3-relu"}, "cannot be read"),
    "no convolution": ({"conv": ""}, "cannot be read"),
    "unknown distortion": ({"aug": "blur2"}, "cannot be read"),
    "the same distortion twice": ({"aug": "shift2-shift3"}, "cannot be read"),
    "no distortion": ({"aug": ""}, "cannot be read"),
    "too much rotation": ({"aug": "rotation90"}, "from 0 to 45 degrees"),
    "too wide": ({"net": "9999-relu"}, "units from 8 to 1,024"),
    "too deep": ({"net": "~".join(["64-relu"] * 7)}, "not 7"),
    "too large": ({"net": "~".join(["1024-relu"] * 6)}, "at most 4,000,000"),
    "too long": ({"epochs": "101"}, "epochs"),
}


@pytest.mark.parametrize(("query", "says"), REFUSED.values(), ids=REFUSED)
def test_a_bad_link_is_refused_in_one_sentence(query, says):
    with pytest.raises(SpecError) as refusal:
        RunSpec.from_query(query)
    assert says in str(refusal.value) and one_sentence(str(refusal.value))


# ------------------------------------------------------------------------------- frozen


@pytest.mark.parametrize("thing", [RunSpec(), Layer(), Conv(), Augment()])
def test_a_design_cannot_be_changed(thing):
    for field in dataclasses.fields(thing):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field.name, getattr(thing, field.name))


# ------------------------------------------------------------------------------- who computes it


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_numpy_trains_with_its_own_optimizers_and_refuses_the_others(optimizer):
    spec = RunSpec(optimizer=optimizer, framework="numpy")
    blocking = [str(problem) for problem in spec.problems() if problem.blocking]
    if optimizer in FRAMEWORKS["numpy"].optimizers:
        assert not blocking and RunSpec.from_query(spec.to_query()) == spec
    else:
        label = OPTIMIZERS[optimizer].label
        assert blocking == [f"NumPy has no {label} here: choose SGD, SGD with momentum, RMSprop or "
                            "Adam, or train with Keras."]  # fmt: skip


def test_numpys_table_of_windows_is_held_in_bounds():
    spec = RunSpec((), convolutions=(Conv(32, 3, pool=1), Conv(32, 5)), framework="numpy",
                   batch_size=1024)  # fmt: skip
    assert spec.windows == 22 * 22 * 5 * 5 * 32
    (problem,) = [p for p in spec.problems() if p.blocking]
    most = int(re.search(r"at most (\d+)", problem)[1])
    assert "1.6 GB" in problem
    assert not [p for p in replace(spec, batch_size=most).problems() if p.blocking]
    assert [p for p in replace(spec, batch_size=most + 1).problems() if p.blocking]
    assert not [p for p in replace(spec, framework="keras").problems() if p.blocking]


def test_an_unknown_framework_is_refused():
    with pytest.raises(SpecError, match="no framework 'torch': choose keras, numpy"):
        RunSpec.from_query({"fw": "torch"})
    assert "fw" not in RunSpec().to_query()


# ------------------------------------------------------- what a link brings beside a design


def test_a_link_collects_parts_that_are_no_design():
    sent = RunSpec(epochs=3).to_query() | {"utm_source": "mail", "fbclid": "x"}
    assert RunSpec.salvaged(sent) == (RunSpec(epochs=3), [])


@pytest.mark.parametrize(("key", "text", "says"), [
    ("epochs", "many", "cannot be read"), ("epochs", "1000", "from 1 to 100"),
    ("opt", "magic", "no optimizer"), ("net", "128-relu~", "cannot be read"),
])  # fmt: skip
def test_a_broken_part_is_named_and_the_rest_kept(key, text, says):
    spec, (sentence,) = RunSpec.salvaged({"v": "1", "seed": "7", "batch": "64", key: text})
    assert spec == RunSpec(seed=7, batch_size=64)
    assert f"{key}={text!r}" in sentence and says in sentence


def test_a_design_of_a_later_version_is_not_guessed_at():
    spec, (sentence,) = RunSpec.salvaged({"v": "2", "seed": "7"})
    assert spec == RunSpec() and "version '2'" in sentence


def test_a_sentence_says_which_control_it_is_about():
    spec = RunSpec((Layer(8), Layer(64), Layer(9, dropout=0.7)), batch_size=4, patience=20)
    said = {str(p): p.about for p in spec.problems()}
    assert said["Layers 1 and 3 squeeze every digit through 8 numbers, fewer than the 10 classes: "
                "expect a lower accuracy."] == "layers"  # fmt: skip
    assert said["A patience of 20 epochs cannot end a run of 10 epochs early."] == "patience"
    assert sum("drops" in sentence for sentence in said) == 1
    assert set(said.values()) <= {f.name for f in dataclasses.fields(RunSpec)}
