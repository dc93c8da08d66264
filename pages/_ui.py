"""What the pages share: the session, the caches, navigation, and the notes every page may show.

The only owner of `st.session_state` keys and `st.cache_*`: a page asks here for what it needs, so
that a choice has one name and one home.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from streamlit.errors import StreamlitAPIException
from threadpoolctl import threadpool_limits

from mnist_core import (
    background,
    dataset,
    drawing,
    expiry,
    models,
    own,
    pixels,
    shapes,
    teach,
)  # fmt: skip
from mnist_core.network import Network
from mnist_core.runs import Run, Runs, StoreError
from mnist_core.service import Service
from mnist_core.spec import QUERY_KEYS, RunSpec, SpecError
from pages._work import Job

# file stem (also the URL path): title, icon. The first is the default page, at "/".
PAGES = {
    "home": ("Home", ":material/home:"),
    "dataset": ("Dataset", ":material/grid_view:"),
    "builder": ("Build & train", ":material/stacked_line_chart:"),
    "draw": ("Draw", ":material/draw:"),
    "evaluate": ("Evaluate", ":material/fact_check:"),
}
TAUGHT = "taught"  # the choice of the copy that the visitor taught
ASKED_AT_ONCE = 2000  # images: a few hundredths of a second for a dense network
VISITOR_COOKIE = "mnist_lab_visitor"


# ------------------------------------------------------------------ navigation


def route() -> Any:
    """The navigation, as `app.py` runs it at the top of every script run."""
    _state().routed = True
    pages = [
        st.Page(f"pages/{stem}.py", title=title, icon=icon, default=stem == "home",
                url_path="" if stem == "home" else stem)
        for stem, (title, icon) in PAGES.items()
    ]  # fmt: skip
    return st.navigation(pages, position="top")


def page() -> None:
    """First line of every page. Streamlit may run a page without `app.py` for the first visitor of
    a fresh server on a deep link, because a folder named `pages` switches on its old multipage
    mode; then declare the navigation and start over."""
    if not _state().routed:
        route()
        st.rerun()
    st.html(_STYLE)
    _remember_visitor()
    service()  # its worker warms up while the visitor looks around


def link(stem: str, label: str, query: Mapping[str, str] | None = None, **how: Any) -> None:
    """A link to another page of the app, inside the session."""
    st.page_link(f"pages/{stem}.py", label=label, icon=PAGES[stem][1],
                 query_params=dict(query or {}), **how)  # fmt: skip


def go(stem: str) -> None:
    """Switch to another page."""
    # None would ask to clear the URL, which is refused while controls of this page are bound to it.
    st.switch_page(f"pages/{stem}.py", query_params={})


# --------------------------------------------------------------------- session


@dataclass(frozen=True, eq=False)
class Frame:
    """A run's network as it was after `step` batches."""

    step: int
    network: Network


@dataclass
class State:
    """All that one visitor's session remembers."""

    visitor: str = ""
    routed: bool = False
    source: str = "auto"
    spec: RunSpec | None = None
    run: str | None = None
    picked: int | None = None
    basket: list[tuple[str, int]] = field(default_factory=list)
    asked: str = ""
    opening: int | None = None
    selection: tuple[str, tuple[int, ...]] | None = None  # split, indices
    sent: list[tuple[str, int]] = field(default_factory=list)
    sent_at: int = 0
    model: str = "default"
    drawing: dict[str, Any] | None = None
    pictures: dict[int, np.ndarray] = field(default_factory=dict, repr=False)
    canvas: int = 0
    canvas_start: dict[str, Any] | None = None
    # uint8 (28, 28), set by any page: the draw page answers this image instead of the canvas
    template: np.ndarray | None = field(default=None, repr=False)
    photo: np.ndarray | None = field(default=None, repr=False)
    photo_fault: str = ""
    found: list[drawing.Digit] = field(default_factory=list, repr=False)
    found_at: int = 0
    read: np.ndarray | None = field(default=None, repr=False)  # what was last drawn or chosen
    teaching: Job | None = field(default=None, repr=False)
    base: str = "default"
    examined: int | None = None
    sections: dict[str, str] = field(default_factory=dict)
    explained: bool = False
    seen: str = ""
    paused: bool = False
    draw: int = 0
    near: int | None = None  # the point of the map whose neighbours are shown
    suspect: tuple[str, int] | None = None
    # (source, split, index) -> what the visitor says of a label: a digit, "right" or "unclear"
    verdicts: dict[tuple[str, str, int], str] = field(default_factory=dict, repr=False)
    notice: str = ""


