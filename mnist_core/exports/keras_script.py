"""The Keras script of a design, as a tutorial would print it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any, NamedTuple

from mnist_core.design import augmentation
from mnist_core.design.schedules import DROPS, WARM_UP
from mnist_core.design.spec import AUGMENTATIONS, IMAGE_SHAPE, L2, OPTIMIZERS, Block, RunSpec

_IMPORT = """\
{imports}import keras
{numpy}from keras import layers
"""
_DATA = """\
keras.utils.set_random_seed({seed})
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
{one_hot}"""
_MODEL = """\
model = keras.Sequential(
    [
        {layers},
    ]
)
"""
_COMPILE = """\
{schedule}model.compile(
    optimizer=keras.optimizers.{optimizer},
    loss={loss},
    metrics=["accuracy"],
)
model.summary()
"""
_EVALUATE = """\
loss, accuracy = model.evaluate(x_test, y_test)
print(f"Test accuracy: {accuracy:.2%}")
"""


class Steps(NamedTuple):
    """The Keras code of a design, one piece for each step of a tutorial. `distort` is empty without
    augmentation."""

    imports: str
    distort: str
    data: str
    model: str
    compile: str
    fit: str
    evaluate: str


def keras_code(spec: RunSpec) -> str:
    """The complete Keras script of exactly this design. It needs Keras 3 and nothing else of ours.

    The pixels go in as uint8, because the model scales them itself. `fit` also trains on the last
    images of an epoch that do not fill a batch, so its weights differ from the engine's in detail.
    Raises SpecError for a design that cannot be trained.
    """
    step = steps(spec)
    head = f'"""MNIST with Keras: {"-".join(spec.sizes)}."""\n'
    parts = (head, step.imports, step.distort + step.data, step.model + step.compile,
             step.fit, step.evaluate)  # fmt: skip
    return "\n".join(parts)


def steps(spec: RunSpec) -> Steps:
    """The pieces of `keras_code`. Raises SpecError for a design that cannot be trained."""
    spec.check()
    distort = ["Distort()"] if spec.augment else []
    first = [f'keras.Input({IMAGE_SHAPE}, dtype="uint8")', *distort]
    lines = [*first, *map(_layer, spec.stack())]
    augmented = bool(spec.augment)
    return Steps(
        _IMPORT.format(imports=_IMPORTS * augmented, numpy="import numpy as np\n" * augmented),
        _distortions(spec) if augmented else "",
        _DATA.format(seed=spec.seed, one_hot=_ONE_HOT * (spec.loss == "categorical")),
        _MODEL.format(layers=",\n        ".join(lines)),
        _COMPILE.format(schedule=_schedule(spec), optimizer=_optimizer(spec), loss=_loss(spec)),
        _fit(spec),
        _EVALUATE,
    )


_ONE_HOT = """\
y_train = keras.utils.to_categorical(y_train, 10)
y_test = keras.utils.to_categorical(y_test, 10)
"""


_IMPORTS = """\
from collections import namedtuple
from typing import Any

"""

_DISTORT = '''\
Augment = namedtuple("Augment", "{names}")
augment = Augment({most})
{constants}


{functions}

class Distort(layers.Layer):
    """Each image in a new distortion while training; at any other time as it is."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed = keras.random.SeedGenerator({seed})

    def call(self, images, training=False):
        images = keras.ops.cast(images, "float32")
        if not training:
            return images
        shape = (keras.ops.shape(images)[0], draws(augment))
        noise = keras.random.uniform(shape, -1, 1, seed=self.seed)
        return keras.ops.round(distort(images, noise, augment, keras.ops))

    def compute_output_shape(self, shape):
        return shape


