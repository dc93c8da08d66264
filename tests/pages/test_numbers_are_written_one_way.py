"""Every page and section, as it is read: what bypasses `basis.numbers` is found by its looks."""

import re

import pytest

from mnist_core.training import events
from pages._backprop.concept_sections import CONCEPTS
from tests.pages.visiting import BEGUN, UNDER_WAY, text

# What a number looks like that was written by hand: (what is wrong, a pattern).
FOREIGN = (
    ("a hyphen for a minus", r"(?<![\w.\-–−/·:])-\d"),
    ("a percent sign without its space", r"\d%"),
    ("a share with one or three decimals", r"(?<![\d.])\d+\.(\d|\d{3,}) %"),
    ("a power of ten as a program writes it", r"\d[eE][+-]?\d+\b"),
    ("a number that is none, in lower case", r"\b(nan|inf)\b"),
    ("thousands without a comma", r"(?<![\d.,/:#\w-])[1-9]\d{4,}(?![\d.\w-])"),
)
PLACES = [
    *(("evaluate", {"part": part}) for part in (
        "Scores", "Confusion", "Mistakes", "Calibration", "Inside", "Damage", "Time machine")),
    *(("evaluate", {"part": "Inside", "view": view}) for view in (
        "Activations", "Weights", "Saliency", "What excites a unit")),
    *(("backprop", {"topic": "Concepts", "concept": concept}) for concept in CONCEPTS),
    *(("backprop", {"topic": topic}) for topic in ("Microscope", "Regression")),
    *(("backprop", {"topic": "Microscope", "step": str(step)}) for step in range(0, 26, 3)),
    *(("dataset", {"section": section}) for section in ("Browse", "Pixels", "Tensors")),
    *(("runs", {"tab": tab}) for tab in ("Runs", "Compare", "Race", "Sweep")),
    ("builder", {}), ("builder", {"run": "yes"}), ("draw", {}), ("home", {}),
]  # fmt: skip


def read(app) -> str:
    """What stands on the page without its code, its formulas, its styles and addresses."""
    said = text(app) + "\n" + "\n".join(str(m.value) for m in app.metric)
    said += "\n" + "\n".join(str(v) for t in app.table for row in t.value.values for v in row)
    hidden = r"<style>.*?</style>|<script>.*?</script>|<svg.*?</svg>|<!--.*?-->"
    said = re.sub(hidden, " ", said, flags=re.S)
    said = re.sub(r"<[^>]*>", " ", said)  # attributes are not read
    said = re.sub(r"`[^`]*`|\$\$?[^$]+\$\$?|\\\\?[a-z]+\{[^\n]*", " ", said)
    return said.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture
def finished(visit, make, runs):
    """A run with a history."""
    run = make(BEGUN + UNDER_WAY, weights=True)
    runs.append(run, [events.Finished(12, 0.5, 0.9, 3.0)])
    runs.end(run, "finished", test_accuracy=0.9, test_loss=0.5, seconds=3.0)
    return run


@pytest.mark.parametrize(("page", "query"), PLACES, ids=lambda v: str(v)[-40:])
def test_numbers_are_written_one_way(visit, finished, page, query):
    query = query | ({"run": finished} if "run" in query else {})
    said = read(visit(page, **query))
    bad = [(why, said[max(0, m.start() - 30) : m.end() + 15])
           for why, pattern in FOREIGN for m in re.finditer(pattern, said)]  # fmt: skip
    assert not bad


@pytest.mark.parametrize(
    "written", ["at -3.2 nats", "98.8 %", "12%", "1e-05", "of nan", "60000 images"]
)
def test_what_is_written_by_hand_is_found(written):
    assert any(re.search(pattern, written) for _, pattern in FOREIGN)
