"""A matrix of buttons.

Not a Plotly heatmap: its cells cannot be selected, and of points laid over them a tap on a touch
screen selects the one that was tapped before.
"""

from __future__ import annotations

import json

import numpy as np

from pages._components import loading

_MATRIX = loading.load(
    "matrix", __file__,
    '<div class="frame"><div class="across"></div><div class="matrix" role="group" '
    'aria-label="Confusion matrix: arrow keys move, Enter chooses"></div></div>',
)  # fmt: skip


def show(
    texts: list[list[str]], strengths: np.ndarray, titles: list[list[str]],
    picked: tuple[int, int], across: str, key: str,
) -> None:  # fmt: skip
    """A 10×10 matrix whose cells can be chosen: in the run after a click, the value of the widget
    `key` has the (row, column) as its `picked`. `strengths` in 0…1 shade the cells, but not the
    diagonal; `across` names the columns."""
    shown = {"texts": texts, "strengths": strengths.round(3).tolist(), "titles": titles,
             "picked": picked, "across": across}  # fmt: skip
    _MATRIX(data=json.dumps(shown).encode(), key=key, on_picked_change=lambda: None)
