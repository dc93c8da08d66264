"""Which image the browser of digits turns to, and its filters as they are when nothing is asked."""

from __future__ import annotations

import streamlit as st

from pages._dataset import state
from pages._shell import session

# The browser's filters and its order, as they are when nothing is asked for.
FILTERS = {"label": [], "inked": (0, 100), "answer": "any", "says": [], "sure": (0, 100),
           "doubtful": False, "sort": "Index", "order": "rising"}  # fmt: skip


def open_image(index: int) -> None:
    """Turn to an image of the present split in the browser, with no filter in its way."""
    state.mine().opening = index
    st.rerun()


def opened() -> None:
    """Before the controls of the browser: follow `open_image`, which comes after them."""
    mine = state.mine()
    if mine.opening is None:
        return
    clear_filters()
    session.set_widget("section", "Browse")
    mine.picked, mine.opening = mine.opening, None


def clear_filters() -> None:
    """Find all images of the split again; for callbacks."""
    state.mine().selection = None
    for key, value in FILTERS.items():
        session.set_widget(key, value)
