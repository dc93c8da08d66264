"""A section of the Evaluate page: the Time machine, a run played again from its random weights."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.analysis import evaluation, explanation, short_film
from mnist_core.basis import numbers
from mnist_core.charts import score_charts
from mnist_core.network.network import Network
from pages._components import matrix
from pages._evaluate import inside
from pages._shell import answering, chart, markup, navigation, notes, session, waiting
from pages._shell.state import bench
from pages._shell.subject import Subject

DENSE_IMAGES, CONVOLVED_IMAGES = 2000, 400  # test images that every frame reads
FILTERS = 40


def film(who: Subject) -> None:
    """Everything that changes while a network learns, at the moment that the slider says."""
    frames, whose = answering.film(who.choice), who.choice
    if not frames:
        making = answering.short_film()
        _nothing(who)
        if not waiting.ready(making, "Training a small network for a film"):
            return
        frames, whose = making.result(), ""
    convolved = bool(whose and who.model.spec.convolutions)
    count = CONVOLVED_IMAGES if convolved else DENSE_IMAGES
    chosen = who.sample[:: max(1, len(who.sample) // count)]
    reading = answering.frames_read(whose, frames, who.test.images[chosen])
    if not waiting.ready(reading, f"Reading {len(chosen):,} test images at {len(frames)} moments"):
        return
    right = (reading.result().argmax(axis=2) == who.test.labels[chosen]).mean(axis=1)
    _play(who, frames, chosen, reading.result(), right)


def _nothing(who: Subject) -> None:
    """Why there is no film of this model, and what is shown in its place."""
    why = ("The default model came trained, so there is no film of it." if who.choice == "default"
           else "There is no film of this model: it is too large for one, it was not trained here, "
           "or its run did not come to an end.")  # fmt: skip
    sizes = "-".join(map(str, short_film.SPEC.sizes))
    st.info(f"{why} This one is of a small network, {sizes}, trained here for one epoch. Train a "
            "network of your own, then choose it here.", icon=":material/movie:")  # fmt: skip
    navigation.link("builder", "Build and train")


@notes.fragment
def _play(
    who: Subject,
    frames: list[answering.Frame],
    chosen: np.ndarray,
    said: np.ndarray,
    right: np.ndarray,
) -> None:
    steps = [frame.step for frame in frames]
    key = f"moment_{who.choice}_{steps[-1]}"
    session.seed_widget(key, steps[-1])
    moment = st.select_slider("After so many batches", steps, key=key,
                              format_func=lambda step: f"{step:,}")  # fmt: skip
    at = steps.index(moment)
    left, middle = st.columns([3, 2], gap="large")
    with left:
        chart.show(score_charts.film(np.array(steps), right, at, len(chosen)), "film")
    with middle:
        _drawing(frames[at].network, "At this moment", frames[-1].network)
    filters, mistakes = st.columns(2, gap="large")
    with filters:
        _filters(frames, at)
    with mistakes:
        _confusion(who.test.labels[chosen], said[at])


def _drawing(network: Network, title: str, last: Network) -> None:
    """What the visitor's own drawing was read as, then and at the end."""
    image = bench().read
    if image is None:
        st.info("Draw a digit on the Draw page, and see here what the network took it for at each "
                "moment.", icon=":material/draw:")  # fmt: skip
        navigation.link("draw", "Draw a digit")
        return
    picture, bars = st.columns([2, 3], vertical_alignment="center")
    picture.html(markup.digit(image, "min(100%, 8rem)", "your drawing"))
    p = network.predict(image[None])[0]
    bars.html(markup.probabilities(p))
    end = int(last.predict(image[None])[0].argmax())
    st.caption(f"{title} your drawing is read as a {p.argmax()} ({numbers.probability(p.max())}); "
               f"in the end as a {end}.")  # fmt: skip


def _filters(frames: list[answering.Frame], at: int) -> None:
    kernels = explanation.filters(frames[at].network)[:FILTERS]
    final = explanation.filters(frames[-1].network)[:FILTERS]
    most = float(np.percentile(np.abs(final), 99.5)) or 1.0  # one scale for the whole film
    st.markdown(f"**The first {len(kernels)} filters of the first layer**")
    st.html(markup.signed_pictures(np.clip(kernels / most, -1, 1), 8, range(len(kernels))))
    change = np.linalg.norm(kernels - explanation.filters(frames[0].network)[:FILTERS])
    start = np.linalg.norm(explanation.filters(frames[0].network)[:FILTERS]) or 1.0
    st.caption(f"{inside.INK} They have moved {numbers.fixed(change / start, 2)} times as far as "
               "they were long at the start.")  # fmt: skip


def _confusion(labels: np.ndarray, p: np.ndarray) -> None:
    counts = evaluation.confusion(labels, p.argmax(axis=1))
    wrong = counts - np.diag(np.diag(counts))
    st.markdown("**Who is taken for whom; rows: true digit**")
    matrix.show(
        [["" if not n else f"{n}" for n in row] for row in counts.tolist()],
        counts / max(counts.max(), 1),
        [[f"{i} read as {j}: {counts[i, j]} images" for j in range(10)] for i in range(10)],
        divmod(int(wrong.argmax()), 10), "read as", key="film_confusion",
    )  # fmt: skip
    st.caption(score_charts.confusion_reading(counts))
