"""Two sections of the Evaluate page: Scores, and Calibration with what is hard to read."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.analysis import evaluation
from mnist_core.basis.numbers import between, loss, percent, signed
from mnist_core.charts import score_charts
from pages._shell import answering, chart, markup, navigation, shared, subject, waiting
from pages._shell.subject import Subject

TRENDS = ("ink", "slant", "thickness")
NOBODY = "nobody"
LEARNED, LEARNED_CONVOLVED = 10_000, 2000  # training images that are read


def scores(who: Subject) -> None:
    """The figures of the whole test set, then of each digit, then beside another model."""
    found = evaluation.scores(who.test.labels, who.probabilities)
    _figures(found)
    _learned(who)
    _first_five(who)
    st.header("Digit by digit", divider="gray")
    per_class = evaluation.per_class(who.counts)
    chart.show(score_charts.per_class(per_class), "per_digit")
    st.dataframe(
        [
            {"digit": str(digit), "images": int(n), "precision": 100 * p, "recall": 100 * r,
             "F1": 100 * f}
            for digit, (n, p, r, f) in enumerate(
                zip(per_class.support, per_class.precision, per_class.recall, per_class.f1,
                    strict=True))
        ],
        hide_index=True,
        column_config={"images": st.column_config.NumberColumn(format="localized")} | {
            name: st.column_config.NumberColumn(format="%.2f %%")
            for name in ("precision", "recall", "F1")},
    )  # fmt: skip
    st.header("Against another model", divider="gray")
    _compare(who)


def _figures(found: evaluation.Scores) -> None:
    accuracy, mistakes, top2, mean_loss = st.columns(4)
    accuracy.metric("Test accuracy", f"{percent(found.accuracy)}",
                    help="The share of test images that are read right")  # fmt: skip
    mistakes.metric("Mistakes", f"{found.n - found.right:,} of {found.n:,}")
    top2.metric("Top-2 accuracy", f"{percent(found.top2_accuracy)}",
                help="The true digit came first or second")  # fmt: skip
    mean_loss.metric("Loss", loss(found.loss),
                     help="The mean of −log p of the true digit, in nats")  # fmt: skip
    st.caption(
        "On new digits of the same kind the accuracy lies in "
        f"{between(found.low, found.high)} (95 % Wilson interval). Of the "
        f"{found.n - found.right:,} mistakes, {found.top2 - found.right:,} had the true digit in "
        "second place."
    )


def _learned(who: Subject) -> None:
    """Training accuracy beside test accuracy: what is read better for having been learned."""
    if not answering.knows_the_data(who.choice):
        st.caption("It was trained on other digits than these, so there is no training accuracy to "
                   "compare with.")  # fmt: skip
        return
    spec, n = who.model.spec, len(shared.data().train.labels)
    last = n if spec.validation == "test" else int(n * (1 - spec.validation_share))
    most = LEARNED_CONVOLVED if spec.convolutions else LEARNED
    rows = np.random.default_rng(0).permutation(last)[:most]
    reading = answering.learned(who.choice, rows)
    st.subheader("Training against test", anchor=False)
    if waiting.ready(reading, f"Reading {len(rows):,} training images"):
        _overfitting(reading.result(), who.right)


def _overfitting(learned: np.ndarray, unseen: np.ndarray) -> None:
    """Both accuracies, and what their difference says."""
    more, low, high = evaluation.difference(int(learned.sum()), len(learned),
                                            int(unseen.sum()), len(unseen))  # fmt: skip
    training, test, gap = st.columns(3)
    training.metric("Training accuracy", percent(learned.mean()),
                    help="As it answers now, without dropout or augmentation")  # fmt: skip
    test.metric("Test accuracy", percent(unseen.mean()))
    gap.metric("Difference", f"{signed(100 * more, 2)} points")
    which = f"{len(learned):,} training images"
    apart = f"(95 % interval {signed(100 * low, 2)} to {signed(100 * high, 2)} points)"
    if low > 0:
        says = ("That is more than chance: some of what it knows holds for its training images "
                "alone, which is what **overfitting** is.")  # fmt: skip
    elif high < 0:
        says = "The test images are the easier ones."
    else:
        says = "That may be chance: there is no sign of overfitting."
    st.caption(f"On {which}, beside {len(unseen):,} that it never saw {apart}. {says}")


def _first_five(who: Subject) -> None:
    """The picture that every MNIST tutorial ends with."""
    n = min(5, len(who.test.labels))
    st.subheader(f"The first {n} test images", anchor=False)
    pictures = "".join(
        f'<figure style="margin:0;flex:1;max-width:8rem">'
        f"{markup.digit(who.test.images[i], '100%', f'a handwritten {label}')}"
        f'<figcaption class="quiet">predicted {said}<br>true {label}</figcaption></figure>'
        for i, (label, said) in enumerate(zip(who.test.labels[:n], who.predicted[:n], strict=True))
    )
    size = "font-size:clamp(.65rem,2.6vw,.85rem)"
    st.html(f'<div style="display:flex;gap:3%;{size}">{pictures}</div>')
    right = int(who.right[:n].sum())
    st.caption(f"{right} of {n} are read right.")


def _compare(who: Subject) -> None:
    """A paired test against another model, on the same images."""
    others = {k: name for k, name in answering.answering_models().items() if k != who.choice}
    if not others:
        st.info("There is no other model to compare with. Train a network, and it can be chosen "
                "here.", icon=":material/compare_arrows:")  # fmt: skip
        navigation.link("builder", "Train one")
        return
    choice = st.selectbox("Compare with", [NOBODY, *others], filter_mode=None, key="compared",
                          format_func=lambda c: others.get(c, "nobody yet"))  # fmt: skip
    if choice in others:
        other = subject.subject(choice, others[choice])
        if other is None:
            return
        paired = evaluation.mcnemar(who.right, other.right)
        st.markdown(evaluation.verdict(paired, "This model", "The other"))
        st.caption(f"Accuracy {percent(who.right.mean())} against {percent(other.right.mean())}. "
                   "Exact "
                   "McNemar test: only images on which the two differ can tell them "
                   "apart.")  # fmt: skip


def calibration(who: Subject) -> None:
    """Whether the model is as sure as it is right, and for which shapes of digit it is less so."""
    curve = evaluation.calibration(who.test.labels, who.probabilities)
    error = evaluation.calibration_error(curve)
    st.metric("Expected calibration error", f"{percent(error)}")
    st.caption(f"{len(curve.count)} equal bins of confidence (Guo et al. 2017). Of a well "
               "calibrated model's answers given with 80 %, four in five are right.")  # fmt: skip
    lean = evaluation.lean(who.test.labels, who.probabilities)
    chart.show(score_charts.calibration(curve, lean), "calibration")
    st.header("Which shapes are hard to read", divider="gray")
    measures = shared.measures("test")
    if not np.isfinite(measures[TRENDS[0]]).any():
        st.info("None of these images has ink.")
        return
    found = {name: evaluation.trend(measures[name], who.right) for name in TRENDS}
    looked_at = sum(int((binned.count > 0).sum()) for binned in found.values())
    for (name, binned), column in zip(found.items(), st.columns(3, gap="medium"), strict=True):
        with column:
            chart.show(score_charts.trend(name, binned, float(who.right.mean()), looked_at),
                       f"by_{name}")  # fmt: skip
    st.caption("Bins of equally many images; bars: 95 % Wilson intervals of each alone; dotted: "
               f"all images. To look for the worst of {looked_at} bins is to ask {looked_at} "
               "times, so it is told from chance by the interval of one in so many (Bonferroni).")
