"""What this is, what state it is in, where to go."""

import numpy as np
import streamlit as st

from mnist_core import models
from pages import _html, _session, _shared, _ui

_ui.page()
data = _shared.data()
about = models.default().about

words, digits = st.columns([3, 2], gap="large", vertical_alignment="center")
with words:
    st.title("See how a neural network learns to read digits")
    st.markdown(
        "MNIST is the classic first dataset of deep learning: 70,000 digits that people wrote by "
        "hand. Look at them, design a network, watch it learn in seconds, then draw a digit and "
        "see what your own network says."
    )
with digits:
    # Three digits a visitor has not seen: the visitor's name decides, so a rerun keeps them.
    rng = np.random.default_rng(list(_session.visitor().encode()))
    chosen = rng.choice(len(data.test.labels), 3, replace=False)
    images = "".join(
        _html.digit(data.test.images[i], "30%", f"a handwritten {data.test.labels[i]}")
        for i in chosen
    )
    st.html(f'<div style="display:flex;gap:5%">{images}</div>')
    names = ", ".join(str(data.test.labels[i]) for i in chosen)
    st.caption(f"Three real test images: {names}.")

st.space("small")
for column, stem, title, says in zip(
    st.columns(4, gap="medium"),
    ("draw", "builder", "evaluate", "dataset"),
    ("Draw a digit", "Build and train", "See where it fails", "Explore the digits"),
    (
        f"A model that reads {about['test_accuracy']:.2%} of the test images correctly answers "
        "at once. So will yours.",
        "Convolutions and dense layers, seven optimizers, and curves that move while it learns.",
        "Which digits a model misreads, how sure it was, what goes on inside it, and what it can "
        "bear.",
        "Every image as a picture and as 784 numbers, and what the pixels say together.",
    ),
    strict=True,
):
    with column, st.container(border=True, height="stretch"):
        st.subheader(title, anchor=False)
        st.markdown(says)
        if st.button(title, type="primary" if stem == "draw" else "secondary",
                     icon=_ui.PAGES[stem][1], key=f"go_{stem}", width="stretch"):  # fmt: skip
            _ui.go(stem)
_ui.data_note()
