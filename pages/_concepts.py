"""A section of the Backprop page: Concepts, one idea at a time, each with something to touch."""

from __future__ import annotations

import streamlit as st

from pages import _concept_descent, _concept_layers, _concept_numbers, _ui

CONCEPTS = {
    "Tensors": _concept_numbers.tensors,
    "Activations": _concept_numbers.activations,
    "Softmax": _concept_numbers.softmax,
    "Cross-entropy": _concept_numbers.cross_entropy,
    "Labels": _concept_numbers.labels,
    "Batches": _concept_descent.batches,
    "Learning rate": _concept_descent.learning_rate,
    "Optimizers": _concept_descent.optimizers,
    "Batch norm": _concept_layers.batch_norm,
    "Dropout": _concept_layers.dropout,
    "Overfitting": _concept_layers.overfit,
}


def section() -> None:
    """Draw the section: the picker, and the concept that it names."""
    chosen = _ui.choose("concept", list(CONCEPTS), "Concept")
    st.fragment(CONCEPTS[chosen])()
    _ui.data_note()
