"""A section of the Evaluate page: Damage, what the model and its images can bear."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.analysis import evaluation, explanation
from mnist_core.analysis.explanation import Damage
from mnist_core.basis.numbers import between, percent, signed
from pages._shell import markup, notes, session, subject
from pages._shell.subject import Picture, Subject

CONTROLS = "damage."
SLIDERS = ("share", "dropout", "noise", "angle", "right", "down")


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
                  on_click=_undo)  # fmt: skip
    hurt = Damage(**done)
    with outcome:
        _one(who, picture, hurt)
        _measured(who, hurt)


def _undo() -> None:
    """Every control as it began. Forgotten by the server alone, a slider would stay where it is in
    the browser, and bring the old damage back with the next one that moves."""
    for name in SLIDERS:
        session.set_widget(f"{CONTROLS}{name}", 0)
    session.set_widget(f"{CONTROLS}invert", False)
    session.set_widgets(f"{CONTROLS}units.", list)


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
    invert = st.toggle("Invert: black ink on white paper", key=f"{CONTROLS}invert",
                       help="As most people write. MNIST's digits are white on black.")
    return {"noise": noise, "angle": angle, "right": right, "down": down, "invert": invert}


def _one(who: Subject, picture: Picture, hurt: Damage) -> None:
    """The image as it now is, and the answer beside that of the unhurt model."""
    p = explanation.answer(who.model.network, picture.image, hurt)
    before, after = picture.said, int(p.argmax())
    change = f"still {after}" if before == after else f"{before} before, now {after}"
    whose = "Your drawing" if picture.label is None else f"Label {picture.label}"
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
        said = explanation.answers(who.model.network, images, hurt)
    right = int((said == labels).sum())
    intact = int(who.right[used].sum())
    low, high = evaluation.wilson(right, len(used))
    points = f"{signed(100 * (right - intact) / len(used), 2)} points"
    st.metric("Accuracy with this damage", percent(right / len(used)),
              points if right != intact else None)  # fmt: skip
    whose = f"{'all' if everything else 'a fixed random sample of'} {len(used):,} test images"
    st.caption(f"Measured on {whose}, each damaged alike: {right:,} are read right, {intact:,} "
               f"without damage. 95 % interval {between(low, high)}.")  # fmt: skip
    if hurt.invert:
        st.markdown(_inverted(said, labels, float((images == 0).mean())))


def _inverted(said: np.ndarray, labels: np.ndarray, paper: float) -> str:
    """What a network does with ink and paper exchanged: counted, not supposed. `paper` is the share
    of pixels that were 0."""
    counts = np.bincount(said, minlength=10)
    commonest = int(counts.argmax())
    return (f"**Black on white.** {percent(counts[commonest] / len(said))} of these images are "
            f"read as {commonest}, though {percent((labels == commonest).mean())} are; "
            f"{percent((said == labels).mean())} are read right, where chance has 10 %. The paper, "
            f"{percent(paper, 0)} of all pixels, was 0 and added nothing; now each sends 255 "
            "through a weight that was never learned for it. So a photo of ink on paper is "
            "inverted before it is read, as the Draw page does.")  # fmt: skip
