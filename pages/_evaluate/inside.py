"""A section of the Evaluate page: Inside, what each part of the model makes of one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from mnist_core.analysis import explanation
from mnist_core.basis.numbers import fixed, listed, signed
from mnist_core.charts import score_charts
from pages._components import digit_grid
from pages._shell import answering, chart, links, markup, notes, session, subject
from pages._shell.subject import Picture, Subject

INK = ("Ink on a blue weight adds to the unit's sum, ink on an orange one takes away from it; "
       "where there is no ink, a weight adds nothing.")  # fmt: skip
MOST_FILTERS = 100
MOST_EXCITING = 20


@notes.fragment
def inside(who: Subject) -> None:
    """One image on its way through the model."""
    picture = subject.choose_image(who)
    if picture is None:
        return
    subject.one_image(picture)
    view = links.choose("view", list(VIEWS), "View")
    VIEWS[view](who, picture)


def activations(who: Subject, picture: Picture) -> None:
    """The output of each layer: maps as pictures, units as sorted bars."""
    for step in explanation.steps(who.model.network, picture.image):
        if step.values.ndim == 3:
            _maps(step)
        else:
            chart.show(score_charts.activations(step.values, step.name), f"step_{step.index}")


def _maps(step: explanation.Step) -> None:
    maps = step.values.transpose(2, 0, 1)
    height, width = maps.shape[1:]
    st.markdown(f"**{step.name}**: {step.units} maps of {height} × {width}")
    most = float(np.abs(maps).max()) or 1.0
    _pictures(maps, most, min(16, step.units), range(step.units))
    silent = int((maps == 0).all(axis=(1, 2)).sum())
    brightest = int(maps.max(axis=(1, 2)).argmax())
    st.caption(f"Map {brightest} has the highest value ({fixed(maps.max(), 2)}); {silent} of "
               f"{step.units} are silent everywhere. Blue is positive, orange negative; the number "
               "of each stands below it.")  # fmt: skip


def _pictures(values: np.ndarray, most: float, columns: int, names: Sequence[int]) -> None:
    st.html(markup.signed_pictures(values / most, columns, names))


def weights(who: Subject, picture: Picture) -> None:
    """What the first layer looks for."""
    kernels = explanation.filters(who.model.network)
    size = np.sqrt(np.square(kernels).mean(axis=(1, 2)))
    shown = np.argsort(-size, kind="stable")[:MOST_FILTERS]
    side = kernels.shape[1]
    most = float(np.percentile(np.abs(kernels[shown]), 99.5)) or 1.0
    st.markdown(f"**Weights of the first layer**: {len(shown)} of {len(kernels)} units, "
                f"{side} × {side} each")  # fmt: skip
    _pictures(np.clip(kernels[shown] / most, -1, 1), 1.0, min(10, len(shown)), shown.tolist())
    st.caption(f"{INK} The units with the largest weights come first; the number of each stands "
               "below it.")  # fmt: skip


def saliency(who: Subject, picture: Picture) -> None:
    """Which pixels speak for a digit and which against it, asked in two ways."""
    said = picture.said
    digit_of, patch = st.columns(2, gap="large")
    digit = digit_of.selectbox("For the digit", list(range(10)), index=said, filter_mode=None,
                               key=f"saliency_{picture.key}_{who.choice}")  # fmt: skip
    size = patch.select_slider("Patch (pixels)", [3, 5, 7, 9, 11], 5, key="patch")
    left, right = st.columns(2, gap="large")
    with left:
        _gradient(who, picture, digit)
    with right:
        _occlusion(who, picture, digit, size)


def _gradient(who: Subject, picture: Picture, digit: int) -> None:
    values = explanation.gradient_times_input(who.model.network, picture.image, digit)
    row, column = divmod(int(values.argmax()), explanation.SIDE)
    low = divmod(int(values.argmin()), explanation.SIDE)
    reading = (f"Row {row}, column {column} speaks most for a {digit} "
               f"({signed(values.max(), 2)}), row {low[0]}, column {low[1]} most against it "
               f"({signed(values.min(), 2)}); all pixels together add {signed(values.sum(), 1)} to "
               "its logit.")  # fmt: skip
    title = f"Gradient × input: blue speaks for {digit}"
    chart.show(score_charts.saliency(values, title, reading), "gradient")


def _occlusion(who: Subject, picture: Picture, digit: int, size: int) -> None:
    image, network = picture.image, who.model.network
    hidden = explanation.occlusion(network, image, size)
    fall = explanation.logits(network, image[None])[0, digit] - hidden[..., digit]
    row, column = divmod(int(fall.argmax()), explanation.SIDE)
    then = int(hidden[row, column].argmax())
    reading = (f"A black patch of {size} × {size} at row {row}, column {column} takes "
               f"{fixed(fall.max(), 1)} from the logit of {digit}; the answer is then {then}. "
               f"{_other_answers(hidden, picture.said)}")  # fmt: skip
    title = f"Occlusion: blue is what {digit} rests on"
    chart.show(score_charts.saliency(fall, title, reading), "occlusion")


def _other_answers(hidden: np.ndarray, said: int) -> str:
    changed = int((hidden.argmax(axis=-1) != said).sum())
    places = hidden.shape[0] * hidden.shape[1]
    return f"At {changed} of {places} places the patch changes the answer."


def exciting(who: Subject, picture: Picture) -> None:
    """The test images to which one unit answers most strongly."""
    network = who.model.network
    steps = explanation.steps(network, picture.image)
    left, right = st.columns([2, 1])
    step = left.selectbox("Layer", steps, key="exciting_layer", filter_mode=None,
                          format_func=lambda s: f"{s.name}: {s.units} units")  # fmt: skip
    session.set_widget("unit", min(session.widget("unit") or 0, step.units - 1))
    unit = right.number_input(f"Unit (0 to {step.units - 1})", 0, step.units - 1, key="unit")
    with st.spinner("Looking through the test images", show_time=True):
        place, value = answering.of_model(
            who.choice, f"exciting {step.index}",
            lambda: explanation.most_exciting(network, who.test.images[who.sample], step.index,
                                          MOST_EXCITING),
        )  # fmt: skip
    found, value = who.sample[place[unit]], value[unit]
    labels = who.test.labels[found]
    index = picture.place[1] if picture.place and picture.place[0] == "test" else None
    titles = [f"label {label}, unit {unit} at {fixed(float(v), 2)}"
              for label, v in zip(labels, value, strict=True)]  # fmt: skip
    clicked = digit_grid.show(who.test.images[found], labels, found, index, "grid_exciting",
                                  titles=titles)  # fmt: skip
    n, everything = len(who.sample), len(who.sample) == len(who.test.labels)
    of = f"all {n:,} test images" if everything else f"{n:,} test images chosen at random"
    st.caption(f"Of {of}, those that excite unit {unit} of {step.name} most, the first one to "
               f"{fixed(float(value[0]), 2)}: {_common(labels)}.")  # fmt: skip
    if clicked is not None and clicked != index:
        links.examine(clicked)
        links.keep_choice("of", subject.TEST)
        st.rerun(scope="fragment")


def _common(labels: np.ndarray) -> str:
    """Which digits are the most of these, all of them where several are."""
    counts = np.bincount(labels, minlength=10)
    most = [f"{digit}s" for digit in np.flatnonzero(counts == counts.max())]
    return f"{counts.max()} of {len(labels)} are {listed(most)}{' each' if len(most) > 1 else ''}"


VIEWS = {"Activations": activations, "Weights": weights, "Saliency": saliency,
         "What excites a unit": exciting}  # fmt: skip
