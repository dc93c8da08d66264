"""The photo tab of the draw page: a picture from a file or the camera, its digits boxed."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from mnist_core.basis.numbers import probability
from mnist_core.imaging import drawing
from mnist_core.runs import models
from pages._components import digit_grid
from pages._draw import state
from pages._shell import answering, markup, notes, session

INKS = {"Find out": "auto", "Dark on light": "dark", "Light on dark": "light"}
MARGIN = 0.15  # of a digit's size, around the cut that the steps start from


def choose() -> None:
    """The controls and the picture; what is found is kept in the session."""
    mine = state.mine()
    how = st.segmented_control("Picture from", ["File", "Camera"], default="File", required=True,
                               key="photo_from", label_visibility="collapsed")  # fmt: skip
    if how == "Camera":
        given = st.camera_input("Photograph digits on paper", key="camera", on_change=_take,
                                args=("camera",))  # fmt: skip
    else:
        given = st.file_uploader("A photo or scan of digits: PNG, JPEG, WebP …", key="photo",
                                 on_change=_take, args=("photo",))  # fmt: skip
    if given is None and mine.photo is None:
        st.caption("One digit or a page of them, on any paper: shadows, ruled lines, boxes and "
                   "tables are taken away, and digits that touch are cut apart. The picture is not "
                   "stored.")  # fmt: skip
        return
    st.segmented_control("Ink", list(INKS), default="Find out", required=True, key="photo_ink",
                         on_change=_look, persist_state="session")  # fmt: skip
    if mine.photo_fault:
        st.error(notes.plain(mine.photo_fault), icon=":material/broken_image:")
    elif mine.photo is not None:
        st.image(_boxed(mine.photo, [d.box for d in mine.found], mine.found_at), width="stretch")


def _take(key: str) -> None:
    """A new picture has come, or the present one was taken away."""
    mine, given = state.mine(), session.widget(key)
    mine.photo, mine.found, mine.photo_fault = None, [], ""
    if given is not None:
        try:
            mine.photo = drawing.read_image(given)
        except drawing.BadImage as error:
            mine.photo_fault = str(error)
    _look()


def _look() -> None:
    """Find the digits again: the picture or the ink has changed."""
    mine = state.mine()
    mine.found, mine.found_at = [], 0
    if mine.photo is None:
        return
    mine.photo_fault = ""
    try:
        mine.found = drawing.read_digits(mine.photo, models.default().network.predict, ink())
    except drawing.EmptyDrawing:
        mine.photo_fault = ("No digit was found: try the other ink, more light, or a pen that "
                            "writes darker.")  # fmt: skip


def ink() -> str:
    """Which side the photo's ink is on, as the visitor says."""
    return INKS[session.widget("photo_ink") or "Find out"]


def _boxed(picture: np.ndarray, boxes: list[tuple[int, ...]], chosen: int) -> Image.Image:
    image = Image.fromarray(picture).convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(paper, image).convert("RGB")
    pen, width = ImageDraw.Draw(image), max(2, max(image.size) // 160)
    for at, (top, left, bottom, right) in enumerate(boxes):
        room = 2 * width
        thick = 2 * width if at == chosen else width
        pen.rectangle([left - room, top - room, right + room, bottom + room],
                      outline=markup.ACCENT, width=thick)  # fmt: skip
    return image


def image() -> np.ndarray | None:
    """The chosen digit as the model gets it, uint8 (28, 28)."""
    mine = state.mine()
    if not mine.found:
        return None
    mine.found_at = min(mine.found_at, len(mine.found) - 1)
    return _uint8(mine.found[mine.found_at].image)


def cut() -> np.ndarray:
    """The chosen digit's part of the photo, for the steps."""
    mine = state.mine()
    if mine.photo is None:
        raise ValueError("There is no photo to cut a digit from.")
    top, left, bottom, right = mine.found[mine.found_at].box
    room = int(MARGIN * max(bottom - top, right - left)) + 2
    return mine.photo[max(0, top - room) : bottom + room, max(0, left - room) : right + room]


def read_out(choice: str) -> None:
    """All digits from left to right, each with how sure the model is; a click chooses one."""
    mine = state.mine()
    images = np.stack([_uint8(digit.image) for digit in mine.found])
    p = answering.model(choice).network.predict(images)
    labels = p.argmax(axis=1)
    if len(labels) == 1:
        return
    words = " ".join(map(str, labels))
    look = "font:500 2.4rem/1.2 Georgia,serif"
    st.html(f'<div class="quiet"><span>Read from left to right</span><div id="reading" '
            f'aria-live="polite" style="{look}">{words}</div></div>')  # fmt: skip
    clicked = digit_grid.show(images, labels, range(len(labels)), mine.found_at, "found")
    sure = ", ".join(f"{n}: {probability(q)}" for n, q in zip(labels, p.max(axis=1)[:12],
                                                                  strict=False))  # fmt: skip
    st.caption(f"How sure: {sure}{' …' if len(labels) > 12 else ''}. Choose one to see it below.")
    if clicked is not None and clicked != mine.found_at:
        mine.found_at = clicked
        st.rerun()


def _uint8(image: np.ndarray) -> np.ndarray:
    return np.round(255 * image).astype(np.uint8)
