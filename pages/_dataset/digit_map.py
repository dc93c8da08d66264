"""The map: digits as points of a plane, their neighbours, and what they are made of."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.basis.numbers import percent
from mnist_core.charts import map_charts
from mnist_core.data.dataset import Mnist
from mnist_core.statistics import csv_of, projections
from mnist_core.statistics.projections import Pca
from pages._components import digit_grid, pictures, scatter
from pages._dataset import browse, computed, filters, state
from pages._shell import chart, links, markup, notes, session, shared

SPLIT = "train"
NEAR = 10
FIRST = 12  # components shown as images


def section(data: Mnist) -> None:
    """Draw the section: the map with its neighbours, then the principal components."""
    methods = projections.methods()
    method = links.one_of("Projection", list(methods), "pca", "projection",
                          format_func=lambda m: methods[m].label)  # fmt: skip
    st.caption(f"{methods[method].says} ({methods[method].source})")
    for task in ("pca", "tsne"):  # both, in this order: t-SNE comes while PCA is looked at
        shared.computed(task)
    found = computed.result(method)
    components = found if method == "pca" else computed.result("pca")
    _explore(data, method, found, components)


@notes.fragment
def _explore(data: Mnist, method: str, found: dict | None, components: dict | None) -> None:
    """What a click on the map redraws: the map, the neighbours, and the digit that is rebuilt."""
    if found is not None:
        _map(data, method, found)
    st.subheader("What the digits are made of", anchor=False)
    if components is None:
        st.caption("The principal components are being computed.")
    else:
        _components(data, Pca(**components))


# --------------------------------------------------------------------- the map


def _sample(data: Mnist) -> np.ndarray:
    return projections.sample(len(data.train.labels))


def _plane(data: Mnist, method: str, found: dict) -> np.ndarray:
    """Where the sample lies: float32 (n, 2)."""
    if method != "pca":
        return found["plane"]
    return Pca(**found).project(data.train.images[_sample(data)], 2)


def _still(data: Mnist, method: str, found: dict) -> tuple[dict, float, float]:
    """The drawing of the map, and how often the nearest point has the same label: in the plane and
    in all pixels."""
    chosen = _sample(data)
    images, labels = data.train.images[chosen], data.train.labels[chosen]
    plane = _plane(data, method, found)
    if plane.shape[1] < 2:  # a single component
        plane = np.column_stack([plane, np.zeros(len(plane), np.float32)])
    shown = scatter.still(plane, images, labels, chosen, SPLIT, map_charts.PALETTE)
    shown["csv"] = csv_of({
        "split": [SPLIT] * len(chosen), "index": chosen, "label": labels, "x": plane[:, 0],
        "y": plane[:, 1],
    })  # fmt: skip
    return (shown, projections.agreement(plane, labels),
            projections.agreement(projections.flat(images), labels))  # fmt: skip


def _map(data: Mnist, method: str, found: dict) -> None:
    shown, near, nearest = shared.per_data(data.digest, f"map.{method}",
                                          lambda: _still(data, method, found))  # fmt: skip
    shown = dict(shown)
    text = shown.pop("csv")
    _interactive(data, method, shown)
    st.caption(
        f"{len(shown['labels']):,} training images. The nearest point has the same label for "
        f"{percent(near, 0)} of them on this plane, and for {percent(nearest, 0)} in all 784 "
        "pixels."
        .replace("%", " %")
    )  # fmt: skip
    chart.csv_button(text, f"map-{method}")
    _selection(data)


def _interactive(data: Mnist, method: str, shown: dict) -> None:
    """The points beside the neighbours of the last one clicked."""
    mine = state.mine()
    indices = shown["indices"]
    place = {index: i for i, index in enumerate(indices)}
    left, right = st.columns([5, 2], gap="medium")
    with left:
        label = projections.METHODS[method].label
        chosen = mine.selection[1] if mine.selection and mine.selection[0] == SPLIT else ()
        picked, selected = scatter.show(
            shown, f"{label} of {len(indices):,} digits, coloured by label", place.get(mine.near),
            [place[i] for i in chosen if i in place], f"map_{method}",
        )  # fmt: skip
        if selected is not None:
            wanted = (SPLIT, tuple(indices[i] for i in selected)) if selected else None
            if wanted != mine.selection:
                mine.selection = wanted
                st.rerun()  # the browser of the page shows them
        if picked is not None and indices[picked] != mine.near:
            mine.near = indices[picked]
            session.redraw()
    with right:
        _neighbours(data)


def _neighbours(data: Mnist) -> None:
    """The digit that was clicked and the training images most like it, pixel by pixel."""
    mine = state.mine()
    images, labels = data.train.images, data.train.labels
    if mine.near is None or mine.near >= len(labels):
        st.info("Point at a dot to see its digit. Click it for its nearest neighbours. Draw a line "
                "around some to browse them.", icon=":material/touch_app:")  # fmt: skip
        return
    index = mine.near
    near, far = shared.per_data(
        data.digest, f"near.{index}",
        lambda: projections.nearest(images, images[index], NEAR, index),
    )  # fmt: skip
    st.markdown(f"**Nearest to `train_images[{index}]`**, a {labels[index]}")
    st.html(markup.digit(images[index], "min(50%, 9rem)", f"a handwritten {labels[index]}"))
    clicked = digit_grid.show(images[near], labels[near], near, None, "near")
    if clicked is not None:
        mine.near = clicked
        session.redraw()
    same = int((labels[near] == labels[index]).sum())
    st.caption(
        f"{same} of its {len(near)} nearest among all {len(labels):,} have the same label; "
        f"distances {far[0]:.1f} to {far[-1]:.1f} (Euclidean, pixels 0 … 1)."
    )


def _selection(data: Mnist) -> None:
    """What is selected: in one sentence, how to let go of it, and the images themselves."""
    mine = state.mine()
    if mine.selection is None:
        return
    split, indices = mine.selection
    labels = getattr(data, split).labels[list(indices)]
    counts = np.bincount(labels, minlength=10)
    common = [d for d in np.argsort(-counts, kind="stable")[:3] if counts[d]]
    parts = ", ".join(f"{percent(counts[d] / len(labels), 0)} are {d}s" for d in common)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(labels):,} images selected**: {parts}.")
        if st.button("Clear the selection", icon=":material/deselect:", key="clear_selection"):
            mine.selection = None
            st.rerun()  # all of the page: its browser showed them
    _browse_selected(filters.Found(split, np.array(indices), "selected images"))


@notes.fragment
def _browse_selected(found: filters.Found) -> None:
    browse.browse(found)


# ------------------------------------------------------------------ components


def _components(data: Mnist, found: Pca) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        chart.show(map_charts.explained(found.explained), "explained")
    with right:
        count = min(FIRST, len(found.components))
        st.markdown(f"**The first {count} components**, each a pattern of 784 weights")
        side = data.train.images.shape[1:]
        st.html(_patterns([c.reshape(side) for c in found.components[:count]], found.explained))
        st.caption("Red adds ink, blue takes it away, white leaves it as it is.")
    _rebuild(data, found)


def _patterns(patterns: list[np.ndarray], explained: np.ndarray) -> str:
    cells = "".join(
        f'<figure style="margin:0"><img class="digit" src="{pictures.png(map_charts.diverging(p))}"'
        f' alt="component {i}" style="width:100%;aspect-ratio:1"><figcaption '
        f'style="font-size:.75rem;opacity:.75">{i} · '
        f'{percent(explained[i - 1])}</figcaption></figure>'
        for i, p in enumerate(patterns, 1)
    )  # fmt: skip
    return (
        '<div class="quiet" style="display:grid;gap:8px;grid-template-columns:'
        f'repeat(auto-fill,minmax(64px,1fr))">{cells}</div>'
    )


@notes.fragment
def _rebuild(data: Mnist, found: Pca) -> None:
    """The chosen digit from its first k components."""
    mine = state.mine()
    index = mine.near if mine.near is not None and mine.near < len(data.train.labels) else 0
    image, most = data.train.images[index], len(found.components)
    st.markdown(f"**Rebuild `train_images[{index}]`** from the mean image and k components. "
                "Click another digit on the map to rebuild that one.")  # fmt: skip
    key = session.seed_widget("k", min(20, most))
    k = st.select_slider("Components k", _counts(most), key=key)
    rebuilt = 255 * found.rebuild(image, k)
    pictures, curve = st.columns(2, gap="large")
    with pictures:
        st.html(_side_by_side(image, rebuilt))
        st.caption(f"Original; rebuilt from {k} numbers instead of {image.size}; what is still "
                   "missing (red) or too much (blue).")  # fmt: skip
    with curve:
        chart.show(map_charts.rebuilding(255 * found.errors(image), k), "rebuilding")


def _counts(most: int) -> list[int]:
    """Steps of the slider: every count at first, then wider."""
    steps = [*range(21), *range(25, 101, 5), *range(120, 301, 20), *range(350, most, 50), most]
    return sorted({k for k in steps if k <= most})


def _side_by_side(image: np.ndarray, rebuilt: np.ndarray) -> str:
    gray = np.clip(np.round(rebuilt), 0, 255).astype(np.uint8)
    missing = pictures.png(map_charts.diverging(image - rebuilt, 255))
    return (
        '<div style="display:flex;gap:4%">'
        + markup.digit(image, "30%", "the original")
        + markup.digit(gray, "30%", "the rebuilt digit")
        + f'<img class="digit" src="{missing}" alt="the difference" '
        'style="width:30%;aspect-ratio:1;border-radius:4px"></div>'
    )
