"""What Train would do: how long it takes, why it cannot, and a guess at what will come of it."""

from __future__ import annotations

import streamlit as st

from mnist_core.basis import numbers
from mnist_core.design.spec import RunSpec
from pages._builder import forecast, state
from pages._shell import notes, session, shared

USUAL_GUESS = 0.97


def draw(spec: RunSpec, under_way: bool) -> None:
    """One line of text, as high whatever it says, and the guess, unless a run is under way: to
    guess is for before."""
    with st.container(horizontal=True, vertical_alignment="top", key="plan"):
        # While the host is being measured the line draws itself anew.
        waiting = shared.service().calibration is None and shared.service().state != "failed"
        notes.fragment(_line, run_every=1.0 if waiting else None)(spec)
        notes.fragment(_guess)(under_way)


def _line(spec: RunSpec) -> None:
    blocking = [p for p in spec.problems() if p.blocking]
    if refused := state.mine().refused:
        st.error(refused, icon=":material/block:")
    elif blocking:
        st.caption(f":material/block: Cannot be trained yet: {blocking[0]}")
    else:
        expected = forecast.told(spec)
        limit = getattr(shared.service().calibration, "memory_limit", 0)
        unwise = forecast.warnings(expected, limit) if expected else []
        st.caption(" ".join([
            f"{numbers.some(spec.parameters, 'parameter')}. {forecast.line(spec)}",
            *(f":material/hourglass_top: {sentence}" for sentence in unwise),
        ]), help=forecast.ABOUT)  # fmt: skip


def _guess(under_way: bool) -> None:
    """To commit to a guess first helps to remember what came (Kim, Reinecke, Hullman 2017). Who
    does not open it has skipped it."""
    mine = state.mine()
    label = "Guess first" if mine.guess is None else f"Guess: {numbers.percent(mine.guess)}"
    with st.popover(label, icon=":material/psychology_alt:", key="guess",
                    disabled=under_way):  # fmt: skip
        st.slider("How many of the test images will it read right?", 10.0, 100.0, step=0.1,
                  format="%.1f %%", key=session.seed_widget("guess_value", 100 * USUAL_GUESS),
                  on_change="ignore")  # fmt: skip
        st.button("Keep this guess", key="keep_guess", type="primary", on_click=_keep)
        if mine.guess is not None:
            st.button("No guess", key="drop_guess", type="tertiary", on_click=_drop)


def _keep() -> None:
    state.mine().guess = float(session.widget("guess_value")) / 100


def _drop() -> None:
    state.mine().guess = None
