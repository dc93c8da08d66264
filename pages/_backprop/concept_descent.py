"""Concepts of descent on a loss that can be drawn whole: two weights that tell 1s from 7s."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.basis import LabError, numbers
from mnist_core.charts import descent_charts
from mnist_core.lessons import loss_surfaces
from mnist_core.lessons.loss_surfaces import Surface
from mnist_core.network.optimizers import OPTIMIZERS
from mnist_core.statistics import shapes
from pages._backprop import state
from pages._shell import chart, shared

DIGITS, FEATURES, EACH = (1, 7), ("thickness", "width"), 300
# Shares of the limit. Half of it, 1 / the largest curvature, is the most that never overshoots.
RATES = {"right": 0.5, "too small": 0.03, "too large": 2.3}
START = np.array([1.6, -0.9])  # in deviations of the features: well away from the minimum


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


def _about(found: Surface) -> None:
    """The model, as it computes: with the numbers that centre and scale its features."""
    terms = [_feature(name, *of) for name, *of in zip(FEATURES, found.mean, found.scale,
                                                      strict=True)]  # fmt: skip
    one, other = DIGITS
    st.markdown(
        "The loss has as many dimensions as there are weights, so of a real network no one can see "
        f"it. This model has **two**: *p* = σ(w₁ · {terms[0]} + w₂ · {terms[1]}) is its "
        f"probability that an image is a {other} and not a {one}, by the thickness of the strokes "
        "and the width in pixels, less their means over these images. Its loss is drawn whole "
        "below: each ring joins places of equal loss, and the cross is the lowest. There it reads "
        f"{numbers.percent(found.accuracy(found.minimum))} of these {len(found.targets)} right."
    )


def _feature(name: str, mean: float, scale: float) -> str:
    centred = f"({name} − {numbers.fixed(mean, 3)})"
    return centred if scale == 1 else f"{centred} / {numbers.fixed(scale, 3)}"


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
    if (found := _surface(True)) is None:
        return
    _about(found)
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
    said = [f"{name} {numbers.loss(float(found.loss(path[-1])) - least)}"
            for name, path in paths.items()]  # fmt: skip
    return f"Nats above the least loss ({numbers.loss(least)}) at the end: {', '.join(said)}."


# ---------------------------------------------------------------- learning rate


def learning_rate() -> None:
    """Too small, right, too large, and one's own; beside the limit that the curvature sets."""
    st.markdown("The gradient says where down is, the **learning rate** how far to go: "
                "w ← w − η · gradient. Too small creeps; too large jumps over the valley, and "
                "from a certain η on never settles in it.")  # fmt: skip
    standardised = _unit_switch("rate_standardised")
    if (found := _surface(standardised)) is None:
        return
    _about(found)
    low, high = found.steepness
    with st.container(horizontal=True):
        share = st.slider("Your learning rate, as a share of the limit", 0.02, 3.0, 0.3, 0.02,
                          key="rate_share", persist_state="session", width=380)  # fmt: skip
        steps = st.slider("Steps", 5, 200, 40, key="rate_steps", persist_state="session", width=250)
    limit = 2 / high
    rates = {name: of * limit for name, of in (RATES | {"yours": share}).items()}
    n = len(found.targets)
    paths = {f"{name} (η {numbers.significant(rate)})": _descend(found, "sgd", rate, n, steps)
             for name, rate in rates.items()}  # fmt: skip
    _valley(found, paths, "Creep, arrive, or jump across", "learning-rate", standardised)
    across, along, most = map(numbers.significant, (high, low, limit))
    st.caption(
        f"At the minimum the loss curves by {across} across the valley and {along} along it. A "
        f"step multiplies the distance across by 1 − {across} η, which shrinks it only while "
        f"η < 2 / {across} = **{most}**, the limit; the distance along by 1 − {along} η. “Right” "
        f"is half the limit, where a step across comes just to the bottom. The more unlike the two "
        f"(here {numbers.fixed(high / low, 1)} : 1), the longer it takes."
    )


def _unit_switch(key: str) -> bool:
    return st.toggle("Features standardised", key=key, persist_state="session",
                     help="Each feature divided by its own deviation. Undivided, the one that "
                          "varies more bends the loss more: the bowl becomes a valley.")


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
    said = [f"{name} {numbers.fixed(loss_surfaces.detour(p), 2)}" for name, p in paths.items()]
    return "Length of the way, as a multiple of the straight line: " + ", ".join(said) + "."


# ------------------------------------------------------------------- optimizers


def optimizers() -> None:
    """Four rules on the same valley."""
    st.markdown("**SGD** goes against the gradient, the farther the steeper. **Momentum** keeps "
                "some of its last step, so that what always points the same way "
                "adds up. **RMSprop** divides each weight's step by the usual size of its "
                "gradient. **Adam** does both.")  # fmt: skip
    standardised = _unit_switch("optimizer_standardised")
    if (found := _surface(standardised)) is None:
        return
    _about(found)
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
    st.caption(_first_steps(found, paths) + f" η stands for {numbers.significant(plain)} in SGD "
               f"and momentum, {rate:g} in the other two.")  # fmt: skip


def _first_steps(found: Surface, paths: dict[str, np.ndarray]) -> str:
    """Where the first step of each rule goes, with its sign, and how unlike it moves the two."""
    start = _start(found)
    steps = {name: path[1] - path[0] for name, path in paths.items()}
    moves = ", ".join(f"{name} ({', '.join(numbers.signed(d, 3) for d in step)})"
                      for name, step in steps.items())  # fmt: skip
    unlike = ", ".join(f"{name} {numbers.fixed(np.abs(step).max() / np.abs(step).min(), 2)}"
                       for name, step in steps.items())  # fmt: skip
    gradient = found.gradient(start)
    aside = loss_surfaces.angle(-gradient, found.minimum - start)
    return (f"The gradient at the start is ({', '.join(numbers.signed(g, 3) for g in gradient)}), "
            f"and against it lies {numbers.fixed(aside, 0)}° off the straight way to the minimum. "
            f"The first step moves (w₁, w₂) by: {moves}. The larger of the two moves is so many "
            f"times the smaller: {unlike}.")  # fmt: skip
