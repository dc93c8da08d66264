"""One visitor's session: what it remembers, its widgets, and who the visitor is.

The only owner of `st.session_state`: a page asks here, so that a choice has one name and one home.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import streamlit as st
from streamlit.errors import StreamlitAPIException

from mnist_core.design.lesson_link import Lesson
from mnist_core.design.spec import RunSpec
from mnist_core.imaging import drawing
from mnist_core.lessons.microscope import Trial
from pages._shell.waiting import Job

VISITOR_COOKIE = "mnist_lab_visitor"
TOUR_COOKIE = "mnist_lab_tour"


@dataclass
class State:
    """All that one visitor's session remembers."""

    visitor: str = ""
    routed: bool = False
    page: str = "home"  # where the visitor is
    tour: int | None = None  # the present stop
    tour_offered: bool = False
    source: str = "auto"
    spec: RunSpec | None = None
    before: RunSpec | None = None  # the visitor's own design, while a recipe is looked at
    lesson: Lesson = field(default_factory=Lesson)
    run: str | None = None
    picked: int | None = None
    basket: list[tuple[str, int]] = field(default_factory=list)
    basket_at: int = 0
    asked: str = ""
    opening: int | None = None
    selection: tuple[str, tuple[int, ...]] | None = None  # split, indices
    sent: list[tuple[str, int]] = field(default_factory=list)
    sent_at: int = 0
    model: str = "default"
    drawing: dict[str, Any] | None = None
    pictures: dict[int, np.ndarray] = field(default_factory=dict, repr=False)
    canvas: int = 0
    canvas_start: dict[str, Any] | None = None
    # uint8 (28, 28), set by any page: the draw page answers this image instead of the canvas
    template: np.ndarray | None = field(default=None, repr=False)
    photo: np.ndarray | None = field(default=None, repr=False)
    photo_fault: str = ""
    found: list[drawing.Digit] = field(default_factory=list, repr=False)
    found_at: int = 0
    read: np.ndarray | None = field(default=None, repr=False)  # what was last drawn or chosen
    teaching: Job | None = field(default=None, repr=False)
    base: str = "default"
    examined: int | None = None
    sections: dict[str, str] = field(default_factory=dict)
    explained: bool = False
    seen: str = ""
    paused: bool = False
    draw: int = 0
    near: int | None = None  # the point of the map whose neighbours are shown
    suspect: tuple[str, int] | None = None
    # (source, split, index) -> what the visitor says of a label: a digit, "right" or "unclear"
    verdicts: dict[tuple[str, str, int], str] = field(default_factory=dict, repr=False)
    notice: str = ""
    picks: dict[str, tuple[int, ...]] = field(default_factory=dict)  # neurons and weights looked at
    trial: tuple[str, Trial] | None = field(default=None, repr=False)  # of which specimen
    trial_fault: str = ""
    # what was asked of a worker, and its call or why there is none
    fitting: tuple[Any, Any] | None = field(default=None, repr=False)
    compared: list[str] = field(default_factory=list)  # runs that are side by side
    groups: dict[str, str] = field(default_factory=dict)  # "race", "sweep" -> the one shown
    deleted: list[str] = field(default_factory=list)  # runs, just now: they can be had back
    listed: int = 0  # goes up when the list of runs forgets what was ticked
    converting: set[tuple[str, str]] = field(default_factory=set)  # run, model file that is made


T = TypeVar("T")


@runtime_checkable
class AboutData(Protocol):
    """A state with choices among the digits in use."""

    def forget_data(self) -> None:
        """Let go of them: other digits are in use now."""


def of(kind: type[T]) -> T:
    """The visitor's own `kind`, a dataclass with defaults; a fresh one at first."""
    # By name: Streamlit may reload the file of a class during a session.
    return _states().setdefault(kind.__name__, kind())


def forget_data() -> None:
    """Nothing is picked, collected, selected or sent: the data has changed."""
    for kept in _states().values():
        if isinstance(kept, AboutData):
            kept.forget_data()


def _states() -> dict[str, Any]:
    return st.session_state.setdefault("states", {})


def state() -> State:
    """The visitor's session."""
    # A new session is a new State; Streamlit may reload this file, so the class is not compared.
    if "lab" not in st.session_state:
        st.session_state["lab"] = State()
    return st.session_state["lab"]


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
    """Forget the values of all widgets whose key starts with `prefix`."""
    for key in [k for k in st.session_state if isinstance(k, str) and k.startswith(prefix)]:
        del st.session_state[key]


def visitor() -> str:
    """An unguessable name for this browser, kept in a cookie so that a reload keeps its runs."""
    mine = state()
    if not mine.visitor:
        cookie = st.context.cookies.get(VISITOR_COOKIE, "")
        mine.visitor = cookie if len(cookie) == 22 else secrets.token_urlsafe(16)
    return mine.visitor


def remember_visitor() -> None:
    """Keep the visitor's name in the browser."""
    _keep_cookie(VISITOR_COOKIE, visitor())


def first_tour() -> bool:
    """True once for each browser, when the home page is seen first: the tour is due."""
    mine, offered = state(), state().tour_offered
    mine.tour_offered = True
    if st.context.cookies.get(TOUR_COOKIE) == "offered":
        return False
    _keep_cookie(TOUR_COOKIE, "offered")
    return not offered


def _keep_cookie(name: str, value: str) -> None:
    """Keep a value in the browser for a year."""
    if st.context.cookies.get(name) == value:
        return
    year = 365 * 24 * 3600
    st.html(
        f"<script>document.cookie = '{name}={value}; path=/; max-age={year}; "
        "samesite=lax'</script>",
        unsafe_allow_javascript=True,
    )


def forget_images() -> None:
    """Nothing is picked, collected, selected or sent: the data has changed."""
    mine = state()
    mine.picked, mine.basket, mine.selection, mine.sent = None, [], None, []
