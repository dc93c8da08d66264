"""The digits: browse them, see what they are made of, and what their pixels say."""

import importlib

import streamlit as st

from pages import _filters, _shared, _ui

# section -> the module that draws it, imported when it is first asked for: the grid of digits must
# not wait for what draws the charts.
SECTIONS = {
    "Browse": "_browse", "Tensors": "_tensors", "Pixels": "_pixels", "Map": "_map",
    "Doubtful labels": "_suspects", "Your own": "_own",
}  # fmt: skip
FILTERED = {"Browse", "Pixels"}

_ui.page()
_ui.opened()
st.title("The digits")
_ui.data_note()
section = st.segmented_control(
    "Section", list(SECTIONS), default="Browse", required=True, key="section", wrap=True,
    bind="query-params", label_visibility="collapsed",
)  # fmt: skip
draw = importlib.import_module(f"pages.{SECTIONS[section]}").section
if section not in FILTERED:
    draw(_shared.data())
elif found := _filters.show():
    draw(_shared.data(), found)
