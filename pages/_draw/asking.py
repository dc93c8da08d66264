"""What is asked about: the drawing, a digit of a photo, or an image that another page sent."""

from __future__ import annotations

import secrets

import numpy as np
import streamlit as st

from pages._components import digit_grid
from pages._draw import board, photo
from pages._shell import markup, shared
from pages._shell.state import bench


def sent() -> np.ndarray:
    """The image that the dataset page sent, one of several if there are more."""
    images, labels = zip(*map(shared.image, bench().sent), strict=True)
    places = range(len(images))
    bench().sent_at = min(bench().sent_at, len(images) - 1)
    if len(images) > 1:
        clicked = digit_grid.show(np.stack(images), labels, places, bench().sent_at, "sent")
        if clicked is not None and clicked != bench().sent_at:
            bench().sent_at = clicked
            st.rerun()
    split, index = bench().sent[bench().sent_at]
    with st.container(horizontal=True, vertical_alignment="center"):
        label = labels[bench().sent_at]
        st.caption(f"`{split}_images[{index}]`, labelled {label}, from the dataset. "
                   "Draw, and the drawing is answered instead.")  # fmt: skip
        st.button("Let go", icon=":material/close:", type="tertiary", key="let_go_sent",
                  on_click=bench().sent.clear)  # fmt: skip
        if len(bench().sent) == 1:
            st.button("Another", icon=":material/casino:", type="tertiary", key="another_image",
                      on_click=take_test_image)  # fmt: skip
    return images[bench().sent_at]


def take_test_image() -> None:
    """Another test image is answered instead: for those who cannot or would not draw."""
    bench().sent, bench().sent_at = [("test", secrets.randbelow(len(shared.data().test.labels)))], 0


def template(image: np.ndarray) -> None:
    """The image that another page sent, in the canvas's place."""
    st.html(markup.digit(image, f"min(100%, {board.SIDE}px)", "the image under question"))
    st.button("Back to the canvas", icon=":material/undo:", key="let_go_template", on_click=let_go)


def let_go() -> None:
    """The drawing is answered again."""
    bench().template = None


def asked(from_photo: bool) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    """What is answered, uint8 (28, 28), with the picture it came from and its ink; None, None
    while there is nothing."""
    if bench().template is not None:
        return bench().template, bench().template, "light"
    if bench().sent:
        image = sent()
        return image, image, "light"
    if from_photo:
        image = photo.image()
        return image, None if image is None else photo.cut(), photo.ink()
    raw, ink = board.drawn()
    return board.seen(), raw, ink
