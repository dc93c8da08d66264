"""Any link opens its page: whatever stands in the place of a value, in every parameter there is."""

import ast

import numpy as np
import pytest

from mnist_core.design import lesson_link
from mnist_core.design.spec import QUERY_KEYS
from tests.pages.visiting import ROOT, STEMS


def written(path):
    """The parameters that a file names: of the URL itself, of a choice, of a bound control."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("query_params"):
            yield node.slice
        if not isinstance(node, ast.Call):
            continue
        called, keywords = ast.unparse(node.func), {k.arg: k.value for k in node.keywords}
        if called.endswith(("query_params.get", "links.choose")):
            yield node.args[0]
        if called.endswith("links.one_of"):
            yield node.args[3]
        if "bind" in keywords or any(ast.unparse(k.value) == "KEPT" for k in node.keywords):
            yield keywords["key"]


FILES = sorted((ROOT / "pages").rglob("*.py"))
KEYS = sorted({
    *QUERY_KEYS, *lesson_link.KEYS, "race", "sweep", "one", "other", "of",
    *(node.value for path in FILES for node in written(path) if isinstance(node, ast.Constant)),
})  # fmt: skip
VALUES = {
    "nothing": "", "a very long number": "7" * 5000, "a negative number": "-1",
    "a huge number": "99999999999999999999", "no number": "nan", "a power": "²",
    "other digits": "１２", "a path": "../../etc/passwd", "a tag": "<script>alert(1)</script>",
    "a control": "\x00\n", "a list": "[1,2", "many parts": "~".join(["x"] * 2000),
}  # fmt: skip


def test_the_parameters_of_all_pages_are_known():
    assert {"image", "run", "model", "part", "of", "view", "network", "from", "concept", "topic",
            "step", "tab", "runs", "section", "epochs", "rows", "order"} <= set(KEYS)  # fmt: skip


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_page_opens_with_this_in_every_parameter(visit, value):
    for stem in STEMS[1:]:
        visit(stem, **dict.fromkeys(KEYS, value))


@pytest.mark.parametrize("seed", range(3))
def test_a_page_opens_with_any_of_these_in_some_parameters(visit, seed):
    """So that a section is reached of which another parameter is wrong."""
    rng = np.random.default_rng(seed)
    real = {"part": ["Mistakes", "Scores"], "topic": ["Microscope", "Concepts"], "tab": ["Compare"],
            "section": ["Map", "Pixels"], "of": ["Any test image"]}  # fmt: skip
    for stem in STEMS[1:]:
        given = {key: str(rng.choice(list(VALUES.values()))) for key in KEYS if rng.random() < 0.3}
        given |= {key: str(rng.choice(some)) for key, some in real.items()}
        visit(stem, **given)
