"""Concepts of training: batch normalisation, dropout, overfitting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from mnist_core.basis import numbers
from mnist_core.basis.numbers import percent
from mnist_core.charts import concept_charts
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.lessons import concepts, overfitting
from mnist_core.network.initial import INITIALIZERS
from mnist_core.network.layers import Dense
from mnist_core.network.network import Network
from pages._backprop import state
from pages._shell import chart, markup, shared, waiting

BATCH, UNITS, AREA = 256, 32, 64
DRAWS = 300
VALIDATION = 1000


def _layer(units: int) -> Dense:
    """A fresh dense layer for flat images, with He's initial weights."""
    kernel = INITIALIZERS["he_normal"]((784, units), np.random.default_rng(0))
    return Dense("dense", kernel, np.zeros(units))


def batch_norm() -> None:
    """Move the input about; what comes after the normalisation stays."""
    st.markdown("A layer learns best if its inputs keep to one range. **Batch normalisation** "
                "takes from each unit its mean over the batch and divides by its deviation, then "
                "scales by γ and shifts by β, which are learned.")  # fmt: skip
    st.latex(r"y = \gamma\,\frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta")
    left, right = st.columns([2, 3], gap="large")
    with left:
        scale = st.slider("Multiply the input by", 0.2, 5.0, 2.0, 0.1, key="norm_scale",
                          persist_state="session")  # fmt: skip
        shift = st.slider("Add to the input", -1.0, 1.0, 0.3, 0.05, key="norm_shift",
                          persist_state="session")  # fmt: skip
        gamma = st.slider("γ", 0.1, 3.0, 1.0, 0.1, key="norm_gamma", persist_state="session")
        beta = st.slider("β", -3.0, 3.0, 0.0, 0.1, key="norm_beta", persist_state="session")
        images = shared.data().train.images[:BATCH]
        st.caption(f"{len(images)} training digits through a real dense layer of {UNITS} units, "
                   "before its activation. A brighter or darker picture is a scaled or shifted "
                   "input; γ and β decide where the result lies, not the input.")  # fmt: skip
    x = images.reshape(len(images), -1) / 255.0
    layer = _layer(UNITS)
    before = layer.forward(scale * x + shift)
    after = concepts.normalised(before, gamma, beta)
    plain = concepts.normalised(layer.forward(x), gamma, beta)
    with right:
        chart.show(concept_charts.normalisation(before, after, plain), "batch-norm")


def dropout() -> None:
    """Masks over a real layer, and the mean over many of them."""
    st.markdown("In training, **dropout** silences a random share of a layer's units for each "
                "image, so that none can rely on another. What is kept is divided by 1 − rate: the "
                "mean stays, and at inference nothing has to change.")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rate = st.slider("Rate", 0.0, 0.9, 0.5, 0.05, key="dropout_rate", persist_state="session",
                         width=300)  # fmt: skip
        image = st.number_input("Test image", 0, len(shared.data().test.labels) - 1, 0,
                                key="dropout_image", width=160)  # fmt: skip
        st.button("Draw again", icon=":material/casino:", key="dropout_draw", on_click=_draw)
    x = shared.data().test.images[image].reshape(1, -1) / 255.0
    a = np.maximum(_layer(AREA).forward(x)[0], 0)
    drawn = concepts.dropped(a, rate, DRAWS, np.random.default_rng(state.mine().draw))
    left, right = st.columns([2, 3], gap="large")
    with left:
        _masks(a, drawn)
    with right:
        chart.show(concept_charts.dropout_means(drawn.mean(axis=1), float(a.mean()), rate),
                    "dropout")  # fmt: skip


def _draw() -> None:
    state.mine().draw += 1


def _masks(a: np.ndarray, drawn: np.ndarray) -> None:
    """All activations, and three draws of what dropout leaves of them, as squares of 8 × 8."""
    shown = np.concatenate([a[None], drawn[:3]]).reshape(-1, 8, 8)
    names = ("no dropout", *(f"draw {i}" for i in range(1, len(shown))))
    bright = np.clip(shown / max(drawn[:3].max(), a.max(), 1e-9), 0, 1)
    st.html(markup.signed_pictures(bright, len(shown), names))
    silent = (drawn[:3] == 0).sum(axis=1) - (a == 0).sum()
    mean = numbers.fixed(float(a.mean()), 3)
    st.caption(f"Left: the {len(a)} ReLU activations of a fresh layer, mean {mean}. "
               "The others: three draws, with means "
               f"{', '.join(numbers.fixed(m, 3) for m in drawn[:3].mean(axis=1))}; of the "
               f"{(a > 0).sum()} active units they silence "
               f"{', '.join(map(str, silent))}.")  # fmt: skip


# ------------------------------------------------------------------- overfitting


