"""Why did it misread me? Computed only while it is open."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.analysis import misreading
from mnist_core.basis.numbers import probability
from mnist_core.charts.pixel_charts import signed_map
from mnist_core.imaging import drawing
from mnist_core.network.network import Network
from mnist_core.statistics import projections, shapes
from pages._components import digit_grid
from pages._draw import state
from pages._shell import answering, chart, markup, session, shared

TITLES = {"resize": "Raw resize", "ink": "Ink on black", "crop": "Crop", "box": "20 × 20 box",
          "mass": "Centre of mass", "deslant": "Deslant", "pen": "Stroke"}  # fmt: skip
COMPARED = ("ink", "slant", "thickness")
NEAREST = 10


def show(image: np.ndarray, picture: np.ndarray, ink: str, choice: str) -> None:
    """The explanation of one answer. `image` uint8 (28, 28) is what was answered, `picture` and
    `ink` what it came from."""
    mine = state.mine()
    # An empty canvas takes the expander away; with the next drawing it is as it was.
    key = session.seed_widget("why", mine.explained)
    opened = st.expander("Why did it misread me?", icon=":material/troubleshoot:", key=key,
                         on_change="rerun")  # fmt: skip
    mine.explained = bool(opened.open)
    if not opened.open:
        return
    with opened:
        network = answering.model(choice).network
        p = network.predict(image[None])[0]
        _steps(picture, ink, network)
        likeness, alike = st.columns(2, gap="large")
        with likeness:
            _percentiles(image, int(p.argmax()))
        with alike:
            _nearest(image)
        _balance(image, network, p)


def _steps(picture: np.ndarray, ink: str, network: Network) -> None:
    st.subheader("Step by step", anchor=False)
    st.caption("What the model would see and say after each step. Switch one off, and those after "
               "it go on without it. The first five are what MNIST's makers did; the last two "
               "are extra.")  # fmt: skip
    on = [name for name in misreading.STEPS if session.widget(f"step_{name}") is not False
          and (name in misreading.MNISTS_OWN or session.widget(f"step_{name}"))]  # fmt: skip
    try:
        shown = misreading.steps(picture, ink, on)
    except drawing.EmptyDrawing as error:
        st.info(str(error))
        return
    p = network.predict(np.stack(list(shown.values())))
    with st.container(horizontal=True, key="steps"):
        for (name, image), said in zip(shown.items(), p, strict=True):
            with st.container(width=132, gap="small"):
                _step(name, image, said, name in on)


def _step(name: str, image: np.ndarray, p: np.ndarray, on: bool) -> None:
    words = f"{TITLES[name]}: {misreading.STEPS[name]}"
    faded, quiet = ("1", "1") if on else (".45", ".72")  # the words stay legible
    st.html(f'<div class="quiet" style="opacity:{quiet}" title="{words}">'
            f'<div style="opacity:{faded}">'
            f'{markup.digit(image, "100%", f"after the step {TITLES[name]}")}</div>'
            f'<b style="font:500 1.5rem/1.5 Georgia,serif">{p.argmax()}</b> '
            f"<small>{probability(p.max())}</small></div>")  # fmt: skip
    if name == "resize":
        st.caption(TITLES[name], help=misreading.STEPS[name])
    else:
        st.toggle(TITLES[name], value=name in misreading.MNISTS_OWN, key=f"step_{name}",
                  help=misreading.STEPS[name])  # fmt: skip


def _percentiles(image: np.ndarray, said: int) -> None:
    st.subheader("Among the training images", anchor=False)
    # Keyed by the answer, so that a new drawing is compared with its own class again.
    label = st.segmented_control("Compared with the images of", range(10), default=said, wrap=True,
                                 required=True, key=f"class_for_{said}")  # fmt: skip
    members = shared.data().train.labels == label
    mine, all_of = shapes.measures(image[None]), shared.measures("train")
    rows = "".join(_row(name, float(mine[name][0]), all_of[name][members]) for name in COMPARED)
    st.html(f"{_ROWS}<div class='places' id='percentiles'>{rows}</div>")
    st.caption(f"Where yours lies among {int(members.sum()):,} training images of a {label}: the "
               "band is their middle 90 %, the tick their median, the dot is you.")  # fmt: skip


def _row(name: str, value: float, values: np.ndarray) -> str:
    """One measure: a band from the 5th to the 95th percentile, and where this digit lies."""
    measure, values = shapes.MEASURES[name], values[~np.isnan(values)]
    if not len(values) or np.isnan(value):
        return f"<div><b>{measure.title}</b><span>no images to compare with</span></div>"
    low, median, high = np.percentile(values, [5, 50, 95])
    start, end = min(low, value) - 0.1 * (high - low), max(high, value) + 0.1 * (high - low)

    def at(x: float) -> str:
        return f"{100 * (x - start) / max(end - start, 1e-9):.1f}%"

    more = misreading.percentile(values, value)
    odd = " odd" if more < 2 or more > 98 else ""
    says = f"more than {more:.0f} %" if more >= 0.5 else "less than all"
    return (
        f'<div class="{odd}"><b>{measure.title}</b><span>{value:.1f} {measure.unit} · {says}</span>'
        f'<i><u style="left:{at(low)};right:calc(100% - {at(high)})"></u>'
        f'<s style="left:{at(median)}"></s><em style="left:{at(value)}"></em></i></div>'
    )


_ROWS = f"""<style>
.places {{ display: grid; gap: 14px; font-variant-numeric: tabular-nums; }}
.places > div {{ display: grid; grid-template-columns: auto 1fr; gap: 4px 12px; }}
.places b {{ font-weight: 500; }} .places span {{ text-align: right; opacity: .75; }}
.places i {{ grid-column: 1 / -1; position: relative; height: 16px; border-radius: 3px;
  background: color-mix(in srgb, currentColor 7%, transparent); }}
