"""Charts of descent: paths over a loss with two weights, and a line that is fitted to points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mnist_core.lessons.loss_surfaces import Surface
from mnist_core.lessons.regression import Points

from .animations import animated, sampled
from .plotting import TEMPLATE, TRAIN, VALIDATION, Chart, plot, thinned

GRAY, FAINT = "#8A877F", "rgba(138,135,127,0.5)"
# Each path has a colour and a dash of its own.
STYLES = [(TRAIN, "solid"), (VALIDATION, "dash"), (GRAY, "dot"), ("#2F8F83", "dashdot")]
LEVELS = 14
PATH_POINTS = 160
Window = tuple[float, float, float, float]  # x from, to; y from, to


def window(surface: Surface, paths: Sequence[np.ndarray], most: float = 4.0) -> Window:
    """A window that holds the minimum and the starts, and the paths as far as they stay near."""
    centre = surface.minimum
    starts = np.array([path[0] for path in paths])
    reach = np.abs(starts - centre).max(axis=0) + 1e-9
    everything = np.concatenate(paths) - centre
    far = np.clip(np.abs(everything).max(axis=0), 1.2 * reach, most * reach)
    low = np.minimum(np.maximum(everything.min(axis=0), -far), -0.45 * reach) - 0.12 * reach
    high = np.maximum(np.minimum(everything.max(axis=0), far), 0.45 * reach) + 0.12 * reach
    (a, c), (b, d) = centre + low, centre + high
    return float(a), float(b), float(c), float(d)


def descent(
    surface: Surface, paths: Mapping[str, np.ndarray], times: Mapping[str, np.ndarray],
    title: str, axes: tuple[str, str], of: str, reading: str,
) -> Chart:  # fmt: skip
    """Paths (steps + 1, 2) over the contours of the loss, played. `times` says for each row of a
    path when it was reached, on one clock for all of them; `of` names that clock."""
    view = window(surface, list(paths.values()))
    kept = {name: sampled(len(path), PATH_POINTS) for name, path in paths.items()}
    styles = dict(zip(paths, STYLES, strict=False))
    drawn = list(paths)[::-1]  # the first on top
    lines = [_path(name, paths[name][kept[name]], styles[name]) for name in drawn]
    figure = plot(_contours(surface, view), _minimum(surface), *lines, title=title,
                  x=axes[0], y=axes[1], height=520)  # fmt: skip
    figure.update_layout(margin={"t": 76},
                         legend={"y": 1.0, "x": 0, "xanchor": "left", "traceorder": "reversed"})
    figure.update_layout(title={"y": 0.985, "yanchor": "top", "yref": "container"})
    figure.update_xaxes(range=view[:2], showgrid=False, zeroline=False)
    figure.update_yaxes(range=view[2:], showgrid=False, zeroline=False)
    clock = np.unique(np.concatenate(list(times.values())))
    clock = clock[sampled(len(clock))]
    frames = [[_until(paths[name][kept[name]], times[name][kept[name]], now) for name in drawn]
              for now in clock]  # fmt: skip
    animated(figure, frames, range(2, 2 + len(paths)), [f"{now:,.4g}" for now in clock], of)
    return Chart(figure, reading, _path_numbers(surface, paths, times))


def _contours(surface: Surface, view: Window) -> go.Scatter:
    """Lines of equal loss. Not a contour trace: Plotly drops those while it plays."""
    least = float(surface.loss(surface.minimum))
    corners = np.array([(x, y) for x in view[:2] for y in view[2:]])
    highest = np.sqrt(surface.loss(corners).max() - least)
    # Even in the root of the loss, so that round a minimum they are evenly apart.
    levels = np.linspace(0, highest, LEVELS + 1)[1:] ** 2
    rings = surface.rings(levels, 1.5 * np.abs(corners - surface.minimum).max(axis=0))
    apart = np.full((LEVELS, 1, 2), np.nan)  # a gap from ring to ring
    x, y = np.concatenate([rings, apart], axis=1).reshape(-1, 2).T.round(4)
    return go.Scatter(
        x=x, y=y, mode="lines", showlegend=False, line={"width": 1, "color": FAINT},
        customdata=np.repeat(levels + least, rings.shape[1] + 1).round(4),
        hovertemplate="weights %{x:.2f}, %{y:.2f}: loss %{customdata:.4f} nats<extra></extra>",
    )  # fmt: skip


def _minimum(surface: Surface) -> go.Scatter:
    (a, b), least = surface.minimum, float(surface.loss(surface.minimum))
    return go.Scatter(
        x=[a], y=[b], mode="markers", name="minimum", showlegend=False,
        marker={"symbol": "cross-thin", "size": 16, "line": {"width": 2.5, "color": GRAY}},
        hovertemplate=f"minimum ({a:.2f}, {b:.2f}): {least:.4f} nats<extra></extra>",
    )  # fmt: skip


def _path(name: str, path: np.ndarray, style: tuple[str, str]) -> go.Scatter:
    color, dash = style
    return go.Scatter(**_points(path), mode="lines+markers", name=name,
                      line={"color": color, "dash": dash, "width": 2},
                      marker={"size": _sizes(len(path)), "color": color},
                      hovertemplate=f"{name}: %{{x:.3f}}, %{{y:.3f}}<extra></extra>")  # fmt: skip


def _points(path: np.ndarray) -> dict:
    return {"x": path[:, 0].round(4).tolist(), "y": path[:, 1].round(4).tolist()}


def _sizes(n: int) -> list[float]:
    """Small dots, and a large one where the path is now."""
    return [4.0 if n < 40 else 2.0] * (n - 1) + [10.0]


def _until(path: np.ndarray, times: np.ndarray, now: float) -> dict:
    reached = path[: np.searchsorted(times, now, side="right")]
    return {**_points(reached), "marker": {"size": _sizes(len(reached))}}


def _path_numbers(surface: Surface, paths: Mapping, times: Mapping) -> dict:
    rows = {name: thinned(len(path)) for name, path in paths.items()}
    at = np.concatenate([paths[name][rows[name]] for name in paths])
    return {
        "path": [name for name in paths for _ in rows[name]],
        "when": np.concatenate([times[name][rows[name]] for name in paths]),
        "weight_1": at[:, 0], "weight_2": at[:, 1], "loss": surface.loss(at),
    }  # fmt: skip


def losses(
    surface: Surface, paths: Mapping[str, np.ndarray], times: Mapping[str, np.ndarray],
    title: str, of: str, reading: str,
) -> Chart:  # fmt: skip
    """The loss over all images along each path, above the least there is."""
    least = float(surface.loss(surface.minimum))
    lines, numbers = [], _path_numbers(surface, paths, times)
    for (name, path), (color, dash) in zip(paths.items(), STYLES, strict=False):
        kept = thinned(len(path))
        lines.append(go.Scatter(x=times[name][kept], y=surface.loss(path[kept]), name=name,
                                mode="lines", line={"color": color, "dash": dash, "width": 2},
                                hovertemplate=f"{name}: %{{y:.4f}} nats<extra></extra>"))
    figure = plot(*lines, title=title, x=of, y="loss (nats)", height=380,
                  legend={"y": -0.22, "yanchor": "top", "x": 0, "xanchor": "left"})  # fmt: skip
    figure.add_hline(y=least, line={"color": GRAY, "dash": "dot", "width": 1.5})
    return Chart(figure, reading, numbers)


# ------------------------------------------------------------------ a fitted line


def regression(
    points: Points, paths: Mapping[str, np.ndarray], exact: tuple[float, float], reading: str,
    title: str,
) -> Chart:  # fmt: skip
    """A line as it is fitted, and its loss, played together. Each of `paths`, by a name of TWINS,
    is (epochs + 1, 3): slope, intercept and loss by epoch."""
    ends = np.array([points.x.min(), points.x.max()])
    figure = make_subplots(2, 1, row_heights=[0.62, 0.38], vertical_spacing=0.16)
    figure.add_scatter(x=points.x, y=points.y, mode="markers", name="points",
                       marker={"size": 6, "color": GRAY, "opacity": 0.7}, row=1, col=1)
    figure.add_scatter(x=ends, y=exact[0] * ends + exact[1], mode="lines", name="exact",
                       line={"color": GRAY, "dash": "dot", "width": 2}, row=1, col=1)  # fmt: skip
    for name, path in paths.items():
        style = TWINS[name]
        figure.add_scatter(**_line(path[-1], ends), mode="lines", name=name, line=style,
                           row=1, col=1)  # fmt: skip
        kept = thinned(len(path))
        figure.add_scatter(x=kept, y=path[kept, 2], mode="lines", name=name, line=style,
                           showlegend=False, row=2, col=1,
                           hovertemplate="epoch %{x}: %{y:.4g}<extra></extra>")  # fmt: skip
    _frame_line(figure, points, paths, title)
    clock = sampled(max(map(len, paths.values())))
    frames = [[part for path in paths.values() for part in _moment(path, ends, now)]
              for now in clock]  # fmt: skip
    animated(figure, frames, range(2, 2 + 2 * len(paths)), [f"{now:,}" for now in clock], "epoch")
    return Chart(figure, reading, _line_numbers(paths))


# They lie on each other: the second is drawn within the first.
TWINS = {"TensorFlow": {"color": TRAIN, "width": 7},
         "NumPy": {"color": VALIDATION, "width": 2.5}}  # fmt: skip


def _frame_line(
    figure: go.Figure, points: Points, paths: Mapping[str, np.ndarray], title: str
) -> None:
    """Axes that do not move while it plays."""
    both = np.array([_line(path[at], points.x)["y"] for path in paths.values() for at in (0, -1)])
    low, high = min(points.y.min(), both.min()), max(points.y.max(), both.max())
    worst = max(path[:, 2].max() for path in paths.values())
    longest = max(map(len, paths.values())) - 1
    figure.update_layout(template=TEMPLATE, height=640, title_text=title,
                         legend={"y": 1.0}, margin={"t": 76},
                         title={"y": 0.985, "yanchor": "top", "yref": "container"})  # fmt: skip
    figure.update_xaxes(title_text=points.names[0], automargin=True, row=1, col=1)
    figure.update_yaxes(title_text=points.names[1], automargin=True, row=1, col=1,
                        range=[low - 0.06 * (high - low), high + 0.06 * (high - low)])  # fmt: skip
    figure.update_xaxes(title_text="epoch", range=[0, longest], automargin=True, row=2, col=1)
    figure.update_yaxes(title_text="mean squared error", range=[0, 1.06 * worst], automargin=True,
                        row=2, col=1)  # fmt: skip


def _line(weights: np.ndarray, x: np.ndarray) -> dict:
    return {"x": x.tolist(), "y": (weights[0] * x + weights[1]).tolist()}


def _moment(path: np.ndarray, ends: np.ndarray, now: int) -> tuple[dict, dict]:
    reached = thinned(len(path))
    reached = reached[reached <= now]
    return (_line(path[min(now, len(path) - 1)], ends),
            {"x": reached.tolist(), "y": path[reached, 2].round(6).tolist()})  # fmt: skip


def _line_numbers(paths: Mapping[str, np.ndarray]) -> dict:
    rows = np.concatenate(list(paths.values()))
    return {
        "by": [name for name, path in paths.items() for _ in path],
        "epoch": np.concatenate([np.arange(len(path)) for path in paths.values()]),
        "slope": rows[:, 0], "intercept": rows[:, 1], "loss": rows[:, 2],
    }  # fmt: skip