def _state() -> State:
    # A new session is a new State; Streamlit may reload this file, so the class is not compared.
    if "lab" not in st.session_state:
        st.session_state["lab"] = State()
    return st.session_state["lab"]


def state() -> State:
    """The visitor's session."""
    return _state()


def seed_widget(key: str, value: Any) -> str:
    """Give a widget its value if this page visit has not yet; returns `key` for the widget call."""
    if key not in st.session_state:
        st.session_state[key] = value
    return key


def set_widget(key: str, value: Any) -> None:
    """Change a widget's value: in callbacks, or before the widget is drawn."""
    st.session_state[key] = value


def widget(key: str) -> Any:
    """The present value of a widget, None if it has not been drawn."""
    return st.session_state.get(key)


def redraw() -> None:
    """Draw the fragment anew that this is called in; all of the page, if all of it is being drawn
    at the moment, as after a click that came during a slow run."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()


def drop_widgets(prefix: str) -> None:
    """Forget the values of all widgets whose key starts with `prefix`."""
    for key in [k for k in st.session_state if isinstance(k, str) and k.startswith(prefix)]:
        del st.session_state[key]


def visitor() -> str:
    """An unguessable name for this browser, kept in a cookie so that a reload keeps its runs."""
    mine = _state()
    if not mine.visitor:
        cookie = st.context.cookies.get(VISITOR_COOKIE, "")
        mine.visitor = cookie if len(cookie) == 22 else secrets.token_urlsafe(16)
    return mine.visitor


def _remember_visitor() -> None:
    if st.context.cookies.get(VISITOR_COOKIE) == visitor():
        return
    year = 365 * 24 * 3600
    st.html(
        f"<script>document.cookie = '{VISITOR_COOKIE}={visitor()}; path=/; max-age={year}; "
        "samesite=lax'</script>",
        unsafe_allow_javascript=True,
    )


# ------------------------------------------------------------ design in the URL


def design_from_url() -> tuple[RunSpec, str]:
    """The design to show, and a sentence if the link's own could not be used.

    On arrival the URL decides; after that the session does, and `design_to_url` keeps the URL true.
    """
    mine = _state()
    given = {k: v for k, v in st.query_params.items() if k not in PAGE_KEYS}
    if mine.spec is not None or not given:
        shown = runs().get(st.query_params.get("run", ""))
        mine.spec = mine.spec or (shown.spec if shown else RunSpec())
        return mine.spec, ""
    try:
        mine.spec, sentence = RunSpec.from_query(given), ""
    except SpecError as error:
        mine.spec = RunSpec()
        sentence = f"{error} The design below is the usual one."
    return mine.spec, sentence


PAGE_KEYS = frozenset({"run", "embed", "embed_options"})


def design_to_url(spec: RunSpec) -> None:
    """Keep the URL equal to the design on the page, without touching its other parts."""
    _state().spec = spec
    wanted = spec.to_query()
    for key in QUERY_KEYS - set(wanted):
        st.query_params.pop(key, None)
    for key, value in wanted.items():
        if st.query_params.get(key) != value:
            st.query_params[key] = value


def run_in_url() -> Run | None:
    """The run this page is about: the URL's, else the session's, which is put into the URL."""
    mine = _state()
    mine.run = st.query_params.get("run", mine.run)
    found = runs().get(mine.run) if mine.run else None
    if found and st.query_params.get("run") != found.id:
        st.query_params["run"] = found.id
    return found


def asked_for_run() -> bool:
    """True if the URL names a run, whether there is one or not."""
    return "run" in st.query_params


def show_run(run: Run | None) -> None:
    """Make `run` the one that the page and the URL are about."""
    _state().run = run.id if run else None
    if run:
        st.query_params["run"] = run.id
    else:
        st.query_params.pop("run", None)


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
    mine, given = _state(), image_from_url()
    mine.examined = mine.examined if given is None else given
    if mine.examined is not None and mine.examined >= n:
        mine.examined = None
    image_to_url(mine.examined)
    return mine.examined


def examine(index: int) -> None:
    """Look at this test image from now on."""
    _state().examined = index
    image_to_url(index)


# The browser's filters and its order, as they are when nothing is asked for.
FILTERS = {"label": [], "inked": (0, 100), "answer": "any", "says": [], "sure": (0, 100),
           "doubtful": False, "sort": "Index", "order": "rising"}  # fmt: skip


def open_image(index: int) -> None:
    """Turn to an image of the present split in the browser, with no filter in its way."""
    _state().opening = index
    st.rerun()


def opened() -> None:
    """Before the controls of the browser: follow `open_image`, which comes after them."""
    mine = _state()
    if mine.opening is None:
        return
    clear_filters()
    st.session_state["section"] = "Browse"
    mine.picked, mine.opening = mine.opening, None


def clear_filters() -> None:
    """Find all images of the split again; for callbacks."""
    _state().selection = None
    st.session_state.update(FILTERS)


def forget_images() -> None:
    """Nothing is picked, collected, selected or sent: the data has changed."""
    mine = _state()
    mine.picked, mine.basket, mine.selection, mine.sent = None, [], None, []


# ------------------------------------------------- what all visitors share


@st.cache_resource(show_spinner=False)
def runs() -> Runs:
    """The one store of run records."""
    return Runs(dataset.home() / "runs")


@st.cache_resource(show_spinner=False)
def service() -> Service:
    """The one gate to training, started with the first visitor."""
    scheduler = os.environ.get("MNIST_LAB_SCHEDULER") or None
    return Service(runs(), data().source, scheduler).start()


# Begun when the server first runs any page, so that reading overlaps with importing the rest.
threading.Thread(target=dataset.prefetch, name="prefetch", daemon=True).start()


# Many small products on few, shared cores: BLAS's own threads would mostly wait for each other,
# which made answers ten times slower on two busy cores.
threadpool_limits(1)


def data() -> dataset.Mnist:
    """The digits of this session. They change only when the visitor asks for others."""
    mine = _state()
    try:
        found = dataset.load(mine.source)
    except dataset.DataError:
        if not own.is_own(mine.source):
            raise
        use_data("auto")
        mine.notice = "Your own data are no longer here: they are kept for "
        mine.notice += f"{own.KEPT_HOURS} hours after their last use. This is MNIST again."
        found = dataset.load("auto")
    if mine.source == "auto":
        mine.source = found.source
        if found.source == "sample":
            dataset.download().start()
    return found


def use_data(source: str) -> None:
    """Turn this session to other digits: what was chosen among the old ones is forgotten."""
    mine = _state()
    mine.source, mine.notice = source, ""
    mine.near = mine.suspect = None
    forget_images()
    if own.is_own(source):
        own.touch(source)


def computed(task: str) -> background.Job:
    """A task of `background.TASKS` on the digits of this session; it goes on by itself."""
    source = data().source
    key = per_source(source, "fingerprint", lambda: background.fingerprint(data()))
    return background.job(task, source, key)


@st.cache_data(show_spinner=False, max_entries=128)
def per_source(source: str, what: str, _compute: Callable[[], Any]) -> Any:
    """A statistic of the data, computed once for all visitors."""
    return _compute()


@st.cache_resource(show_spinner=False, max_entries=24)
def shared(source: str, what: str, _compute: Callable[[], Any]) -> Any:
    """As `per_source`, for arrays too large to copy at each visit: nobody may write into them."""
    return _compute()


@st.cache_resource(show_spinner=False, max_entries=24)
def job(source: str, what: str, _compute: Callable[..., Any]) -> Job:
    """The one thread that computes this for all visitors; a failed one is tried again later."""
    return Job(_compute)


def levels(split: str) -> pixels.Levels:
    """The gray levels of a split by class."""
    part = getattr(data(), split)
    return shared(data().source, f"levels {split}", lambda: pixels.levels(part.images, part.labels))


def image(place: tuple[str, int]) -> tuple[np.ndarray, int]:
    """An image and its label by split and index."""
    part = getattr(data(), place[0])
    return part.images[place[1]], int(part.labels[place[1]])


def measures(split: str) -> dict[str, np.ndarray]:
    """Every measure of every image of a split."""
    part = getattr(data(), split)
    return shared(data().source, f"measures {split}", lambda: shapes.measures(part.images))


def answers(choice: str, split: str) -> Job:
    """What a model says to every image of a split: probabilities float32 (n, 10)."""
    network, images = model(choice).network, getattr(data(), split).images
    worker, shown = service(), data()

    def ask(report: Callable[[float], None]) -> np.ndarray:
        if split == "test" and choice != TAUGHT:
            said = _by_worker(worker, choice, shown)
            if said is not None:
                return said
        parts = []
        for start in range(0, len(images), ASKED_AT_ONCE):
            parts.append(network.predict(images[start : start + ASKED_AT_ONCE]))
            report((start + ASKED_AT_ONCE) / len(images))
        return np.concatenate(parts)

    return job(data().source, f"answers {_state_of(choice)} {split}", ask)


def _by_worker(worker: Service, choice: str, shown: dataset.Mnist) -> np.ndarray | None:
    """A worker's answers to the test images, kept with the run; None if it has other work, or the
    run is about other data: then the page computes them itself."""
    record = worker.runs.get(choice) if choice != "default" else None
    if record and record.source != shown.source:
        return None
    try:
        asked = worker.evaluate(choice, shown.name, shown.source)
    except ValueError:
        return None
    while asked and asked.status in ("queued", "running"):
        busy = any(run.status == "running" for run in worker.runs.active())
        if worker.state != "ready" or busy:
            return None
        time.sleep(0.05)
        asked = worker.evaluation(choice, shown.name)
    kept = worker.runs.evaluation(choice, "" if record else shown.name)
    same = kept is not None and np.array_equal(kept.labels, shown.test.labels)
    return kept.probabilities if same else None


@st.cache_resource(show_spinner=False, max_entries=20)
def _run_model(run: str, ended: float | None) -> models.Model:
    """`ended` tells a run that was trained further from what it was before."""
    record, checkpoint = runs().get(run), runs().checkpoint(run)
    about = {"test_accuracy": record.test_accuracy}
    network = Network.from_weights(record.spec, checkpoint.answer)
    return models.Model(record.spec, network, about)


@st.cache_resource(show_spinner=False, max_entries=20)
def _taught_model(visitor: str, stamp: int) -> models.Model:
    return teach.Lessons(dataset.home(), visitor).model()


def lessons() -> teach.Lessons:
    """What this visitor has taught."""
    return teach.Lessons(dataset.home(), visitor())


def model(choice: str) -> models.Model:
    """The shipped model, the copy that this visitor taught, or the model of a run by its id."""
    if choice == TAUGHT:
        return _taught_model(visitor(), lessons().stamp())
    return models.default() if choice == "default" else _run_model(choice, _ended(choice))


def _ended(choice: str) -> float | None:
    return runs().get(choice).ended if choice != "default" else None


def _state_of(choice: str) -> str:
    """A name for exactly this model: whose it is, and when it was last trained."""
    if choice == TAUGHT:
        return f"{choice} {visitor()} {lessons().stamp()}"
    return f"{choice} {_ended(choice)}"


def film(choice: str) -> list[Frame]:
    """What a run was on its way, as networks: by the number of batches; empty for other models."""
    return _film(choice, _ended(choice)) if choice not in ("default", TAUGHT) else []


@st.cache_resource(show_spinner=False, max_entries=4)
def _film(run: str, ended: float | None) -> list[Frame]:
    spec = runs().get(run).spec
    return [Frame(taken.step, Network.from_weights(spec, taken.weights))
            for taken in runs().snapshots(run)]  # fmt: skip


def frames_read(choice: str, images: np.ndarray, what: str) -> Job:
    """What each frame of a film says to these images: probabilities float32 (frames, n, 10)."""
    frames = film(choice)

    def read(report: Callable[[float], None]) -> np.ndarray:
        said = []
        for i, frame in enumerate(frames, 1):
            said.append(frame.network.predict(images))
            report(i / len(frames))
        return np.array(said)

    return job(data().source, f"film of {_state_of(choice)} on {what}", read)


def of_model(choice: str, what: str, compute: Callable[[], Any]) -> Any:
    """Something of a model on the session's data, computed once for all visitors."""
    return shared(data().source, f"{what} of {_state_of(choice)}", compute)