def overfitting_settings() -> tuple[int, int, float, int]:
    """Images, width, dropout, epochs."""
    with st.container(horizontal=True):
        images = st.select_slider("Training images", [50, 100, 200, 300, 500, 1000, 2000], 300,
                                  key="over_images", persist_state="session", width=280)
        width = st.select_slider("Units", [8, 16, 32, 64, 128, 256], 128, key="over_width",
                                 persist_state="session", width=250)  # fmt: skip
        rate = st.slider("Dropout", 0.0, 0.8, 0.0, 0.1, key="over_dropout",
                         persist_state="session", width=250)  # fmt: skip
        epochs = st.slider("Epochs", 10, 100, 50, 10, key="over_epochs", persist_state="session",
                           width=250)  # fmt: skip
    return images, width, rate, epochs


def overfit() -> None:
    """A real training on few images, and when to stop it."""
    st.markdown("With few images and many weights a network can learn its images **by heart**. The "
                "training loss cannot tell: images that it never sees, the **validation** set, "
                "can. Stop where their loss is least. *Patience* is how many epochs one waits for "
                "a better one.")  # fmt: skip
    chosen = overfitting_settings()
    train = shared.data().train
    held = min(VALIDATION, len(train.labels) // 2)
    chosen = (min(chosen[0], len(train.labels) - held), *chosen[1:])
    job = shared.job(shared.data().digest, f"overfitting {chosen}", _experiment(*chosen, held))
    if not waiting.ready(job, f"Training on {chosen[0]} images with NumPy"):
        return
    history = job.result()
    patience = st.slider("Patience (epochs)", 1, 20, 5, key="over_patience",
                         persist_state="session", width=300)  # fmt: skip
    left, right = st.columns(2, gap="large")
    with left:
        chart.show(concept_charts.course(history, patience), "overfitting")
    with right:
        chart.show(concept_charts.accuracies(history), "overfitting-accuracy")
    _verdict(history, patience, held)
    _compared(chosen, history.gap)


def _experiment(
    images: int, width: int, rate: float, epochs: int, held: int
) -> Callable[[Callable[[float], None]], overfitting.Course]:
    train = shared.data().train

    def compute(report: Callable[[float], None]) -> overfitting.Course:
        rng = np.random.default_rng(0)
        order = rng.permutation(len(train.labels))
        few, apart = order[:images], order[-held:]
        network = Network.from_spec(RunSpec(layers=(Layer(width, "relu", False, rate),)), rng)
        return overfitting.follow(
            network, (train.images[few], train.labels[few]),
            (train.images[apart], train.labels[apart]), epochs, rng, report=report,
        )  # fmt: skip

    return compute


def _verdict(history: overfitting.Course, patience: int, held: int) -> None:
    best, stop = history.best, history.stops(patience)
    with st.container(horizontal=True):
        st.metric("Best epoch", best, help="Of least validation loss")
        st.metric("Patience stops at", "the end" if stop is None else stop)
        st.metric("Gap at the end", f"{numbers.loss(history.gap)} nats",
                  help="Validation loss less training loss")  # fmt: skip
    table = {
        "": ["training", f"validation ({held:,})"],
        "accuracy, best epoch": [percent(history.train_accuracy[best]),
                                 percent(history.validation_accuracy[best])],
        "accuracy, at the end": [percent(history.train_accuracy[-1]),
                                 percent(history.validation_accuracy[-1])],
    }  # fmt: skip
    st.table(table, border="horizontal", hide_index=True)
    st.markdown(_kept(history))


def _kept(history: overfitting.Course) -> str:
    """Which weights Keras's checkpoint would keep, by what it watches."""
    watched = {"val_loss": history.best, "val_accuracy": history.most_accurate}
    said = ", ".join(f"`monitor=\"{name}\"` those of epoch {epoch}"
                     for name, epoch in watched.items())  # fmt: skip
    return ("`ModelCheckpoint(save_best_only=True)` writes its file anew only when what it watches "
            f"is better than ever before. Here it would keep with {said}, and without it the last "
            f"ones, of epoch {len(history.train_loss) - 1}.")  # fmt: skip


SETTINGS = ("training images", "units", "dropout", "epochs")


def _compared(chosen: tuple, gap: float) -> None:
    """What the last change of a setting did to the gap: observed, not promised."""
    mine = state.mine()
    if (mine.overfitted and mine.overfitted[-1][0] != chosen) or not mine.overfitted:
        mine.overfitted = [*mine.overfitted[-1:], (chosen, gap)]
    if len(mine.overfitted) < 2:
        st.caption("Change the images, the units or dropout, and see here what it did to the gap.")
        return
    (before, was), _ = mine.overfitted
    changed = [f"{name} {numbers.plain(a)} → {numbers.plain(b)}"
               for name, a, b in zip(SETTINGS, before, chosen, strict=True) if a != b]  # fmt: skip
    what = ("narrowed" if gap < was - 5e-5 else "widened" if gap > was + 5e-5
            else "left as it was")  # fmt: skip
    st.caption(f"Your last change ({', '.join(changed)}) {what} the gap: "
               f"{numbers.loss(was)} → {numbers.loss(gap)} nats.")  # fmt: skip
