"""The form of a design: from the controls on the page to a RunSpec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from mnist_core.spec import (
    FRAMEWORKS,
    INITIALIZERS,
    KEEPS,
    LIMITS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    VALIDATIONS,
    RunSpec,
)
from pages import _blocks, _controls, _session


def usual_rate() -> None:
    """A new optimizer comes with its own usual learning rate."""
    if "learning_rate" in _session.state().lesson.lock:
        return
    rate = OPTIMIZERS[_session.widget(_controls.key("optimizer"))].learning_rate
    _session.set_widget(_controls.key("rate"), _controls.exact(_controls.RATES, rate))


def framework_control(spec: RunSpec) -> dict[str, Any]:
    framework = st.segmented_control(
        "Trained by", list(FRAMEWORKS), format_func=lambda f: FRAMEWORKS[f].label, required=True,
        **_controls.control("framework", "framework", spec.framework),
    )  # fmt: skip
    st.caption(FRAMEWORKS[framework].says)
    return {"framework": framework}


def optimizer_control(spec: RunSpec) -> dict[str, Any]:
    chosen = st.selectbox(
        "Optimizer", list(OPTIMIZERS), format_func=lambda o: OPTIMIZERS[o].label, filter_mode=None,
        **_controls.control("optimizer", "optimizer", spec.optimizer), on_change=usual_rate,
    )  # fmt: skip
    st.caption(OPTIMIZERS[chosen].says)
    return {"optimizer": chosen}


def rate_control(spec: RunSpec) -> dict[str, Any]:
    rates = _controls.among(_controls.RATES, spec.learning_rate)
    start = _controls.exact(rates, spec.learning_rate)
    rate = st.select_slider("Learning rate", rates, format_func=_controls.plain,
                            **_controls.control("learning_rate", "rate", start))  # fmt: skip
    return {"learning_rate": _controls.tidy(rate)}


def batch_control(spec: RunSpec) -> dict[str, Any]:
    sizes = _controls.among(_controls.BATCHES, spec.batch_size)
    return {"batch_size": st.select_slider("Batch size", sizes, **_controls.control(
        "batch_size", "batch", spec.batch_size))}  # fmt: skip


def epochs_control(spec: RunSpec) -> dict[str, Any]:
    return {"epochs": st.slider("Epochs", *_controls.whole("epochs"), **_controls.control(
        "epochs", "epochs", spec.epochs))}  # fmt: skip


def validation_control(spec: RunSpec) -> dict[str, Any]:
    chosen, share = st.radio(
        "Validate on", list(VALIDATIONS), format_func=lambda v: VALIDATIONS[v].label,
        **_controls.control("validation", "validation", spec.validation), horizontal=True,
    ), spec.validation_share  # fmt: skip
    if chosen == "share" and not _controls.hidden("validation_share"):
        share = st.slider("Share kept for validation", *LIMITS["validation_share"], step=0.05,
                          **_controls.control("validation_share", "share", share),
                          format="percent")  # fmt: skip
    if chosen == "share":
        st.caption(VALIDATIONS[chosen].says)
    return {"validation": chosen, "validation_share": _controls.tidy(share)}


def seed_control(spec: RunSpec) -> dict[str, Any]:
    return {"seed": st.number_input(
        "Seed", *_controls.whole("seed"), **_controls.control("seed", "seed", spec.seed),
        help="Decides the initial weights, the order of the images and what dropout drops: the "
        "same seed gives the same run.",
    )}  # fmt: skip


def l2_control(spec: RunSpec) -> dict[str, Any]:
    penalties = _controls.among(_controls.PENALTIES, spec.l2)
    start = _controls.exact(penalties, spec.l2)
    l2 = st.select_slider("L2 penalty on the kernels", penalties, format_func=_controls.plain,
                          **_controls.control("l2", "l2", start))  # fmt: skip
    return {"l2": _controls.tidy(l2)}


def loss_control(spec: RunSpec) -> dict[str, Any]:
    loss, smoothing = _controls.chosen("Cross-entropy", "loss", LOSSES, spec.loss), 0.0
    if loss == "categorical":
        smoothing = float(spec.label_smoothing)
    if loss == "categorical" and not _controls.hidden("label_smoothing"):
        smoothing = st.slider(
            "Label smoothing", *LIMITS["label_smoothing"], step=0.05,
            **_controls.control("label_smoothing", "smoothing", smoothing),
            help="This share of the label is spread over all ten digits.",
        )  # fmt: skip
    return {"loss": loss, "label_smoothing": _controls.tidy(smoothing)}


def patience_control(spec: RunSpec) -> dict[str, Any]:
    return {"patience": st.slider(
        "Patience in epochs", *_controls.whole("patience"),
        **_controls.control("patience", "patience", spec.patience),
        help="End early after so many epochs without a better one. 0 never ends early.",
    )}  # fmt: skip


# field of the RunSpec: what draws its control and returns what it says now
NETWORK: dict[str, _controls.Control] = {
    "convolutions": lambda spec: {"convolutions": _blocks.convolutions_form(spec)},
    "layers": lambda spec: {"layers": _blocks.layers_form(spec)},
}
TRAINING: dict[str, _controls.Control] = {
    "framework": framework_control, "optimizer": optimizer_control, "learning_rate": rate_control,
    "batch_size": batch_control, "epochs": epochs_control, "validation": validation_control,
    "seed": seed_control,
}  # fmt: skip
FINER: dict[str, _controls.Control] = {  # what a first design can leave as it is
    "schedule": _controls.of_table("Learning rate over time", "schedule", SCHEDULES),
    "initializer": _controls.of_table("Initial weights", "initializer", INITIALIZERS),
    "l2": l2_control,
    "loss": loss_control,
    "keep": _controls.of_table("Keep the weights of", "keep", KEEPS),
    "patience": patience_control,
}


def drawn(spec: RunSpec, controls: Mapping[str, _controls.Control]) -> RunSpec:
    """The design with what these controls say; a hidden one leaves it as it is."""
    for field, draw in controls.items():
        if not _controls.hidden(field):
            spec = replace(spec, **draw(spec))
    return spec


def form(spec: RunSpec) -> RunSpec:
    """All controls, showing `spec` at first, and the design that they say now."""
    st.subheader("Network", anchor=False)
    spec = drawn(spec, NETWORK)
    st.subheader("Training", anchor=False)
    spec = drawn(spec, TRAINING)
    with st.expander("Finer points"):
        return drawn(spec, FINER)


def load(spec: RunSpec) -> None:
    """Bring another design into the controls, in a callback; what a lesson holds stays."""
    _session.drop_widgets("design.")
    _session.state().spec = _session.state().lesson.held(spec)
