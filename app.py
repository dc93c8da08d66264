"""MNIST Lab: `streamlit run app.py`. The router: page config, navigation, nothing else."""

import streamlit as st

from pages import _ui

st.set_page_config(page_title="MNIST Lab", page_icon=":material/edit:", layout="wide")
_ui.patiently(_ui.route().run)()
