"""The ways on from the home page, a card each."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from mnist_core.basis.numbers import percent
from mnist_core.runs import models
from pages._shell import navigation

STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
about = models.default().about
# page: what to do there, and why; the first two lead, side by side. A page without a card is not
# left out: it stands in the navigation.
CARDS = {
    "draw": ("Draw a digit",
             f"A model that reads {percent(about['test_accuracy'])} of the test images correctly "
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


def show() -> None:
    """All cards; a page without one stands in the navigation."""
    st.html(f"<style>{STYLE}</style>")
    stems = [stem for stem in CARDS if stem in navigation.PAGES]
    with st.container(gap="medium"):
        for row, group in {"lead": stems[:2], "more": stems[2:]}.items():
            with st.container(horizontal=True, gap="medium", key=f"cards_{row}"):
                for stem in group:
                    _card(stem, leading=row == "lead")


def _card(stem: str, leading: bool) -> None:
    """One page: what it is for, and the way to it."""
    title, says = CARDS[stem]
    with st.container(border=True, key=f"card_{stem}", height="stretch"):
        st.subheader(title, anchor=False)
        with st.container(height="stretch"):
            st.markdown(says)
        kind = "primary" if leading else "secondary"
        if st.button(title, type=kind, icon=navigation.PAGES[stem][1], key=f"go_{stem}",
                     width="stretch"):  # fmt: skip
            navigation.go(stem)
