"""What the URL carries, so that a link leads to the same view: design, run, section, image."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mnist_core.design import lesson_link
from mnist_core.design.lesson_link import Lesson, LessonError
from mnist_core.design.spec import QUERY_KEYS, RunSpec
from mnist_core.runs.records import Run
from pages._shell import session, shared
from pages._shell.state import bench, visit

# ------------------------------------------------------------ design in the URL


STALE_SECONDS = 1.0  # that a browser may take to hear of a link that was written


def design_from_url() -> tuple[RunSpec, str]:
    """The design to show, and a sentence if the link's own could not be used.

    On arrival the URL decides, and again when the visitor has walked through the browser's history;
    otherwise the session does, and `design_to_url` keeps the URL true.
    """
    mine, arriving, sentence = bench(), bench().spec is None, ""
    given = {key: text for key, text in st.query_params.items() if key in QUERY_KEYS}
    walked = not arriving and _walked()
    if walked:
        session.drop_widgets("design.")
        mine.run = st.query_params.get("run")
    if walked or (arriving and given):
        mine.spec, amiss = RunSpec.salvaged(given)
        if amiss:
            sentence = " ".join([*amiss, "The rest of the design is as the link says."])
    elif arriving and (shown := shared.runs().get(st.query_params.get("run", ""))):
        mine.spec = shown.spec
    mine.spec = mine.spec or RunSpec()
    if arriving:
        try:
            mine.lesson = Lesson.from_query(st.query_params, mine.spec)
        except LessonError as error:
            sentence = f"{sentence} {error} Nothing is locked or hidden.".strip()
    return mine.lesson.held(mine.spec), sentence


def _walked() -> bool:
    """Whether the link is another than this page has written: the browser's Back or Forward has
    brought it. These have the whole page run; a control of the design runs its fragment, and the
    browser may not have heard by then of what was written for the last one."""
    mine, context = bench(), get_script_run_ctx()
    if mine.written is None or (context and context.fragment_ids_this_run):
        return False
    here = _address()
    stale = here == mine.written_before and time.monotonic() - mine.written_at < STALE_SECONDS
    return here != mine.written and not stale


def _address() -> dict[str, str]:
    names = {*QUERY_KEYS, "run"}
    return {key: text for key, text in st.query_params.items() if key in names}


def _written() -> None:
    """Remember the link as it is now."""
    mine, here = bench(), _address()
    if here != mine.written:
        mine.written_before, mine.written, mine.written_at = mine.written, here, time.monotonic()


def design_to_url(spec: RunSpec) -> None:
    """Keep the URL equal to the design on the page and its lesson, without touching its other
    parts."""
    mine = bench()
    mine.spec = spec
    wanted = spec.to_query() | mine.lesson.to_query()
    if spec == RunSpec() and not mine.lesson and not _address():
        wanted = {}  # to write what a bare link says anyway would swallow the browser's Back
    for key in {*QUERY_KEYS, *lesson_link.KEYS} - set(wanted):
        st.query_params.pop(key, None)
    for key, value in wanted.items():
        if st.query_params.get(key) != value:
            st.query_params[key] = value
    _written()


def run_in_url() -> Run | None:
    """The run this page is about: the URL's, else the session's, which is put into the URL."""
    mine = bench()
    mine.run = st.query_params.get("run", mine.run)
    found = shared.runs().get(mine.run) if mine.run else None
    if found and st.query_params.get("run") != found.id:
        st.query_params["run"] = found.id
    _written()
    return found


def asked_for_run() -> bool:
    """True if the URL names a run, whether there is one or not."""
    return "run" in st.query_params


def show_run(run: Run | None) -> None:
    """Make `run` the one that the page and the URL are about."""
    bench().run = run.id if run else None
    if run:
        st.query_params["run"] = run.id
    else:
        st.query_params.pop("run", None)
    _written()


# ---------------------------------------------------------- section in the URL


def choose(name: str, options: list[str], label: str) -> str:
    """One of the options, the link's or the session's, kept in the URL under `name`. Not by a bound
    widget, which a button in another fragment could not change, nor by a name that another page
    binds."""
    key, chosen = f"choice_{name}", visit().sections
    given = st.query_params.get(name, chosen.get(name))
    keep_choice(name, given if given in options else options[0])
    session.set_widget(key, chosen[name])
    st.segmented_control(
        label, options, required=True, wrap=True, key=key, label_visibility="collapsed",
        on_change=lambda: keep_choice(name, session.widget(key)),
    )  # fmt: skip
    return chosen[name]


def one_of(label: str, options: Sequence[str], default: str, key: str, **how: Any) -> str:
    """One of the options, in a control that the URL is bound to. A link with nothing there is one
    without it: Streamlit would take it for a choice of nothing, required or not."""
    if st.query_params.get(key) == "" and session.widget(key) is None:
        st.query_params.pop(key)
    chosen = st.segmented_control(label, list(options), default=default, required=True, key=key,
                                  bind="query-params", **how)  # fmt: skip
    return default if chosen is None else chosen


def keep_choice(name: str, option: str) -> None:
    """Choose `option` from now on, in the session and in the URL."""
    visit().sections[name] = option
    if st.query_params.get(name) != option:
        st.query_params[name] = option


# ------------------------------------------------------------ image in the URL


MOST_DIGITS = 10  # of an index: Python refuses to read a number of thousands


def image_from_url() -> int | None:
    """The index of the image that the link asks for."""
    given = st.query_params.get("image", "")
    return int(given) if given.isdecimal() and len(given) < MOST_DIGITS else None


def image_to_url(index: int | None) -> None:
    """Keep the image in the URL; None for the one that shows without being asked for."""
    if index is None:
        st.query_params.pop("image", None)
    elif st.query_params.get("image") != str(index):
        st.query_params["image"] = str(index)


def examined(n: int) -> int | None:
    """Which of n test images is looked at: the link's, else the session's, which is put there; None
    if nobody has chosen one."""
    mine, given = bench(), image_from_url()
    mine.examined = mine.examined if given is None else given
    if mine.examined is not None and mine.examined >= n:
        mine.examined = None
    image_to_url(mine.examined)
    return mine.examined


def examine(index: int) -> None:
    """Look at this test image from now on."""
    bench().examined = index
    image_to_url(index)
