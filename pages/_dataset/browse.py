"""The digit browser: a page of the grid, the chosen digit large, and its numbers."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.basis.numbers import percent, probability, signed
from mnist_core.data.dataset import Mnist
from mnist_core.statistics import shapes
from pages._components import copy_link, digit_grid
from pages._dataset import basket, image_columns, opening, state
from pages._dataset.filters import Found
from pages._shell import answering, links, markup, notes, session, shared

PER_PAGE = 100


@notes.fragment
def section(data: Mnist, found: Found) -> None:
    """The images that the filters find, and the numbers of the chosen one; a click redraws only
    this."""
    if not len(found.indices):
        st.info(f"There are no {found.words} here. Choose other filters.", icon=":material/search:")
        st.button("Show all images", key="show_all", on_click=opening.clear_filters)
        basket.show()
        return
    place = browse(found)
    with st.expander("This digit as a matrix of 28 × 28 numbers", expanded=True):
        image = getattr(data, found.split).images[found.indices[place]]
        st.html(markup.numbers(image))
        st.caption("0 is black, 255 is white. This is all that a network gets to see.")


def browse(found: Found) -> int:
    """A page of the grid beside the chosen digit, and the basket; which of them is chosen."""
    place = _place(found.indices)
    links.image_to_url(int(found.indices[place]) if place else None)
    grid, detail = st.columns([3, 2], gap="large")
    with grid:
        _grid(found, place)
    with detail:
        _digit(found, place)
    basket.show()
    return place


def _place(indices: np.ndarray) -> int:
    """Where the picked image stands; the link's or the first if none is picked among these."""
    mine = state.mine()
    if mine.picked is None:
        mine.picked = links.image_from_url()
    (at,) = np.nonzero(indices == (-1 if mine.picked is None else mine.picked))
    place = int(at[0]) if len(at) else 0
    mine.picked = int(indices[place])
    return place


def _grid(found: Found, place: int) -> None:
    """A hundred digits and the number of the page; a click or an arrow key picks one."""
    n = len(found.indices)
    pages = -(-n // PER_PAGE)
    number, surprise = st.columns([3, 2], vertical_alignment="bottom")
    session.set_widget("page", place // PER_PAGE + 1)
    page = number.number_input(
        f"Page of {pages:,} ({n:,} images)", 1, pages, key="page",
        on_change=lambda: _pick(int(found.indices[(session.widget("page") - 1) * PER_PAGE])),
    )  # fmt: skip
    surprise.button(
        "Surprise me", icon=":material/casino:", width="stretch", key="surprise",
        on_click=lambda: _pick(np.random.default_rng().choice(found.indices)),
    )  # fmt: skip
    part = getattr(shared.data(), found.split)
    shown = found.indices[(page - 1) * PER_PAGE : page * PER_PAGE]
    clicked = digit_grid.show(part.images[shown], part.labels[shown], shown,
                                  state.mine().picked, "grid", order=found.indices)  # fmt: skip
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        st.download_button(
            "Table of these images", lambda: image_columns.table(found.split, found.indices),
            f"mnist-{found.split}.csv", "text/csv", key="table", type="tertiary",
            on_click="ignore", icon=":material/download:",
            help="Index, label and every measure known, as CSV",
        )  # fmt: skip
        copy_link.show()
    if clicked is not None and clicked != state.mine().picked:
        _pick(clicked)
        st.rerun(scope="fragment")


def _pick(index: int) -> None:
    state.mine().picked = int(index)


def _digit(found: Found, place: int) -> None:
    """The chosen digit, large, and what can be done with it."""
    index = int(found.indices[place])
    part = getattr(shared.data(), found.split)
    image, label = part.images[index], part.labels[index]
    st.subheader(f"Index {index:,}, label {label}", anchor=False)
    st.html(markup.digit(image, "min(100%, 22rem)", f"a handwritten {label}"))
    with st.container(horizontal=True, gap="small"):
        _step("before", "The image before", found.indices, place - 1)
        _step("after", "The next image", found.indices, place + 1)
        basket.toggle(found.split, index)
        basket.send([(found.split, index)], "one")
    st.caption(f"`{found.split}_images[{index}]` · {_facts(image)}")
    st.caption(_reading(image, int(label)))


def _step(key: str, says: str, indices: np.ndarray, place: int) -> None:
    there = 0 <= place < len(indices)
    st.button("", icon=f":material/navigate_{key.replace('after', 'next')}:", key=key, help=says,
              disabled=not there, on_click=lambda: _pick(indices[place]))  # fmt: skip


def _facts(image: np.ndarray) -> str:
    known = {name: float(values[0]) for name, values in shapes.measures(image[None]).items()}
    return (
        f"{(image > 0).sum()} of 784 pixels have ink · ink {percent(known['ink'] / 100)} · strokes "
        f"{known['thickness']:.1f} pixels thick · slant {signed(known['slant'], 0)}° · box "
        f"{known['width']:.0f} × {known['height']:.0f}"
    ).replace("nan", "–")


def _reading(image: np.ndarray, label: int) -> str:
    choice = image_columns.chosen_model()
    p = answering.model(choice).network.predict(image[None])[0]
    best = int(p.argmax())
    verdict = "rightly" if best == label else f"but its label is {label}"
    return (f"{answering.asked_models()[choice]} reads a {best} ({probability(p[best])}), "
            f"{verdict}.")  # fmt: skip