'''


def _distortions(spec: RunSpec) -> str:
    """The augmentation as a Keras layer around the very functions that the engine compiles."""
    constants = ("SIDE", "MIDDLE", "RIM", "WIDE", "KNOTS", "SMOOTH")
    functions = ("draws", "distort", "framed", "redraw", "sources", "bend", "sample")
    return _DISTORT.format(
        names=" ".join(AUGMENTATIONS),
        most=", ".join(map(repr, astuple(spec.augment))),
        constants="\n".join(f"{name} = {getattr(augmentation, name)!r}" for name in constants),
        functions="\n\n".join(inspect.getsource(getattr(augmentation, name)) for name in functions),
        seed=spec.seed,
    )


def _layer(block: Block) -> str:
    """A layer's call: its first argument by place, as its own documentation writes it."""
    given = {k: v for k, v in block.arguments.items() if (k, v) != ("activation", "linear")}
    first, *others = [f"{name}={_literal(value)}" for name, value in given.items()] or [""]
    return f"layers.{block.kind}({', '.join([first.partition('=')[2], *others])})"


def _optimizer(spec: RunSpec) -> str:
    chosen = OPTIMIZERS[spec.optimizer]
    rate = _literal(spec.learning_rate) if spec.schedule == "constant" else "schedule"
    given = [f"{name}={_literal(value)}" for name, value in chosen.arguments]
    return f"{chosen.keras}({', '.join([f'learning_rate={rate}', *given])})"


def _schedule(spec: RunSpec) -> str:
    """The learning rate's schedule as a Keras object, over the whole batches of the run."""
    if spec.schedule == "constant":
        return ""
    rate = _literal(spec.learning_rate)
    kept = "" if spec.validation == "test" else f" * (1 - {_literal(spec.validation_share)})"
    count = f"int(len(x_train){kept})" if kept else "len(x_train)"
    made = {
        "step": "PiecewiseConstantDecay(\n    "
        f"[int({DROPS[0]} * steps), int({DROPS[1]} * steps)],\n"
        f"    [{rate}, {rate} / 10, {rate} / 100],\n)",
        "cosine": f"CosineDecay({rate}, steps)",
        "warmup": f"CosineDecay(\n    0.0, steps - int({WARM_UP} * steps), warmup_target={rate}, "
        f"warmup_steps=int({WARM_UP} * steps)\n)",
    }[spec.schedule]
    steps = f"steps = {count} // {spec.batch_size} * {spec.epochs}"
    return f"{steps}\nschedule = keras.optimizers.schedules.{made}\n"


def _loss(spec: RunSpec) -> str:
    if spec.loss == "sparse":
        return "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
    smooth = f", label_smoothing={spec.label_smoothing!r}" if spec.label_smoothing else ""
    return f"keras.losses.CategoricalCrossentropy(from_logits=True{smooth})"


def _fit(spec: RunSpec) -> str:
    """The call of `fit`, with the callbacks that keep the best epoch and end early."""
    callbacks = list(_callbacks(spec))
    head = f"model.fit(x_train, y_train, batch_size={spec.batch_size}, epochs={spec.epochs}, "
    if not callbacks:
        return f"{head}{_validation(spec)})\n"
    listed = "".join(f"    {call},\n" for call in callbacks)
    best = 'model.load_weights("best.weights.h5")\n' if spec.keep != "last" else ""
    return f"callbacks = [\n{listed}]\n{head}{_validation(spec)},\n" + \
        f"          callbacks=callbacks)\n{best}"


def _callbacks(spec: RunSpec) -> Iterator[str]:
    measure = "val_loss" if spec.keep == "last" else spec.keep
    mode = "min" if measure == "val_loss" else "max"
    if spec.keep != "last":
        yield f'keras.callbacks.ModelCheckpoint("best.weights.h5", monitor="{measure}", ' \
            f'mode="{mode}", save_best_only=True, save_weights_only=True)'
    if spec.patience:
        yield f'keras.callbacks.EarlyStopping(monitor="{measure}", mode="{mode}", ' \
            f"patience={spec.patience})"


def _validation(spec: RunSpec) -> str:
    if spec.validation == "test":
        return "validation_data=(x_test, y_test)"
    return f"validation_split={_literal(spec.validation_share)}"


def _literal(value: Any) -> str:
    """The value as Python source that reads back to exactly it."""
    if isinstance(value, L2):
        return f"keras.regularizers.L2({value.factor!r})"
    if value == 1 / 255:
        return "1 / 255"
    return f'"{value}"' if isinstance(value, str) else repr(value)
