"""Concepts of gradients on their way: vanishing with depth, averaged over a batch, and the scale of
the inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from mnist_core.basis import numbers
from mnist_core.charts import concept_charts
from mnist_core.design.spec import ACTIVATIONS, Layer, RunSpec
from mnist_core.lessons import depth_and_scale
from mnist_core.lessons.overfitting import Examples
from mnist_core.network.network import Network
from pages._shell import chart, markup, shared, waiting

FLOW, LEARN, HELD = 256, 4000, 1000  # images
RATES = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3]


def _examples(split: str, first: int, last: int) -> Examples:
    part = getattr(shared.data(), split)
    return part.images[first:last], part.labels[first:last]


# ------------------------------------------------------------ the vanishing gradient


def vanishing() -> None:
    """Two activations through the same layers, side by side."""
    st.markdown("On its way back a gradient is multiplied by the slope of every activation it "
                "passes. A sigmoid's slope is at most ¼, so each layer leaves less of it: the "
                "first layers hear almost nothing of the mistake, and hardly learn. That is the "
                "**vanishing gradient**. relu's slope is 1 wherever it is active.")  # fmt: skip
    names = list(ACTIVATIONS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kept: dict[str, Any] = {"filter_mode": None, "persist_state": "session", "width": 180}
        label = {name: ACTIVATIONS[name].label for name in names}
        one = st.selectbox("One activation", names, names.index("sigmoid"), key="vanish_one",
                           format_func=label.__getitem__, **kept)  # fmt: skip
        other = st.selectbox("The other", names, names.index("relu"), key="vanish_other",
                             format_func=label.__getitem__, **kept)  # fmt: skip
        depth = st.slider("Hidden layers of 64 units", 1, 10, 6, key="vanish_depth",
                          persist_state="session", width=260)  # fmt: skip
    both = dict.fromkeys([one, other])
    flows = {name: _of(f"gradient flow {name} {depth}",
                       lambda name=name: depth_and_scale.flow(name, depth,
                                                              _examples("train", 0, FLOW)))
             for name in both}  # fmt: skip
    chart.show(concept_charts.gradient_flow(flows), "vanishing-gradient")
    _learned(list(both), depth)


def _learned(names: list[str], depth: int) -> None:
    """What a short training makes of each: the consequence."""
    n = len(shared.data().train.labels)
    train, test = _examples("train", 0, min(LEARN, n)), _examples("test", 0, HELD)

    def compute(report: Callable[[float], None]) -> list[float]:
        found = []
        for i, name in enumerate(names, 1):
            found.append(depth_and_scale.learned(name, depth, train, test))
            report(i / len(names))
        return found

    job = shared.job(shared.data().digest, f"learned {names} {depth}", compute)
    if not waiting.ready(job, "Training each for one epoch with NumPy"):
        return
    said = " and ".join(f"**{name}** {numbers.percent(accuracy)}"
                        for name, accuracy in zip(names, job.result(), strict=True))  # fmt: skip
    st.markdown(f"After one epoch on {len(train[1]):,} images (SGD, η = 0.1, batches of 32) they "
                f"read {len(test[1]):,} test images: {said}.")  # fmt: skip


def _of(what: str, compute: Callable[[], Any]) -> Any:
    return shared.resource(shared.data().digest, what, compute)


# ------------------------------------------------------------------- one and a batch


def batch() -> None:
    """One weight's gradient, image by image, and of all of them at once."""
    st.markdown("A step of training looks at a **batch** of m images. The loss is the mean of "
                "theirs, so every gradient is the mean of their gradients: each image adds its "
                "own, times **1/m**. One backward pass does all of it at once, because δ of the "
                "logits is (p − y) / m in each row.")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        m = st.slider("Images in the batch, m", 1, 16, 4, key="shares_m", persist_state="session",
                      width=260)  # fmt: skip
        unit = st.number_input("Hidden unit (0 to 31)", 0, 31, 5, key="shares_unit", width=170)
        digit = st.number_input("Logit (0 to 9)", 0, 9, 7, key="shares_digit", width=150)
    images, labels = _examples("test", 0, m)
    network = Network.from_spec(RunSpec((Layer(32),)), np.random.default_rng(0), np.float64)
    found = depth_and_scale.shares(network, (images, labels), unit, digit)
    st.latex(r"\frac{\partial L}{\partial W_{" + f"{unit},{digit}" + r"}}=\frac{1}{m}\sum_{i=1}^{m}"
             r"a^{(i)}_{" + str(unit) + r"}\,\bigl(p^{(i)}_{" + str(digit) + r"}-y^{(i)}_{"
             + str(digit) + r"}\bigr)")  # fmt: skip
    left, right = st.columns([2, 3], gap="large")
    with left:
        pictures = "".join(
            f'<figure style="margin:0">{markup.digit(image, "100%", f"a {label}")}'
            f'<figcaption class="quiet" style="font-size:.75rem">image {i}: a {label}</figcaption>'
            "</figure>" for i, (image, label) in enumerate(zip(images, labels, strict=True))
        )  # fmt: skip
        st.html('<div style="display:grid;gap:8px;grid-template-columns:repeat(auto-fill,'
                f'minmax(5rem,1fr))">{pictures}</div>')  # fmt: skip
        st.caption("The first test images; a fresh network 784-32-10, in float64.")
    with right:
        _shares(found, unit, digit)


