"""How good a model is, where it fails, and what goes on inside it."""

import streamlit as st

from pages._evaluate import damage, inside, mistakes, scores, time_machine
from pages._shell import links, navigation, notes, subject

SECTIONS = {
    "Scores": scores.scores,
    "Confusion": mistakes.confusion,
    "Mistakes": mistakes.mistakes,
    "Calibration": scores.calibration,
    "Inside": inside.inside,
    "Damage": damage.damage,
    "Time machine": time_machine.film,
}

navigation.page()
st.title("Evaluate a model")
notes.data_note()
choice, name = subject.choose_model()
section = links.choose("part", list(SECTIONS), "Section")
if who := subject.subject(choice, name):
    SECTIONS[section](who)
