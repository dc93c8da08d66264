"""An array as a picture whose cells can be read and chosen: signed numbers around zero, or ink."""

from __future__ import annotations

import base64
import json
import math

import numpy as np

from pages._components import loading

FEW = 64  # so many numbers or fewer are written out, each in a cell of its own
WIDE = 32  # columns of a long row of numbers

_FIELD = loading.load(
    "field", __file__,
    '<div class="frame"><div class="few"></div><div class="many">'
    '<canvas tabindex="0"></canvas><i></i></div><output></output></div>',
)  # fmt: skip


def layout(shape: tuple[int, ...]) -> np.ndarray:
    """Where each entry of an array is drawn: its flat index for each cell, -1 for a blank one.

    Maps (h, w, c) stand side by side, c tiles with a line between; a long row is folded.
    """
    flat = np.arange(math.prod(shape), dtype=np.int32)
    if len(shape) == 1:
        width = WIDE if len(flat) > FEW else len(flat)
        rows = -(-len(flat) // width)
        return np.pad(flat, (0, rows * width - len(flat)), constant_values=-1).reshape(rows, width)
    if len(shape) == 2:
        return flat.reshape(shape)
    height, width, count = shape
    across = math.ceil(math.sqrt(count))
    tiles = np.full((-(-count // across) * across, height + 1, width + 1), -1, np.int32)
    tiles[:count, :height, :width] = flat.reshape(shape).transpose(2, 0, 1)
    sheet = tiles.reshape(-1, across, height + 1, width + 1).transpose(0, 2, 1, 3)
    return sheet.reshape(-1, across * (width + 1))[:-1, :-1]


def show(
    values: np.ndarray, key: str, label: str, picked: int | None = None, ink: bool = False
) -> int | None:
    """Draw an array of up to three axes; the flat index of the cell that was chosen just now.

    Blue is positive, orange negative; `ink` draws 0…255 white on black. `picked` is framed.
    """
    cells = layout(values.shape)
    written = values.size <= FEW and not ink
    rows, columns = cells.shape
    shown = {
        "shape": values.shape, "rows": rows, "columns": columns, "ink": ink, "label": label,
        "picked": -1 if picked is None else int(picked), "written": written,
        "fixed": values.ndim > 1, "width": int(min(460, columns * max(3, 310 / columns))),
        "most": 255.0 if ink else float(np.abs(values).max()) or 1.0,
        "values": _packed(values, np.float32), "cells": _packed(cells, np.int32),
    }  # fmt: skip
    said = _FIELD(data=json.dumps(shown).encode(), key=key, on_picked_change=lambda: None)
    return said.picked


def _packed(values: np.ndarray, dtype: type) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()
