"""Backpropagation by hand: a network's arithmetic step by step, checked, and its ideas to touch."""

import importlib

import streamlit as st

from pages import _ui

# section -> the module that draws it, imported when it is first asked for
SECTIONS = {
    "Microscope": "_microscope", "Gradients checked": "_checked", "Concepts": "_concepts",
    "Regression": "_regression",
}  # fmt: skip

_ui.page()
st.title("Backpropagation, by hand")
section = _ui.choose("topic", list(SECTIONS), "Section")
importlib.import_module(f"pages.{SECTIONS[section]}").section()
