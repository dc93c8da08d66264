"""The canvas of the Draw page, its tools, and what the model gets of it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.imaging import drawing
from pages._draw import state
from pages._shell import session
from pages._shell.state import bench

SIDE = 336
COLORS = {"White on black": ("#FFFFFF", "#000000"), "Black on white": ("#000000", "#FFFFFF")}


def canvas(ink: str, background: str, width: int) -> None:
    """The canvas. What is drawn is kept in the session, so that it survives a visit elsewhere."""
    from streamlit_drawable_canvas import st_canvas  # raises outside of a running Streamlit

    mine = state.mine()
    key = f"canvas_{mine.canvas}"
    if session.widget(key) is None:  # new on the page: it starts from the kept drawing
        mine.canvas_start = recoloured(mine.drawing, ink)
    result = st_canvas(
        stroke_width=width, stroke_color=ink, background_color=background, height=SIDE, width=SIDE,
        drawing_mode="freedraw", initial_drawing=mine.canvas_start, return_image_data=True, key=key,
    )  # fmt: skip
    if result.image_data is not None:
        drawn = result.json_data or {"objects": []}
        if len(drawn["objects"]) > len(strokes()):
            bench().sent = []  # a new stroke asks about the drawing
        mine.drawing = drawn
        gray = result.image_data[..., 0]
        mine.pictures[len(strokes())] = gray if ink == "#FFFFFF" else 255 - gray


def recoloured(kept: dict | None, ink: str) -> dict | None:
    """The kept strokes in the present ink: the background may have changed since."""
    if not kept:
        return None
    return kept | {"objects": [stroke | {"stroke": ink} for stroke in kept.get("objects", [])]}


def new_canvas() -> None:
    """Mount a fresh canvas, which takes up the kept drawing in the present colours."""
    state.mine().canvas += 1


def strokes() -> list[dict]:
    """The strokes of the kept drawing, the first one first."""
    return (state.mine().drawing or {}).get("objects", [])


def undo() -> None:
    """Take the last stroke back."""
    mine = state.mine()
    mine.drawing = (mine.drawing or {}) | {"objects": strokes()[:-1]}
    new_canvas()


def clear() -> None:
    """An empty canvas; a canvas under a new key forgets everything."""
    mine = state.mine()
    mine.drawing, mine.pictures, bench().sent = None, {}, []
    new_canvas()


def seen() -> np.ndarray | None:
    """What the model gets: uint8 (28, 28), or None while nothing is drawn."""
    # The canvas sends no picture of strokes it was given, so each number of strokes has its own.
    picture = state.mine().pictures.get(len(strokes()))
    if picture is None:
        return None
    try:
        return np.round(255 * drawing.to_mnist(picture, "light")).astype(np.uint8)
    except drawing.EmptyDrawing:
        return None


def pad() -> None:
    """The canvas and its tools."""
    board = st.container()
    with st.container(horizontal=True):
        st.button("Undo", icon=":material/undo:", key="undo", on_click=undo, disabled=not strokes())
        st.button("Clear", icon=":material/delete:", key="clear", on_click=clear)
        with st.popover("Pen", icon=":material/ink_pen:"):
            colours = st.segmented_control(
                "Ink", list(COLORS), default="White on black", required=True, key="pen_ink",
                on_change=new_canvas, persist_state="session",
            )  # fmt: skip
            width = st.slider(
                "Pen width", 8, 40, 24, key="pen", persist_state="session",
                help="MNIST's writers had felt-tips: about 24 on this canvas.",
            )  # fmt: skip
    with board:
        canvas(*COLORS[colours], width)


def drawn() -> tuple[np.ndarray | None, str]:
    """The drawing as it was made, uint8 gray, or None while there is none; and its ink."""
    dark = session.widget("pen_ink") == "Black on white"
    # The canvas sends no picture of strokes it was given, so each number of strokes has its own.
    picture = state.mine().pictures.get(len(strokes()))
    raw = 255 - picture if dark and picture is not None else picture
    return raw, "dark" if dark else "light"
