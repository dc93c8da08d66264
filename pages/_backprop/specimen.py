"""What lies under the microscope: a network, an image with its label, and where both came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypedDict
from zlib import crc32

import numpy as np
import streamlit as st

from mnist_core.design.spec import ACTIVATIONS, LIMITS, RunSpec
from mnist_core.lessons import microscope
from mnist_core.network.network import Network
from pages._shell import answering, links, markup, navigation, session, shared, subject
from pages._shell.state import bench, visit

TRAINED, FRESH, TOY = "Trained", "Fresh", "Toy 2-3-2"
TEST, DRAWING, BASKET = "Test set", "Your drawing", "Basket"
LOOKED_AT = 50  # test images at a time, until one is misread
MOST_LOOKED_AT = 1000


@dataclass(frozen=True, eq=False)
class Specimen:
    """A network and what it is given. `key` names exactly this pair; `make` gives a new float64
    copy of the network; `index` is the place in the test set, if the image is from there."""

    key: str
    make: Callable[[], Network]
    x: np.ndarray
    label: int
    toy: bool = False
    index: int | None = None


def choose() -> Specimen | None:
    """By the controls at the top of the section; None while something is missing."""
    _arrive()
    kind = links.choose("network", [TRAINED, FRESH, TOY], "Network")
    if kind == TOY:
        links.image_to_url(None)
        return _toy()
    left, right = st.columns([3, 2], gap="large")
    with left:
        name, make, answers = _trained() if kind == TRAINED else _fresh()
        source = links.choose("from", [TEST, DRAWING, BASKET], "Image")
        found = _IMAGES[source](answers)
    if source != TEST:
        links.image_to_url(None)
    if found is None or make is None or answers is None:
        return None
    image, label, index = found
    with right:
        label = _label(image, label, answers)
    return Specimen(f"{name} {crc32(image.tobytes())} {label}", make, image, label, index=index)


def _arrive() -> None:
    """A link to a test image shows that image, whatever was chosen here before."""
    if "image" in st.query_params and "from" not in st.query_params:
        links.keep_choice("from", TEST)
        if st.query_params.get("network", visit().sections.get("network")) == TOY:
            links.keep_choice("network", TRAINED)


# ----------------------------------------------------------------- the networks

Answers = Callable[[np.ndarray], np.ndarray]  # probabilities (n, 10) of images
Made = tuple[str, Callable[[], Network] | None, Answers | None]


def _trained() -> Made:
    choice, _ = subject.choose_model()
    model = answering.model(choice)
    return (f"{choice} {id(model)}", lambda: microscope.double(model.spec, model.network),
            model.network.predict)  # fmt: skip


def _fresh() -> Made:
    """Untrained, of the design that is on the Build & train page."""
    spec = bench().spec or RunSpec()
    if problems := [p for p in spec.problems() if p.blocking]:
        st.warning(f"Your design cannot be built: {problems[0]}", icon=":material/error:")
        navigation.link("builder", "To your design")
        return "", None, None
    seed = st.number_input("Seed of the random weights", 0, int(LIMITS["seed"].high),
                           key="fresh_seed", persist_state="session")  # fmt: skip
    widths = "-".join(str(layer.units) for layer in spec.layers) or "10"
    maps = f"{len(spec.convolutions)} convolution blocks, then " if spec.convolutions else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Your design ({maps}hidden layers {widths}), its weights still random.")
        navigation.link("builder", "Change the design")
    return (f"fresh {hash(spec)} {seed}", lambda: microscope.fresh(spec, seed),
            lambda images: microscope.fresh(spec, seed).predict(images))  # fmt: skip


class _Kept(TypedDict):
    persist_state: Literal["session"]


def _toy() -> Specimen:
    """Two numbers and a class, by hand."""
    first, second, third, fourth = st.columns([2, 2, 1, 1], vertical_alignment="bottom")
    kept: _Kept = {"persist_state": "session"}
    x1 = first.slider("Input 0", -1.0, 1.0, 0.5, 0.1, key="toy_x1", **kept)
    x2 = second.slider("Input 1", -1.0, 1.0, -0.4, 0.1, key="toy_x2", **kept)
    label = third.selectbox("Label", [0, 1], key="toy_label", filter_mode=None, **kept)
    names = list(ACTIVATIONS)
    function = fourth.selectbox(
        "Activation", names, names.index("sigmoid"), filter_mode=None, key="toy_activation",
        format_func=lambda name: ACTIVATIONS[name].label, **kept,
    )  # fmt: skip
    return Specimen(f"toy {function} {x1} {x2} {label}", lambda: microscope.toy(function),
                    np.array([x1, x2]), label, toy=True)  # fmt: skip


# ------------------------------------------------------------------- the images

Found = tuple[np.ndarray, int | None, int | None]  # image, its label, its place in the test set


def _test_image(answers: Answers | None) -> Found:
    test = shared.data().test
    n = len(test.labels)
    index = links.examined(n)
    if index is None:  # of an image that is read right there is next to nothing to see
        index = _first_mistake(answers) if answers else 0
    session.set_widget("specimen_index", index)
    field, any_one, mistake = st.columns([2, 1, 1], vertical_alignment="bottom")
    field.number_input(
        f"Test image (0 to {n - 1:,})", 0, n - 1, key="specimen_index",
        on_change=lambda: links.examine(session.widget("specimen_index")),
    )  # fmt: skip
    any_one.button("Any image", icon=":material/casino:", key="specimen_any", width="stretch",
                   on_click=_any_image, args=(n,))  # fmt: skip
    pressed = mistake.button(
        "A mistake", icon=":material/error_outline:", key="specimen_mistake", width="stretch",
        disabled=answers is None, help="A test image that this network misreads",
    )  # fmt: skip
    if pressed and answers is not None:
        with st.spinner("Looking for a mistake"):
            _mistake(answers)
        st.rerun()
    return test.images[index], int(test.labels[index]), index


def _first_mistake(answers: Answers) -> int:
    """The first test image that is misread, else the one of the first few that is least sure."""
    test = shared.data().test
    wrong = _misread(np.arange(min(len(test.labels), MOST_LOOKED_AT)), answers)
    return int(answers(test.images[:LOOKED_AT]).max(axis=1).argmin()) if wrong is None else wrong


def _misread(order: np.ndarray, answers: Answers) -> int | None:
    """The first of these test images, int (n,), that is misread; None if all are read right."""
    test = shared.data().test
    for start in range(0, len(order), LOOKED_AT):
        some = order[start : start + LOOKED_AT]
        wrong = some[answers(test.images[some]).argmax(axis=1) != test.labels[some]]
        if len(wrong):
            return int(wrong[0])
    return None


def _any_image(n: int) -> None:
    links.examine(int(np.random.default_rng().integers(n)))


def _mistake(answers: Answers) -> None:
    n = len(shared.data().test.labels)
    order = np.random.default_rng().permutation(n)[:MOST_LOOKED_AT]
    if (wrong := _misread(order, answers)) is not None:
        links.examine(wrong)
        return
    st.toast(f"No mistake among {len(order):,} test images; try again.", icon=":material/check:")


def _drawing(answers: Answers | None) -> Found | None:
    image = subject.own_digit()
    if image is None:
        return None
    st.caption("What you drew or chose last on the Draw page.")
    return image, None, None


def _basket(answers: Answers | None) -> Found | None:
    mine = bench()
    places = mine.sent or mine.basket
    at = subject.one_of(places, mine.sent_at, "specimen_basket")
    if at is None:
        return None
    if at != mine.sent_at:
        mine.sent_at = at
        st.rerun()
    split, index = places[at]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"`{split}_images[{index}]` from the dataset.")
        if mine.sent and mine.basket and mine.sent != mine.basket:
            st.button("The whole basket", icon=":material/undo:", type="tertiary",
                      key="whole_basket", on_click=mine.sent.clear)  # fmt: skip
    return *shared.image(places[at]), None


_IMAGES: dict[str, Callable[[Answers | None], Found | None]] = {
    TEST: _test_image, DRAWING: _drawing, BASKET: _basket
}  # fmt: skip


def _label(image: np.ndarray, label: int | None, answers: Answers) -> int:
    """The image beside the label that the loss is about: its own, until the visitor says else."""
    picture, choice = st.columns([1, 1], vertical_alignment="center")
    picture.html(markup.digit(image, "min(100%, 9rem)", "the image under the microscope"))
    said = int(answers(image[None])[0].argmax())
    key = f"specimen_label_{crc32(image.tobytes())}"
    with choice:
        chosen = st.selectbox("Label", list(range(10)), said if label is None else label, key=key,
                              filter_mode=None, help="What the loss takes for right")  # fmt: skip
        unknown = " Its label is not known: say it." if label is None else ""
        st.caption(f"Read as {said} as it came.{unknown}")
    return chosen
