"""A section of the Backprop page: Regression, a line fitted with GradientTape, and with NumPy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from mnist_core.basis import LabError, numbers
from mnist_core.charts import descent_charts
from mnist_core.jobs import Call
from mnist_core.lessons import regression, source_code
from mnist_core.lessons.regression import Points
from mnist_core.statistics import shapes
from pages._backprop import state
from pages._shell import chart, notes, shared

SEED = 1  # the weights begin at (0.35, 0.82)
TENSORFLOW, NUMPY = "TensorFlow", "NumPy"
# whether the weights are made inside the model function -> functions of `tapes` and of NumPy
FUNCTIONS = {False: ("fit_line", regression.fit), True: ("fit_line_inside", regression.fit_inside)}
DIGITS = 150
PATIENCE = 0.7  # seconds that a page waits before it shows a bar instead
INTRO = """
The smallest network of all: **ŷ = slope · x + intercept**, two weights. The loss is the **mean
squared error**, its gradient is two sums, and Adam moves both weights epoch by epoch: everything
a large network does. TensorFlow's `GradientTape` writes down what is computed and differentiates
it; NumPy has the two sums written out. NumPy's is run here at once, TensorFlow's when you ask for
it, and then the two are compared.
"""


@dataclass(frozen=True)
class Settings:
    """How the line is fitted."""

    learning_rate: float
    epochs: int
    inside: bool


def section() -> None:
    """Draw the section: points, how to fit them, both fits, their numbers and their source."""
    st.markdown(INTRO)
    left, right = st.columns([2, 3], gap="large")
    with left:
        points = _points()
        settings = _settings()
    if points is None:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        mine = FUNCTIONS[settings.inside][1](
            points.x, points.y, settings.learning_rate, settings.epochs, SEED)  # fmt: skip
    with left:
        tape = _tape(points, settings)
    with right:
        paths = ({} if tape is None else {TENSORFLOW: tape}) | {NUMPY: mine}
        chart.show(descent_charts.regression(
            points, paths, regression.exact(points.x, points.y), _reading(points, mine),
            _title(points, mine)), "regression")  # fmt: skip
    _numbers(points, paths, settings)
    _why(settings)
    _sources(settings)
    _published(points)


# ----------------------------------------------------------------------- points


def _points() -> Points | None:
    """The points to fit, None until there are some."""
    kind = st.selectbox("Points", list(SOURCES), key="line_points", filter_mode=None,
                        persist_state="session")  # fmt: skip
    return SOURCES[kind]()


def _generated() -> Points:
    noise = st.slider("Noise (deviation of y)", 0.0, 1.0, 0.2, 0.05, key="line_noise",
                      persist_state="session")  # fmt: skip
    slope = st.slider("True slope", -2.0, 2.0, 0.8, 0.1, key="line_slope", persist_state="session")
    intercept = st.slider("True intercept", -2.0, 2.0, 0.3, 0.1, key="line_intercept",
                          persist_state="session")  # fmt: skip
    n = st.slider("How many", 5, 300, 60, 5, key="line_n", persist_state="session")
    return regression.generated(n, slope, intercept, noise, np.random.default_rng(0))


def _given() -> Points:
    x = np.array([-1.0, 0, 1, 2, 3, 4])
    st.caption("Six points on the line y = 2x − 1, without noise.")
    return Points(x, 2 * x - 1)


def _digits() -> Points | None:
    images = shared.data().test.images[:DIGITS]
    found = shapes.measures(images)
    x, y = found["thickness"].astype(float), found["ink"].astype(float)
    there = np.isfinite(x) & np.isfinite(y)
    if len(set(x[there])) < 2:
        st.info("These digits are all alike: choose other points.", icon=":material/info:")
        return None
    st.caption(f"{there.sum()} test digits: does a thicker stroke mean more ink?")
    return Points(x[there], y[there], ("stroke thickness (pixels)", "ink (% of full white)"))


def _csv() -> Points | None:
    given = st.file_uploader("Two columns of numbers, x and y", ["csv", "txt", "tsv"],
                             key="line_csv", max_upload_size=1)  # fmt: skip
    if given is None:
        st.info("Choose a CSV file: one point a line, x and y, with or without names above; at "
                f"most {regression.MOST_POINTS:,} points.", icon=":material/upload_file:")
        return None
    try:
        return regression.read_csv(given.getvalue())
    except LabError as error:
        st.error(str(error), icon=":material/block:")
        return None


SOURCES: dict[str, Callable[[], Points | None]] = {
    "Generated, with noise": _generated,
    "Given: y = 2x − 1": _given,
    "Digits: ink against thickness": _digits,
    "Your own (CSV)": _csv,
}


def _settings() -> Settings:
    rate = st.select_slider("Adam's learning rate", [0.001, 0.003, 0.01, 0.03, 0.1, 0.3], 0.01,
                            key="line_rate", persist_state="session")  # fmt: skip
    epochs = st.select_slider("Epochs", [20, 50, 100, 200, 500, 1000], 100, key="line_epochs",
                              persist_state="session")  # fmt: skip
    inside = st.toggle("Weights written inside the model function", key="line_inside",
                       persist_state="session",
                       help="As one often sees it. Runs that version for real.")  # fmt: skip
    return Settings(rate, epochs, inside)


# -------------------------------------------------------------------- the worker


def _tape(points: Points, settings: Settings) -> np.ndarray | None:
    """What TensorFlow made of exactly these, (epochs + 1, 3); None if it was not asked, or while it
    is at it, or if it cannot be had, which the page then says."""
    mine, about = state.mine(), (settings, points.x.tobytes(), points.y.tobytes())
    if st.button("Run it in TensorFlow too", type="primary", icon=":material/play_arrow:",
                 key="line_run", width="stretch"):  # fmt: skip
        mine.fitting = (about, _ask(points, settings))
    asked, call = mine.fitting or (None, "")
    if asked != about:
        st.caption("NumPy has fitted these points already: the chart shows it. TensorFlow runs in "
                   "a process of its own, when you ask for it.")  # fmt: skip
        return None
    if isinstance(call, str):
        return _without(call)
    if not call.over(PATIENCE):
        notes.fragment(_waiting, run_every=0.4)(call, settings)
        return None
    return call.result() if call.state == "done" else _without(call.message)


def _ask(points: Points, settings: Settings) -> Call | str:
    """The call, or why there is none."""
    try:
        return shared.service().call(
            FUNCTIONS[settings.inside][0], x=points.x, y=points.y, seed=SEED,
            learning_rate=settings.learning_rate, epochs=settings.epochs,
        )  # fmt: skip
    except LabError as error:
        return str(error)


def _without(why: str) -> None:
    st.warning(f"{why} The chart shows NumPy alone.", icon=":material/hourglass_top:")


def _waiting(call: Call, settings: Settings) -> None:
    if call.over():
        st.rerun()
    passed, expected = time.monotonic() - call.asked, 1.5 + settings.epochs / 100
    if shared.service().state == "starting":
        words = "**TensorFlow is starting**: about 10 seconds after a server start"
    elif call.state == "waiting":
        words = "**In the queue**: the worker is busy with a training"
    else:
        words = f"**TensorFlow is fitting the line**: a second or so, {passed:.0f} s passed"
    st.progress(min(0.95, passed / expected) if call.state == "running" else 0.0, words)


# ------------------------------------------------------------------- the numbers


def _title(points: Points, path: np.ndarray) -> str:
    """What became of the line, by its loss."""
    least = regression.loss(points.x, points.y, *regression.exact(points.x, points.y))
    above, began = path[-1, 2] - least, path[0, 2] - least
    if not np.isfinite(above) or above >= began:
        return "The line comes no nearer to the points"
    return ("The line has reached the points" if above < 0.01 * began
            else "The line turns to the points, but is not there yet")  # fmt: skip


def _reading(points: Points, path: np.ndarray) -> str:
    slope, intercept = regression.exact(points.x, points.y)
    least = regression.loss(points.x, points.y, slope, intercept)
    first, last, best = (numbers.significant(float(v), 4) for v in (*path[[0, -1], 2], least))
    return (f"In {len(path) - 1:,} epochs NumPy's loss goes from {first} to {last}; no line has "
            f"less than {best}.")  # fmt: skip


def _numbers(points: Points, paths: dict[str, np.ndarray], settings: Settings) -> None:
    exact = {"exact (closed form)": regression.exact(points.x, points.y),
             "exact (np.linalg.lstsq)": regression.solved(points.x, points.y)}  # fmt: skip
    ends = {f"Adam, {name}": tuple(path[-1, :2]) for name, path in paths.items()} | exact
    st.table({
        "": list(ends),
        "slope": [numbers.fixed(slope, 6) for slope, _ in ends.values()],
        "intercept": [numbers.fixed(intercept, 6) for _, intercept in ends.values()],
        "mean squared error": [numbers.fixed(regression.loss(points.x, points.y, *end), 6)
                               for end in ends.values()],
    }, border="horizontal", hide_index=True)  # fmt: skip
    if TENSORFLOW in paths:
        apart = np.abs(paths[TENSORFLOW] - paths[NUMPY]).max()
        st.markdown(f"Over all {settings.epochs:,} epochs, TensorFlow's and NumPy's slope, "
                    f"intercept and loss differ by **{numbers.significant(apart, 2)}** at most. "
                    "(Both compute in float64, but Keras keeps Adam's 0.9 and 0.999 in "
                    "float32.)")  # fmt: skip
    if not settings.inside:
        _far(points, paths[NUMPY], settings)


def _far(points: Points, path: np.ndarray, settings: Settings) -> None:
    """How far Adam came, and why no farther."""
    left = float(np.abs(path[-1, :2] - regression.exact(points.x, points.y)).max())
    reach = settings.learning_rate * settings.epochs
    moved = float(np.abs(path[-1, :2] - path[0, :2]).max())
    words = (f"After {settings.epochs:,} epochs the farther of the two weights is "
             f"**{numbers.significant(left, 2)}** from the exact solution.")  # fmt: skip
    if left > 0.02:
        words += (" Adam's step is about its learning rate, whatever the gradient: "
                  f"{settings.epochs:,} × {settings.learning_rate:g} = {reach:g} is about as far "
                  f"as it comes (here {numbers.fixed(moved, 2)}). Give it more epochs, or a larger "
                  "rate.")  # fmt: skip
    st.markdown(words)


# -------------------------------------------------------------------- the source


def _why(settings: Settings) -> None:
    if settings.inside:
        st.info("**Nothing is learned.** Each call of the model function makes two new random "
                "weights. Adam moves them a little, and the next call forgets them: the loss only "
                "shows how lucky each draw was.", icon=":material/replay:")  # fmt: skip
    else:
        st.info("**The weights live outside the model function.** The tape can watch them there, "
                "Adam can change them, and the next epoch finds the change. Written inside the "
                "function they would be new at every call: turn the switch and see.",
                icon=":material/home:")  # fmt: skip


def _sources(settings: Settings) -> None:
    tape, twin = FUNCTIONS[settings.inside]
    st.subheader("What ran", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**TensorFlow**, in the worker: `mnist_core/jobs/tapes.py`")
        st.code(source_code.source("jobs/tapes", tape), language="python", wrap_lines=True)
    with right:
        st.markdown("**NumPy**, here: `mnist_core/lessons/regression.py`")
        names = ("draw", "differentiate", twin.__name__)
        st.code("\n\n".join(source_code.source("lessons/regression", name) for name in names),
                language="python", wrap_lines=True)  # fmt: skip


def _published(points: Points) -> None:
    """The code as tutorials print it, failing, beside its repair."""
    st.subheader("As it is often printed, it does not run", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**As printed**: `weights` is a name of the function `line` alone")
        st.code(regression.PUBLISHED_TENSORFLOW.strip(), language="python", wrap_lines=True)
        st.markdown("The same in NumPy, run on these points a moment ago:")
        st.code(regression.PUBLISHED.strip(), language="python", wrap_lines=True)
        st.error(regression.published(points.x, points.y, SEED), icon=":material/bug_report:")
    with right:
        st.markdown("**Repaired**: the weights are made outside, where the loop finds them too")
        st.code(regression.REPAIRED_TENSORFLOW.strip(), language="python", wrap_lines=True)
        st.caption("It is what runs above. To make them inside and hand them out, as the switch "
                   "shows, ends the NameError too, and learns nothing.")  # fmt: skip
