"""The microscope: one image through a network and back, each step with its code and numbers."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.lessons import formulas, microscope
from mnist_core.lessons.microscope import Step
from pages._backprop import graph_drawing, learning_trial, specimen, step_numbers
from pages._backprop.specimen import Specimen
from pages._components import graph
from pages._shell import links, navigation, notes, session
from pages._shell.state import bench, visit

PHASES = {"input": "Forward", "forward": "Forward", "softmax": "Forward", "loss": "Loss",
          "delta": "Backward", "gradient": "Backward", "backward": "Backward",
          "update": "Update"}  # fmt: skip


def section() -> None:
    """Choose a network and an image, then go through them."""
    notes.data_note()
    st.markdown("One image on its way through a network and back: what each step computes, by "
                "which code, with which numbers.")  # fmt: skip
    if who := specimen.choose():
        walk(who)


@notes.fragment
def walk(who: Specimen) -> None:
    """The graph, the present step, and what learning the image does."""
    trial = learning_trial.current(who)
    found = microscope.steps(trial.network, who.x, who.label)
    at = _position(len(found))
    left, right = st.columns([2, 3], gap="large") if who.toy else (st.container(), st.container())
    with left:
        draw = graph_drawing.layers
        drawn = graph_drawing.toy(found, at, who.label) if who.toy else draw(found, at)
        clicked = graph.show(drawn, "graph_toy" if who.toy else "graph_layers")
        st.caption(_legend(who))
    if clicked is not None and clicked != at:
        _go(clicked)
        session.redraw()
    with right:
        _stepper(found, at)
        _panel(found[at], found, trial, who.toy)
    st.divider()
    learning_trial.choose_rule()
    learning_trial.practise(who, trial)
    _ways_on(who)


def _legend(who: Specimen) -> str:
    if who.toy:
        return ("Plain: weights, biases and values. Orange: ∂L/∂ of the number beside or above it. "
                "Tap a part to go to its step.")  # fmt: skip
    return ("Tap a layer's way forward or back to go there; the number is its largest |δ|, δ being "
            "∂L/∂ of what comes out of it. Computed in float64, with dropout and batch "
            "normalisation as when the network answers.")  # fmt: skip


# ------------------------------------------------------------------ the stepper


def _position(n: int) -> int:
    """Which of n steps is shown: the link's, else the session's."""
    given = st.query_params.get("step", visit().sections.get("step", "0"))
    at = min(int(given), n - 1) if given.isdecimal() and len(given) < 5 else 0
    _go(at)
    return at


def _go(at: int) -> None:
    links.keep_choice("step", str(at))


def _stepper(found: list[Step], at: int) -> None:
    step = found[at]
    with st.container(horizontal=True, vertical_alignment="center", key="stepper"):
        st.button("Back", icon=":material/arrow_back:", key="step_back", on_click=_go,
                  args=(at - 1,), disabled=at == 0)  # fmt: skip
        st.button("Next", icon=":material/arrow_forward:", key="step_next", on_click=_go,
                  args=(at + 1,), type="primary", disabled=at == len(found) - 1)  # fmt: skip
        st.html(f'<span class="quiet" id="where">{PHASES[step.kind]} · step {at + 1} of '
                f"{len(found)}</span>")  # fmt: skip


# -------------------------------------------------------------------- the panel


def _panel(step: Step, found: list[Step], trial: microscope.Trial, narrow: bool) -> None:
    """The step in words, as a formula, in code and in numbers."""
    words = formulas.words(step, learning_trial.rule_name())
    where = f" · {step.layer.name}" if step.layer else ""
    st.subheader(f"{words.title}{where}", anchor=False)
    st.markdown(words.says + _last_word(step, found))
    left, right = (st.container(), st.container()) if narrow else st.columns(2, gap="large")
    with left:
        if words.formula:
            st.latex(words.formula)
        for function in microscope.code(step, trial.rule):
            _code(microscope.source(function))
    with right:
        step_numbers.show(step, found, trial)


def _code(source: microscope.Source | None) -> None:
    if source:
        st.code(source.text, language="python", wrap_lines=True)
        st.caption(f"`mnist_core/{source.file}`, line {source.line}")


def _last_word(step: Step, found: list[Step]) -> str:
    """What is worth saying of this step in this pass."""
    backwards = [s for s in found if s.kind in ("gradient", "backward")]
    if step is backwards[-1]:
        return " No layer before it learns, so the way back ends here."
    if step.kind == "forward" and step.own_layer.name == "logits":
        return " These last sums are the logits: the largest is the network's answer."
    if step.kind == "delta" and np.abs(step.result).max() < 1e-3:
        return " Here it is nearly 0: a network that is right and sure learns nothing more."
    return ""


def _ways_on(who: Specimen) -> None:
    """To other pages with this image."""
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center"):
        if not who.toy and st.button(
            "Draw over it", icon=navigation.PAGES["draw"][1], key="specimen_draw",
            help="Take this image to the Draw page",
        ):  # fmt: skip
            bench().template = who.x.copy()
            navigation.go("draw")
        if who.index is not None:
            navigation.link("dataset", "In the dataset", {"split": "test", "image": str(who.index)})
        navigation.link("backprop", "The ideas, one by one", {"topic": "Concepts"})
