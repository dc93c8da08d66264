"""Design a network, train it, watch it live."""

from dataclasses import replace

import streamlit as st

from mnist_core.design.spec import RunSpec
from mnist_core.exports import keras_script
from pages._builder import (
    augmentation_form,
    control_keys,
    design_form,
    lesson_maker,
    live_run,
    recipe_picker,
)
from pages._shell import links, markup, navigation, notes

navigation.page()


def problems(spec: RunSpec) -> None:
    """What is impossible or unwise, before Train is pressed."""
    notes.service_note()
    for problem in spec.problems():
        if problem.blocking:
            st.error(str(problem), icon=":material/block:")
        else:
            st.info(str(problem), icon=":material/lightbulb:")


st.title("Build and train")
spec, sentence = links.design_from_url()
if sentence:
    st.warning(sentence, icon=":material/link_off:")
left, right = st.columns([2, 3], gap="large")
with left:
    recipes = st.container()  # filled when the controls have said what the design is
    spec = design_form.form(spec)
    if not control_keys.hidden("augment"):
        spec = replace(spec, augment=augmentation_form.form(spec.augment))
    with recipes:
        recipe_picker.panel(spec)
    lesson_maker.maker(spec)
links.design_to_url(spec)
run = links.run_in_url()
with right:
    lesson_maker.note(spec)
    problems(spec)
    live_run.buttons(spec, run)
    if run:
        live_run.run_panel(run)
    elif links.asked_for_run():
        st.warning("There is no run under this link: it may have expired, or the link was cut "
                   "short. You can train a new one.", icon=":material/link_off:")  # fmt: skip
    network, code = st.tabs(["Layers", "Keras code"])
    if min(min(block.output) for block in spec.stack()) < 1:
        network.info("There is a diagram as soon as the kernels fit into the image.")
    else:
        network.html(markup.diagram(spec))
    if any(problem.blocking for problem in spec.problems()):
        code.info("There is code as soon as the design can be trained.")
    else:
        if spec.framework == "numpy":
            code.caption("The same network in Keras. What trains it here is "
                         "`mnist_core/training/numpy_engine.py`.")  # fmt: skip
        code.code(keras_script.keras_code(spec), language="python")
notes.data_note()
