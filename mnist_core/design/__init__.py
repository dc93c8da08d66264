"""What to train: the tables of choices, the frozen RunSpec made of them, and recipes.

A design is plain values: it can be compared, put into a link and taken out again. It never trains
anything and knows no data. May import `basis`.
"""

from .recipes import RECIPES, Recipe
from .spec import LIMITS, Augment, Block, Conv, Layer, RunSpec, SpecError

__all__ = [
    "LIMITS", "RECIPES", "Augment", "Block", "Conv", "Layer", "Recipe", "RunSpec",
    "SpecError",
]  # fmt: skip
