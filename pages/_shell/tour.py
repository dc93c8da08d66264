"""The tour: a strip at the top of the pages, one stop after the other, never over anything.

It shows by itself once, on the home page: who follows a link to another page came for that.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages._shell import visitors
from pages._shell.state import visit

# page, and what to do there
STOPS = (
    ("draw", "Write one digit with the mouse or a finger, or take a test image. A trained model "
             "answers as soon as you lift the pen."),
    ("builder", "Press *Train* and watch the curves: a network of your own learns in seconds. "
                "Then move a slider and train again."),
    ("evaluate", "Choose your run under *Model*, then *Confusion*, and click a cell to see the "
                 "images that were misread."),
    ("dataset", "Click a digit to see its 784 numbers. Sort and filter, put some into the basket, "
                "and let a model read them."),
    ("backprop", "Step through one image, forwards and back: every sum and every gradient, beside "
                 "the line of code that computes it."),
)  # fmt: skip


def start() -> None:
    """Begin, or begin again."""
    visit().tour = 0


def leave() -> None:
    """The strip goes away until it is asked for."""
    visit().tour = None


def show(page: str, name: Callable[[str], str], go: Callable[[str], None]) -> None:
    """The present stop, if a tour is on; `page` is where the visitor is."""
    mine = visit()
    if page == "home" and visitors.first_tour():
        start()
    if mine.tour is None:
        return
    stem, says = STOPS[mine.tour]
    with st.container(horizontal=True, border=True, vertical_alignment="center", key="tour"):
        st.markdown(f"**Tour, {mine.tour + 1} of {len(STOPS)}: {name(stem)}.** {says}")
        if page != stem:
            _onward(f"Go to {name(stem)}", mine.tour, go)
        elif mine.tour + 1 < len(STOPS):
            _onward(f"Next: {name(STOPS[mine.tour + 1][0])}", mine.tour + 1, go)
        else:
            st.button("Done", icon=":material/check:", key="tour_done", on_click=leave)
        st.button("Skip the tour", type="tertiary", key="tour_skip", on_click=leave)


def _onward(label: str, stop: int, go: Callable[[str], None]) -> None:
    if st.button(label, icon=":material/arrow_forward:", key="tour_next"):
        visit().tour = stop
        go(STOPS[stop][0])
