"""What this is, what state it is in, where to go."""

import numpy as np
import streamlit as st

from pages._home import cards
from pages._shell import markup, navigation, notes, shared, tour, visitors

navigation.page()
data = shared.data()
words, digits = st.columns([3, 2], gap="large", vertical_alignment="center")
with words:
    st.title("See how a neural network learns to read digits")
    st.markdown(
        "MNIST is the classic first dataset of deep learning: 70,000 digits that people wrote by "
        "hand. Look at them, design a network, watch it learn in seconds, then draw a digit and "
        "see what your own network says."
    )
    st.button("Take the tour", icon=":material/tour:", type="tertiary", key="tour_start",
              on_click=tour.start, help="Five stops, what to do at each, a minute or two.",
              )  # fmt: skip
with digits:
    # Three digits a visitor has not seen: the visitor's name decides, so a rerun keeps them.
    rng = np.random.default_rng(list(visitors.visitor().encode()))
    chosen = rng.choice(len(data.test.labels), 3, replace=False)
    images = "".join(
        markup.digit(data.test.images[i], "30%", f"a handwritten {data.test.labels[i]}")
        for i in chosen
    )
    st.html(f'<div style="display:flex;gap:5%">{images}</div>')
    names = ", ".join(str(data.test.labels[i]) for i in chosen)
    st.caption(f"Three real test images: {names}.")

cards.show()
notes.data_note()
