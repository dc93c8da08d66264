"""The charts of one run as they go into files: on white paper, to be kept as PNG, SVG or HTML.

Plotly draws them in the reader's browser, and saves them there as PNG or SVG: a server would need a
browser of its own for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mnist_core.analysis import evaluation
from mnist_core.charts import score_charts
from mnist_core.charts.plotting import TRAIN, VALIDATION, Chart, plot, thinned
from mnist_core.runs.artifacts import Evaluation
from mnist_core.statistics.smoothing import smoothed
from mnist_core.training import events

INK, LINES = "#26241F", "#E4E1DA"
SIZE = {"width": 900, "height": 500}  # pixels of a picture
SCALES = {"svg": 1, "png": 2}  # kinds of picture: how many pixels for one


def charts(history: Sequence[events.Event], answers: Evaluation | None) -> dict[str, Chart]:
    """The charts of a run by name, from its timeline and what it said to the test images; without
    those that have nothing to show."""
    found = {}
    if any(isinstance(event, events.EpochEnded) for event in history):
        found = {"loss": curve(history, "loss"), "accuracy": curve(history, "accuracy")}
    if answers:
        predicted = answers.probabilities.argmax(axis=1)
        counts = evaluation.confusion(answers.labels, predicted)
        found["confusion"] = confusion(counts)
        found["digits"] = score_charts.per_class(evaluation.per_class(counts))
    return {name: Chart(sheet(c.figure), c.reading, c.numbers) for name, c in found.items()}


def sheet(figure: go.Figure) -> go.Figure:
    """The figure with a paper and an ink of its own, whatever page it is shown on."""
    axis = {"gridcolor": LINES, "zerolinecolor": LINES, "linecolor": LINES}
    return figure.update_layout(
        paper_bgcolor="white", plot_bgcolor="white", xaxis=axis, yaxis=axis,
        font={"color": INK, "family": "system-ui, sans-serif"},
        legend={"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
        margin={"l": 16, "r": 16, "t": 76, "b": 16}, title_y=0.97, title_yanchor="top",
    )  # fmt: skip


def config(name: str, kind: str = "svg") -> dict[str, Any]:
    """Plotly's settings for a chart whose camera saves a picture of this kind."""
    picture = {"format": kind, "filename": name, "scale": SCALES[kind], **SIZE}
    return {"displaylogo": False, "displayModeBar": True, "modeBarButtons": [["toImage"]],
            "toImageButtonOptions": picture, "responsive": True}  # fmt: skip


def curve(history: Sequence[events.Event], metric: str) -> Chart:
    """"loss" or "accuracy" over a run with an epoch: the training batches smoothed, and train and
    validation at the end of each epoch."""
    ends = [event for event in history if isinstance(event, events.EpochEnded)]
    chunks = [event for event in history if isinstance(event, events.Progress)]
    started = next(event for event in reversed(history) if isinstance(event, events.Started))
    factor, unit = {"loss": (1, "loss (nats)"), "accuracy": (100, "accuracy (%)")}[metric]
    train, held = (factor * np.array([getattr(e, prefix + metric) for e in ends])
                   for prefix in ("", "val_"))  # fmt: skip
    kept = thinned(len(chunks))
    x = np.array([(e.step - e.steps / 2) / started.steps_per_epoch for e in chunks])
    y = factor * smoothed([getattr(e, metric) for e in chunks], [e.steps for e in chunks])
    epochs = np.array([e.epoch for e in ends])
    figure = plot(
        go.Scatter(x=x[kept], y=y[kept], name="batches", mode="lines", opacity=0.35,
                   line={"color": TRAIN, "width": 1.5}),
        go.Scatter(x=epochs, y=train, name="train", mode="lines+markers", line_color=TRAIN),
        go.Scatter(x=epochs, y=held, name="validation", mode="lines+markers",
                   line_color=VALIDATION),
        title=_curve_title(metric, epochs, held), x="epoch", y=unit, height=380,
    )  # fmt: skip
    last = f"{train[-1]:.4f} and {held[-1]:.4f}" if metric == "loss" else \
        f"{train[-1]:.2f} % and {held[-1]:.2f} %"
    reading = f"After epoch {epochs[-1]}: {last} on training and validation images."
    return Chart(figure, reading, {"epoch": epochs, "train": train, "validation": held})


def _curve_title(metric: str, epochs: np.ndarray, held: np.ndarray) -> str:
    if metric == "loss":
        return f"Validation loss is lowest at epoch {epochs[held.argmin()]}"
    return f"Validation accuracy peaks at epoch {epochs[held.argmax()]}"


def confusion(counts: np.ndarray) -> Chart:
    """A confusion matrix, int (10, 10), with the mistakes coloured."""
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    heat = go.Heatmap(
        z=wrong, text=np.where(counts > 0, counts.astype(str), ""), texttemplate="%{text}",
        colorscale=[[0, "white"], [1, TRAIN]], showscale=False, xgap=1, ygap=1,
        customdata=counts,
        hovertemplate="a %{y} read as %{x}: %{customdata} images<extra></extra>",
    )  # fmt: skip
    figure = plot(heat, title="The bluer, the commoner the mistake", x="read as", y="true digit",
                  height=460)  # fmt: skip
    figure.update_xaxes(dtick=1, showgrid=False)
    figure.update_yaxes(dtick=1, showgrid=False, autorange="reversed")
    reading = score_charts.confusion_reading(counts)
    return Chart(figure, reading, score_charts.confusion_numbers(counts))


def html(chart: Chart, name: str) -> str:
    """The chart as a page of its own, which needs no network."""
    return chart.figure.to_html(include_plotlyjs=True, config=config(name))
