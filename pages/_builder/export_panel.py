"""What can be taken from an ended run: its model, its code, its record, its charts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from mnist_core.basis import LabError
from mnist_core.exports import catalogue, chart_sheets
from mnist_core.jobs.service import Service
from mnist_core.runs.records import Run
from mnist_core.training.model_formats import MODEL_FILES
from pages._builder import state
from pages._shell import notes, shared

MIME = "application/octet-stream"
ANSWER_SECONDS = 20.0  # that a report waits for a worker to read the test images
GROUPS = {
    "Code": ("script", "notebook"),
    "Record": ("report", "epochs", "batches", "tensorboard"),
}
CHARTS = {"loss": "Loss", "accuracy": "Accuracy", "confusion": "Confusion", "digits": "Digits"}
NO_EPOCH = "This run has no whole epoch to draw. Train it further."
NO_ANSWERS = "Open this run on the Evaluate page first: it reads the test images there."
MISSING = {"loss": NO_EPOCH, "accuracy": NO_EPOCH, "confusion": NO_ANSWERS, "digits": NO_ANSWERS}
CAMERA = {"svg": "SVG", "png": "PNG"}


def panel(run: Run) -> None:
    """Everything that an ended run with weights can be taken away as. Files are made on a click."""
    box = st.expander("Export", icon=":material/download:", key=f"export.{run.id}",
                      on_change="rerun")  # fmt: skip
    if box.open:
        with box:
            notes.guarded(_panel)(run)


def _panel(run: Run) -> None:
    model, *others = st.columns(3, gap="medium")
    with model:
        st.markdown("**Model**")
        _download(run, "weights")
        for file in MODEL_FILES:
            _model_file(run, file)
    for column, (title, keys) in zip(others, GROUPS.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            for key in keys:
                _download(run, key)
    notes.fragment(_charts)(run)


def _download(run: Run, key: str) -> None:
    """A file of the table, made when it is clicked."""
    chosen = catalogue.EXPORTS[key]
    make = partial(_make, run, key, shared.service())
    _button(chosen.title, make, catalogue.stem(run) + chosen.suffix, chosen.mime,
            f"export_{key}", chosen.says)  # fmt: skip


def _button(
    title: str, make: Callable[[], str | bytes], name: str, mime: str, key: str, says: str
) -> None:
    kind = name.rpartition(".")[2]
    st.download_button(f"{title} (.{kind})", make, name, mime, key=key, help=says, type="tertiary",
                       icon=":material/download:", on_click="ignore")  # fmt: skip


def _make(run: Run, key: str, service: Service) -> str | bytes:
    """Called in a thread of Streamlit's, outside any session."""
    if key == "report":
        _have_answers(run.id, service)
    return catalogue.EXPORTS[key].make(catalogue.take(service.runs, run))


def _have_answers(run: str, service: Service) -> None:
    """Let a worker read the test images, if it can soon; a report can also do without."""
    try:
        service.evaluate(run).over(ANSWER_SECONDS)
    except LabError:
        return


# ------------------------------------------------------- files that a worker makes


def _model_file(run: Run, file: str) -> None:
    """A model file to download; before that, a button that has it made."""
    title, suffix = MODEL_FILES[file].title, file.removeprefix("model")
    if path := shared.runs().model_file(run.id, file):
        _button(title, path.read_bytes, catalogue.stem(run) + suffix, MIME, f"export_{file}",
                "Takes uint8 images (n, 28, 28), gives ten logits each.")  # fmt: skip
        return
    if (run.id, file) in state.mine().converting:
        notes.fragment(_converting, run_every=0.5)(run, file)
        return
    st.button(f"Make {title} ({suffix})", key=f"make_{file}", type="tertiary",
              icon=":material/build:", on_click=_convert, args=(run, file),
              help="The training process converts the model, which takes some seconds.",
              )  # fmt: skip


def _convert(run: Run, file: str) -> None:
    try:
        shared.service().convert(run.id, file)
    except LabError as error:
        st.error(str(error), icon=":material/block:")
    else:
        state.mine().converting.add((run.id, file))


def _converting(run: Run, file: str) -> None:
    """How far a conversion is, until it can be downloaded or has failed."""
    asked = shared.service().conversion(run.id, file)
    if asked and not asked.over():
        waits = asked.state == "waiting"
        st.caption(f":material/hourglass_top: {MODEL_FILES[file].title}: "
                   f"{'waits for the training process' if waits else 'being made'}")  # fmt: skip
        return
    state.mine().converting.discard((run.id, file))
    if asked and asked.state == "failed":
        st.error(asked.message, icon=":material/block:")
    else:
        st.rerun()


# -------------------------------------------------------------------------- charts


def _charts(run: Run) -> None:
    """One chart as it goes into a file. The browser makes its picture: there is none here that
    could."""
    st.markdown("**Charts**")
    chosen = st.segmented_control("Chart", list(CHARTS), wrap=True, format_func=CHARTS.__getitem__,
                                  key="export_chart", label_visibility="collapsed")  # fmt: skip
    if chosen is None:
        st.caption("Choose a chart to save it as a picture or as a page of its own.")
        return
    found = catalogue.charts(catalogue.take(shared.runs(), run))
    if chosen not in found:
        st.info(MISSING[chosen], icon=":material/query_stats:")
        return
    name = f"{catalogue.stem(run)}-{chosen}"
    kind = st.segmented_control("The camera saves", list(CAMERA), format_func=CAMERA.__getitem__,
                                default="svg", required=True, key="export_camera")  # fmt: skip
    st.plotly_chart(found[chosen].figure, key=f"export_{chosen}_{kind}", theme=None,
                    alt=found[chosen].reading, config=chart_sheets.config(name, kind))  # fmt: skip
    with st.container(horizontal=True):
        st.caption(f"The camera in its corner saves it as {CAMERA[kind]}.")
        page = partial(chart_sheets.html, found[chosen], name)
        _button("Page", page, f"{name}.html", "text/html", "export_page",
                "The chart with its hover, for any browser, without a network.",
                )  # fmt: skip
        _button("Numbers", found[chosen].csv, f"{name}.csv", "text/csv", "export_numbers",
                "The numbers of this chart")  # fmt: skip
