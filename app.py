"""MNIST Lab: `streamlit run app.py`. The router: page config, navigation, nothing else."""

import streamlit as st

from pages._shell import navigation, notes, visitors

st.set_page_config(page_title="MNIST Lab", page_icon=navigation.icon(), layout="wide")
notes.guarded(navigation.route().run)()
visitors.remember_visitor()  # last: before it is there it takes room
