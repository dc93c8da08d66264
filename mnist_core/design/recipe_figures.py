"""What the recipes reach: each trained with a few seeds, beside plain Keras on the same design.

The figures are kept in `recipes.json`, which `python -m mnist_core recipes --measure` writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from .recipes import RECIPES

FILE = Path(__file__).with_name("recipes.json")
# The default model learns from other hands too, for minutes: it is measured when it is made.
MEASURED = tuple(name for name in RECIPES if name != "default")


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


def percent(values: tuple[float, ...]) -> str:
    """The mean with the lowest and the highest: "98.02 % (97.89–98.11)"."""
    low, high = 100 * min(values), 100 * max(values)
    return f"{100 * fmean(values):.2f} % ({low:.2f}–{high:.2f})"
