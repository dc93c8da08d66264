"""A drawing of stations or nodes, each of which can be chosen."""

from __future__ import annotations

import json

from pages._components import loading

_GRAPH = loading.load("graph", __file__, '<div class="graph"></div>')


def show(drawn: str, key: str) -> int | None:
    """Draw a graph; the number of the step that was chosen in it just now."""
    return _GRAPH(data=json.dumps(drawn).encode(), key=key, on_picked_change=lambda: None).picked
