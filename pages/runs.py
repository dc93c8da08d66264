"""Every run of this visitor; side by side, against each other, and in search of a better one."""

import streamlit as st

from pages._runs import compare_runs, import_run, race_runs, run_list, sweep_runs
from pages._shell import links, navigation, notes

SECTIONS = {
    "All runs": run_list.every_run,
    "Compare": compare_runs.compare_runs,
    "Race": race_runs.races,
    "Sweep": sweep_runs.sweeps,
    "Import": import_run.section,
}

navigation.page()
st.title("Runs")
section = links.choose("tab", list(SECTIONS), "Section")
notes.service_note()
SECTIONS[section]()
notes.data_note()