.places u {{ position: absolute; top: 0; bottom: 0; border-radius: 3px;
  background: color-mix(in srgb, currentColor 22%, transparent); }}
.places s {{ position: absolute; top: 0; bottom: 0; width: 2px; background: currentColor;
  opacity: .5; }}
.places em {{ position: absolute; top: 1px; width: 14px; height: 14px; margin-left: -7px;
  border-radius: 50%; background: {markup.ACCENT}; box-shadow: 0 0 0 2px white; }}
.places .odd span {{ opacity: 1; font-weight: 700; }}
</style>"""


def _nearest(image: np.ndarray) -> None:
    st.subheader("The nearest training images", anchor=False)
    train = shared.data().train
    found, distances = projections.nearest(train.images, image, NEAREST)
    labels = train.labels[found]
    digit_grid.show(train.images[found], labels, found, None, "nearest")
    common = int(np.bincount(labels, minlength=10).argmax())
    st.caption(f"{(labels == common).sum()} of the nearest {len(labels)} are labelled {common}. "
               f"They lie {distances[0]:.1f} to {distances[-1]:.1f} away, where a pixel from black "
               "to white counts 1.")  # fmt: skip


def _balance(image: np.ndarray, network: Network, p: np.ndarray) -> None:
    st.subheader("What tips the balance", anchor=False)
    best, second = (int(d) for d in np.argsort(-p)[:2])
    with st.container(horizontal=True):
        one = st.selectbox("Speaks for", range(10), best, key=f"for_{best}", width=120)
        rest = [d for d in range(10) if d != one]
        other = second if one == best else best
        rival = st.selectbox("against", rest, rest.index(other), key=f"against_{one}_{other}",
                             width=120)  # fmt: skip
    found = misreading.balance(network, image, one, rival)
    st.markdown(" ".join(misreading.in_words(found)))
    ink, adding = st.columns(2, gap="large")
    sides = "log odds", f"for {one}", f"for {rival}"
    with ink:
        title = f"Your ink: blue for {one}, red for {rival}"
        chart.show(signed_map(found.ink, title, *sides), "balance_ink")
    with adding:
        title = f"Added ink: blue for {one}, red for {rival}"
        chart.show(signed_map(found.adding, title, *sides), "balance_adding")
