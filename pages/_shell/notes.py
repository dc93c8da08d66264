"""What is amiss, and which data these are: the lines that several pages show."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st

from mnist_core.basis import LabError, told
from mnist_core.basis.numbers import percent
from mnist_core.data import dataset, own_data
from mnist_core.runs import expiry
from pages._shell import shared
from pages._shell.state import visit


def guarded(draw: Callable[..., None]) -> Callable[..., None]:
    """`draw`, with a sentence in its place if it cannot be: why, or that a fault of ours was
    recorded."""

    @wraps(draw)  # Streamlit tells fragments apart by their functions' names
    def drawn(*values: Any) -> None:
        try:
            draw(*values)
        except LabError as error:
            st.warning(plain(str(error)), icon=":material/hourglass_top:")
        except Exception as error:
            st.error(told(error, f"{visit().page}: {draw.__name__}"), icon=":material/report:")
        else:
            return
        st.button("Try again", icon=":material/refresh:", key=f"try_again.{draw.__name__}")

    return drawn


def fragment(draw: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
    """`st.fragment`, `guarded`: one that raises would say so in Streamlit's words."""
    return st.fragment(guarded(draw), run_every=run_every)


# Where Streamlit sees icons, colours, addresses or arrows, which no backslash hides: something
# invisible goes between.
_SIGNS = re.compile(r"(?<=:)(?=[A-Za-z/+])|(?<=[-<>=~])(?=[-<>=])|(?<=www)(?=\.)|(?=@)")


def plain(text: str) -> str:
    """What a visitor has written, for a sentence in Markdown: as it is, whatever it means there."""
    text = _SIGNS.sub("\N{WORD JOINER}", text)
    text = re.sub(r"([\\`*_\[\]$~<>&|])", r"\\\1", text)
    return re.sub(r"^(\s*)([#+-]|\d+(?=[.)]))", _from_the_start, text, flags=re.MULTILINE)


def _from_the_start(found: re.Match[str]) -> str:
    """What would begin a heading or a list at the start of a line."""
    sign = found[2]
    return f"{found[1]}\\{sign}" if sign in "#+-" else f"{found[1]}{sign}\N{WORD JOINER}"


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
    for notice in filter(None, (*found.notices, *expiry.rules().notices, visit().notice)):
        st.warning(notice, icon=":material/warning:")
    arriving = dataset.download()
    under_way = found.source == "sample" and arriving and not arriving.over()
    fragment(_data_line, run_every=1.0 if under_way else None)()


def _data_line() -> None:
    found, arriving = shared.data(), dataset.download()
    if own_data.is_own(found.source):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Your own data: {plain(found.name)}. Only you see them.")
            if st.button("Back to MNIST", icon=":material/undo:", key="back_to_mnist"):
                shared.use_data("auto")
                st.rerun()
    elif found.source != "sample":
        st.caption(f"Data: {plain(found.name)}.")
    elif arriving and not arriving.over():
        share = f" ({percent(arriving.share, 0)})" if arriving.share else ""
        st.caption(f"Data: {found.name}. The full set of 70,000 is being fetched{share}.")
    elif arriving and arriving.state == "done":
        st.caption(f"Data: {found.name}. The full set of 70,000 has arrived.")
        if st.button("Use all 70,000 digits", icon=":material/database:", key="use_full"):
            shared.use_data(str(dataset.cache_path()))
            st.rerun()
    else:
        why = f" {arriving.message}" if arriving else ""
        st.caption(f"Data: {found.name}.{why}")
        st.button("Try the download again", icon=":material/refresh:", type="tertiary",
                  key="download_again", on_click=_download_again)  # fmt: skip


def _download_again() -> None:
    dataset.start_download()
