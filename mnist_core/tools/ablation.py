"""What each part of the default model's training is worth: its recipe trained briefly, each time
with one part left out (an ablation study)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mnist_core.data import dataset, writing_habits
from mnist_core.data.dataset import Mnist, Split
from mnist_core.design.choices import AUGMENTATIONS, NO_AUGMENT
from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import RunSpec
from mnist_core.training import engine, events

IMAGES = 15_000  # to train on; what the whole takes grows with it
EPOCHS = 5
DRAWINGS = 3_000
DRAWN = 1_000_003  # the seed of the drawings that are read; no training image comes from it

Progress = Callable[[str], None]


def variants(spec: RunSpec) -> dict[str, tuple[RunSpec, str]]:
    """What is left out -> the design without it, and the data that it is trained on, "hands" or
    "full": nothing, each distortion of the design, all of them, other people's hands, both."""
    plain = replace(spec, augment=NO_AUGMENT)
    used = [name for name in AUGMENTATIONS if getattr(spec.augment, name)]
    without = {AUGMENTATIONS[name].label.lower(): replace(
        spec, augment=replace(spec.augment, **{name: 0.0})) for name in used}  # fmt: skip
    return {
        "nothing": (spec, "hands"),
        **{name: (design, "hands") for name, design in without.items()},
        "all of these": (plain, "hands"),
        "other hands": (spec, "full"),
        "all, and other hands": (plain, "full"),
    }


def run(
    progress: Progress | None = None,
    spec: RunSpec = RECIPES["default"].spec,
    sources: dict[str, Mnist] | None = None,
    images: int = IMAGES,
    epochs: int = EPOCHS,
    drawings: int = DRAWINGS,
) -> list[dict[str, Any]]:
    """A row for each of `variants`: what was `left_out`, the `test_accuracy` on MNIST's test set
    and the `drawn_accuracy` on `drawings` digits that `habits.pen` writes anew, both 0…1.

    Each is trained with the same seed for `epochs` epochs on `images` images that are drawn at
    random from its data: far less than the default model had, so that it takes minutes. `sources`
    are the data by "hands" and "full". Raises DataError without the full set, RuntimeError with
    the reason if a training fails.
    """
    say = progress or (lambda words: None)
    sources = sources or {name: dataset.load(name) for name in ("hands", "full")}
    parts = {name: some(data, images) for name, data in sources.items()}
    drawn = Split(*writing_habits.pen(drawings, DRAWN))
    rows = []
    for left_out, (design, source) in variants(replace(spec, epochs=epochs)).items():
        ended = _trained(design, parts[source])
        said = engine.predict(design, ended.last.answer, drawn.images).argmax(axis=1)
        rows.append({"left_out": left_out, "test_accuracy": ended.test_accuracy,
                     "drawn_accuracy": float((said == drawn.labels).mean())})  # fmt: skip
        say(f"without {left_out}: {ended.test_accuracy:.2%} of MNIST's test images, "
            f"{rows[-1]['drawn_accuracy']:.2%} of the drawings")  # fmt: skip
    return rows


def some(data: Mnist, images: int, seed: int = 0) -> Mnist:
    """The same data with at most `images` of the training images, drawn without replacement."""
    n = len(data.train.labels)
    chosen = np.sort(np.random.default_rng(seed).choice(n, min(images, n), replace=False))
    return replace(data, train=Split(data.train.images[chosen], data.train.labels[chosen]))


def _trained(spec: RunSpec, data: Mnist) -> events.Finished:
    for event in engine.train(spec, data):
        if isinstance(event, events.Failed):
            raise RuntimeError(event.message)
        if isinstance(event, events.Finished):
            return event
    raise RuntimeError("The training was stopped.")
