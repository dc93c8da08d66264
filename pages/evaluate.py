"""How good a model is, where it fails, and what goes on inside it."""

import streamlit as st

from pages import _damage, _film, _inside, _mistakes, _scores, _subject, _ui

SECTIONS = {
    "Scores": _scores.scores,
    "Confusion": _mistakes.confusion,
    "Mistakes": _mistakes.mistakes,
    "Calibration": _scores.calibration,
    "Inside": _inside.inside,
    "Damage": _damage.damage,
    "Time machine": _film.film,
}

_ui.page()
st.title("Evaluate a model")
_ui.data_note()
choice, name = _subject.choose_model()
section = _ui.choose("part", list(SECTIONS), "Section")
if who := _subject.subject(choice, name):
    SECTIONS[section](who)
