"""What a model says of an image: the label, the ten probabilities, and the image itself."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.basis.numbers import probability
from pages._shell import answering, markup


def show(image: np.ndarray, choice: str) -> None:
    """The label, the ten probabilities, and the image that they are about."""
    p = answering.model(choice).network.predict(image[None])[0]
    best, second = np.argsort(-p)[:2]
    label, picture = st.columns([3, 2], vertical_alignment="center")
    sure = "almost certainly" if p[best] > 0.99 else "probably" if p[best] > 0.7 else "perhaps"
    label.html(
        f'<div class="quiet" style="line-height:1.1" aria-live="polite"><span>This is {sure} '
        f'a{"n" if best == 8 else ""}</span>'
        f'<div id="answer" style="font:500 6rem/1.1 Georgia,serif">{best}</div>'
        f"<small>{probability(p[best])}; next comes {second} with "
        f"{probability(p[second])}</small></div>"
    )
    picture.html(markup.digit(image, "min(100%, 11rem)", "what the model sees"))
    picture.caption("What the model sees: 28 × 28, centred by mass like MNIST")
    st.html(markup.probabilities(p))
