"""What every page begins with: the navigation, the look, and who is here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image, ImageDraw

from pages._shell import shared, tour
from pages._shell.state import bench, visit

# file stem (also the URL path): title, icon. The first is the default page, at "/".
PAGES = {
    "home": ("Home", ":material/home:"),
    "dataset": ("Dataset", ":material/grid_view:"),
    "builder": ("Build & train", ":material/stacked_line_chart:"),
    "draw": ("Draw", ":material/draw:"),
    "evaluate": ("Evaluate", ":material/fact_check:"),
    "backprop": ("Backprop", ":material/function:"),
    "runs": ("Runs", ":material/list_alt:"),
}


def route() -> Any:
    """The navigation, as `app.py` runs it at the top of every script run."""
    visit().routed = True
    pages = [
        st.Page(f"pages/{stem}.py", title=title, icon=icon, default=stem == "home",
                url_path="" if stem == "home" else stem)
        for stem, (title, icon) in PAGES.items()
    ]  # fmt: skip
    chosen = st.navigation(pages, position="top")
    visit().page = chosen.url_path or "home"
    return chosen


def page(with_design: bool = False) -> None:
    """First line of every page; `with_design` of the one whose link says what is designed.

    Streamlit may run a page without `app.py` for the first visitor of a fresh server on a deep
    link, because a folder named `pages` switches on its old multipage mode; then declare the
    navigation and start over."""
    if not visit().routed:
        route()
        st.rerun()
    st.html(_style())
    if not with_design:
        bench().written = None  # of a link that is no longer there
    shared.service()  # its worker warms up while the visitor looks around
    tour.show(visit().page, lambda stem: PAGES[stem][0], go)


@cache
def icon() -> Image.Image:
    """The page's icon, drawn here: Streamlit's own would be fetched from another host."""
    picture = Image.new("RGBA", (64, 64))
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle((0, 0, 63, 63), 14, fill="#4666E8")
    pen.line([(18, 18), (46, 18), (28, 50)], fill="white", width=8, joint="curve")
    return picture


def link(stem: str, label: str, query: Mapping[str, str] | None = None, **how: Any) -> None:
    """A link to another page of the app, inside the session."""
    st.page_link(f"pages/{stem}.py", label=label, icon=PAGES[stem][1],
                 query_params=dict(query or {}), **how)  # fmt: skip


def go(stem: str) -> None:
    """Switch to another page."""
    # None would ask to clear the URL, which is refused while controls of this page are bound to it.
    st.switch_page(f"pages/{stem}.py", query_params={})


@cache
def _style() -> str:
    text = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return f"<style>\n{text}</style>"
