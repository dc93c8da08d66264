"""Charts of several runs: their curves over each other, and what a sweep has found."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mnist_core.analysis import sweep
from mnist_core.analysis.comparison import AXES, METRICS, Curve
from mnist_core.analysis.race import Pair
from mnist_core.analysis.sweep import Plan, Trial
from mnist_core.basis import numbers
from mnist_core.design.variations import SETTINGS, Setting

from .plotting import TRAIN, VALIDATION, Chart, plot, thinned

# Of similar weight on light and dark, and told apart by their dashes where colours are not seen.
COLORS = (TRAIN, VALIDATION, "#8A877F", "#2F8F83", "#9A5BA5", "#B08A2E")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MOVING = ("solid", "dashed", "dotted")  # what ECharts has of them


def style(i: int) -> tuple[str, str]:
    """The colour and the dash of the i-th of several curves."""
    return COLORS[i % len(COLORS)], DASHES[(i + i // len(COLORS)) % len(DASHES)]


def overlay(curves: Mapping[str, Curve], metric: str, axis: str) -> Chart:
    """A metric of several runs along one axis; as `comparison.curves` gives them."""
    name, unit = METRICS[metric]
    factor = 100 if unit == "%" else 1
    traces, columns = [], {"run": [], axis: [], metric: []}
    for i, (run, curve) in enumerate(curves.items()):
        kept = thinned(len(curve.x))
        x, y = curve.x[kept], curve.y[kept]
        color, dash = style(i)
        name_of = html.escape(run)  # Plotly takes a name for HTML
        traces.append(go.Scatter(
            x=x, y=factor * y, name=name_of, line={"color": color, "dash": dash, "width": 2},
            mode="lines+markers" if metric.startswith("val_") else "lines",
            hovertemplate=f"%{{x:,.4g}} {AXES[axis]}: %{{y:.4g}} {unit}<extra>{name_of}</extra>",
        ))  # fmt: skip
        columns["run"] += [run] * len(x)
        columns[axis] += x.tolist()
        columns[metric] += y.tolist()
    figure = plot(*traces, title=_overlay_title(curves, metric), x=AXES[axis],
                  y=f"{name.lower()} ({unit})", height=420,
                  legend={"y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left"})  # fmt: skip
    return Chart(figure, _overlay_reading(curves, metric, axis), columns)


def _ends(curves: Mapping[str, Curve], metric: str) -> list[tuple[float, str]]:
    """What the runs came to, the best first: of their whole last epoch, or where they are now."""
    ends = [(float(c.y[-1]) if c.end is None else c.end, run)
            for run, c in curves.items() if len(c.y)]  # fmt: skip
    return sorted(ends, reverse=metric.endswith("accuracy"))


def _overlay_title(curves: Mapping[str, Curve], metric: str) -> str:
    name = METRICS[metric][0]
    ends = _ends(curves, metric)
    return f"{name}: {html.escape(ends[0][1])} ends best" if len(ends) > 1 else name


def _overlay_reading(curves: Mapping[str, Curve], metric: str, axis: str) -> str:
    ends = _ends(curves, metric)
    if not ends:
        return "There are no points yet: the runs have hardly begun."
    name, unit = METRICS[metric]
    words = [numbers.percent(y) if unit == "%" else numbers.loss(y) for y, _ in ends]
    if len(ends) == 1:
        return f"{name} along {AXES[axis]}: {words[0]} over the last epoch."
    return (f"{name} along {AXES[axis]}: over the last epoch {ends[0][1]} is best with {words[0]}, "
            f"{ends[-1][1]} last with {words[-1]}.")  # fmt: skip


def live_overlay(curves: Mapping[str, Curve], metric: str, end: float) -> dict[str, Any]:
    """ECharts options for a metric of racing runs along their epochs, of which there are `end`."""
    name, unit = METRICS[metric]
    factor = 100 if unit == "%" else 1
    series = []
    for i, (run, curve) in enumerate(curves.items()):
        kept = thinned(len(curve.x), 200)
        points = [[round(float(x), 3), round(factor * float(y), 4)]
                  for x, y in zip(curve.x[kept], curve.y[kept], strict=True)]  # fmt: skip
        color = style(i)[0]
        series.append({
            "name": run, "type": "line", "data": points, "color": color, "symbolSize": 6,
            "showSymbol": metric.startswith("val_"), "emphasis": {"disabled": True},
            "lineStyle": {"width": 2, "type": MOVING[i % len(MOVING)]},
        })  # fmt: skip
    return {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 76, "bottom": 28, "containLabel": True},
        "title": {"text": f"{name} ({unit})", "left": 0, "top": 6, "textStyle": {"fontSize": 15}},
        "legend": {"type": "scroll", "top": 34, "left": 0, "itemWidth": 22, "itemGap": 12},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "name": "epochs", "nameLocation": "middle", "nameGap": 24,
                  "min": 0, "max": end},
        "yAxis": {"type": "value", "scale": True},
        "series": series,
    }  # fmt: skip


def pairs(found: Sequence[Pair]) -> Chart:
    """The differences of racers with their intervals, around zero."""
    names = [f"{pair.better}<br>over {pair.other}" for pair in found]
    share = np.array([100 * pair.difference for pair in found])
    low, high = (np.array([100 * getattr(x, end) for x in found]) for end in ("low", "high"))
    points = go.Scatter(
        x=share, y=names, mode="markers", showlegend=False,
        marker={"size": 10, "color": [TRAIN if x.differs else COLORS[2] for x in found]},
        error_x={"type": "data", "symmetric": False, "array": high - share,
                 "arrayminus": share - low, "thickness": 1.4, "width": 4},
        customdata=np.column_stack([low, high, [x.adjusted for x in found]]),
        hovertemplate="%{x:.2f} points, 95 % interval %{customdata[0]:.2f} to "
        "%{customdata[1]:.2f}<br>p %{customdata[2]:.2g}<extra></extra>",
    )  # fmt: skip
    figure = plot(points, title="Blue: more than chance", x="difference of accuracy (points)",
                  y="", height=130 + 52 * len(found))  # fmt: skip
    figure.add_vline(x=0, line={"color": COLORS[2], "dash": "dot", "width": 1.5})
    figure.update_yaxes(autorange="reversed")
    told = sum(pair.differs for pair in found)
    reading = (f"Each pair's difference with its 95 % interval: {told or 'none'} of {len(found)} "
               "by more than chance.")  # fmt: skip
    names = ("better", "other", "ahead", "difference", "low", "high", "p", "adjusted")
    return Chart(figure, reading, {name: [getattr(x, name) for x in found] for name in names})


# ------------------------------------------------------------------------ sweeps


def importance(shares: Mapping[str, float], whole: bool) -> Chart:
    """How much each setting of a sweep matters, as `sweep.importance` gives it; of a `whole` grid
    or not."""
    labels = [_short(SETTINGS[name].label) for name in shares]
    values = [100 * share for share in shares.values()]
    bars = go.Bar(x=values, y=labels, orientation="h",
                  marker_color=TRAIN, text=[numbers.percent(v / 100, 0) for v in values],
                  hovertemplate="%{y}: %{x:.1f} %<extra></extra>")  # fmt: skip
    figure = plot(bars, title=f"Most depends on: {labels[0]}",
                  x="share explained (%)", y="",
                  height=130 + 44 * len(labels))  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[0, 105])
    how = ("the share of the variance of the scores that its values explain alone"
           if whole else "its share in Optuna's functional analysis of variance")
    most, rest = (numbers.percent(v, 0) for v in (values[0] / 100, max(0.0, 1 - sum(values) / 100)))
    reading = f"Of the differences, {most} come from {labels[0]}: {how}."
    if whole:
        reading += f" {rest} are interplay and chance."
    return Chart(figure, reading, {"setting": labels, "importance": list(shares.values())})


def trials(plan: Plan, found: Sequence[Trial]) -> Chart:
    """Each trial as a line through its values to its score: parallel coordinates (Inselberg
    1985). Only trials that have a score."""
    scored = [trial for trial, _ in sweep.scored(found)]
    scores = np.array([100 * score for _, score in sweep.scored(found)])
    axes = [_axis(SETTINGS[name], [trial.values[name] for trial in scored]) for name in plan.values]
    axes.append({"label": "validation (%)", "values": scores, "tickformat": ".1f"})
    # From gray to the accent: both are seen on light and on dark.
    color = {"color": scores, "colorscale": [[0, COLORS[2]], [1, TRAIN]], "showscale": False}
    lines = go.Parcoords(dimensions=axes, line=color, labelfont={"size": 12},
                         labelside="bottom")  # fmt: skip
    top = scored[scores.argmax()]
    figure = plot(lines, title="Drag along an axis to filter", x="", y="",
                  height=400, margin={"l": 60, "r": 44, "t": 64, "b": 40})  # fmt: skip
    best = numbers.percent(scores.max() / 100)
    reading = f"{len(scored)} trials, the bluer the better; the best reads {best}"
    columns = {SETTINGS[name].label: [t.values[name] for t in scored] for name in plan.values}
    words = ", ".join(f"{_short(SETTINGS[k].label)} {SETTINGS[k].write(v)}"
                      for k, v in top.values.items())  # fmt: skip
    return Chart(figure, f"{reading} with {words}.",
                 columns | {"validation accuracy": [trial.score for trial in scored]})  # fmt: skip


def _short(label: str) -> str:
    """A label without its explanations: a phone has no room for more."""
    short = label.split(",")[0].split(" (")[0].removeprefix("Augmentation: ")
    return (short[0].lower() + short[1:]).replace(" in each hidden layer", "").replace("l2", "L2")


def _axis(setting: Setting, values: Sequence[Any]) -> dict[str, Any]:
    """One axis: numbers at their place, a logarithm for what is searched along one, and choices at
    even distances."""
    label = _short(setting.label)
    known = sorted(set(values), key=lambda v: setting.options.index(v)
                   if v in setting.options and not setting.scale else v)  # fmt: skip
    if setting.scale and len(known) > len(setting.options):
        known = list(np.array(known)[thinned(len(known), 6)])
    if not setting.scale:
        places = [known.index(value) for value in values]
        ticks = list(range(len(known)))
    else:
        place = np.log10 if setting.scale == "log" else np.asarray
        places, ticks = place(values), place(known)
    return {"label": label, "values": places, "tickvals": ticks,
            "ticktext": [setting.write(value) for value in known]}  # fmt: skip


def progress(found: Sequence[Trial]) -> Chart:
    """The score of each trial in turn, with the best so far."""
    scored = sweep.scored(found)
    y = np.array([100 * score for _, score in scored])
    number, top = np.arange(1, len(y) + 1), np.maximum.accumulate(y)
    dots = go.Scatter(x=number, y=y, mode="markers", name="trial", marker_color=COLORS[2],
                      hovertemplate="trial %{x}: %{y:.2f} %<extra></extra>")  # fmt: skip
    line = go.Scatter(x=number, y=top, mode="lines", name="best so far", line_color=TRAIN,
                      line_shape="hv", hoverinfo="skip")  # fmt: skip
    at = int(y.argmax()) + 1
    figure = plot(dots, line, title=f"The best was trial {at} of {len(y)}", x="trial",
                  y="validation accuracy (%)", height=300,
                  xaxis_dtick=1 if len(y) < 12 else None)  # fmt: skip
    best = numbers.percent(y.max() / 100)
    return Chart(figure, f"Trial {at} of {len(y)} was the best, with {best}.",
                 {"trial": number, "validation_accuracy": y / 100, "best_so_far": top / 100})
