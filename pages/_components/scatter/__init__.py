"""The map of digits: a canvas of points that shows the digit under the pointer and can be selected
from. Plotly's hover has no pictures, and its lasso no finger."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence

import numpy as np

from pages._components import loading, pictures

COLUMNS = 60

_SCATTER = loading.load("scatter", __file__)


def still(
    plane: np.ndarray, images: np.ndarray, labels: np.ndarray, indices: np.ndarray, split: str,
    colors: Sequence[str],
) -> dict:  # fmt: skip
    """What stays the same from click to click: positions (n, 2), uint8 images (n, 28, 28), labels
    and indices (n,) as what the browser needs to draw them."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    unit = (plane - low) / np.where(high > low, high - low, 1)
    return {
        "points": base64.b64encode(unit.astype("<f4").tobytes()).decode(),
        "labels": labels.tolist(),
        "indices": indices.tolist(),
        "split": split,
        "colors": list(colors),
        "columns": min(COLUMNS, max(1, math.isqrt(len(labels)))),
        "sprite": pictures.png(
            pictures.sprite(images, min(COLUMNS, max(1, math.isqrt(len(labels)))))
        ),
    }


def show(
    shown: dict, title: str, picked: int | None, chosen: Sequence[int], key: str
) -> tuple[int | None, list[int] | None]:
    """Draw what `still` made. Returns the point that was clicked just now and the points that were
    selected just now, each None if neither; points are positions 0…n−1."""
    packed = json.dumps(shown | {"picked": picked, "chosen": list(chosen), "title": title}).encode()
    result = _SCATTER(data=packed, key=key, on_picked_change=lambda: None,
                      on_selected_change=lambda: None)  # fmt: skip
    return result.picked, result.selected