def _shares(found: depth_and_scale.Shares, unit: int, digit: int) -> None:
    m = len(found.alone)
    st.table({
        "image": list(map(str, range(m))),
        f"a of unit {unit}": [numbers.fixed(v, 6) for v in found.a],
        f"p − y of logit {digit}": [numbers.fixed(v, 6) for v in found.delta],
        "their product": [numbers.fixed(v, 6) for v in found.alone],
        "÷ m": [numbers.fixed(v / m, 6) for v in found.alone],
    }, border="horizontal", hide_index=True)  # fmt: skip
    apart = abs(found.averaged - found.together)
    st.markdown(f"One image at a time, then 1/{m} of their sum: "
                f"**{numbers.fixed(found.averaged, 8)}**. All {m} in one backward pass: "
                f"**{numbers.fixed(found.together, 8)}**. They differ by "
                f"{numbers.significant(apart, 2)}.")  # fmt: skip
    if m > 1:
        first = numbers.fixed(float(found.alone[0]), 8)
        st.caption(f"Image 0 alone would have asked for {first}: a batch is what its images can "
                   "agree on.")  # fmt: skip


# ------------------------------------------------------------- divided by 255 or not


def scaling() -> None:
    """The same training with pixels of 0…1 and of 0…255."""
    st.markdown("Every tutorial begins with `images / 255.0`. Without it the same weights meet "
                "numbers 255 times as large: the sums are, and the gradients of the first layer "
                "too, so that a learning rate which suits the one is far off for the other.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rule = st.segmented_control("Optimizer", ["sgd", "adam"], default="sgd", required=True,
                                    format_func={"sgd": "SGD", "adam": "Adam"}.__getitem__,
                                    key="scaling_rule", persist_state="session")  # fmt: skip
        rate = st.select_slider("Learning rate", RATES, 0.1, key="scaling_rate",
                                format_func=numbers.plain, persist_state="session", width=300)
        epochs = st.slider("Epochs", 1, 10, 5, key="scaling_epochs", persist_state="session",
                           width=220)  # fmt: skip
    n = len(shared.data().train.labels)
    train, held = _examples("train", 0, min(2000, n // 2)), _examples("train", n - HELD, n)

    def compute(report: Callable[[float], None]) -> list:
        return [depth_and_scale.scaled(divide, train, held, rule, rate, epochs,
                                       lambda share, k=k: report((k + share) / 2))
                for k, divide in enumerate((True, False))]  # fmt: skip

    job = shared.job(shared.data().digest, f"scaling {rule} {rate} {epochs}", compute)
    if waiting.ready(job, "Training both with NumPy"):
        divided, raw = job.result()
        chart.show(concept_charts.scaling(divided, raw), "scaling")
        st.caption(f"784-32-10 on {len(train[1]):,} images in batches of 32, validated on "
                   f"{len(held[1]):,}; the same first weights, the same order.")  # fmt: skip
