"""Label errors: the labels that a model doubts most, and what the visitor says of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from mnist_core.basis.numbers import signed
from mnist_core.charts import map_charts
from mnist_core.data.dataset import Mnist
from mnist_core.statistics import csv_of, label_errors
from mnist_core.statistics.label_errors import Ranking
from pages._components import digit_grid
from pages._dataset import computed, state
from pages._shell import chart, markup, notes, session
from pages._shell.state import Place

PER_PAGE = 60
RIGHT, UNCLEAR = "right", "unclear"
SIGNS = {RIGHT: "✓", UNCLEAR: "?"}
METHOD = """
Five models, each trained without a fifth of all images, predict that fifth: so no image's label was
seen by the model that judges it. Images are ranked by the **normalized margin**, the probability of
their own label less that of the likeliest other digit. “Confidently” counts by the confident joint:
the other digit's probability reaches the mean that this digit has among the images labelled so
([Northcutt, Jiang, Chuang: Confident learning, JAIR 2021](https://arxiv.org/abs/1911.00068)). The
model: digits set upright, 60 principal components, radial basis functions, ridge regression. A
doubt is not a proof: it also finds right labels of odd digits. That is why you judge.
"""


def section(data: Mnist) -> None:
    """Draw the section: the suspects, one of them large to be judged, the verdicts."""
    with st.expander("How the suspects are found"):
        st.markdown(METHOD)
    found = computed.result("suspects")
    if found is None:
        return
    labels = np.concatenate([data.train.labels, data.test.labels])
    ranking = label_errors.rank(found["probabilities"], labels)
    _judging(data, ranking)
    chart.show(map_charts.pairs(ranking), "suspect-pairs")


def _where(data: Mnist, row: int) -> Place:
    """The split and index of a row of both splits together."""
    first = len(data.train.labels)
    return ("train", row) if row < first else ("test", row - first)


@notes.fragment
def _judging(data: Mnist, ranking: Ranking) -> None:
    """A page of suspects beside the one to be judged; a click redraws only this."""
    mine = state.mine()
    choice = st.segmented_control("Suspects of", ["both splits", "train", "test"],
                                  default="both splits", required=True, key="suspects_of",
                                  on_change=lambda: setattr(mine, "suspect", None))  # fmt: skip
    shown = _rows(data, ranking, choice)
    left, right = st.columns([3, 2], gap="large")
    with left:
        pages = -(-len(shown) // PER_PAGE)
        number = st.number_input(f"Page of {pages:,}, the most suspicious first", 1, pages,
                                 key="suspects_page",
                                 on_change=lambda: setattr(mine, "suspect", None))  # fmt: skip
        rows = shown[(number - 1) * PER_PAGE : number * PER_PAGE]
        places = [_where(data, int(ranking.index[row])) for row in rows]
        suspect = mine.suspect
        if suspect is None or suspect not in places:
            suspect = next((p for p in places if _verdict(data, p) is None), places[0])
            mine.suspect = suspect
        at = places.index(suspect)
        _tiles(data, ranking, rows, places, at)
    with right:
        _one(data, ranking, rows[at], places, at)
    _verdicts(data, ranking)


def _rows(data: Mnist, ranking: Ranking, choice: str) -> np.ndarray:
    """Rows of the ranking that are of the chosen split."""
    in_train = ranking.index < len(data.train.labels)
    return np.flatnonzero({"train": in_train, "test": ~in_train}.get(choice, in_train | True))


def _tiles(
    data: Mnist, ranking: Ranking, rows: np.ndarray, places: list[Place], at: int
) -> None:
    """The grid: on each tile its label and the prediction, or the verdict."""
    images = np.stack([getattr(data, split).images[i] for split, i in places])
    marks = []
    for row, place in zip(rows, places, strict=True):
        said = _verdict(data, place)
        doubt = f"{ranking.label[row]}→{ranking.predicted[row]}"
        marks.append(doubt if said is None else SIGNS.get(said, f"= {said}"))
    clicked = digit_grid.show(images, ranking.label[rows], range(len(rows)), at,
                              "suspects_grid", marks=marks)  # fmt: skip
    if clicked is not None and clicked != at:
        state.mine().suspect = places[clicked]
        session.redraw()
    st.caption("On a tile: its label → the prediction, or your verdict.")


def _one(data: Mnist, ranking: Ranking, row: int, places: list[Place], at: int) -> None:
    """One suspect large, with the buttons to judge it."""
    mine = state.mine()
    split, index = places[at]
    image, label = getattr(data, split).images[index], int(ranking.label[row])
    predicted, margin = int(ranking.predicted[row]), float(ranking.margin[row])
    st.markdown(f"**`{split}_labels[{index}]` is {label}.** The model says {predicted}, "
                f"with a margin of {signed(margin, 3)}.")  # fmt: skip
    st.html(markup.digit(image, "min(100%, 15rem)", f"a digit labelled {label}"))

    def judge(said: str) -> None:
        mine.verdicts[data.digest, split, index] = said
        after = places[at + 1 :] + places
        mine.suspect = next((p for p in after if _verdict(data, p) is None), (split, index))

    with st.container(horizontal=True):
        st.button("The label is right", icon=":material/check:", key="judge_right",
                  on_click=judge, args=(RIGHT,))  # fmt: skip
        st.button("Unclear", icon=":material/question_mark:", key="judge_unclear",
                  on_click=judge, args=(UNCLEAR,))  # fmt: skip
    others = [digit for digit in range(10) if digit != label]
    st.pills("Wrong: it is a …", others, key="judge_wrong", on_change=lambda: _judge_wrong(judge))


def _judge_wrong(judge: Callable[[str], None]) -> None:
    digit = session.widget("judge_wrong")
    if digit is not None:
        judge(str(digit))
        session.set_widget("judge_wrong", None)


def _verdict(data: Mnist, place: Place) -> str | None:
    return state.mine().verdicts.get((data.digest, *place))


def _verdicts(data: Mnist, ranking: Ranking) -> None:
    """How the visitor judged so far, and the verdicts as a file."""
    mine = [k[1:] for k in state.mine().verdicts if k[0] == data.digest]
    if not mine:
        st.caption("You have judged none yet. Your verdicts stay in this session, and can be "
                   "downloaded.")  # fmt: skip
        return
    said = [_verdict(data, place) for place in mine]
    right, unclear = said.count(RIGHT), said.count(UNCLEAR)
    st.caption(f"You have judged {len(said)}: {len(said) - right - unclear} labels wrong, {right} "
               f"right, {unclear} unclear.")  # fmt: skip
    first = len(data.train.labels)
    row_of = np.argsort(ranking.index)
    rows = row_of[[index + first * (split == "test") for split, index in mine]]
    text = csv_of({
        "split": [split for split, _ in mine], "index": [index for _, index in mine],
        "label": ranking.label[rows], "predicted": ranking.predicted[rows],
        "margin": ranking.margin[rows].round(4),
        "verdict": [v if v in SIGNS else "wrong" for v in said],
        "digit": [v if v not in SIGNS else "" for v in said],
    })  # fmt: skip
    st.download_button("Download your verdicts (CSV)", text, "verdicts.csv", "text/csv",
                       key="verdicts", icon=":material/download:", on_click="ignore")  # fmt: skip
