"""Own data: bring other digits, and see them in the place of MNIST's."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from mnist_core.basis import in_thread
from mnist_core.data import own_data, uploads
from mnist_core.data.dataset import Mnist
from pages._dataset import state
from pages._shell import notes, shared, visitors, waiting
from pages._shell.state import bench

PER_DIGIT = 5  # pictures of each digit in the example
SAYS = f"""
One of these, at most {uploads.MOST_BYTES // 2**20} MB and {uploads.MOST_IMAGES:,} images:

- a **ZIP of pictures** in folders named `0` to `9`, at most {uploads.MOST_PICTURES:,}:
  PNG or JPEG, each brought to 28 × 28 as on the Draw page. If you have both splits, put the
  folders in `train` and `test`,
- an **`.npz`** with `x_train`, `y_train`, `x_test`, `y_test` as Keras writes it, or only `x` and
  `y`: images uint8 (n, 28, 28), white on black; labels 0 … 9,
- **IDX files**, gzipped or not: images and labels, one pair or two.

Without a test split, a fifth of each digit becomes one. Only you see your data; they are deleted
{own_data.KEPT_HOURS} hours after their last use.
"""


def section(data: Mnist) -> None:
    """Draw the section: what may come, the upload, and what is here already."""
    words, upload = st.columns([3, 2], gap="large")
    with words:
        st.markdown(SAYS)
        st.download_button(
            "An example to try (ZIP)", lambda: example(data), "digits.zip", "application/zip",
            key="example", type="tertiary", icon=":material/folder_zip:", on_click="ignore",
        )  # fmt: skip
    with upload:
        given = st.file_uploader(
            "Your files", accept_multiple_files=True, key="own_files",
            max_upload_size=uploads.MOST_BYTES // 2**20,
        )  # fmt: skip
        st.button("Check and use these digits", type="primary", icon=":material/upload:",
                  key="own_use", disabled=not given or state.mine().bringing is not None,
                  on_click=_take, args=(given,))  # fmt: skip
        _bring()
        _here(data)


def _take(files: list[Any]) -> None:
    """Begin to check the files; whoever looks around meanwhile finds them when coming back."""
    visitor, given = visitors.visitor(), [(file.name, file.getvalue()) for file in files]
    state.mine().bringing = in_thread(
        lambda report: own_data.keep(visitor, given, report), "Your files"
    )


def _bring() -> None:
    """Turn the session to what has been brought, or say how far it is, or what is wrong."""
    under_way = state.mine().bringing
    if under_way is None:
        return
    if under_way.over(waiting.PATIENCE):
        state.mine().bringing = None
    if under_way.state == "failed":
        st.error(notes.plain(under_way.message), icon=":material/block:")
    elif waiting.ready(under_way, "Checking your files and bringing pictures to 28 × 28"):
        shared.use_data(under_way.result().source)
        st.rerun()


def _here(data: Mnist) -> None:
    """The visitor's data sets that are still kept."""
    for i, kept in enumerate(own_data.of(visitors.visitor())):
        hours = max(1, round((kept.expires - time.time()) / 3600))
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{notes.plain(kept.name)}** · {hours} h left")
            if kept.source == data.source:
                st.caption("in use")
            else:
                st.button("Use", key=f"own_use_{i}", on_click=shared.use_data, args=(kept.source,))
            st.button("Delete", key=f"own_delete_{i}", icon=":material/delete:",
                      on_click=_delete, args=(kept.source,))  # fmt: skip


def _delete(source: str) -> None:
    own_data.delete(visitors.visitor(), source)
    if bench().source == source:
        shared.use_data("auto")


def example(data: Mnist) -> bytes:
    """A few test images of each digit as a ZIP of PNG files in folders 0 to 9."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for digit in range(10):
            for i in np.flatnonzero(data.test.labels == digit)[:PER_DIGIT]:
                picture = io.BytesIO()
                Image.fromarray(data.test.images[i]).save(picture, "PNG")
                archive.writestr(f"digits/{digit}/{i}.png", picture.getvalue())
    return packed.getvalue()
