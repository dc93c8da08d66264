"""recipes: the designs of well-known tutorials, and what they reach."""

from __future__ import annotations

import argparse

from .console import Parser, Refused, refusing, say, table

ABOUT = "List the recipes, with what they teach and what they reach."


def options(parser: Parser) -> None:
    """What may be given."""
    parser.add_argument("--measure", action="store_true",
                        help="train each three times, and plain Keras too; some twenty minutes")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="list, or measure, this one alone; can be given again")


def run(given: argparse.Namespace) -> None:
    from mnist_core.design import recipe_figures
    from mnist_core.design.recipes import RECIPES, network

    for name in given.only or ():
        if name not in RECIPES:
            raise Refused(f"There is no recipe {name!r}; there are {', '.join(RECIPES)}.")
    if given.measure:
        _measure(given.only)
    shown = {name: RECIPES[name] for name in given.only or RECIPES}
    figures = recipe_figures.known()
    rows: list[tuple[object, ...]] = [
        ("recipe", "network", "optimizer", "batch", "epochs", "published", "ours", "Keras")
    ]
    for name, (spec, published) in ((n, (r.spec, r.published)) for n, r in shown.items()):
        found = figures.get(name)
        rows.append((name, network(spec), spec.optimizer, spec.batch_size, spec.epochs,
                     f"{100 * published:.2f} %" if published else "–",
                     recipe_figures.percent(found.ours) if found else "–",
                     recipe_figures.percent(found.keras) if found else "–"))  # fmt: skip
    table(rows)
    for name, recipe in shown.items():
        print(f"\n{name}: {recipe.says}\n  Source: {recipe.source}")


def _measure(only: list[str] | None) -> None:
    from mnist_core.data import dataset
    from mnist_core.design import recipe_figures
    from mnist_core.tools import measure_recipes

    for name in only or ():
        if name not in recipe_figures.MEASURED:
            raise Refused(f"There is no recipe {name!r} to measure; there are "
                          f"{', '.join(recipe_figures.MEASURED)}.")  # fmt: skip
    with refusing(dataset.DataError, RuntimeError):
        measure_recipes.measure(only or recipe_figures.MEASURED, progress=say)
