"""What this is, what state it is in, where to go."""

import numpy as np
import streamlit as st

from mnist_core.runs import models
from pages._shell import markup, navigation, notes, shared, tour, visitors

about = models.default().about
# page: what to do there, and why; the first two lead, side by side. A page without a card is not
# left out: it stands in the navigation.
CARDS = {
    "draw": ("Draw a digit",
             f"A model that reads {about['test_accuracy']:.2%} of the test images correctly "
             "answers when you lift the pen. So will yours, once it is trained."),
    "builder": ("Build and train",
                "Convolutions and dense layers, seven optimizers, and curves that move while it "
                "learns. The design that is there trains in seconds."),
    "dataset": ("Explore the digits",
                "Every image as a picture and as 784 numbers, and what they say together."),
    "evaluate": ("See where it fails",
                 "What a model misreads, how sure it was, and what goes on inside it."),
    "runs": ("Compare your runs",
             "All that you trained, side by side: curves, designs, and a fair race."),
    "backprop": ("Follow the arithmetic",
                 "One image through a network and back, every number open to be checked."),
}  # fmt: skip


def card(stem: str, leading: bool) -> None:
    """One page: what it is for, and the way to it."""
    title, says = CARDS[stem]
    with st.container(border=True, key=f"card_{stem}", height="stretch"):
        st.subheader(title, anchor=False)
        with st.container(height="stretch"):
            st.markdown(says)
        if st.button(title, type="primary" if leading else "secondary",
                     icon=navigation.PAGES[stem][1], key=f"go_{stem}", width="stretch"):  # fmt: skip
            navigation.go(stem)


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

stems = [stem for stem in CARDS if stem in navigation.PAGES]
with st.container(gap="medium"):
    for row, group in {"lead": stems[:2], "more": stems[2:]}.items():
        with st.container(horizontal=True, gap="medium", key=f"cards_{row}"):
            for stem in group:
                card(stem, leading=row == "lead")
notes.data_note()
