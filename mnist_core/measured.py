"""What the recipes reach: each trained with a few seeds, beside plain Keras on the same design.

The figures are kept in `recipes.json`, which `python -m mnist_core recipes --measure` writes.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from .recipes import RECIPES
from .spec import RunSpec

FILE = Path(__file__).with_name("recipes.json")
SEEDS = (0, 1, 2)
# The default model learns from other hands too, for minutes: it is measured when it is made.
MEASURED = tuple(name for name in RECIPES if name != "default")
Progress = Callable[[str], None]


class Figures(NamedTuple):
    """Test accuracies (0…1) of one recipe, one a seed: by this project and by plain Keras."""

    ours: tuple[float, ...]
    keras: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.ours)

    @property
    def spread(self) -> float:
        """Between the best and the worst seed, of whoever's differ more."""
        return max(max(x) - min(x) for x in (self.ours, self.keras))


def known(path: Path = FILE) -> dict[str, Figures]:
    """The figures that were measured, by recipe; none for one that has changed since."""
    kept = json.loads(path.read_text())["recipes"] if path.exists() else {}
    return {
        name: Figures(*(tuple(row[field]) for field in Figures._fields))
        for name, row in kept.items()
        if name in RECIPES and row["design"] == RECIPES[name].spec.to_query()
    }


def measure(
    names: Iterable[str] = MEASURED, seeds: Iterable[int] = SEEDS, progress: Progress | None = None,
    path: Path = FILE,
) -> None:  # fmt: skip
    """Train these recipes on all of MNIST and put their figures into the file, recipe by recipe.

    Raises DataError without the full set, RuntimeError with the reason if a training fails.
    """
    from . import dataset, host

    data, seeds = dataset.load("full"), tuple(seeds)
    for name in names:
        spec, rows = RECIPES[name].spec, []
        for seed in seeds:
            design = replace(spec, seed=seed)
            rows.append((_ours(design, data), _keras(design, data)))
            if progress:
                progress(f"{name}, seed {seed}: {rows[-1][0]:.2%}, plain Keras {rows[-1][1]:.2%}")
        figures = Figures(*zip(*rows, strict=True))
        kept = json.loads(path.read_text()) if path.exists() else {"recipes": {}}
        kept |= {"cpu": host.cpu(), "cores": os.cpu_count(), "seeds": list(seeds)}
        kept["recipes"][name] = {"design": spec.to_query(), **figures._asdict()}
        path.write_text(json.dumps(kept, indent=1) + "\n")


def _ours(spec: RunSpec, data: Any) -> float:
    """Test accuracy of our own training."""
    from . import events, loop

    *_, last = loop.train(spec, data)
    if not isinstance(last, events.Finished):
        raise RuntimeError(f"The training did not finish: {getattr(last, 'message', last)}")
    return last.test_accuracy


def _keras(spec: RunSpec, data: Any) -> float:
    """Test accuracy of the Keras script that `export` writes for the design, run as it is."""
    from . import engine, export

    splits = tuple((split.images, split.labels) for split in (data.train, data.test))
    mnist = engine.keras.datasets.mnist
    whole, mnist.load_data = mnist.load_data, lambda: splits
    names: dict[str, Any] = {"__name__": "script"}
    try:
        with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(io.StringIO()):
            exec(export.keras_code(spec), names)
    finally:
        mnist.load_data = whole
    return round(float(names["accuracy"]), 6)  # a float32


def percent(values: tuple[float, ...]) -> str:
    """The mean with the lowest and the highest: "98.02 % (97.89–98.11)"."""
    low, high = 100 * min(values), 100 * max(values)
    return f"{100 * fmean(values):.2f} % ({low:.2f}–{high:.2f})"
