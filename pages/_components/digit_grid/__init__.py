"""A grid of digits to choose from, by a click or the arrow keys."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

import numpy as np

from pages._components import loading, pictures

_GRID = loading.load(
    "digit_grid", __file__,
    '<div class="frame"><div class="grid" role="listbox" aria-label="Digits"></div></div>',
)  # fmt: skip


def show(
    images: np.ndarray, labels: Iterable[object], indices: Sequence[int] | np.ndarray,
    picked: int | None, key: str,
    order: Sequence[int] | np.ndarray | None = None, marks: Iterable[object] | None = None,
    titles: Sequence[str] | None = None,
) -> int | None:  # fmt: skip
    """Digits to choose from, as one picture; the index that was picked just now, by a click or the
    arrow keys, or None. With `order`, all indices of which these are a part, keys go beyond it.
    `marks` stand in the corner instead of the labels; a pointer, or a screen reader, gets `titles`.
    """
    columns, names = 10, [str(x) for x in labels]
    shown = {
        "sprite": pictures.png(pictures.sprite(images, columns)),
        "columns": columns,
        "rows": max(1, math.ceil(len(images) / columns)),
        "labels": names,
        "titles": list(titles or (f"label {x}" for x in names)),
        "indices": [int(x) for x in indices],
        "marks": names if marks is None else [str(x) for x in marks],
        "picked": picked,
        "roams": order is not None,
    }
    # As bytes: a dict makes Streamlit import pandas, half a second before the first digits show.
    packed = json.dumps(shown).encode()
    said = _GRID(data=packed, key=key, on_picked_change=lambda: None, on_left_change=lambda: None)
    if said.left and order is not None:
        return _beyond(np.asarray(order), *said.left)
    return said.picked


def _beyond(order: np.ndarray, index: int, step: int) -> int | None:
    """The index that stands `step` places from this one, or at the end of the order."""
    (at,) = np.nonzero(order == index)
    return int(order[min(max(at[0] + int(step), 0), len(order) - 1)]) if len(at) else None
