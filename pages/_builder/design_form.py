"""The form of a design: from the controls on the page to a RunSpec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from mnist_core.basis import numbers
from mnist_core.design.spec import (
    FRAMEWORKS,
    INITIALIZERS,
    KEEPS,
    LIMITS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    VALIDATIONS,
    Problem,
    RunSpec,
)
from pages._builder import augmentation_form, blocks, control_keys
from pages._shell import session
from pages._shell.state import bench


def usual_rate() -> None:
    """A new optimizer comes with its own usual learning rate."""
    if "learning_rate" in bench().lesson.lock:
        return
    rate = OPTIMIZERS[session.widget(control_keys.key("optimizer"))].learning_rate
    session.set_widget(control_keys.key("rate"), control_keys.exact(control_keys.RATES, rate))


def framework_control(spec: RunSpec) -> dict[str, Any]:
    framework = st.segmented_control(
        "Trained by", list(FRAMEWORKS), format_func=lambda f: FRAMEWORKS[f].label, required=True,
        **control_keys.control("framework", "framework", spec.framework),
    )  # fmt: skip
    st.caption(FRAMEWORKS[framework].says)
    return {"framework": framework}


def optimizer_control(spec: RunSpec) -> dict[str, Any]:
    chosen = st.selectbox(
        "Optimizer", list(OPTIMIZERS), format_func=lambda o: OPTIMIZERS[o].label, filter_mode=None,
        **control_keys.control("optimizer", "optimizer", spec.optimizer), on_change=usual_rate,
    )  # fmt: skip
    st.caption(OPTIMIZERS[chosen].says)
    return {"optimizer": chosen}


def rate_control(spec: RunSpec) -> dict[str, Any]:
    rates = control_keys.among(control_keys.RATES, spec.learning_rate)
    start = control_keys.exact(rates, spec.learning_rate)
    rate = st.select_slider("Learning rate", rates, format_func=numbers.plain,
                            **control_keys.control("learning_rate", "rate", start))  # fmt: skip
    return {"learning_rate": control_keys.tidy(rate)}


def batch_control(spec: RunSpec) -> dict[str, Any]:
    sizes = control_keys.among(control_keys.BATCHES, spec.batch_size)
    return {"batch_size": st.select_slider("Batch size", sizes, **control_keys.control(
        "batch_size", "batch", spec.batch_size))}  # fmt: skip


def epochs_control(spec: RunSpec) -> dict[str, Any]:
    return {"epochs": st.slider("Epochs", *control_keys.whole("epochs"), **control_keys.control(
        "epochs", "epochs", spec.epochs))}  # fmt: skip


def validation_control(spec: RunSpec) -> dict[str, Any]:
    chosen, share = st.radio(
        "Validate on", list(VALIDATIONS), format_func=lambda v: VALIDATIONS[v].label,
        **control_keys.control("validation", "validation", spec.validation), horizontal=True,
    ), spec.validation_share  # fmt: skip
    if chosen == "share" and not control_keys.hidden("validation_share"):
        share = st.slider("Share kept for validation", *LIMITS["validation_share"], step=0.05,
                          **control_keys.control("validation_share", "share", share),
                          format="percent")  # fmt: skip
    if chosen == "share":
        st.caption(VALIDATIONS[chosen].says)
    return {"validation": chosen, "validation_share": control_keys.tidy(share)}


def seed_control(spec: RunSpec) -> dict[str, Any]:
    return {"seed": st.number_input(
        "Seed", *control_keys.whole("seed"), **control_keys.control("seed", "seed", spec.seed),
        help="Decides the initial weights, the order of the images and what dropout drops: the "
        "same seed gives the same run.",
    )}  # fmt: skip


def l2_control(spec: RunSpec) -> dict[str, Any]:
    penalties = control_keys.among(control_keys.PENALTIES, spec.l2)
    start = control_keys.exact(penalties, spec.l2)
    l2 = st.select_slider("L2 penalty on the kernels", penalties, format_func=numbers.plain,
                          **control_keys.control("l2", "l2", start))  # fmt: skip
    return {"l2": control_keys.tidy(l2)}


def loss_control(spec: RunSpec) -> dict[str, Any]:
    loss, smoothing = control_keys.chosen("Cross-entropy", "loss", LOSSES, spec.loss), 0.0
    if loss == "categorical":
        smoothing = float(spec.label_smoothing)
    if loss == "categorical" and not control_keys.hidden("label_smoothing"):
        smoothing = st.slider(
            "Label smoothing", *LIMITS["label_smoothing"], step=0.05,
            **control_keys.control("label_smoothing", "smoothing", smoothing),
            help="This share of the label is spread over all ten digits.",
        )  # fmt: skip
    return {"loss": loss, "label_smoothing": control_keys.tidy(smoothing)}


def patience_control(spec: RunSpec) -> dict[str, Any]:
    return {"patience": st.slider(
        "Patience in epochs", *control_keys.whole("patience"),
        **control_keys.control("patience", "patience", spec.patience),
        help="End early after so many epochs without a better one. 0 never ends early.",
    )}  # fmt: skip


def augmentation_control(spec: RunSpec) -> dict[str, Any]:
    return {"augment": augmentation_form.form(spec.augment)}


# field of the RunSpec: what draws its control and returns what it says now
NETWORK: dict[str, control_keys.Control] = {
    "convolutions": lambda spec: {"convolutions": blocks.convolutions_form(spec)},
    "layers": lambda spec: {"layers": blocks.layers_form(spec)},
}
TRAINING: dict[str, control_keys.Control] = {
    "framework": framework_control, "optimizer": optimizer_control, "learning_rate": rate_control,
    "batch_size": batch_control, "epochs": epochs_control, "validation": validation_control,
    "seed": seed_control,
}  # fmt: skip
FINER: dict[str, control_keys.Control] = {  # what a first design can leave as it is
    "schedule": control_keys.of_table("Learning rate over time", "schedule", SCHEDULES),
    "initializer": control_keys.of_table("Initial weights", "initializer", INITIALIZERS),
    "l2": l2_control,
    "loss": loss_control,
    "keep": control_keys.of_table("Keep the weights of", "keep", KEEPS),
    "patience": patience_control,
}


Places = dict[str, Any]  # where the sentences about a field of the design stand


def drawn(
    spec: RunSpec, controls: Mapping[str, control_keys.Control], places: Places
) -> RunSpec:  # fmt: skip
    """The design with what these controls say; a hidden one leaves it as it is. Below each is a
    place for what there is to say about it, when all of the design is known."""
    for field, draw in controls.items():
        if not control_keys.hidden(field):
            spec = replace(spec, **draw(spec))
        places[field] = st.container()
    return spec


def say(problems: Sequence[Problem], places: Places) -> None:
    """Each sentence below the control that it is about."""
    for problem in problems:
        icon = ":material/block:" if problem.blocking else ":material/lightbulb:"
        show = st.error if problem.blocking else st.info
        with places[problem.about]:
            show(str(problem), icon=icon)


def form(spec: RunSpec) -> RunSpec:
    """All controls, showing `spec` at first, with what is impossible or unwise about the design
    that they say now, which is returned."""
    places: Places = {}
    st.subheader("Network", anchor=False)
    spec = drawn(spec, NETWORK, places)
    st.subheader("Training", anchor=False)
    spec = drawn(spec, TRAINING, places)
    finer = st.container()
    with st.expander("Finer points"):
        spec = drawn(spec, FINER, places)
    spec = drawn(spec, {"augment": augmentation_control}, places)
    with finer:  # outside of what may be closed
        places |= {field: st.container() for field in FINER}
    say(spec.problems(), places)
    return spec
