"""Augmentation in the form of a design: its sliders, and digits as training may show them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import streamlit as st

from mnist_core.design import augmentation
from mnist_core.design.spec import AUGMENTATIONS, LIMITS, Augment
from pages._builder import control_keys, state
from pages._shell import markup, shared

STEPS = {"shift": 0.5, "rotation": 1.0, "zoom": 0.05, "shear": 1.0, "elastic": 0.1, "pen": 0.05}
LABELS = (6, 9, 1, 7, 4, 8)  # 6 and 9, 1 and 7 are what too much rotation or shear mixes up
DRAWS = 4
COST = (
    "In the usual small network an epoch takes roughly one and a half times as long with one of "
    "these, up to three times as long with all; larger networks notice it less. Training accuracy "
    "is measured on distorted digits, so expect it below validation accuracy, which is not."
)


def form(given: Augment) -> Augment:
    """All controls, showing `given` at first, with a preview of what they say now."""
    with st.expander("Augmentation", key="augmentation"):
        st.caption("Shows the network each training image in a new distortion every time, so that "
                   "it cannot learn images by heart. 0 leaves them as they are.")  # fmt: skip
        sides = zip(AUGMENTATIONS, itertools.cycle(st.columns(2)), strict=False)
        chosen = Augment(**{name: slider(side, name, getattr(given, name)) for name, side in sides})
        preview(chosen)
    return chosen


def slider(place: Any, name: str, value: float) -> float:
    """The most of one distortion."""
    words = AUGMENTATIONS[name]
    share = words.unit == "share"
    most = place.slider(
        words.label if share else f"{words.label} in {words.unit}", *LIMITS[name], step=STEPS[name],
        **control_keys.control("augment", name, float(value)), help=words.says,
        format="percent" if share else "%g",
    )  # fmt: skip
    return control_keys.tidy(most)


def preview(chosen: Augment) -> None:
    """A few training digits as they are, and under each some of its distortions."""
    if not chosen:
        st.caption("Move a slider to see what it does to digits.")
        return
    train = shared.data().train
    first = [np.flatnonzero(train.labels == label)[:1] for label in LABELS]
    found = np.concatenate(first).astype(int)
    random = np.random.default_rng(state.mine().draw)
    images = augmentation.distorted(np.tile(train.images[found], (DRAWS, 1, 1)), chosen, random)
    st.html(grid(train.images[found], images, train.labels[found]))
    st.button("Draw again", icon=":material/casino:", key="draw_again", on_click=draw_again)
    st.caption(COST)


def draw_again() -> None:
    """Other random numbers for the preview. Moving a slider keeps them, to show what it does."""
    state.mine().draw += 1


def grid(originals: np.ndarray, distorted: np.ndarray, labels: np.ndarray) -> str:
    """A row of digits as they are, then rows of the same ones distorted."""
    rows = [markup.digit(image, "100%", f"a {label} as it is")
            for image, label in zip(originals, labels, strict=True)]  # fmt: skip
    rows += [markup.digit(image, "100%", f"a {label} distorted")
             for image, label in zip(distorted, np.tile(labels, DRAWS), strict=True)]  # fmt: skip
    top, below = "".join(rows[: len(labels)]), "".join(rows[len(labels) :])
    return f"""<style>
    .draws {{ display: grid; grid-template-columns: repeat({len(labels)}, 1fr); gap: 4px; }}
    .draws small {{ grid-column: 1 / -1; opacity: .65; }}
    </style><div class="draws"><small>as they are</small>{top}
    <small>as training may show them</small>{below}</div>"""
