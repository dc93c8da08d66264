"""Design a network, train it, watch it live."""

from dataclasses import replace

import streamlit as st

from mnist_core import export
from mnist_core.spec import RunSpec
from pages import _augment, _controls, _design, _html, _lesson, _live, _recipes, _ui

_ui.page()


def problems(spec: RunSpec) -> None:
    """What is impossible or unwise, before Train is pressed."""
    _ui.service_note()
    for problem in spec.problems():
        if problem.blocking:
            st.error(str(problem), icon=":material/block:")
        else:
            st.info(str(problem), icon=":material/lightbulb:")


st.title("Build and train")
spec, sentence = _ui.design_from_url()
if sentence:
    st.warning(sentence, icon=":material/link_off:")
left, right = st.columns([2, 3], gap="large")
with left:
    recipes = st.container()  # filled when the controls have said what the design is
    spec = _design.form(spec)
    if not _controls.hidden("augment"):
        spec = replace(spec, augment=_augment.form(spec.augment))
    with recipes:
        _recipes.panel(spec)
    _lesson.maker(spec)
_ui.design_to_url(spec)
run = _ui.run_in_url()
with right:
    _lesson.note(spec)
    problems(spec)
    _live.buttons(spec, run)
    if run:
        _live.run_panel(run)
    elif _ui.asked_for_run():
        st.warning("There is no run under this link: it may have expired, or the link was cut "
                   "short. You can train a new one.", icon=":material/link_off:")  # fmt: skip
    network, code = st.tabs(["Layers", "Keras code"])
    if min(min(block.output) for block in spec.stack()) < 1:
        network.info("There is a diagram as soon as the kernels fit into the image.")
    else:
        network.html(_html.diagram(spec))
    if any(problem.blocking for problem in spec.problems()):
        code.info("There is code as soon as the design can be trained.")
    else:
        if spec.framework == "numpy":
            code.caption("The same network in Keras. What trains it here is "
                         "`mnist_core/numpy_training.py`.")  # fmt: skip
        code.code(export.keras_code(spec), language="python")
_ui.data_note()
