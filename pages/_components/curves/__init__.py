"""Loss and accuracy of a run over each other, drawn anew while it trains.

Not a chart of Plotly or ECharts: one redraws from nothing at every update, the other loses its
crosshair then, and both together took the browser longer than a chunk of training takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pages._components import loading

_CURVES = loading.load("curves", __file__)


def show(curves: Mapping[str, Any], key: str) -> None:
    """Both curves, as `charts.live_curves.curves` gives them; their switches are the browser's."""
    _CURVES(data=json.dumps(curves).encode(), key=key)
