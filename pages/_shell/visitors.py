"""Who the visitor is: an unguessable name in a cookie, so that a reload keeps what is theirs."""

from __future__ import annotations

import secrets

import streamlit as st

from pages._shell.state import visit

VISITOR_COOKIE = "mnist_lab_visitor"
TOUR_COOKIE = "mnist_lab_tour"


def visitor() -> str:
    """An unguessable name for this browser, kept in a cookie so that a reload keeps its runs."""
    mine = visit()
    if not mine.visitor:
        cookie = st.context.cookies.get(VISITOR_COOKIE, "")
        mine.visitor = cookie if len(cookie) == 22 else secrets.token_urlsafe(16)
    return mine.visitor


def remember_visitor() -> None:
    """Keep the visitor's name in the browser."""
    _keep_cookie(VISITOR_COOKIE, visitor())


def first_tour() -> bool:
    """True once for each browser, when the home page is seen first: the tour is due."""
    mine, offered = visit(), visit().tour_offered
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
