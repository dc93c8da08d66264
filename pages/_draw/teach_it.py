"""Teach it: what the digits really were, and a copy of the model that learns them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from mnist_core.analysis import teaching
from mnist_core.basis import LabError, in_thread
from mnist_core.basis.numbers import percent, signed
from mnist_core.data.dataset import Split
from pages._components import digit_grid
from pages._draw import state
from pages._shell import answering, shared, waiting
from pages._shell.state import bench

MOST_SHOWN = 60


def show(image: np.ndarray | None, choice: str, after: Callable[[], None] | None) -> None:
    """The lessons of this visitor. `image` uint8 (28, 28) is what can be labelled now, `after`
    what to do once it is, so that the next can be drawn."""
    opened = st.expander("Teach it your hand", icon=":material/school:", key="teach",
                         on_change="rerun")  # fmt: skip
    if not opened.open:
        return
    with opened:
        own = answering.lessons().own()
        _label(image, after)
        if len(own.labels):
            _collected(own)
        else:
            st.caption("Draw a digit, say what it was, and draw the next. A dozen of those that "
                       "are misread help most. They are kept for you alone.")  # fmt: skip
            return
        _train(own, choice)
        _take_away(own)


def _label(image: np.ndarray | None, after: Callable[[], None] | None) -> None:
    st.markdown("**What was it?** Each answer is kept as a lesson.")
    with st.container(horizontal=True, gap="small", key="labels"):
        for label in range(10):
            st.button(str(label), key=f"was_{label}", disabled=image is None, width=44,
                      on_click=_add, args=(image, label, after))  # fmt: skip


def _add(image: np.ndarray, label: int, after: Callable[[], None] | None) -> None:
    try:
        answering.lessons().add(image, label)
    except LabError as error:
        st.toast(str(error), icon=":material/warning:")
        return
    if after:
        after()


def _collected(own: Split) -> None:
    shown = slice(-MOST_SHOWN, None)
    places = np.arange(len(own.labels))[shown]
    held = int(teaching.held_out(len(own.labels)).sum())
    digit_grid.show(own.images[shown], own.labels[shown], places, None, "lessons")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{len(own.labels)} drawings: {len(own.labels) - held} to learn from, "
                   f"{held} held out to measure with.")  # fmt: skip
        st.button("Drop the last", icon=":material/undo:", type="tertiary", key="drop_last",
                  on_click=answering.lessons().drop_last)  # fmt: skip
        st.button("Reset all", icon=":material/delete:", type="tertiary", key="reset_lessons",
                  on_click=_reset)  # fmt: skip


def _reset() -> None:
    answering.lessons().reset()
    state.mine().teaching = None


def _train(own: Split, choice: str) -> None:
    mine = state.mine()
    names = answering.answering_models()
    if choice == answering.TAUGHT:  # anew from where it came, or "before" would be the last lesson
        base = answering.model(choice).about["base"]
        choice = base if base in names else "default"
    missing = teaching.FEWEST - len(own.labels)
    if missing > 0:
        st.caption(f"{missing} more and a copy of the model can learn from them.")
    pressed = st.button(f"Teach a copy of “{names[choice]}”", type="primary", key="teach_copy",
                        icon=":material/school:",
                        disabled=missing > 0 or mine.teaching is not None)  # fmt: skip
    if pressed:
        model, data = answering.model(choice), shared.data()
        seed = np.random.default_rng(len(own.labels))
        mine.teaching = in_thread(
            lambda report: teaching.teach(model, own, data, seed, report), "teaching"
        )
        mine.base = choice
    under_way = mine.teaching
    if under_way and under_way.over(waiting.PATIENCE):
        mine.teaching = None
    if under_way and waiting.ready(under_way, "The copy is learning your hand …"):
        copy, _ = under_way.result()
        copy.about["base"] = mine.base
        answering.lessons().keep(copy)
        bench().model = answering.TAUGHT
        st.rerun()
    if answering.lessons().stamp():
        _report(answering.model(answering.TAUGHT).about["taught"], len(own.labels))


def _report(found: dict[str, int], drawings: int) -> None:
    """What it gained on held-out drawings, and what it forgot of the test set."""
    if drawings != found["taught"] + found["held"]:
        st.caption("Your drawings have changed since: teach it again.")
    gain, kept = st.columns(2, gap="large")
    gain.metric(
        "Your held-out drawings", f"{found['own_after']} of {found['held']} right",
        f"{found['own_after'] - found['own_before']:+d} (before: {found['own_before']})",
        border=True,
    )  # fmt: skip
    change = found["test_after"] - found["test_before"]
    kept.metric(
        "MNIST's test images", f"{percent(found['test_after'] / found['tested'])}",
        f"{signed(100 * change / found['tested'], 2)} points", border=True,
        help=f"Of {found['tested']:,} test images, {found['lost']} are forgotten and "
             f"{found['won']} won.",
    )  # fmt: skip
    few = " So few drawings say little: one more or less is chance." if found["held"] < 20 else ""
    st.caption(f"Learned from {found['taught']} drawings of yours, mixed with MNIST's. Of "
               f"{found['tested']:,} test images it lost {found['lost']} and won "
               f"{found['won']}.{few}")  # fmt: skip


def _take_away(own: Split) -> None:
    lessons = answering.lessons()
    with st.container(horizontal=True):
        if lessons.stamp():
            st.download_button("The taught model", lessons.model_file, "my-hand-model.npz",
                               icon=":material/download:", on_click="ignore", key="taught_file",
                               help="For `python -m mnist_core predict --model`")  # fmt: skip
        if len(own.labels) >= 2:
            st.download_button("My drawings as a dataset", lambda: teaching.dataset_file(own),
                               "my-hand.npz", icon=":material/download:", on_click="ignore",
                               key="own_dataset", help="An .npz in Keras's layout; the "
                               "held-out drawings are its test set")  # fmt: skip
