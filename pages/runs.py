"""Every run of this visitor; side by side, against each other, and in search of a better one."""

import streamlit as st

from pages import _compare, _import, _list, _race, _sweep, _ui

SECTIONS = {
    "All runs": _list.every_run,
    "Compare": _compare.compare_runs,
    "Race": _race.races,
    "Sweep": _sweep.sweeps,
    "Import": _import.section,
}

_ui.page()
st.title("Runs")
section = _ui.choose("tab", list(SECTIONS), "Section")
_ui.service_note()
SECTIONS[section]()
_ui.data_note()
