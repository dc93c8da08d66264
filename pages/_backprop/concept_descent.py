"""Concepts of descent on a loss that can be drawn whole: two weights that tell 1s from 7s."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.basis import LabError
from mnist_core.charts import descent_charts
from mnist_core.lessons import loss_surfaces
from mnist_core.lessons.loss_surfaces import Surface
from mnist_core.network.optimizers import OPTIMIZERS
from mnist_core.statistics import shapes
from pages._backprop import state
from pages._shell import chart, shared

DIGITS, FEATURES, EACH = (1, 7), ("thickness", "width"), 300
RATES = {"right": 0.8, "too small": 0.03, "too large": 2.3}  # shares of the limit
START = np.array([1.6, -0.9])  # in deviations of the features: well away from the minimum
ABOUT = """
The loss has as many dimensions as there are weights, so of a real network no one can see it. This
model has **two**: *p* = σ(w₁ · thickness + w₂ · width) tells real 1s from real 7s by the thickness
of their strokes and their width. Its loss is drawn whole below: each ring joins places of equal
loss, and the cross is the lowest.
"""


def _surface(standardised: bool) -> Surface | None:
    """The loss over some 1s and 7s of the training set; None if there are too few of them."""
    train = shared.data().train

    def compute() -> Surface:
        rows = np.concatenate([np.flatnonzero(train.labels == d)[:EACH] for d in DIGITS])
        found = shapes.measures(train.images[rows])
        features = np.stack([found[name] for name in FEATURES], axis=1)
        return loss_surfaces.surface(features, train.labels[rows] == DIGITS[1], standardised)

    try:
        found = shared.resource(shared.data().digest, f"two weights {standardised}", compute)
        found.minimum  # noqa: B018 (is there one)
    except LabError as error:
        st.info(f"{error} Turn to MNIST on the Dataset page to see this concept.",
                icon=":material/landscape:")  # fmt: skip
        return None
    return found


def _axes(standardised: bool) -> tuple[str, str]:
    unit = "standardised" if standardised else "per pixel"
    return f"w₁, thickness ({unit})", f"w₂, width ({unit})"


def _start(found: Surface) -> np.ndarray:
    return START / found.features.std(axis=0)


# ---------------------------------------------------------------------- batches


def batches() -> None:
    """Stochastic, mini-batch and full-batch descent, at the same number of images seen."""
    st.markdown("An **epoch** shows every image once. The gradient may be taken over all of them "
                "(**full batch**), over a few (**mini-batch**), or over one (**stochastic**): "
                "the fewer, the more steps an epoch has, and the more each of them errs.")
    st.markdown(ABOUT)
    if (found := _surface(True)) is None:
        return
    n = len(found.targets)
    with st.container(horizontal=True):
        size = st.select_slider("Mini-batch", [4, 8, 16, 32, 64, 128, 256], 32, key="batch_size",
                                persist_state="session", width=250)  # fmt: skip
        epochs = st.slider("Epochs", 1, 20, 5, key="batch_epochs", persist_state="session",
                           width=250)  # fmt: skip
        rate = st.select_slider("Learning rate", [0.03, 0.1, 0.3, 1.0, 3.0], 0.3, key="batch_rate",
                                persist_state="session", width=250)  # fmt: skip
    seed = state.mine().draw
    sizes = {f"full batch ({n})": n, f"mini-batch ({size})": size, "stochastic (1)": 1}
    paths = {name: _descend(found, "sgd", rate, batch, epochs, seed)
             for name, batch in sizes.items()}  # fmt: skip
    times = {name: loss_surfaces.seen(n, batch, epochs) / n for name, batch in sizes.items()}
    left, right = st.columns([3, 2], gap="large")
    with left:
        chart.show(descent_charts.descent(
            found, paths, times, "Fewer images: more steps, less sure", _axes(True),
            "epoch", _steps(paths)), "batches")  # fmt: skip
    with right:
        chart.show(descent_charts.losses(
            found, paths, times, "Loss by images seen", "epochs (each image once)",
            _ends(found, paths)), "batches-loss")  # fmt: skip
        st.button("Shuffle anew", icon=":material/shuffle:", key="shuffle", on_click=_shuffle)


def _shuffle() -> None:
    state.mine().draw += 1


def _descend(
    found: Surface, optimizer: str, rate: float, batch: int, steps: int, seed: int = 0
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rule = OPTIMIZERS[optimizer](rate)
    return loss_surfaces.descend(found, _start(found), rule, batch, steps, rng)


def _steps(paths: dict[str, np.ndarray]) -> str:
    said = [f"{name} {len(path) - 1:,} steps" for name, path in paths.items()]
    return "In the same number of epochs: " + ", ".join(said) + "."


def _ends(found: Surface, paths: dict[str, np.ndarray]) -> str:
    """How far above the minimum each path ended."""
    least = float(found.loss(found.minimum))
    said = [f"{name} {float(found.loss(path[-1])) - least:.4f}" for name, path in paths.items()]
    return f"Nats above the least loss ({least:.4f}) at the end: " + ", ".join(said) + "."


# ---------------------------------------------------------------- learning rate


def learning_rate() -> None:
    """Too small, right, too large, and one's own; beside the limit that the curvature sets."""
    st.markdown("The gradient says where down is, the **learning rate** how far to go: "
                "w ← w − η · gradient. Too small creeps; too large jumps over the valley, and "
                "from a certain η on never settles in it.")  # fmt: skip
    st.markdown(ABOUT)
    standardised = _unit_switch("rate_standardised")
    if (found := _surface(standardised)) is None:
        return
    low, high = found.steepness
    with st.container(horizontal=True):
        share = st.slider("Your learning rate, as a share of the limit", 0.02, 3.0, 0.3, 0.02,
                          key="rate_share", persist_state="session", width=380)  # fmt: skip
        steps = st.slider("Steps", 5, 200, 40, key="rate_steps", persist_state="session", width=250)
    limit = 2 / high
    rates = {name: of * limit for name, of in (RATES | {"yours": share}).items()}
    paths = {f"{name} (η {rate:.3g})": _descend(found, "sgd", rate, len(found.targets), steps)
             for name, rate in rates.items()}  # fmt: skip
    _valley(found, paths, "Creep, arrive, or jump across", "learning-rate", standardised)
    st.caption(
        f"At the minimum the loss curves by {high:.3g} across the valley and {low:.3g} along it. A "
        f"step multiplies the distance across by 1 − {high:.3g} η, which shrinks it only while "
        f"η < 2 / {high:.3g} = **{limit:.3g}**, the limit; the distance along by 1 − {low:.3g} η. "
        f"The more unlike the two (here {high / low:.1f} : 1), the longer it takes."
    )


