"""Charts that play: frames made beforehand, shown by the browser alone, so that nothing flickers
and the server is not asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

Paths = Mapping[str, tuple[np.ndarray, np.ndarray]]

PLAY_SECONDS = 5.0
MOST_FRAMES = 48
FAINT = "rgba(138,135,127,0.16)"


def animated(
    figure: go.Figure, frames: Sequence[Sequence[Mapping[str, Any]]], moving: Sequence[int],
    marks: Sequence[str], of: str,
) -> go.Figure:  # fmt: skip
    """The figure with a play button and a slider. It stands at its last frame until it is played.

    `frames` holds for each moment what changes of each of the traces `moving`, `marks` what the
    slider calls the moment, `of` what stands before that.
    """
    figure.frames = [
        go.Frame(data=[go.Scatter(changed) for changed in frame], traces=list(moving), name=str(i))
        for i, frame in enumerate(frames)
    ]
    pace = {"frame": {"duration": 1000 * PLAY_SECONDS / len(frames), "redraw": False},
            "transition": {"duration": 0}, "mode": "immediate"}  # fmt: skip
    steps = [
        {"label": mark, "method": "animate",
         "args": [[str(i)], pace | {"frame": {"duration": 0, "redraw": False}}]}
        for i, mark in enumerate(marks)
    ]  # fmt: skip
    figure.update_layout(
        dragmode=False, updatemenus=[_buttons(pace)],
        sliders=[{
            "steps": steps, "active": len(steps) - 1, "x": 0.36, "len": 0.64, "y": 0,
            "yanchor": "top", "pad": {"t": 58, "b": 4}, "ticklen": 0, "minorticklen": 0,
            "bgcolor": FAINT, "activebgcolor": FAINT, "bordercolor": FAINT,
            "font": {"size": 1, "color": "rgba(0,0,0,0)"},
            "currentvalue": {"prefix": f"{of} ", "font": {"size": 13, "color": "#8A877F"},
                             "xanchor": "right"},
        }],
    )  # fmt: skip
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return figure


def _buttons(pace: Mapping[str, Any]) -> dict[str, Any]:
    still = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate"}
    return {
        "type": "buttons", "direction": "left", "showactive": False, "x": 0, "xanchor": "left",
        "y": 0, "yanchor": "top", "pad": {"t": 72, "r": 6}, "bgcolor": FAINT,
        "bordercolor": "rgba(0,0,0,0)", "font": {"color": "#8A877F"},
        "buttons": [
            {"label": "▶", "method": "animate", "args": [None, dict(pace)]},
            {"label": "❚❚", "method": "animate", "args": [[None], still]},
        ],
    }  # fmt: skip


def sampled(n: int, most: int = MOST_FRAMES) -> np.ndarray:
    """At most `most` of 0…n−1: dense at the start, where most happens, the first and last kept."""
    if n <= most:
        return np.arange(n)
    return np.unique(((n - 1) * np.linspace(0, 1, most) ** 2).round().astype(int))
