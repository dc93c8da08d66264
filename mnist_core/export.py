"""The Keras script of a design, as a tutorial would print it."""

from __future__ import annotations

from typing import Any

from .spec import IMAGE_SHAPE, OPTIMIZERS, Block, RunSpec

_SCRIPT = '''\
"""MNIST with Keras: {network}."""

import keras
from keras import layers

keras.utils.set_random_seed({seed})
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()

model = keras.Sequential(
    [
        {layers},
    ]
)
model.compile(
    optimizer=keras.optimizers.{optimizer},
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.summary()

model.fit(x_train, y_train, batch_size={batch_size}, epochs={epochs}, {validation})
loss, accuracy = model.evaluate(x_test, y_test)
print(f"Test accuracy: {{accuracy:.2%}}")
'''


def keras_code(spec: RunSpec) -> str:
    """The complete Keras script of exactly this design. It needs Keras 3 and nothing else of ours.

    The pixels go in as uint8, because the model scales them itself. `fit` also trains on the last
    images of an epoch that do not fill a batch, so its weights differ from the engine's in detail.
    Raises SpecError for a design that cannot be trained.
    """
    spec.check()
    widths = [block.output[-1] for block in spec.stack() if block.kind == "Dense"]
    lines = [f'keras.Input({IMAGE_SHAPE}, dtype="uint8")', *map(_layer, spec.stack())]
    return _SCRIPT.format(
        network="-".join(map(str, (IMAGE_SHAPE[0] * IMAGE_SHAPE[1], *widths))),
        seed=spec.seed,
        layers=",\n        ".join(lines),
        optimizer=_optimizer(spec),
        batch_size=spec.batch_size,
        epochs=spec.epochs,
        validation=_validation(spec),
    )


def _layer(block: Block) -> str:
    """A layer's call: its first argument by place, as its own documentation writes it."""
    given = {k: v for k, v in block.arguments.items() if (k, v) != ("activation", "linear")}
    first, *others = [f"{name}={_literal(value)}" for name, value in given.items()] or [""]
    return f"layers.{block.kind}({', '.join([first.partition('=')[2], *others])})"


def _optimizer(spec: RunSpec) -> str:
    chosen = OPTIMIZERS[spec.optimizer]
    given = {"learning_rate": spec.learning_rate, **dict(chosen.arguments)}
    return f"{chosen.keras}({', '.join(f'{name}={_literal(v)}' for name, v in given.items())})"


def _validation(spec: RunSpec) -> str:
    if spec.validation == "test":
        return "validation_data=(x_test, y_test)"
    return f"validation_split={_literal(spec.validation_share)}"


def _literal(value: Any) -> str:
    """The value as Python source that reads back to exactly it."""
    if value == 1 / 255:
        return "1 / 255"
    return f'"{value}"' if isinstance(value, str) else repr(value)
