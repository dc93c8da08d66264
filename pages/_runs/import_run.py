"""Bring a model back: the design and the weights that were exported from here or elsewhere."""

from __future__ import annotations

import streamlit as st

from mnist_core.basis import LabError
from mnist_core.runs import models
from mnist_core.runs.records import Run
from pages._shell import design, navigation, notes, shared, visitors
from pages._shell.state import bench

SAYS = (
    "The weights of a run, as **Export** gives them (`.npz`): the file holds the design too. The "
    "model becomes a run of yours, measured here on the test images: draw for it, evaluate it, "
    "train it further. Files of Keras (`.keras`, `.h5`) are not opened: they could hold anything."
)


def section() -> None:
    """The upload; an imported model is then shown where runs are."""
    st.markdown(SAYS)
    given = st.file_uploader(
        "A model file", type="npz", key="import_file",
        max_upload_size=-(-models.FILE_LIMIT // 2**20),
    )  # fmt: skip
    clicked = st.button("Import this model", type="primary", icon=":material/upload:",
                        key="import", disabled=given is None)  # fmt: skip
    if clicked and given and (run := _take(given.name, given.getvalue())):
        design.load(run.spec)
        bench().run = run.id
        navigation.go("builder")


def _take(name: str, content: bytes) -> Run | None:
    """Check the file and make a run of it, or say what is wrong."""
    data = shared.data()
    try:
        model = models.read(name, content)
        return shared.service().adopt(model, visitors.visitor(), data.identity)
    except LabError as error:
        st.error(notes.plain(str(error)), icon=":material/block:")
        return None
