"""Inside a network while it trains: its first kernels, what its layers hold, how it reads a dozen.

One piece of HTML, drawn anew with each look; `training/inside.py` says what a look is.
"""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from mnist_core.basis import LabError, numbers
from mnist_core.data.dataset import Mnist
from mnist_core.runs.records import Run
from mnist_core.training import inside
from mnist_core.training.inside import Histogram, Inside
from pages._builder import state
from pages._components.pictures import png, sprite
from pages._shell import session, shared, visitors

DOZEN = 12
BATCH_SHOWN = 32  # images of a batch that was trained alone
EMPTY = ("There is something to see as soon as a network trains here: its first weights as "
         "pictures, what its layers hold, and how it reads a dozen digits.")  # fmt: skip


def switch() -> None:
    """Whether to look at all."""
    session.set_widget("look_inside", state.mine().look)
    st.toggle(
        "Look inside while it trains", key="look_inside", on_change=_switched,
        help="Makes the training a little slower.",
    )  # fmt: skip


def _switched() -> None:
    state.mine().look = bool(session.widget("look_inside"))


def ask(run: Run) -> None:
    """Have the visitor's own run looked into, or not any more; said once for each start of it."""
    mine = state.mine()
    wish = (run.id, run.started, mine.look)
    if run.status == "running" and run.owner == visitors.visitor() and wish != mine.looked:
        mine.looked = wish
        try:
            shared.service().tell(run.id, "look", float(mine.look))
        except LabError as error:
            mine.refused = str(error)


def draw(run: Run | None) -> None:
    """The latest look into a run, or the one at its end."""
    seen = _seen(run) if run else None
    if run is None or seen is None:
        st.caption(EMPTY if run is None or not run.active else _waits(run))
        return
    data = shared.data() if run.identity.same(shared.data().identity) else None
    st.html(f'<div class="inside">{_batch(seen, data)}{_kernels(seen)}{_layers(seen)}'
            f"{_dozen(seen, data)}</div>")  # fmt: skip


def _waits(run: Run) -> str:
    if run.owner != visitors.visitor():
        return "Only a browser that the run belongs to has it looked into while it trains."
    return "The first look comes a second after the first batch." if state.mine().look else (
        "Switched off: nothing is looked at while this run trains.")  # fmt: skip


def _seen(run: Run) -> Inside | None:
    if run.active:
        return shared.service().inside(run.id)
    data = shared.data()

    def compute() -> Inside | None:
        kept = shared.runs().checkpoint(run.id)
        test = data.test
        return kept and inside.look(run.spec, kept.answer, test.images, test.labels, kept.step)

    return shared.per_data(data.digest, f"inside {run.id} {run.status} {run.ended}", compute)


def _batch(seen: Inside, data: Mnist | None) -> str:
    """The batch that was trained alone, if it was: which images, and what they changed."""
    if not seen.batch:
        return ""
    shown = list(seen.batch[:BATCH_SHOWN])
    count = len(seen.batch)
    picture, rest = "", f" {len(shown)} of them:" if count > len(shown) else ""
    if data:
        sheet = sprite(data.train.images[shown], 16)
        labels = ", ".join(str(label) for label in data.train.labels[shown])
        picture = f'<img class="sheet" src="{png(sheet)}" alt="Labels: {labels}">'
    moved = ", ".join(f"{html.escape(layer.name)} {numbers.percent(layer.moved)}"
                      for layer in seen.layers if layer.moved)  # fmt: skip
    changed = f" It moved the weights: {moved} of their size." if moved else ""
    images = numbers.some(count, "image", "images")
    return (f"<h4>The last batch</h4><p>Batch {seen.step:,} was of {images}.{changed}{rest}"
            f"</p>{picture}")  # fmt: skip


def _kernels(seen: Inside) -> str:
    first, count = seen.layers[0], len(seen.kernels)
    what = "units" if seen.kernels.shape[-1] == 28 else "filters"
    pictures = "".join(f'<img src="{png(kernel)}" alt="">' for kernel in seen.kernels)
    return (f"<h4>Weights of {html.escape(first.name)}</h4><p>{count} of "
            f"{first.units:,} {what}; white excites, black inhibits, gray is zero.</p>"
            f'<div class="kernels">{pictures}</div>')  # fmt: skip


def _layers(seen: Inside) -> str:
    rows = "".join(_row(layer, last=layer is seen.layers[-1]) for layer in seen.layers)
    return ("<h4>What the layers hold</h4><table><tr><th>Layer</th>"
            "<th>Weights</th><th>Gradients</th><th>Activations</th><th>Dead units</th>"
            f"</tr>{rows}</table>")  # fmt: skip


def _row(layer: inside.LayerInside, last: bool) -> str:
    dead = "–" if last else f"{layer.dead:,} of {layer.units:,}"
    warns = ' class="warns"' if layer.dead > layer.units / 4 and not last else ""
    return (f"<tr><td>{html.escape(layer.name)}</td><td>{_bars(layer.weights)}</td>"
            f"<td>{_bars(layer.gradients)}</td><td>{_bars(layer.activations)}</td>"
            f"<td{warns}>{dead}</td></tr>")  # fmt: skip


def _bars(found: Histogram) -> str:
    """A histogram with the ends of its range; roots of the counts, or the many zeros of ReLU would
    hide all others."""
    if not sum(found.counts):
        return "<small>no finite value</small>" if found.low == found.high == 0 else ""
    heights = 100 * np.sqrt(np.array(found.counts) / max(found.counts))
    bars = "".join(f'<i style="height:{height:.0f}%"></i>' for height in heights)
    low, high = (numbers.plain(float(f"{value:.2g}")) for value in (found.low, found.high))
    return (f'<div class="bars">{bars}</div>'
            f"<small><span>{low}</span><span>{high}</span></small>")  # fmt: skip


def dozen(seen: Inside) -> list[int]:
    """The twelve test images that are hardest so far: still read wrong, or right only since just
    now, the least sure first; of all these, in the order of the test set."""
    last = np.where(seen.since < 0, np.iinfo(np.int64).max, seen.since)
    sure = seen.p[np.arange(len(seen.labels)), seen.labels]
    return sorted(np.lexsort((sure, -last))[:DOZEN].tolist())


def _dozen(seen: Inside, data: Mnist | None) -> str:
    """How these are read, each with the step at which it turned right."""
    right = int((seen.since >= 0).sum())
    cards = "".join(_card(seen, i, data) for i in dozen(seen))
    return (f"<h4>The hardest dozen</h4><p>{right} of {len(seen.labels)} test images are read right"
            " by now; these were wrong for longest.</p>"
            f'<div class="dozen">{cards}</div>')  # fmt: skip


def _card(seen: Inside, i: int, data: Mnist | None) -> str:
    p, label = seen.p[i], int(seen.labels[i])
    picture = f'<img src="{png(data.test.images[i])}" alt="A {label}">' if data else ""
    if not np.isfinite(p).all():
        return f'<figure class="wrong">{picture}<figcaption>no answer</figcaption></figure>'
    read = int(p.argmax())
    kind, word = ("right", f"✓ {read}") if read == label else ("wrong", f"✗ {read}, is {label}")
    return f'<figure class="{kind}">{picture}<figcaption>{word}</figcaption></figure>'
