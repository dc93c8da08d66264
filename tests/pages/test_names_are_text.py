"""Whatever visitors call their runs and files is shown as it is: not as Markdown, LaTeX or HTML."""

import json
import shutil

import pytest

from mnist_core.training import events
from tests.pages.visiting import BEGUN, UNDER_WAY, text

NAME = "<b>bold</b> $x$ *a* :smile:"
MARKDOWN = ("<b>bold", "$x$", "*a*", ":smile:")
HTML = ("<b>bold",)
SIGNS = {"html": HTML, "plotly_chart": HTML, "bidi_component": HTML}
# Widgets of which the options are plain text, and elements that only show text.
TEXT = ("text", "vega_lite_chart", "echarts_chart", "selectbox", "multiselect", "dataframe",
        "text_input", "text_area")  # fmt: skip


def written(block):
    """All that Streamlit would interpret: (kind, what is sent of it) of each element."""
    for child in block.children.values():
        if hasattr(child, "children"):
            yield "block", str(child.proto)
            yield from written(child)
        elif child.type == "plotly_chart":  # its `alt` is text
            yield child.type, str(json.loads(child.proto.spec))
        elif child.type not in TEXT:
            yield child.type, str(child.proto)


@pytest.fixture
def named(visit, make, runs, tiny, tmp_path, monkeypatch):
    """Two ended runs of this name, and data in a file of it."""
    monkeypatch.setenv("MNIST_DATA", str(tmp_path / f"{NAME.replace('/', '')}.npz"))
    shutil.copy(tiny.source, tmp_path / f"{NAME.replace('/', '')}.npz")
    ids = [make(BEGUN + UNDER_WAY, weights=True) for _ in range(2)]
    for run in ids:
        runs.append(run, [events.Finished(12, 0.5, 0.9, 3.0)])
        runs.end(run, "finished", test_accuracy=0.9, test_loss=0.5, seconds=3.0)
        runs.entitle(run, "ada", NAME, NAME)
    return ids


SECTIONS = ("Scores", "Confusion", "Mistakes", "Calibration", "Inside", "Damage", "Time machine")
PLACES = [
    ("builder", {}), ("builder", {"mission": "accuracy50"}), ("draw", {}), ("dataset", {}),
    ("runs", {}), ("runs", {"tab": "Compare"}), ("runs", {"tab": "Race"}),
    *(("evaluate", {"part": part}) for part in SECTIONS),
]  # fmt: skip


@pytest.mark.parametrize(("page", "query"), PLACES)
def test_a_name_is_text_on_every_page(visit, named, page, query):
    app = visit(page, **query, run=named[0], runs="~".join(named))
    if page != "draw":  # where the data's name is not said
        assert NAME.replace("/", "") in text(app).replace("\N{WORD JOINER}", "")
    bad = [(kind, sign) for kind, said in written(app.main)
           for sign in SIGNS.get(kind, MARKDOWN) if sign in said]  # fmt: skip
    assert not bad
