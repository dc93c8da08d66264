"""Charts of single ideas: functions, probabilities, distributions, two curves of loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mnist_core.basis import numbers
from mnist_core.lessons import concepts
from mnist_core.lessons.overfitting import Course
from mnist_core.network.layers import ACTIVATIONS
from mnist_core.network.losses import softmax

from .plotting import LOG_TICKS, TEMPLATE, TRAIN, VALIDATION, Chart, plot

GRAY = "#8A877F"
BELOW = {"y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left"}
REACH = 6.0  # how far z goes to both sides
JUMP = 0.2  # between two points of a derivative: it has a step there, and no ramp


def activation(name: str, z: float) -> Chart:
    """An activation and its derivative, with the tangent at z."""
    function, slope = ACTIVATIONS[name]
    x = np.linspace(-REACH, REACH, 241)
    a = function(x)
    d = np.asarray(slope(x, a), float)
    jumps = np.flatnonzero(np.abs(np.diff(d)) > JUMP) + 1
    steps_x, steps_d = (np.insert(values.astype(float), jumps, np.nan) for values in (x, d))
    at, rise = concepts.derivative(name, z)
    near = np.array([z - 1.5, z + 1.5])
    traces = [
        go.Scatter(x=near, y=at + rise * (near - z), mode="lines", name="tangent",
                   line={"color": "rgba(138,135,127,0.45)", "width": 9}, hoverinfo="skip"),
        _curve(x, a, "a(z)", TRAIN),
        _curve(steps_x, steps_d, "derivative a′(z)", VALIDATION, "dash"),
        go.Scatter(x=[z, z], y=[at, rise], mode="markers", showlegend=False,
                   marker={"size": 11, "color": [TRAIN, VALIDATION]},
                   hovertemplate="z %{x:.2f}: %{y:.4f}<extra></extra>"),
    ]  # fmt: skip
    figure = plot(*traces, title=f"{name}, its slope and its tangent",
                  x="z", y="a(z), a′(z)", height=400, legend=BELOW)  # fmt: skip
    top = max(1.3, min(3.0, float(a.max()) * 1.1))
    low = min(-1.3, float(a.min()) * 1.1) if a.min() > -1.5 else -2.0
    # The point that is asked about stays on the chart, however far out it is.
    figure.update_yaxes(range=[min(low, 1.15 * min(at, rise)), max(top, 1.15 * max(at, rise))])
    reading = (f"Between z = −6 and 6 its derivative is at most {numbers.significant(d.max())}, "
               f"and on {numbers.percent((d < 0.05).mean(), 0)} of that range it is below 0.05, "
               "where learning is slow.")  # fmt: skip
    return Chart(figure, reading, {"z": x, "a": a, "derivative": d})


def _curve(x: np.ndarray, y: np.ndarray, name: str, color: str, dash: str = "solid") -> go.Scatter:
    return go.Scatter(x=x, y=y, mode="lines", name=name,
                      line={"color": color, "width": 2.5, "dash": dash},
                      hovertemplate=f"{name}: %{{y:.4f}} at %{{x:.2f}}<extra></extra>")  # fmt: skip


def probabilities(logits: np.ndarray, names: list[str], temperature: float) -> Chart:
    """Softmax of a few logits at a temperature, and at 1."""
    p, plain = concepts.tempered(logits, temperature), softmax(logits)
    few = 1 if temperature == 1 else 2  # nothing to compare
    bars = [
        go.Bar(x=names, y=100 * p, name=f"T = {temperature:g}", marker_color=TRAIN,
               hovertemplate="%{x}: %{y:.2f} %<extra></extra>"),
        go.Scatter(x=names, y=100 * plain, name="T = 1", mode="markers",
                   marker={"symbol": "line-ew-open", "size": 30, "color": VALIDATION,
                           "line": {"width": 3}},
                   hovertemplate="%{x} at T = 1: %{y:.2f} %<extra></extra>"),
    ]  # fmt: skip
    figure = plot(*bars[:few], title="Softmax makes shares of logits", x="",
                  y="probability (%)", height=340, legend=BELOW, bargap=0.4)  # fmt: skip
    figure.update_yaxes(range=[0, 104])
    reading = (f"The probabilities add up to {numbers.fixed(p.sum(), 6)}; their entropy is "
               f"{numbers.loss(concepts.entropy(p) + 0.0)} nats, of at most ln {len(p)} = "
               f"{numbers.loss(np.log(len(p)))}.")  # fmt: skip
    return Chart(figure, reading, {"class": names, "logit": logits, "p": p, "p_at_1": plain})


def surprise(p: float) -> Chart:
    """−log p in nats and in bits against the probability of the right class."""
    x = np.linspace(0.005, 1, 200)
    traces = [
        _curve(x, -np.log(x), "nats: −ln p", TRAIN),
        _curve(x, -np.log2(x), "bits: −log₂ p", VALIDATION, "dash"),
        go.Scatter(x=[p, p], y=[-np.log(p), -np.log2(p)], mode="markers", showlegend=False,
                   marker={"size": 11, "color": [TRAIN, VALIDATION]}, hoverinfo="skip"),
    ]  # fmt: skip
    figure = plot(*traces, title="A sure mistake costs without limit",
                  x="probability given to the right class", y="loss", height=360, legend=BELOW)
    reading = (f"At p = {p:g} the loss is {numbers.loss(-np.log(p) + 0.0)} nats or "
               f"{numbers.loss(-np.log2(p) + 0.0)} bits, and its "
               f"slope −1/p = {numbers.significant(-1 / p)} nats.")  # fmt: skip
    return Chart(figure, reading, {"p": x, "nats": -np.log(x), "bits": -np.log2(x)})


def normalisation(before: np.ndarray, after: np.ndarray, plain: np.ndarray) -> Chart:
    """Distributions of pre-activations (n, m) before and after batch normalisation; `plain` (n, m)
    is what comes after it if the input is left alone."""
    figure = make_subplots(2, 1, vertical_spacing=0.2,
                           subplot_titles=("before: wherever the input pushes them",
                                           "after: about β, as wide as γ"))  # fmt: skip
    both = float(min(before.min(), after.min())), float(max(before.max(), after.max()))
    for row, (values, color) in enumerate(((before, VALIDATION), (after, TRAIN)), 1):
        height, edges = np.histogram(values, 80, both)
        figure.add_bar(x=(edges[1:] + edges[:-1]) / 2, y=100 * height / values.size,
                       marker_color=color, marker_line_width=0, row=row, col=1,
                       hovertemplate="%{x:.2f}: %{y:.1f} %<extra></extra>")  # fmt: skip
        figure.update_xaxes(title_text="z, before" if row == 1 else "y, after", range=both,
                            automargin=True, row=row, col=1)  # fmt: skip
        figure.update_yaxes(title_text="share (%)", automargin=True, row=row, col=1)
    figure.update_layout(template=TEMPLATE, height=520, bargap=0.02, showlegend=False,
                         title_text="What a layer hands on", margin={"t": 76})  # fmt: skip
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    change = np.abs(after - plain).max()
    reading = (f"The units' means run {_range(before.mean(axis=0))} before and "
               f"{_range(after.mean(axis=0))} after; their deviations {_range(before.std(axis=0))} "
               f"and {_range(after.std(axis=0))}. What you did to the input is left as a change of "
               f"at most {numbers.significant(change, 1)}.")  # fmt: skip
    units = np.arange(before.shape[1])
    return Chart(figure, reading, {
        "unit": units, "mean_before": before.mean(axis=0), "deviation_before": before.std(axis=0),
        "mean_after": after.mean(axis=0), "deviation_after": after.std(axis=0)})  # fmt: skip


def _range(values: np.ndarray) -> str:
    return f"from {numbers.fixed(values.min(), 2)} to {numbers.fixed(values.max(), 2)}"


def dropout_means(means: np.ndarray, whole: float, rate: float) -> Chart:
    """How the mean over draws of dropout settles, with and without its scaling up."""
    scaled = concepts.running_mean(means)
    draws = np.arange(1, len(means) + 1)
    traces = [_curve(draws, scaled, "kept ÷ (1 − rate)", TRAIN),
              _curve(draws, scaled * (1 - rate), "not scaled", VALIDATION, "dash")]  # fmt: skip
    figure = plot(*traces, title="Scaled up, the mean stays", x="draws of the mask",
                  y="mean activation", height=340, legend=BELOW)  # fmt: skip
    figure.add_hline(y=whole, line={"color": GRAY, "dash": "dot", "width": 2})
    figure.update_yaxes(range=[0, 1.5 * max(whole, scaled.max() / 1.4)])
    end = float(scaled[-1])
    reading = (f"Without dropout the mean is {numbers.fixed(whole, 4)}; over {len(means)} draws it "
               f"is {numbers.fixed(end, 4)} scaled, {numbers.fixed(end * (1 - rate), 4)} not "
               "scaled.")  # fmt: skip
    return Chart(figure, reading, {"draws": draws, "scaled": scaled,
                                   "not_scaled": scaled * (1 - rate)})  # fmt: skip


def course(history: Course, patience: int) -> Chart:
    """Training and validation loss by epoch, with the best epoch and where patience ends."""
    epochs = np.arange(len(history.train_loss))
    figure = plot(_curve(epochs, history.train_loss, "training", TRAIN),
                  _curve(epochs, history.validation_loss, "validation", VALIDATION),
                  title="First it learns, then by heart", x="epoch",
                  y="loss (nats)", height=400, legend=BELOW)  # fmt: skip
    best, stop = history.best, history.stops(patience)
    _mark(figure, best, f"best: {best}", "left" if best > len(epochs) / 2 else "right")
    if stop is not None and stop != best:
        _mark(figure, stop, f"stops: {stop}", "left" if stop > len(epochs) / 2 else "right", 0.86)
    figure.update_yaxes(rangemode="tozero")
    return Chart(figure, _course_reading(history), {
        "epoch": epochs, "train_loss": history.train_loss,
        "validation_loss": history.validation_loss, "train_accuracy": history.train_accuracy,
        "validation_accuracy": history.validation_accuracy})  # fmt: skip


def accuracies(history: Course) -> Chart:
    """Training and validation accuracy by epoch, the best one of each measure marked."""
    epochs = np.arange(len(history.train_accuracy))
    figure = plot(_curve(epochs, 100 * history.train_accuracy, "training", TRAIN),
                  _curve(epochs, 100 * history.validation_accuracy, "validation", VALIDATION),
                  title="Accuracy: the same training", x="epoch", y="accuracy (%)", height=400,
                  legend=BELOW)  # fmt: skip
    best, likeliest = history.best, history.most_accurate
    half = len(epochs) / 2
    _mark(figure, best, f"least loss: {best}", "left" if best > half else "right", 0.5)
    if likeliest != best:
        _mark(figure, likeliest, f"most right: {likeliest}",
              "left" if likeliest > half else "right", 0.42)  # fmt: skip
    figure.update_yaxes(range=[0, 103])
    at, most = (numbers.percent(history.validation_accuracy[i]) for i in (best, likeliest))
    reading = (f"Of the validation images {at} are read right after epoch {best}, of least loss, "
               f"and {most} after epoch {likeliest}, the most; at the end "
               f"{numbers.percent(history.validation_accuracy[-1])}, and of the training images "
               f"{numbers.percent(history.train_accuracy[-1])}.")  # fmt: skip
    return Chart(figure, reading, {"epoch": epochs, "train_accuracy": history.train_accuracy,
                                   "validation_accuracy": history.validation_accuracy})


def _mark(figure: go.Figure, epoch: int, words: str, side: str, height: float = 0.98) -> None:
    figure.add_vline(x=epoch, line={"color": GRAY, "dash": "dot", "width": 1.5})
    figure.add_annotation(x=epoch, y=height, yref="paper", text=words, showarrow=False,
                          xanchor="right" if side == "left" else "left", xshift=-4 if side == "left"
                          else 4, font={"color": GRAY})  # fmt: skip


def _course_reading(history: Course) -> str:
    best, last = history.best, len(history.train_loss) - 1
    at, end = history.validation_loss[best], history.validation_loss[-1]
    if best == last:
        return (f"The validation loss still falls in the last epoch ({numbers.loss(end)} nats): "
                "more epochs "
                "may help.")  # fmt: skip
    return (f"The validation loss is least after epoch {best} ({numbers.loss(at)} nats). By epoch "
            f"{last} the training loss is down to {numbers.loss(history.train_loss[-1])}, the "
            f"validation loss up to {numbers.loss(end)}: the rest was learned by heart.")


def gradient_flow(flows: Mapping[str, np.ndarray]) -> Chart:
    """The size of ∂L/∂W layer by layer, on a log scale, for each activation by its name."""
    traces, columns = [], {"activation": [], "layer": [], "gradient": []}
    for (name, sizes), (color, dash) in zip(flows.items(), ((VALIDATION, "dash"), (TRAIN, "solid")),
                                            strict=False):  # fmt: skip
        layers = [*(f"hidden {i}" for i in range(1, len(sizes))), "logits"]
        traces.append(go.Scatter(x=layers, y=sizes, name=name, mode="lines+markers",
                                 line={"color": color, "dash": dash, "width": 2.5},
                                 marker={"size": 8},
                                 hovertemplate=f"{name}, %{{x}}: %{{y:.2e}}<extra></extra>"))
        columns["activation"] += [name] * len(sizes)
        columns["layer"] += layers
        columns["gradient"] += sizes.tolist()
    figure = plot(*traces, title="How large the gradient is that each layer gets", x="layer",
                  y="|∂L/∂W|, root mean square (log scale)", height=400, legend=BELOW)  # fmt: skip
    figure.update_yaxes(type="log", automargin=True, **LOG_TICKS)
    told = [f"with {name} it is {_ratio(sizes)}" for name, sizes in flows.items()]
    return Chart(figure, "The first hidden layer's gradient beside that of the logits: "
                 f"{numbers.listed(told)}.", columns)  # fmt: skip


def _ratio(sizes: np.ndarray) -> str:
    """The first of them beside the last, in words."""
    if not sizes[0] or not sizes[-1]:
        return "nothing"
    times = sizes[0] / sizes[-1]
    if times >= 1:
        return f"{numbers.significant(times)} times as large"
    return f"1 / {numbers.significant(1 / times)} as large"


def scaling(divided: Course, raw: Course) -> Chart:
    """Training loss and validation accuracy by epoch, with the pixels divided by 255 and not."""
    figure = make_subplots(1, 2, horizontal_spacing=0.12,
                           subplot_titles=("training loss (nats)", "validation accuracy (%)"))
    named = {"÷ 255": (divided, TRAIN, "solid"), "0 to 255": (raw, VALIDATION, "dash")}
    columns: dict[str, list] = {"pixels": [], "epoch": [], "train_loss": [],
                                "validation_accuracy": []}  # fmt: skip
    for name, (course, color, dash) in named.items():
        epochs = np.arange(len(course.train_loss))
        for col, y in ((1, course.train_loss), (2, 100 * course.validation_accuracy)):
            figure.add_scatter(x=epochs, y=np.where(np.isfinite(y), y, np.nan), name=name,
                               mode="lines+markers", showlegend=col == 1, row=1, col=col,
                               line={"color": color, "dash": dash, "width": 2.5})  # fmt: skip
        columns["pixels"] += [name] * len(epochs)
        columns["epoch"] += epochs.tolist()
        columns["train_loss"] += course.train_loss.tolist()
        columns["validation_accuracy"] += course.validation_accuracy.tolist()
    figure.update_layout(template=TEMPLATE, height=400, legend=BELOW, margin={"t": 76},
                         title_text="The same training, the pixels divided by 255 or not")
    figure.update_yaxes(type="log", row=1, col=1, automargin=True, **LOG_TICKS)
    figure.update_yaxes(range=[0, 103], row=1, col=2, automargin=True)
    figure.update_xaxes(title_text="epoch", automargin=True)
    told = [f"{name}: {numbers.percent(c.validation_accuracy[-1])} of the validation images, loss "
            f"{numbers.loss(float(c.train_loss[-1]))}"
            for name, (c, *_) in named.items()]  # fmt: skip
    return Chart(figure, f"After {len(divided.train_loss) - 1} epochs, pixels "
                 f"{'; pixels '.join(told)}.", columns)  # fmt: skip
