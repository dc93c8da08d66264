"""One visitor's session: what each page remembers, and its widgets.

The only owner of `st.session_state`: a page keeps what it remembers in a dataclass of its folder's
`state.py`, so that a choice has one name and one home.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import streamlit as st
from streamlit.errors import StreamlitAPIException

T = TypeVar("T")


@runtime_checkable
class AboutData(Protocol):
    """A state with choices among the digits in use."""

    def forget_data(self) -> None:
        """Let go of them: other digits are in use now."""


def of(kind: type[T]) -> T:
    """The visitor's own `kind`, a dataclass with defaults; a fresh one at first."""
    kept = _states()
    if kind.__name__ not in kept:  # by name: Streamlit may reload a class's file in a session
        kept[kind.__name__] = kind()
    return kept[kind.__name__]


def forget_data() -> None:
    """Nothing is picked, collected, selected or sent: the data has changed."""
    for kept in _states().values():
        if isinstance(kept, AboutData):
            kept.forget_data()


def _states() -> dict[str, Any]:
    if "states" not in st.session_state:
        st.session_state["states"] = {}
    return st.session_state["states"]


def seed_widget(key: str, value: Any) -> str:
    """Give a widget its value if this page visit has not yet; returns `key` for the widget call."""
    if key not in st.session_state:
        st.session_state[key] = value
    return key


def set_widget(key: str, value: Any) -> None:
    """Change a widget's value: in callbacks, or before the widget is drawn."""
    st.session_state[key] = value


def widget(key: str) -> Any:
    """The present value of a widget, None if it has not been drawn."""
    return st.session_state.get(key)


def redraw() -> None:
    """Draw the fragment anew that this is called in; all of the page, if all of it is being drawn
    at the moment, as after a click that came during a slow run."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()


def drop_widgets(prefix: str) -> None:
    """Forget the values of all widgets whose key starts with `prefix`, which `seed_widget` gives
    new ones. Without a seed the browser keeps the old value, and sends it with the next change."""
    for key in _keys(prefix):
        del st.session_state[key]


def set_widgets(prefix: str, value: Callable[[], Any]) -> None:
    """Give all widgets whose key starts with `prefix` a new `value()`: in callbacks."""
    for key in _keys(prefix):
        st.session_state[key] = value()


def _keys(prefix: str) -> list[str]:
    return [k for k in st.session_state if isinstance(k, str) and k.startswith(prefix)]