def answering_models() -> dict[str, str]:
    """Who can answer a drawing: choice -> name. The visitor's runs, the newest first."""
    mine = [r for r in runs().of(visitor()) if not r.active and runs().has_weights(r.id)]
    shown = runs().get(_state().run) if _state().run else None
    if shown and not shown.active and shown.id not in {r.id for r in mine}:
        mine += [shown] if runs().has_weights(shown.id) else []
    names = {"default": "Default model (comes with the app)"}
    if lessons().stamp():
        names[TAUGHT] = f"Taught your hand · {model(TAUGHT).about['test_accuracy']:.1%}"
    return names | {
        r.id: f"{r.name} · {r.test_accuracy:.1%}" if r.test_accuracy else r.name for r in mine
    }


def asked_models() -> dict[str, str]:
    """Who can be asked about all images: as `answering_models`, and the run of the link."""
    mine = _state()
    mine.asked = mine.asked or st.query_params.get("model", "default")
    run = runs().get(mine.asked)
    there = run and not run.active and runs().has_weights(run.id)
    return ({run.id: run.name} if there else {}) | answering_models()


def ask(choice: str) -> None:
    """Make this the model that the images are filtered by, and keep it in the URL."""
    _state().asked = choice
    if choice == "default":
        st.query_params.pop("model", None)
    elif st.query_params.get("model") != choice:
        st.query_params["model"] = choice


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
    found = service()
    if found.state == "failed":
        st.error(found.message, icon=":material/power_off:")
    elif found.message:
        st.warning(found.message, icon=":material/hourglass_top:")


def data_note() -> None:
    """One line: which data this is. While the full set is on its way, how far it has come."""
    found = data()
    for notice in filter(None, (*found.notices, *expiry.rules().notices, _state().notice)):
        st.warning(notice, icon=":material/warning:")
    waiting = found.source == "sample" and dataset.download().state == "running"
    st.fragment(_data_line, run_every=1.0 if waiting else None)()


def _data_line() -> None:
    found, arriving = data(), dataset.download()
    if own.is_own(found.source):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Your own data: {found.name}. Only you see them.")
            if st.button("Back to MNIST", icon=":material/undo:", key="back_to_mnist"):
                use_data("auto")
                st.rerun()
    elif found.source != "sample":
        st.caption(f"Data: {found.name}.")
    elif arriving.state == "running":
        share = f" ({arriving.received / arriving.total:.0%})" if arriving.total else ""
        st.caption(f"Data: {found.name}. The full set of 70,000 is being fetched{share}.")
    elif arriving.state == "done":
        st.caption(f"Data: {found.name}. The full set of 70,000 has arrived.")
        if st.button("Use all 70,000 digits", icon=":material/database:", key="use_full"):
            use_data(str(dataset.cache_path()))
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
</style>
"""
