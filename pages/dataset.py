"""The digits: browse them, see what they are made of, and what their pixels say."""

import importlib

import streamlit as st

from pages._dataset import filters, opening
from pages._shell import links, navigation, notes, shared

# section -> the module that draws it, imported when it is first asked for: the grid of digits must
# not wait for what draws the charts.
SECTIONS = {
    "Browse": "browse", "Tensors": "tensors", "Pixels": "pixel_statistics", "Map": "digit_map",
    "Doubtful labels": "doubtful_labels", "Your own": "your_own",
}  # fmt: skip
FILTERED = {"Browse", "Pixels"}

navigation.page()
opening.opened()
st.title("The digits")
notes.data_note()
section = links.one_of("Section", list(SECTIONS), "Browse", "section", wrap=True,
                       label_visibility="collapsed")  # fmt: skip
draw = importlib.import_module(f"pages._dataset.{SECTIONS[section]}").section
if section not in FILTERED:
    draw(shared.data())
elif found := filters.show():
    draw(shared.data(), found)