def _unit_switch(key: str) -> bool:
    return st.toggle("Features standardised", key=key, persist_state="session",
                     help="Each feature divided by its own deviation. In pixels, widths differ "
                          "far more than thicknesses: the bowl becomes a narrow valley.")


def _valley(
    found: Surface, paths: dict[str, np.ndarray], title: str, key: str, standardised: bool
) -> None:
    """Paths of equally many steps over the surface, and their losses."""
    times = {name: np.arange(len(path)) for name, path in paths.items()}
    left, right = st.columns([3, 2], gap="large")
    with left:
        chart.show(descent_charts.descent(found, paths, times, title, _axes(standardised), "step",
                                           _lengths(paths)), key)  # fmt: skip
    with right:
        chart.show(descent_charts.losses(found, paths, times, "Loss by steps", "steps",
                                          _ends(found, paths)), f"{key}-loss")  # fmt: skip


def _lengths(paths: dict[str, np.ndarray]) -> str:
    """How much longer than the straight line each path was."""
    said = []
    for name, path in paths.items():
        way = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
        straight = float(np.linalg.norm(path[-1] - path[0])) or 1.0
        said.append(f"{name} {way / straight:.2f}")
    return "Length of the way, as a multiple of the straight line: " + ", ".join(said) + "."


# ------------------------------------------------------------------- optimizers


def optimizers() -> None:
    """Four rules on the same valley."""
    st.markdown("**SGD** goes where the gradient points: across the valley, hardly along it. "
                "**Momentum** keeps some of its last step, so that what always points the same way "
                "adds up. **RMSprop** divides each weight's step by the usual size of its "
                "gradient. **Adam** does both.")  # fmt: skip
    st.markdown(ABOUT)
    standardised = _unit_switch("optimizer_standardised")
    if (found := _surface(standardised)) is None:
        return
    with st.container(horizontal=True):
        share = st.slider("SGD and momentum: η, share of SGD’s limit", 0.05, 1.2, 0.2, 0.05,
                          key="optimizer_share", persist_state="session", width=300)  # fmt: skip
        rate = st.select_slider("RMSprop and Adam: η", [0.01, 0.02, 0.05, 0.1, 0.2, 0.5], 0.1,
                                key="optimizer_rate", persist_state="session", width=300)
        steps = st.slider("Steps", 5, 300, 80, key="optimizer_steps", persist_state="session",
                          width=250)  # fmt: skip
    plain = share * 2 / found.steepness[1]
    rates = {"SGD": plain, "Momentum": plain, "RMSprop": rate, "Adam": rate}
    paths = {name: _descend(found, name.lower(), eta, len(found.targets), steps)
             for name, eta in rates.items()}  # fmt: skip
    _valley(found, paths, "The same slope, four ways down", "optimizers", standardised)
    first = ", ".join(f"{name} {np.abs(path[1] - path[0]).round(3).tolist()}"
                      for name, path in paths.items())  # fmt: skip
    st.caption(f"The first step moves (w₁, w₂) by: {first}. RMSprop and Adam move both weights "
               "alike, however unlike their gradients; the other two do not. η stands for "
               f"{plain:.3g} in SGD and momentum, {rate:g} in the other two.")  # fmt: skip
