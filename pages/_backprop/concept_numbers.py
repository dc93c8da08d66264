"""Concepts about numbers on their way through a network: tensors, activations, softmax, loss."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.basis import numbers
from mnist_core.charts import concept_charts
from mnist_core.lessons import concepts
from mnist_core.network import losses
from mnist_core.network.layers import ACTIVATIONS
from mnist_core.network.losses import cross_entropy as loss_and_gradient
from mnist_core.network.losses import softmax as stable
from pages._components import pictures
from pages._shell import answering, chart, markup, shared

NAMES = ["a 3", "a 5", "a 8", "a 9"]
START = [3.0, 1.0, 2.0, -1.0]
ASKED = 200  # test images whose mean losses are compared

# rank: what it is called, how one of the images is taken to it
RANKS = {
    0: ("a scalar", "images[0, 14, {r}]", lambda x, r: x[0, 14, r]),
    1: ("a vector", "images[0, {r}]", lambda x, r: x[0, r]),
    2: ("a matrix", "images[0]", lambda x, r: x[0]),
    3: ("a batch of matrices", "images", lambda x, r: x),
    4: ("a batch of maps, with channels", "images[..., None]", lambda x, r: x[..., None]),
}


# rank -> what the number chooses, where there is something to choose
INDEXED = {0: "Column of the scalar, in row 14", 1: "Row"}


def tensors() -> None:
    """Rank, shape and what an index takes away."""
    st.markdown("A **tensor** is a block of numbers. Its **rank** is how many indices point to one "
                "number; its **shape** says how far each index goes. An index that is given takes "
                "one rank away.")  # fmt: skip
    left, right = st.columns([2, 3], gap="large")
    with left:
        rank = st.select_slider("Rank", list(RANKS), 2, key="tensor_rank", persist_state="session")
        n = st.slider("Images in the batch", 1, 30, 10, key="tensor_n", persist_state="session")
        row = 0
        if rank in INDEXED:
            row = st.slider(INDEXED[rank], 0, 27, 14, key="tensor_row", persist_state="session")
    images = shared.data().test.images[:n]
    name, code, take = RANKS[rank]
    part = np.asarray(take(images, row))
    with right:
        st.markdown(f"**Rank {part.ndim}: {name}**")
        st.code(f"t = {code.format(r=row)}\nt.shape  # {part.shape}\nt.ndim   # {part.ndim}\n"
                f"t.size   # {part.size:,} numbers of {part.dtype}, {part.nbytes:,} bytes",
                language="python", wrap_lines=True)  # fmt: skip
        _picture(images, rank, row)
    _product(n)


def _picture(images: np.ndarray, rank: int, row: int) -> None:
    if rank == 0:
        st.markdown(f"The number **{images[0, 14, row]}**: the pixel in row 14, column {row}.")
    elif rank == 1:
        source = pictures.png(images[0, row : row + 1])
        st.html(f'<img class="digit" alt="row {row}" src="{source}" '
                'style="width:100%;height:1.6rem">')  # fmt: skip
        st.caption(f"Row {row}: `{' '.join(map(str, images[0, row]))}`")
    elif rank == 2:
        st.html(markup.digit(images[0], "8rem", "the first digit"))
    else:
        sheet = pictures.sprite(images)
        st.html(f'<img class="digit" alt="{len(images)} digits" src="{pictures.png(sheet)}" '
                'style="width:100%">')  # fmt: skip


def _product(n: int) -> None:
    """The shapes of a dense layer, by computing one."""
    st.markdown("**A dense layer is one product of matrices.** The batch goes in with one image a "
                "row; the inner sizes must agree, and vanish. The bias (m,) is added to each row.")
    m = st.slider("Units m of the layer", 1, 256, 128, key="tensor_m", persist_state="session")
    x = shared.data().test.images[:n].reshape(n, -1)
    w, b = np.zeros((x.shape[1], m)), np.zeros(m)
    st.code(f"x = images.reshape({n}, -1)  # {x.shape}\n"
            f"z = x @ W + b  # {x.shape} @ {w.shape} + {b.shape} → {(x @ w + b).shape}\n"
            f"# {x.shape[0]:,} × {x.shape[1]:,} × {m:,} = {x.size * m:,} multiplications",
            language="python", wrap_lines=True)  # fmt: skip


def activations() -> None:
    """A function, its slope, and the tangent to move along it."""
    st.markdown("Without a bend between them, two layers are one: a product of matrices is a "
                "matrix. An **activation** bends. Backward, each gradient is multiplied by its "
                "**derivative**, the slope of the curve where z is.")  # fmt: skip
    left, right = st.columns([2, 3], gap="large")
    with left:
        name = st.selectbox("Activation", list(ACTIVATIONS), key="activation_name",
                            filter_mode=None, persist_state="session")  # fmt: skip
        z = st.slider("z", -6.0, 6.0, 1.0, 0.1, key="activation_z", persist_state="session")
        a, slope = concepts.derivative(name, z)
        quotient = concepts.difference_quotient(lambda at: concepts.derivative(name, at)[0], z)
        with st.container(horizontal=True):
            st.metric("a(z)", numbers.fixed(a, 4))
            st.metric("a′(z), by formula", numbers.fixed(slope, 6))
            st.metric("by difference quotient", numbers.fixed(quotient, 6))
        _compared(name, z, slope, quotient)
        depth = st.slider("Layers in a row", 1, 20, 10, key="activation_depth",
                          persist_state="session")  # fmt: skip
        st.caption(f"With this slope in each of {depth} layers a gradient is multiplied by "
                   f"{numbers.significant(slope, 4)} to the power of {depth} = "
                   f"**{numbers.significant(slope**depth)}** on its way back.")  # fmt: skip
    with right:
        chart.show(concept_charts.activation(name, z), "activation")


def _compared(name: str, z: float, slope: float, quotient: float) -> None:
    difference = abs(slope - quotient)
    if difference < 1e-6:
        st.caption(f"They differ by {numbers.significant(difference, 2)}: the formula is right "
                   "here.")  # fmt: skip
    else:
        st.caption(f"They differ by {numbers.significant(difference, 2)}: at z = "
                   f"{numbers.plain(z)} {name} has a corner and no derivative. Networks take the "
                   "slope on one side.")  # fmt: skip


def softmax() -> None:
    """Logits to probabilities; temperature; and what a large logit does to the formula."""
    st.markdown("The last layer gives each class a **logit**, any number. **Softmax** makes "
                "probabilities of them: e to the power of each, divided by the sum.")  # fmt: skip
    st.latex(r"p_i = \frac{e^{z_i / T}}{\sum_k e^{z_k / T}}")
    left, right = st.columns([2, 3], gap="large")
    with left:
        logits = np.array([
            st.slider(f"Logit of {name}", -10.0, 10.0, start, 0.1, key=f"logit_{i}",
                      persist_state="session")
            for i, (name, start) in enumerate(zip(NAMES, START, strict=True))
        ])  # fmt: skip
        temperature = st.select_slider("Temperature T", [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0], 1.0,
                                       key="temperature", persist_state="session")  # fmt: skip
    with right:
        chart.show(concept_charts.probabilities(logits, NAMES, temperature), "softmax")
        st.markdown(_answer(logits, temperature))
    _overflow(logits, temperature)


def _answer(logits: np.ndarray, temperature: float) -> str:
    """From the probabilities to what the network says."""
    p = concepts.tempered(logits, temperature)
    first = np.flatnonzero(p == p.max())
    shown = ", ".join(numbers.fixed(v, 4) for v in p)
    says = (f"**From probabilities to an answer:** `np.argmax([{shown}])` is **{first[0]}**, the "
            f"place of the largest, and place {first[0]} is “{NAMES[first[0]]}”.")  # fmt: skip
    if len(first) > 1:
        says += " Several are as large: argmax takes the first of them."
    return f"{says} Neither softmax nor T changes which is the largest, only how sure it looks."


def _overflow(logits: np.ndarray, temperature: float) -> None:
    st.markdown("**Why subtract the maximum?** Adding the same number to all logits changes "
                "nothing: it cancels in the fraction. But in float32, e to the power of "
                f"{concepts.LARGEST_EXPONENT:.1f} is the largest there is.")  # fmt: skip
    added = st.slider("Add to all logits", 0.0, 200.0, 0.0, 1.0, key="added",
                      persist_state="session")  # fmt: skip
    z = ((logits + added) / temperature).astype(np.float32)
    naive, safe = concepts.naive_softmax(z), stable(z)
    with np.errstate(over="ignore"):
        powers = np.exp(z)
    st.table({
        "class": NAMES, "logit ÷ T": [numbers.fixed(v, 1) for v in z],
        "e to that, in float32": list(map(_short, powers)),
        "as the formula stands": list(map(_short, naive)),
        "maximum subtracted": list(map(_short, safe)),
    }, border="horizontal", hide_index=True)  # fmt: skip
    if np.isnan(naive).any():
        st.caption("The power overflows to ∞, and ∞ / ∞ is not a number (NaN). With the maximum "
                   "subtracted the largest power is e⁰ = 1.")  # fmt: skip
    else:
        apart = numbers.significant(float(np.abs(naive - safe).max()), 2)
        st.caption(f"Both agree to {apart}. Move the slider up until the formula as it stands "
                   "breaks.")  # fmt: skip


def _short(value: float) -> str:
    return numbers.significant(float(value), 4)


def cross_entropy() -> None:
    """−log p, in two units."""
    st.markdown("The loss asks one thing: **how surprised** was the network by the right answer? "
                "−log of the probability it gave it: 0 if it was certain, without limit if it "
                "excluded it.")  # fmt: skip
    left, right = st.columns([2, 3], gap="large")
    with left:
        p = st.slider("Probability of the right class", 0.005, 1.0, 0.7, 0.005, key="surprise_p",
                      format="%.3f", persist_state="session")  # fmt: skip
        nats, bits = -np.log(p), -np.log2(p)
        with st.container(horizontal=True):
            st.metric("natural logarithm", f"{numbers.loss(nats + 0.0)} nats")
            st.metric("logarithm to base 2", f"{numbers.loss(bits + 0.0)} bits")
        ratio = numbers.fixed(nats / bits, 6) if bits else "0 / 0"
        st.caption(f"nats ÷ bits = {ratio}; ln 2 = {concepts.NATS_PER_BIT:.6f}. Only the unit "
                   "changes, as from metres to feet. Gradients grow by 1 / ln 2 = "
                   f"{1 / concepts.NATS_PER_BIT:.4f} in bits, as if the learning rate had.")
    with right:
        chart.show(concept_charts.surprise(p), "surprise")
    choice = _model("surprise_model")
    logits, labels = _answers(choice)
    loss = loss_and_gradient(logits, labels)[0]
    guess = loss_and_gradient(np.zeros_like(logits), labels)[0]
    st.markdown(f"**On {len(labels)} real test digits** this model's mean loss is "
                f"**{numbers.loss(loss)} nats** = {numbers.loss(loss / concepts.NATS_PER_BIT)} "
                f"bits. One that gives all ten digits "
                f"the same chance has {numbers.loss(guess)} nats (ln 10) = "
                f"{numbers.loss(guess / concepts.NATS_PER_BIT)} bits.")  # fmt: skip


def _model(key: str) -> str:
    names = answering.answering_models()
    return st.selectbox("Model", list(names), format_func=names.__getitem__, key=key,
                        filter_mode=None)  # fmt: skip


def _answers(choice: str) -> tuple[np.ndarray, np.ndarray]:
    """Logits float64 (n, 10) of a model for the first test images, and their labels (n,)."""
    test = shared.data().test
    network = answering.model(choice).network
    logits = answering.of_model(choice, "first logits",
                                lambda: network.forward(test.images[:ASKED]))  # fmt: skip
    return logits.astype(np.float64), test.labels[:ASKED]


def labels() -> None:
    """One-hot and sparse labels: two ways to write the same loss."""
    st.markdown("A label may be written as a number, **sparse**, or as a row with a single 1, "
                "**one-hot**. The loss is the same: of the sum Σ −y log p, the zeros leave one "
                "term, −log p of the right class.")  # fmt: skip
    left, right = st.columns([2, 3], gap="large")
    with left:
        choice = _model("labels_model")
        logits, true = _answers(choice)
        i = st.slider("Test image", 0, len(true) - 1, _telling(logits, true), key="labels_image",
                      persist_state="session")  # fmt: skip
        st.html(markup.digit(shared.data().test.images[i], "8rem", f"a {true[i]}"))
    hot = losses.one_hot(true)
    p = stable(logits[i])
    with right:
        st.table({
            "digit": list(range(10)), "one-hot y": [f"{y:.0f}" for y in hot[i]],
            "p": [numbers.significant(v, 4) for v in p],
            "−y ln p": [numbers.fixed(-y * np.log(v), 6) if y else "0"
                        for y, v in zip(hot[i], p, strict=True)],
        }, border="horizontal", hide_index=True)  # fmt: skip
    one = slice(i, i + 1)
    _same({f"this {true[i]}": (logits[one], true[one]), f"mean of {len(true)}": (logits, true)})


def _telling(logits: np.ndarray, true: np.ndarray) -> int:
    """The image of which the loss is largest: it is what there is to see."""
    return int((-np.log(np.maximum(stable(logits), 1e-300)))[np.arange(len(true)), true].argmax())


def _same(cases: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Both losses of each case, of logits and labels, and their difference."""
    hot = [concepts.categorical_cross_entropy(z, losses.one_hot(y)) for z, y in cases.values()]
    sparse = [concepts.sparse_cross_entropy(z, y) for z, y in cases.values()]
    st.table({
        "loss (nats)": list(cases), "one-hot": [numbers.fixed(loss, 8) for loss in hot],
        "sparse": [numbers.fixed(loss, 8) for loss in sparse],
        "difference": [numbers.significant(abs(a - b), 2)
                       for a, b in zip(hot, sparse, strict=True)],
    }, border="horizontal", hide_index=True)  # fmt: skip
