"""Charts of how good a model is, each with its reading and its numbers: per digit, confusion,
calibration, and accuracy along a measure of the images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go

from mnist_core.analysis import evaluation
from mnist_core.analysis.evaluation import Binned, Lean, PerClass
from mnist_core.basis.numbers import fixed, listed, percent, signed
from mnist_core.statistics.shapes import MEASURES

from .plotting import LOG_COUNTS, TRAIN, VALIDATION, Chart, plot

DIGITS = list(range(evaluation.CLASSES))
GRAY = "#8A877F"
MOST_TIED = 3  # that are named where several share a place
MOST_NAMED = 16  # bars that have room for a name
# Nothing at zero: whatever paper is behind shows through, light or dark.
AROUND_ZERO = [[0, VALIDATION], [0.5, "rgba(138,135,127,0.06)"], [1, TRAIN]]


def per_class(scores: PerClass) -> Chart:
    """Precision, recall and F1 of each digit."""
    series = {"precision": scores.precision, "recall": scores.recall, "F1": scores.f1}
    marks = zip(series.items(), (TRAIN, VALIDATION, GRAY), ("circle", "diamond", "line-ew-open"),
                strict=True)  # fmt: skip
    traces = [
        go.Scatter(x=DIGITS, y=100 * values, name=name, mode="markers",
                   marker={"size": 11, "color": color, "symbol": symbol,
                           "line": {"width": 2 if symbol.endswith("open") else 0}},
                   hovertemplate=f"{name} of %{{x}}: %{{y:.2f}} %<extra></extra>")
        for (name, values), color, symbol in marks
    ]  # fmt: skip
    figure = plot(*traces, title=_per_class_title(scores), x="digit", y="share (%)",
                  xaxis_dtick=1, legend={"y": -0.2, "yanchor": "top"})  # fmt: skip
    return Chart(figure, _per_class_reading(scores),
                 {"digit": DIGITS, **series, "images": scores.support})  # fmt: skip


def _per_class_title(scores: PerClass) -> str:
    if np.isnan(scores.f1).all():
        return "Precision, recall and F1"
    if np.nanmax(scores.f1) == np.nanmin(scores.f1):
        return "All digits are read equally well"
    best, worst = _digits_at(scores.f1, np.nanmax), _digits_at(scores.f1, np.nanmin)
    return f"The {listed(best)} {_is(best)} read best, the {listed(worst)} worst"


def _digits_at(values: np.ndarray, extreme: Callable[[np.ndarray], float]) -> list[int]:
    """The digits that have the largest or the least value, all of them where they are alike."""
    return np.flatnonzero(values == extreme(values)).tolist()


def _is(digits: Sequence[int]) -> str:
    return "is" if len(digits) == 1 else "are"


def _per_class_reading(scores: PerClass) -> str:
    if np.isnan(scores.f1).all():
        return "No digit occurs."
    if np.nanmax(scores.f1) == np.nanmin(scores.f1):
        return f"By F1 all digits are read equally well ({percent(np.nanmax(scores.f1))})."
    best, low = _digits_at(scores.f1, np.nanmax), _digits_at(scores.f1, np.nanmin)
    worst = low[0]
    reading = (f"By F1 the {listed(best)} {_is(best)} read best ({percent(np.nanmax(scores.f1))}) "
               f"and the {listed(low)} worst ({percent(scores.f1[worst])})")  # fmt: skip
    if len(low) > 1:
        return f"{reading}."
    precision, recall = scores.precision[worst], scores.recall[worst]
    if np.isnan(precision) or np.isnan(recall):
        return f"{reading}."
    how = "more often missed" if recall < precision else "more often seen where it is not"
    return f"{reading}, which is {how}." if recall != precision else f"{reading}."


# ----------------------------------------------------------------------- confusion


def confusion_numbers(counts: np.ndarray) -> dict[str, np.ndarray]:
    """A confusion matrix, int (10, 10), as columns: one line for each pair of digits."""
    true, said = np.indices(counts.shape).reshape(2, -1)
    return {"true": true, "predicted": said, "images": counts.ravel(),
            "share of the true digit": evaluation.rates(counts).ravel()}  # fmt: skip


def confusion_reading(counts: np.ndarray) -> str:
    """One sentence on which mistakes of a confusion matrix are the commonest."""
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return "No image was misread."
    most, pair = wrong.max(), np.triu(wrong + wrong.T)
    commonest = [f"a {true} read as a {said}" for true, said in np.argwhere(wrong == most)]
    mixed = [f"{a} and {b}" for a, b in np.argwhere(pair == pair.max())]
    first = "mistake is" if len(commonest) == 1 else "mistakes are"
    return (f"The commonest {first} {_some(commonest)} ({_times(most)}{_each(commonest)}); "
            f"{_some(mixed)} are taken for each other {_times(pair.max())}{_each(mixed)}, of "
            f"{wrong.sum():,} mistakes in all.")  # fmt: skip


def _some(words: list[str]) -> str:
    """The first few of those that are alike, and how many more there are."""
    more = len(words) - MOST_TIED
    return listed(words if more <= 0 else [*words[:MOST_TIED], f"{more} more"])


def _each(words: list[str]) -> str:
    return " each" if len(words) > 1 else ""


def _times(n: int) -> str:
    return "once" if n == 1 else "twice" if n == 2 else f"{n:,} times"


# ------------------------------------------------------------ calibration and trends


def calibration(curve: Binned, lean: Lean) -> Chart:
    """Accuracy against confidence, with the diagonal on which both are equal; the larger a point,
    the more images it stands for."""
    even = go.Scatter(x=[0, 100], y=[0, 100], mode="lines", name="as sure as right",
                      line={"color": GRAY, "dash": "dot", "width": 1.5},
                      hoverinfo="skip")  # fmt: skip
    full = curve.count > 0
    points = _points(curve, 100 * curve.mean, "confidence %{x:.1f} %", "images of a bin")
    figure = plot(even, points, title="Below the dotted line it is surer than it is right",
                  x="confidence (%)", y="accuracy (%)", height=380,
                  legend={"y": -0.2, "yanchor": "top"})  # fmt: skip
    figure.update_xaxes(range=[0, 103])
    figure.update_yaxes(range=[0, 103])
    low, high = curve.edges[:-1][full], curve.edges[1:][full]
    return Chart(figure, _calibration_reading(curve, lean),
                 {"from": low, "to": high, **_numbers(curve, "confidence")})  # fmt: skip


def _calibration_reading(curve: Binned, lean: Lean) -> str:
    error = evaluation.calibration_error(curve)
    says = (f"Expected calibration error {percent(error)} ({len(curve.count)} bins). On average "
            f"the model is {percent(lean.sure)} sure and {percent(lean.right)} right: ")
    between = (f"(95 % interval of the difference {signed(100 * lean.low, 2)} to "
               f"{signed(100 * lean.high, 2)} points)")  # fmt: skip
    if lean.low <= 0 <= lean.high:
        return f"{says}no more apart than chance {between}."
    how = "surer than it is right" if lean.high < 0 else "less sure than it is right"
    return f"{says}it is {how} {between}."


def trend(measure: str, binned: Binned, overall: float, looked_at: int) -> Chart:
    """Accuracy along one of `shapes.MEASURES`, in bins of equally many images, beside the accuracy
    of all; `looked_at` bins are shown beside each other."""
    about = MEASURES[measure]
    unit = f" ({about.unit})" if about.unit else ""
    points = _points(binned, binned.mean, f"{about.title.lower()} %{{x:.1f}}", "an eighth or so")
    points.update(mode="lines+markers", line={"color": TRAIN, "width": 1.5}, showlegend=False)
    figure = plot(points, title=f"Accuracy against {about.title.lower()}",
                  x=about.title.lower() + unit, y="accuracy (%)", height=290)  # fmt: skip
    figure.add_hline(y=100 * overall, line={"color": GRAY, "dash": "dot", "width": 1.5})
    low, high = binned.edges[:-1], binned.edges[1:]
    full = binned.count > 0
    return Chart(figure, _trend_reading(about.title, binned, overall, looked_at),
                 {"from": low[full], "to": high[full], **_numbers(binned, measure)})  # fmt: skip


def _trend_reading(title: str, binned: Binned, overall: float, looked_at: int) -> str:
    worst, told = evaluation.worst(binned, overall, looked_at)
    if len(worst) == (binned.count > 0).sum():
        return f"{title}: all bins are read equally well ({percent(overall)})."
    low, high = binned.edges[worst], binned.edges[worst + 1]
    parts = listed(f"{fixed(a, 1)} to {fixed(b, 1)}" for a, b in zip(low, high, strict=True))
    verb, share = _is(worst.tolist()), percent(binned.accuracy[worst[0]])
    where = (f"{title} {parts} {verb} read worst ({share}{_each(worst.tolist())}), against "
             f"{percent(overall)} of all images")  # fmt: skip
    if told:
        return f"{where}: more than chance, even as the worst of {looked_at} bins."
    return f"{where}: of {looked_at} bins the worst is often as low by chance."


def _points(binned: Binned, x: np.ndarray, what: str, name: str) -> go.Scatter:
    full = binned.count > 0
    y = 100 * binned.accuracy[full]
    return go.Scatter(
        x=x[full], y=y, mode="markers", name=name,
        marker={"size": sizes(binned.count[full]), "color": TRAIN, "opacity": 1,
                "line": {"width": 0}},
        error_y={"type": "data", "symmetric": False, "array": 100 * binned.high[full] - y,
                 "arrayminus": y - 100 * binned.low[full], "thickness": 1.2, "width": 3},
        customdata=np.column_stack([100 * binned.low[full], 100 * binned.high[full],
                                    binned.count[full]]),
        hovertemplate=what + ": %{y:.1f} % right<br>95 % interval %{customdata[0]:.1f} to "
        "%{customdata[1]:.1f} %<br>%{customdata[2]:,} images<extra></extra>",
    )  # fmt: skip


def sizes(count: np.ndarray) -> np.ndarray:
    """Diameters (n,) of points in pixels, their areas by how many images each stands for."""
    return np.maximum(16 * np.sqrt(count / count.max()), 4.0)


def _numbers(binned: Binned, name: str) -> dict[str, np.ndarray]:
    full = binned.count > 0
    columns = {f"mean {name}": binned.mean, "images": binned.count, "accuracy": binned.accuracy,
               "low": binned.low, "high": binned.high}  # fmt: skip
    return {key: column[full] for key, column in columns.items()}


# ------------------------------------------------------------------ inside the model


def saliency(values: np.ndarray, title: str, reading: str) -> Chart:
    """A number of logits at each of the 28×28 pixels, coloured around zero."""
    most = float(np.abs(values).max()) or 1.0
    heat = go.Heatmap(z=values, colorscale=AROUND_ZERO, zmin=-most, zmax=most,
                      colorbar={"thickness": 10, "title": {"text": "logits"}, "len": 0.9},
                      hovertemplate="row %{y}, column %{x}: %{z:.3f}<extra></extra>")  # fmt: skip
    figure = plot(heat, title=title, x="column", y="row", height=400)
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", showgrid=False)
    figure.update_xaxes(constrain="domain", showgrid=False)
    row, column = np.indices(values.shape).reshape(2, -1)
    return Chart(figure, reading, {"row": row, "column": column, "value": values.ravel()})


def activations(values: np.ndarray, name: str) -> Chart:
    """The outputs (units,) of one dense layer as bars, the largest first."""
    order = np.argsort(-values, kind="stable")
    few = len(order) <= MOST_NAMED
    x = [f"unit {unit}" for unit in order] if few else np.arange(len(order))
    bars = go.Bar(x=x, y=values[order], customdata=order, marker_line_width=0,
                  marker_color=TRAIN,
                  hovertemplate="unit %{customdata}: %{y:.3f}<extra></extra>")  # fmt: skip
    silent = int((values == 0).sum())
    figure = plot(bars, title=f"{name}: {len(values)} units, the most active first",
                  x="" if few else "units in order: point at one for its number",
                  y="activation", height=250, bargap=0.25 if few else 0)  # fmt: skip
    figure.update_xaxes(showticklabels=few)  # a place in the order would be read as a unit's number
    reading = (f"Unit {order[0]} is the most active ({fixed(values[order[0]], 2)}); {silent} of "
               f"{len(values)} are silent.")  # fmt: skip
    return Chart(figure, reading, {"unit": order, "activation": values[order]})


def film(steps: np.ndarray, accuracy: np.ndarray, at: int, images: int) -> Chart:
    """Test accuracy (0…1) after each of `steps` batches, the moment `at` marked; measured on so
    many images."""
    shown = np.maximum(steps, 0.5)  # a logarithm has no place for the start
    line = go.Scatter(x=shown, y=100 * accuracy, mode="lines+markers", line_color=TRAIN,
                      customdata=steps, showlegend=False,
                      hovertemplate="after %{customdata:,} batches: %{y:.1f} %<extra></extra>")
    here = go.Scatter(x=shown[at : at + 1], y=100 * accuracy[at : at + 1], mode="markers",
                      marker={"size": 14, "color": VALIDATION}, showlegend=False,
                      hoverinfo="skip")  # fmt: skip
    figure = plot(line, here, title="How it learned to read", x="batches (log scale)",
                  y="test accuracy (%)", xaxis_type="log", yaxis_range=[0, 102])  # fmt: skip
    figure.update_xaxes(LOG_COUNTS)
    early = int(np.argmax(accuracy >= 0.9 * accuracy[-1]))
    reading = (f"After {steps[at]:,} batches it reads {percent(accuracy[at])} of {images:,} "
               f"test images. Nine tenths of its final {percent(accuracy[-1])} are reached "
               f"after {steps[early]:,} of {steps[-1]:,} batches.")  # fmt: skip
    return Chart(figure, reading, {"batches": steps, "test_accuracy": accuracy})
