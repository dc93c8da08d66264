"""A section of the Backprop page: Concepts, one idea at a time, each with something to touch."""

from __future__ import annotations

from pages._backprop import (
    concept_descent,
    concept_gradients,
    concept_layers,
    concept_numbers,
)
from pages._shell import links, notes

CONCEPTS = {
    "Tensors": concept_numbers.tensors,
    "Scaling": concept_gradients.scaling,
    "Activations": concept_numbers.activations,
    "Softmax": concept_numbers.softmax,
    "Cross-entropy": concept_numbers.cross_entropy,
    "Labels": concept_numbers.labels,
    "Vanishing gradient": concept_gradients.vanishing,
    "One and a batch": concept_gradients.batch,
    "Batches": concept_descent.batches,
    "Learning rate": concept_descent.learning_rate,
    "Optimizers": concept_descent.optimizers,
    "Batch norm": concept_layers.batch_norm,
    "Dropout": concept_layers.dropout,
    "Overfitting": concept_layers.overfit,
}


def section() -> None:
    """Draw the section: the picker, and the concept that it names."""
    chosen = links.choose("concept", list(CONCEPTS), "Concept")
    notes.fragment(CONCEPTS[chosen])()
    notes.data_note()
