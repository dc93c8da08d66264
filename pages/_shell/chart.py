"""A chart on the page: the figure, its sentence, and its numbers to take away."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts.plotting import Chart
from pages._shell import notes


def show(chart: Chart, key: str, **how: Any) -> None:
    """Draw a chart where the page stands; `key` also names the file, `how` is for Streamlit."""
    st.plotly_chart(chart.figure, key=key, alt=chart.reading, config={"displayModeBar": False},
                    **how)  # fmt: skip
    with st.container(gap=None):
        st.caption(notes.plain(chart.reading))
        st.download_button("CSV", chart.csv, f"mnist-{key}.csv", "text/csv", key=f"csv_{key}",
                           type="tertiary", icon=":material/download:", on_click="ignore",
                           help="The numbers of this chart")  # fmt: skip


def csv_button(text: str, name: str) -> None:
    """Offer comma-separated values as `<name>.csv`."""
    st.download_button("Numbers (CSV)", text, f"{name}.csv", "text/csv", key=f"{name}.csv",
                       type="tertiary", icon=":material/download:", on_click="ignore")  # fmt: skip
