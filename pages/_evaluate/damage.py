"""A section of the Evaluate page: Damage, what the model and its images can bear."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.analysis import evaluation, explanation
from mnist_core.analysis.explanation import Damage
from mnist_core.basis.numbers import percent
from pages._shell import markup, notes, session, subject
from pages._shell.subject import Picture, Subject

CONTROLS = "damage."


@notes.fragment
def damage(who: Subject) -> None:
    """Hurt the model or its images, and see what it still reads."""
    picture = subject.choose_image(who)
    if picture is None:
        return
    outcome, controls = st.columns([3, 2], gap="large")
    with controls:
        done = _model_controls(who) | _image_controls()
        st.button("Undo all damage", icon=":material/restart_alt:", key="undo_damage",
                  on_click=session.drop_widgets, args=(CONTROLS,))  # fmt: skip
    hurt = Damage(**done)
    with outcome:
        _one(who, picture, hurt)
        _measured(who, hurt)


def _model_controls(who: Subject) -> dict:
    """Which layer loses which units."""
    network = who.model.network
    outputs = dict(enumerate(values for _, values in network.trace(who.test.images[:1])))
    widths = {i: outputs[i].shape[-1] for i in explanation.damage_points(network)}
    layer = st.selectbox(
        "Layer to damage", list(widths), key=f"{CONTROLS}layer", filter_mode=None,
        format_func=lambda i: f"{network.layers[i].name}: {widths[i]} units",
    )  # fmt: skip
    units = widths[layer]
    chosen = st.multiselect("Remove these units", range(units), key=f"{CONTROLS}units.{layer}",
                            placeholder="Type or choose numbers")  # fmt: skip
    share = st.slider("Remove units at random (%)", 0, 100, 0, key=f"{CONTROLS}share")
    dropout = st.slider("Dropout while it answers (%)", 0, 90, 0, key=f"{CONTROLS}dropout",
                        help="Anew for each image, the others scaled up as in training",
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(units)
    removed = {*chosen, *order[: round(units * share / 100)].tolist()}
    return {"layer": layer, "removed": tuple(sorted(removed)), "dropout": dropout / 100}


def _image_controls() -> dict:
    """What happens to the images before the model sees them."""
    noise = st.slider("Noise (standard deviation, gray levels)", 0, 150, 0, key=f"{CONTROLS}noise")
    angle = st.slider("Rotate (degrees, counter-clockwise)", -180, 180, 0, key=f"{CONTROLS}angle")
    right = st.slider("Shift right (pixels)", -10, 10, 0, key=f"{CONTROLS}right")
    down = st.slider("Shift down (pixels)", -10, 10, 0, key=f"{CONTROLS}down")
    return {"noise": noise, "angle": angle, "right": right, "down": down}


def _one(who: Subject, picture: Picture, hurt: Damage) -> None:
    """The image as it now is, and the answer beside that of the unhurt model."""
    p = explanation.answer(who.model.network, picture.image, hurt)
    before, after = picture.said, int(p.argmax())
    change = f"still {after}" if before == after else f"{before} before, now {after}"
    whose = "Your own digit" if picture.label is None else f"Label {picture.label}"
    st.subheader(f"{whose}: {change}", anchor=False)
    large, bars = st.columns([2, 3], vertical_alignment="center")
    seen = explanation.disturbed(picture.image[None], hurt)[0]
    large.html(markup.digit(seen, "min(100%, 14rem)", "what the model is shown"))
    bars.html(markup.probabilities(p))


def _measured(who: Subject, hurt: Damage) -> None:
    """The accuracy that is left, measured on a sample or on all test images."""
    n = len(who.test.labels)
    everything = n <= subject.SAMPLE or st.toggle(f"Measure on all {n:,} test images",
                                                    key="measure_all")  # fmt: skip
    used = np.arange(n) if everything else who.sample
    images, labels = who.test.images[used], who.test.labels[used]
    with st.spinner("Measuring", show_time=True):
        right = explanation.still_right(who.model.network, images, labels, hurt)
    intact = int(who.right[used].sum())
    low, high = evaluation.wilson(right, len(used))
    st.metric("Accuracy with this damage", f"{percent(right / len(used))}",
              f"{100 * (right - intact) / len(used):+.2f} points" if right != intact else None)
    whose = f"{'all' if everything else 'a fixed random sample of'} {len(used):,} test images"
    st.caption(f"Measured on {whose}, each damaged alike: {right:,} are read right, {intact:,} "
               f"without damage. 95 % interval {percent(low, 1)} to "
               f"{percent(high, 1)}.")  # fmt: skip
