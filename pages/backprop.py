"""Backpropagation by hand: a network's arithmetic step by step, checked, and its ideas to touch."""

import importlib

import streamlit as st

from pages._shell import links, navigation

# section -> the module that draws it, imported when it is first asked for
SECTIONS = {
    "Microscope": "microscope_steps", "Gradients checked": "gradients_checked",
    "Concepts": "concept_sections", "Regression": "line_regression",
}  # fmt: skip

navigation.page()
st.title("Backpropagation, by hand")
section = links.choose("topic", list(SECTIONS), "Section")
importlib.import_module(f"pages._backprop.{SECTIONS[section]}").section()
