"""Two sections of the Evaluate page: Confusion, and Mistakes, each with the images behind them."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.analysis import evaluation
from mnist_core.basis.numbers import percent, probability
from mnist_core.charts import score_charts
from mnist_core.statistics import tables
from pages._components import matrix
from pages._shell import notes, session, subject
from pages._shell.subject import Subject

DIGITS = [str(digit) for digit in range(10)]
ANY = "any"


@notes.fragment
def confusion(who: Subject) -> None:
    """The matrix, and the images of the cell that was chosen, by a click or by the two lists."""
    true, said = _matrix(who.counts)
    st.caption(score_charts.confusion_reading(who.counts))
    st.download_button(
        "CSV", lambda: tables.csv_of(score_charts.confusion_numbers(who.counts)),
        "mnist-confusion.csv", "text/csv", key="csv_confusion", type="tertiary",
        icon=":material/download:", on_click="ignore", help="The numbers of this matrix",
    )  # fmt: skip
    found = np.flatnonzero((who.test.labels == true) & (who.predicted == said))
    found = found[np.argsort(-who.probabilities[found, said], kind="stable")]
    if not len(found):
        st.info(f"No {true} was read as {said}. Choose a cell with a number in it.")
        return
    images = "image" if len(found) == 1 else "images"
    st.subheader(f"{len(found):,} {images}: a {true} read as {said}", anchor=False)
    subject.gallery(who, found, "cell")


def _matrix(counts: np.ndarray) -> tuple[int, int]:
    """Draw the confusion; the true digit and the answer that are chosen."""
    wrong = counts - np.diag(np.diag(counts))
    commonest = divmod(int(wrong.argmax()), len(counts))
    st.markdown("**The bluer, the commoner the mistake; click a cell to see its images**")
    kind = st.segmented_control("Cells", ["Counts", "Rates"], default="Counts", required=True,
                                key="cells", label_visibility="collapsed")  # fmt: skip
    shares = 100 * np.nan_to_num(evaluation.rates(counts))
    shown = shares if kind == "Rates" else counts
    clicked = getattr(session.widget("confusion"), "picked", None)
    for i, key in enumerate(("true", "read")):
        session.seed_widget(key, commonest[i])
        if clicked:
            session.set_widget(key, clicked[i])
    matrix.show(
        [[_cell(n, kind) for n in row] for row in shown.tolist()],
        shown / max(np.where(wrong > 0, shown, 0).max(), 1e-9), _titles(counts, shares),
        (session.widget("true"), session.widget("read")),
        f"read as ({'% of the true digit' if kind == 'Rates' else 'images'}); rows: true digit",
        key="confusion",
    )  # fmt: skip
    left, right = st.columns(2)
    true = left.selectbox("True digit", range(10), key="true", filter_mode=None)
    return true, right.selectbox("Read as", range(10), key="read", filter_mode=None)


def _cell(n: float, kind: str) -> str:
    return "" if not n else f"{n:.2f}" if kind == "Rates" else f"{n:,}"


def _titles(counts: np.ndarray, shares: np.ndarray) -> list[list[str]]:
    return [[f"{i} read as {j}: {counts[i, j]:,} images, {percent(shares[i, j] / 100)} of the {i}s"
             for j in range(10)] for i in range(10)]  # fmt: skip


@notes.fragment
def mistakes(who: Subject) -> None:
    """All misread images, that of which the model was surest first."""
    ranked = evaluation.errors(who.test.labels, who.probabilities)
    if not len(ranked):
        st.success("No test image is misread.")
        return
    label = st.segmented_control("True digit", [ANY, *DIGITS], default=ANY, required=True,
                                 wrap=True, key="mistakes_of")  # fmt: skip
    found = ranked if label == ANY else ranked[who.test.labels[ranked] == int(label)]
    if not len(found):
        st.info(f"No {label} is misread. Choose another digit.")
        return
    surest = found[0]
    st.caption(
        f"{len(found):,} misread, the surest first: a {who.test.labels[surest]} was read as "
        f"{who.predicted[surest]} with {probability(who.probabilities[surest].max())}. In the "
        "corner: true digit → answer."
    )
    subject.gallery(who, found, "mistakes")
