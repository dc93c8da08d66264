"""Figures from plain data: Plotly for what stands still, ECharts options for what moves.

Plotly redraws a chart from nothing at every update and flickers; ECharts changes it in place. Text
and axes take their colours from the page's theme; only data has colours of its own here, chosen to
be read on light and dark, and uniform in perception (Cividis, gray, and red–blue around zero).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mnist_core.statistics.tables import csv_of

TRAIN, VALIDATION = "#4666E8", "#CF7442"
MOST_POINTS = 300
# One label a power of ten: else Plotly writes "2 5 10 2 5" where few powers are on an axis.
LOG_TICKS = {"dtick": 1, "exponentformat": "power"}
LOG_COUNTS = {"dtick": 1, "tickformat": ","}

TEMPLATE = go.layout.Template(
    layout={
        "margin": {"l": 8, "r": 20, "t": 44, "b": 8},
        # Without it the last label of an axis that ends there is left out.
        "xaxis": {"ticklabeloverflow": "allow"},
        "title": {"x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 15, "weight": 500}},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": [TRAIN, VALIDATION, "#8A877F"],
        "bargap": 0.25,
        "hoverlabel": {"align": "left"},
        "legend": {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    }
)


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure, one sentence on what it shows, computed from the same numbers, and these numbers
    as columns of one length."""

    figure: go.Figure
    reading: str
    numbers: Mapping[str, Sequence[Any] | np.ndarray]

    def csv(self) -> str:
        """The numbers as a file."""
        return csv_of(self.numbers)


def plot(*traces: Any, title: str, x: str, y: str, height: int = 320, **layout: Any) -> go.Figure:
    """A figure in the project's look; `x` and `y` name the axes with their units."""
    figure = go.Figure(traces)
    figure.update_layout(
        template=TEMPLATE, title_text=title, height=height,
        xaxis_title=x, yaxis_title=y, xaxis_automargin=True, yaxis_automargin=True, **layout,
    )  # fmt: skip
    return figure


def pixel_map(
    image: np.ndarray, title: str, unit: str, scale: str = "gray", height: int = 330
) -> go.Figure:
    """A number for each of the 28×28 pixels as a picture; (28, 28), NaN left blank."""
    heat = go.Heatmap(z=image, colorscale=scale, zmin=0, zsmooth=False,
                      colorbar={"thickness": 10, "title": {"text": unit}, "len": 0.9},
                      hovertemplate="row %{y}, column %{x}: %{z:.1f}<extra></extra>")  # fmt: skip
    figure = plot(heat, title=title, x="column", y="row", height=height)
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", showgrid=False)
    figure.update_xaxes(constrain="domain", showgrid=False)
    return figure


def epoch_costs(rows: Sequence[dict[str, Any]]) -> go.Figure:
    """Seconds an epoch as one thing grows, side by side; rows as `bench.costs` gives them."""
    names = list(dict.fromkeys(row["grows"] for row in rows))
    figure = make_subplots(1, len(names), shared_yaxes=True, horizontal_spacing=0.04)
    for i, name in enumerate(names, 1):
        own = [row for row in rows if row["grows"] == name]
        figure.add_scatter(x=[str(row["value"]) for row in own], y=[row["seconds"] for row in own],
                           mode="lines+markers", line_color=TRAIN, row=1, col=i)  # fmt: skip
        figure.update_xaxes(title_text=name, type="category", automargin=True, row=1, col=i)
    figure.update_yaxes(type="log", tickvals=[0.1, 0.2, 0.5, 1, 2, 5, 10, 20], automargin=True)
    figure.update_yaxes(title_text="seconds (log scale)", col=1)
    return figure.update_layout(template=TEMPLATE, showlegend=False, height=300,
                                title_text="What an epoch of 60,000 images costs")  # fmt: skip


# ------------------------------------------------------------------ live curves


def thinned(n: int, most: int = MOST_POINTS) -> np.ndarray:
    """At most `most` of the indices 0…n−1, evenly, with the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int)) if n else np.arange(0)


def _series(name: str, x: Any, y: Any, color: str, kind: str = "line", **more: Any) -> dict:
    points = [[round(float(a), 4), round(float(b), 5)] for a, b in zip(x, y, strict=True)]
    return {"name": name, "type": kind, "data": points, "color": color,
            "lineStyle": {"width": 2}, "emphasis": {"disabled": True}, **more}  # fmt: skip


def label_curve(history: Sequence[float], label: int) -> dict[str, Any]:
    """ECharts options: the probability of the label before the first step and after each."""
    kept, p = thinned(len(history)), np.asarray(history)
    line = _series("p", kept, p[kept], TRAIN, showSymbol=len(history) < 30, symbolSize=6)
    return {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 40, "bottom": 28, "containLabel": True},
        "title": {"text": f"Probability of the label {label}", "left": 0, "top": 4,
                  "textStyle": {"fontSize": 15}},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "name": "steps on this image", "nameLocation": "middle",
                  "nameGap": 24, "min": 0, "max": len(history) - 1, "minInterval": 1},
        "yAxis": {"type": "value", "min": 0, "max": 1},
        "series": [line],
    }  # fmt: skip
