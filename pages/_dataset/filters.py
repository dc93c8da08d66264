"""Which images the page is about, and in which order: controls that combine, all in the URL."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
import streamlit as st

from pages._dataset import image_columns, state
from pages._shell import answering, links, waiting

SPLITS = {"train": "training", "test": "test"}
DIGITS = [str(d) for d in range(10)]
WHOLE = (0, 100)


class Kept(TypedDict):
    """Where Streamlit keeps a widget's value: in the URL, and over a change of pages."""

    bind: Literal["query-params"]
    persist_state: Literal["session"]


KEPT: Kept = {"bind": "query-params", "persist_state": "session"}


@dataclass(frozen=True, eq=False)
class Found:
    """Images of one split in the order to show; `words` says which, as in "test images"."""

    split: str
    indices: np.ndarray
    words: str

    @property
    def whole(self) -> bool:
        """Whether these are all images of their split."""
        return len(self.indices) == len(image_columns.labels(self.split))

    @property
    def name(self) -> str:
        """A short name of exactly these images, for caches."""
        digest = hashlib.blake2b(np.sort(self.indices).data, digest_size=12)
        return f"{self.split} {digest.hexdigest()}"


def split_control() -> str:
    """The control of the split; on another split nothing is picked yet."""
    return links.one_of("Split", list(SPLITS), "train", "split", on_change=_forget,
                        persist_state="session")  # fmt: skip


def show() -> Found | None:
    """The controls and what they find; None while a model is still being asked."""
    left, right = st.columns([1, 3])
    with left:
        split = split_control()
    chosen = right.segmented_control("Labels (none: all)", DIGITS, selection_mode="multi",
                                     wrap=True, key="label", **KEPT)  # fmt: skip
    with st.expander("More filters, and the order", icon=":material/tune:"):
        ink, answer, predicted, sure = _measured(), *_answered()
        doubtful = st.toggle("Only doubtful labels", key="doubtful", **KEPT,
                             help="Labels that models which never saw them would not have given: "
                             "see “Doubtful labels”. Found once for all visitors.")  # fmt: skip
        sort, falling = _order()
    mask = np.isin(image_columns.labels(split), np.array(chosen or DIGITS, int))
    words = f"{SPLITS[split]} images" + (f" of {_spoken(chosen)}" if chosen else "")
    if ink != WHOLE:
        mask &= _within(_values("ink", split), ink)
        words += f" with {ink[0]} to {ink[1]} % ink"
    asking = answer != "any" or predicted or sure != WHOLE
    wanted = (sort, "predicted" if asking else "index", "doubt" if doubtful else "index")
    if not _known(split, *wanted):
        return None
    if doubtful:
        mask &= image_columns.doubted(split)
        words += " with a doubtful label"
    if asking:
        mask, words = _by_answer(split, mask, words, answer, predicted, sure)
    mask, words = _selected(split, mask, words)
    return Found(split, _ordered(np.flatnonzero(mask), split, sort, falling), words)


def _measured() -> tuple[int, int]:
    return st.slider("Ink (% of full white)", *WHOLE, WHOLE, key="inked", **KEPT)


def _answered() -> tuple[str, list[str], tuple[int, int]]:
    left, middle, right = st.columns([3, 2, 3])
    with left:
        _model()
    with middle:
        answer = links.one_of("Its answer", ["any", "right", "wrong"], "any", "answer",
                              persist_state="session")  # fmt: skip
    sure = right.slider("Its confidence (%)", *WHOLE, WHOLE, key="sure", **KEPT)
    predicted = st.segmented_control("It says (none: any digit)", DIGITS, selection_mode="multi",
                                     wrap=True, key="says", **KEPT)  # fmt: skip
    return answer, predicted, sure


def _model() -> None:
    """Whose answers count: in the URL by its id, which another visitor's list may not have."""
    models, chosen = answering.asked_models(), image_columns.chosen_model()
    choice = st.selectbox("Model", list(models), list(models).index(chosen), key="asked",
                          format_func=models.__getitem__, filter_mode=None)  # fmt: skip
    answering.ask(choice)


def _order() -> tuple[str, bool]:
    left, right = st.columns([3, 2])
    names = {column.title: name for name, column in image_columns.COLUMNS.items()}
    sort = left.selectbox("Sort by", list(names), key="sort", filter_mode=None,
                          on_change=_forget, **KEPT)  # fmt: skip
    with right:
        order = links.one_of("Order", ["rising", "falling"], "rising", "order", on_change=_forget,
                             persist_state="session")  # fmt: skip
    return names[sort], order == "falling"


def _known(split: str, *names: str) -> bool:
    """Whether the numbers of these columns are there; if not, a bar says how far they are."""
    jobs = [job for name in names if (job := image_columns.COLUMNS[name].job)]
    words = f"Asking about all {SPLITS[split]} images"
    return all(waiting.ready(job(split), words) for job in jobs)


def _values(name: str, split: str) -> np.ndarray:
    return image_columns.COLUMNS[name].values(split)


def _within(values: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
    return (values >= limits[0]) & (values <= limits[1])


def _by_answer(
    split: str, mask: np.ndarray, words: str, answer: str, predicted: list[str],
    sure: tuple[int, int],
) -> tuple[np.ndarray, str]:  # fmt: skip
    """What the model says: which digit, right or wrong, how sure."""
    said = _values("predicted", split)
    if answer != "any":
        mask &= (said == image_columns.labels(split)) == (answer == "right")
        words += f", read {'rightly' if answer == 'right' else 'wrongly'}"
    if predicted:
        mask &= np.isin(said, np.array(predicted, int))
        words += f", read as {_spoken(predicted)}"
    if sure != WHOLE:
        mask &= _within(100 * _values("confidence", split), sure)
        words += f", with {sure[0]} to {sure[1]} % confidence"
    return mask, words


def _selected(split: str, mask: np.ndarray, words: str) -> tuple[np.ndarray, str]:
    """Only what was selected elsewhere, until that is let go."""
    mine = state.mine()
    if mine.selection is None or mine.selection[0] != split:
        return mask, words
    member = np.zeros(len(mask), bool)
    member[list(mine.selection[1])] = True

    def let_go() -> None:
        mine.selection = None

    st.button(f"Only the {member.sum():,} selected images", icon=":material/close:",
              key="let_go", on_click=let_go, help="Show all images again")  # fmt: skip
    return mask & member, words + " among those selected"


def _ordered(indices: np.ndarray, split: str, sort: str, falling: bool) -> np.ndarray:
    """By a column, ties by index; what has no value comes last either way."""
    if sort == "index":
        return indices[::-1] if falling else indices
    values = _values(sort, split)[indices].astype(np.float64)
    return indices[np.argsort(-values if falling else values, kind="stable")]


def _spoken(digits: list[str]) -> str:
    *others, last = sorted(digits)
    return f"{', '.join(others)} or {last}" if others else last


def _forget() -> None:
    state.mine().picked = -1  # no image; None would ask the link
