"""The recipes trained with a few seeds each, beside plain Keras on the same design."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_core.data import Mnist, dataset
from mnist_core.design.recipe_figures import FILE, MEASURED, Figures
from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import RunSpec
from mnist_core.estimates import host
from mnist_core.exports import keras_script
from mnist_core.training import engine, events
from mnist_core.training.frameworks import train

SEEDS = (0, 1, 2)
Progress = Callable[[str], None]


def measure(
    names: Iterable[str] = MEASURED, seeds: Iterable[int] = SEEDS, progress: Progress | None = None,
    path: Path = FILE,
) -> None:  # fmt: skip
    """Train these recipes on all of MNIST and put their figures into the file, recipe by recipe.

    Raises DataError without the full set, RuntimeError with the reason if a training fails.
    """
    data, seeds = dataset.load("full"), tuple(seeds)
    for name in names:
        spec, rows = RECIPES[name].spec, []
        for seed in seeds:
            design = replace(spec, seed=seed)
            rows.append((_ours(design, data), _keras(design, data)))
            if progress:
                progress(f"{name}, seed {seed}: {rows[-1][0]:.2%}, plain Keras {rows[-1][1]:.2%}")
        figures = Figures(*zip(*rows, strict=True))
        kept: dict[str, Any] = {"recipes": {}}
        if path.exists():
            kept = json.loads(path.read_text())
        kept |= {"cpu": host.cpu(), "cores": os.cpu_count(), "seeds": list(seeds)}
        kept["recipes"][name] = {"design": spec.to_query(), **figures._asdict()}
        path.write_text(json.dumps(kept, indent=1) + "\n")


def _ours(spec: RunSpec, data: Mnist) -> float:
    """Test accuracy of our own training."""
    *_, last = train(spec, data)
    if not isinstance(last, events.Finished):
        raise RuntimeError(f"The training did not finish: {getattr(last, 'message', last)}")
    return last.test_accuracy


def _keras(spec: RunSpec, data: Mnist) -> float:
    """Test accuracy of the Keras script that `keras_script` writes for the design, run as it is."""
    splits = tuple((split.images, split.labels) for split in (data.train, data.test))
    mnist = engine.keras.datasets.mnist
    whole, mnist.load_data = mnist.load_data, lambda: splits
    names: dict[str, Any] = {"__name__": "script"}
    try:
        with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(io.StringIO()):
            exec(keras_script.keras_code(spec), names)
    finally:
        mnist.load_data = whole
    return round(float(names["accuracy"]), 6)  # a float32
