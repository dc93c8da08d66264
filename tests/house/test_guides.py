"""ARCHITECTURE.md and CONTRIBUTING.md say what is so."""

import re
from pathlib import Path

import pytest

from tests.house.test_architecture import LAYERS

ROOT = Path(__file__).resolve().parents[2]
GUIDES = {name: (ROOT / ".github" / f"{name}.md").read_text()
          for name in ("ARCHITECTURE", "CONTRIBUTING")}  # fmt: skip
RECIPES = ("an optimizer", "a section to a page", "a kind of export")


def test_the_layers_that_are_printed_are_the_ones_that_are_held():
    table = GUIDES["ARCHITECTURE"].split("<!-- layers -->")[1].split("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.M)) == LAYERS


def test_the_core_says_the_same_of_its_layers():
    text = (ROOT / "mnist_core" / "__init__.py").read_text()
    assert tuple(re.findall(r"^    (\w+) ", text, re.M)) == LAYERS


def named(text: str) -> set[str]:
    """What a guide calls by a path: from the top, or from inside the core."""
    return set(re.findall(r"`([\w.]+(?:/[\w.]+)+/?)`", text))


@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_that_is_named_is_there(guide):
    missing = [name for name in named(GUIDES[guide])
               if not (ROOT / name).exists() and not (ROOT / "mnist_core" / name).exists()]
    assert not missing


@pytest.mark.parametrize("thing", RECIPES)
def test_a_recipe_names_the_files_and_the_tests_that_it_touches(thing):
    recipe = GUIDES["ARCHITECTURE"].split(f"**{thing}")[1].split("\n\n")[0]
    files = named(recipe)
    assert len([name for name in files if name.startswith(("mnist_core/", "pages/"))]) >= 2
    assert len([name for name in files if name.startswith("tests/")]) >= 2


def test_the_guides_can_be_read_in_one_sitting():
    assert len(GUIDES["ARCHITECTURE"].splitlines()) <= 125
    assert len(GUIDES["CONTRIBUTING"].splitlines()) <= 70
