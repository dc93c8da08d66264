"""What every page begins with: navigation, what the URL carries, and the notes.

What one visitor's session holds is in `_session.py`, what all visitors share in `_shared.py`, and
the models that answer in `_models.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from mnist_core.data import dataset, own_data
from mnist_core.design import lesson_link
from mnist_core.design.lesson_link import Lesson, LessonError
from mnist_core.design.spec import QUERY_KEYS, RunSpec, SpecError
from mnist_core.runs import expiry
from mnist_core.runs.records import Run, StoreError
from pages._shell import session, shared, tour

# file stem (also the URL path): title, icon. The first is the default page, at "/".
PAGES = {
    "home": ("Home", ":material/home:"),
    "dataset": ("Dataset", ":material/grid_view:"),
    "builder": ("Build & train", ":material/stacked_line_chart:"),
    "draw": ("Draw", ":material/draw:"),
    "evaluate": ("Evaluate", ":material/fact_check:"),
    "backprop": ("Backprop", ":material/function:"),
    "runs": ("Runs", ":material/list_alt:"),
}


# ------------------------------------------------------------------ navigation


def route() -> Any:
    """The navigation, as `app.py` runs it at the top of every script run."""
    session.state().routed = True
    pages = [
        st.Page(f"pages/{stem}.py", title=title, icon=icon, default=stem == "home",
                url_path="" if stem == "home" else stem)
        for stem, (title, icon) in PAGES.items()
    ]  # fmt: skip
    chosen = st.navigation(pages, position="top")
    session.state().page = chosen.url_path or "home"
    return chosen


def page() -> None:
    """First line of every page. Streamlit may run a page without `app.py` for the first visitor of
    a fresh server on a deep link, because a folder named `pages` switches on its old multipage
    mode; then declare the navigation and start over."""
    if not session.state().routed:
        route()
        st.rerun()
    st.html(_STYLE)
    session.remember_visitor()
    shared.service()  # its worker warms up while the visitor looks around
    tour.show(session.state().page, lambda stem: PAGES[stem][0], go)


def link(stem: str, label: str, query: Mapping[str, str] | None = None, **how: Any) -> None:
    """A link to another page of the app, inside the session."""
    st.page_link(f"pages/{stem}.py", label=label, icon=PAGES[stem][1],
                 query_params=dict(query or {}), **how)  # fmt: skip


def go(stem: str) -> None:
    """Switch to another page."""
    # None would ask to clear the URL, which is refused while controls of this page are bound to it.
    st.switch_page(f"pages/{stem}.py", query_params={})


# ------------------------------------------------------------ design in the URL


def design_from_url() -> tuple[RunSpec, str]:
    """The design to show, and a sentence if the link's own could not be used.

    On arrival the URL decides; after that the session does, and `design_to_url` keeps the URL true.
    """
    mine, arriving, sentence = session.state(), session.state().spec is None, ""
    given = {k: v for k, v in st.query_params.items() if k not in PAGE_KEYS}
    if arriving and given:
        try:
            mine.spec = RunSpec.from_query(given)
        except SpecError as error:
            sentence = f"{error} The design below is the usual one."
    elif arriving and (shown := shared.runs().get(st.query_params.get("run", ""))):
        mine.spec = shown.spec
    mine.spec = mine.spec or RunSpec()
    if arriving:
        try:
            mine.lesson = Lesson.from_query(st.query_params, mine.spec)
        except LessonError as error:
            sentence = f"{sentence} {error} Nothing is locked or hidden.".strip()
    return mine.lesson.held(mine.spec), sentence


PAGE_KEYS = frozenset({"run", "embed", "embed_options", *lesson_link.KEYS})


def design_to_url(spec: RunSpec) -> None:
    """Keep the URL equal to the design on the page and its lesson, without touching its other
    parts."""
    mine = session.state()
    mine.spec = spec
    wanted = spec.to_query() | mine.lesson.to_query()
    for key in {*QUERY_KEYS, *lesson_link.KEYS} - set(wanted):
        st.query_params.pop(key, None)
    for key, value in wanted.items():
        if st.query_params.get(key) != value:
            st.query_params[key] = value


def run_in_url() -> Run | None:
    """The run this page is about: the URL's, else the session's, which is put into the URL."""
    mine = session.state()
    mine.run = st.query_params.get("run", mine.run)
    found = shared.runs().get(mine.run) if mine.run else None
    if found and st.query_params.get("run") != found.id:
        st.query_params["run"] = found.id
    return found


def asked_for_run() -> bool:
    """True if the URL names a run, whether there is one or not."""
    return "run" in st.query_params


def show_run(run: Run | None) -> None:
    """Make `run` the one that the page and the URL are about."""
    session.state().run = run.id if run else None
    if run:
        st.query_params["run"] = run.id
    else:
        st.query_params.pop("run", None)


# ---------------------------------------------------------- section in the URL


def choose(name: str, options: list[str], label: str) -> str:
    """One of the options, the link's or the session's, kept in the URL under `name`. Not by a bound
    widget, which a button in another fragment could not change, nor by a name that another page
    binds."""
    key, chosen = f"choice_{name}", session.state().sections
    given = st.query_params.get(name, chosen.get(name))
    keep_choice(name, given if given in options else options[0])
    session.set_widget(key, chosen[name])
    return st.segmented_control(
        label, options, required=True, wrap=True, key=key, label_visibility="collapsed",
        on_change=lambda: keep_choice(name, session.widget(key)),
    )  # fmt: skip


def keep_choice(name: str, option: str) -> None:
    """Choose `option` from now on, in the session and in the URL."""
    session.state().sections[name] = option
    if st.query_params.get(name) != option:
        st.query_params[name] = option


# ------------------------------------------------------------ image in the URL


def image_from_url() -> int | None:
    """The index of the image that the link asks for."""
    given = st.query_params.get("image", "")
    return int(given) if given.isdecimal() else None


def image_to_url(index: int | None) -> None:
    """Keep the image in the URL; None for the one that shows without being asked for."""
    if index is None:
        st.query_params.pop("image", None)
    elif st.query_params.get("image") != str(index):
        st.query_params["image"] = str(index)


def examined(n: int) -> int | None:
    """Which of n test images is looked at: the link's, else the session's, which is put there; None
    if nobody has chosen one."""
    mine, given = session.state(), image_from_url()
    mine.examined = mine.examined if given is None else given
    if mine.examined is not None and mine.examined >= n:
        mine.examined = None
    image_to_url(mine.examined)
    return mine.examined


def examine(index: int) -> None:
    """Look at this test image from now on."""
    session.state().examined = index
    image_to_url(index)


# The browser's filters and its order, as they are when nothing is asked for.
FILTERS = {"label": [], "inked": (0, 100), "answer": "any", "says": [], "sure": (0, 100),
           "doubtful": False, "sort": "Index", "order": "rising"}  # fmt: skip


def open_image(index: int) -> None:
    """Turn to an image of the present split in the browser, with no filter in its way."""
    session.state().opening = index
    st.rerun()


def opened() -> None:
    """Before the controls of the browser: follow `open_image`, which comes after them."""
    mine = session.state()
    if mine.opening is None:
        return
    clear_filters()
    session.set_widget("section", "Browse")
    mine.picked, mine.opening = mine.opening, None


def clear_filters() -> None:
    """Find all images of the split again; for callbacks."""
    session.state().selection = None
    for key, value in FILTERS.items():
        session.set_widget(key, value)


# ----------------------------------------------------------------------- notes


def patiently(draw: Callable[..., None]) -> Callable[..., None]:
    """`draw`, with a sentence in its place while the run records cannot be used."""

    def drawn(*values: Any) -> None:
        try:
            draw(*values)
        except StoreError as error:
            st.warning(str(error), icon=":material/hourglass_top:")
            st.button("Try again", icon=":material/refresh:", key=f"try_again.{draw.__name__}")

    return drawn


def service_note() -> None:
    """What is amiss with training, if anything is."""
    found = shared.service()
    if found.state == "failed":
        st.error(found.message, icon=":material/power_off:")
    elif found.message:
        st.warning(found.message, icon=":material/hourglass_top:")


def data_note() -> None:
    """One line: which data this is. While the full set is on its way, how far it has come."""
    found = shared.data()
    for notice in filter(None, (*found.notices, *expiry.rules().notices, session.state().notice)):
        st.warning(notice, icon=":material/warning:")
    waiting = found.source == "sample" and dataset.download().state == "running"
    st.fragment(_data_line, run_every=1.0 if waiting else None)()


def _data_line() -> None:
    found, arriving = shared.data(), dataset.download()
    if own_data.is_own(found.source):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Your own data: {found.name}. Only you see them.")
            if st.button("Back to MNIST", icon=":material/undo:", key="back_to_mnist"):
                shared.use_data("auto")
                st.rerun()
    elif found.source != "sample":
        st.caption(f"Data: {found.name}.")
    elif arriving.state == "running":
        share = f" ({arriving.received / arriving.total:.0%})" if arriving.total else ""
        st.caption(f"Data: {found.name}. The full set of 70,000 is being fetched{share}.")
    elif arriving.state == "done":
        st.caption(f"Data: {found.name}. The full set of 70,000 has arrived.")
        if st.button("Use all 70,000 digits", icon=":material/database:", key="use_full"):
            shared.use_data(str(dataset.cache_path()))
            st.rerun()
    else:
        why = f" {arriving.message}" if arriving.message else ""
        st.caption(f"Data: {found.name}.{why}")
        st.button("Try the download again", icon=":material/refresh:", type="tertiary",
                  key="download_again", on_click=arriving.start)  # fmt: skip


_STYLE = """
<style>
.block-container, .stMainBlockContainer { padding-top: 4rem; max-width: 78rem; }
img.digit { image-rendering: pixelated; display: block; }
img.digit, [class*="st-key-canvas_"] canvas { box-shadow: 0 0 0 1px rgb(128 128 128 / 35%); }
h1 { letter-spacing: -.01em; }
table.quiet, .quiet { font-variant-numeric: tabular-nums; }
.st-key-tour { border-left: 3px solid #4666E8 !important; row-gap: .25rem; }
.st-key-tour > :first-child { flex: 1 1 20rem; }
.st-key-tour :is([data-testid=stMarkdownContainer], p) { margin-bottom: 0; }
[class*="st-key-cards_"] { align-items: stretch; }
[class*="st-key-cards_"] > * { flex: 1 1 14rem; }
[class*="st-key-card_"] h3 { font-size: 1.4rem; padding-top: .25rem; }
/* Streamlit's own faint text and code colours are below the contrast that WCAG asks for. */
[data-testid=stCaptionContainer] { opacity: .72; }
.stMarkdown code { color: inherit; }
button[data-selected=true] [data-testid=stMarkdownContainer], [data-testid=stSliderThumbValue],
[role=tab][aria-selected=true] [data-testid=stMarkdownContainer] {
  color: light-dark(#2F49B8, #A5B6FF); }
.stCode pre .token { color: inherit; }
.stCode pre .token:is(.comment, .punctuation) {
  color: color-mix(in srgb, currentColor 74%, transparent); }
.stCode pre .token:is(.keyword, .function, .class-name, .builtin) {
  color: color-mix(in srgb, #4666E8 65%, currentColor); }
.stCode pre .token:is(.number, .boolean, .string, .char) {
  color: color-mix(in srgb, #1F9A6E 50%, currentColor); }
.stCode pre .token:is(.operator, .decorator) {
  color: color-mix(in srgb, #CF7442 50%, currentColor); }
</style>
"""
