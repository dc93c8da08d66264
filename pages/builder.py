"""Design a network, train it, watch it live."""

from contextlib import suppress
from typing import Any, NamedTuple

import streamlit as st

from mnist_core.basis import LabError
from mnist_core.design.spec import RunSpec
from mnist_core.exports import keras_script
from mnist_core.runs.records import Run
from mnist_core.training import course, events
from pages._builder import (
    after_run,
    control_bar,
    design_form,
    inside_panel,
    lesson_maker,
    live_run,
    plan,
    recipe_picker,
    state,
)
from pages._shell import links, markup, navigation, notes, shared
from pages._shell.state import bench

LIVE_SECONDS, FIRST_SECONDS = 0.5, 0.1  # the second until the first point is there
STILL_SECONDS = 60.0  # between two signs that the page of an ended run is still open


class Places(NamedTuple):
    """Where the design's own parts stand on the side of the run."""

    lesson: Any
    buttons: Any
    plan: Any
    layers: Any
    code: Any


def design_side(places: Places) -> None:
    """The controls, and what of the other side follows from them: a control that moves draws this
    anew, and neither the curves nor the verdict."""
    spec, sentence = links.design_from_url()
    if sentence:
        bench().link_notice = (sentence, spec)
    recipes = st.container()  # filled when the controls have said what the design is
    spec = design_form.form(spec)
    with recipes:
        recipe_picker.panel(spec)
    lesson_maker.maker(spec)
    links.design_to_url(spec)
    run = links.run_in_url()
    if run is None or not run.active:
        shared.service().look_at(spec, shared.data().identity)
    with places.lesson:
        _link_notice(spec)
        lesson_maker.note(spec)
    with places.buttons:
        control_bar.draw(spec, run)
    with places.plan:
        plan.draw(spec, bool(run and run.active))
    with places.layers:
        if min(min(block.output) for block in spec.stack()) < 1:
            st.info("There is a diagram as soon as the kernels fit into the image.")
        else:
            st.html(markup.diagram(spec))
    with places.code:
        code(spec)


def _link_notice(spec: RunSpec) -> None:
    """What of the link could not be used, until the design is another than it brought."""
    said, brought = bench().link_notice
    if said and spec == brought:
        st.warning(said, icon=":material/link_off:")


def code(spec: RunSpec) -> None:
    """The design as a script."""
    if any(problem.blocking for problem in spec.problems()):
        st.info("There is code as soon as the design can be trained.")
        return
    if spec.framework == "numpy":
        st.caption("The same network in Keras. What trains it here is "
                   "`mnist_core/training/numpy_engine.py`.")  # fmt: skip
    st.code(keras_script.keras_code(spec), language="python")


def live(run_id: str, line: Any, card: Any, within: Any) -> None:
    """The run as it is now; a fragment that draws itself anew while the run goes on."""
    shared.service().watched(run_id)
    run = shared.runs().known(run_id)
    history = events.timeline(shared.runs().history(run_id))
    with line:
        st.html(live_run.line(run, history).html())
    with card:
        live_run.draw(run, run.spec, history)
    inside_panel.ask(run)
    with within:
        inside_panel.draw(run)
    said = course.steering(run.spec, history) if run.active else None
    seen = (run.id, run.status, run.test_accuracy, said, begun(history))
    if seen != state.mine().seen:
        # Once for each change: the buttons outside this fragment must hear of it.
        state.mine().seen = seen
        st.rerun()


def begun(history: list[events.Event]) -> bool:
    """Whether a run has a first point, which is waited for more eagerly than the next."""
    return any(isinstance(event, events.Progress) for event in history)


def begins(run: Run) -> bool:
    """Whether its first point will be there at any moment: it waits for nobody else."""
    with suppress(LabError):  # the fragment says why the records cannot be read
        alone = run.active and len(shared.runs().active()) == 1
        return alone and not begun(shared.runs().history(run.id))
    return False


def run_side(run: Run | None, line: Any, card: Any, within: Any) -> None:
    """The live part: its line in the bar, its curves among the tabs."""
    if run:
        moving = run.active or live_run.measuring(run)
        soon = FIRST_SECONDS if begins(run) else LIVE_SECONDS
        notes.fragment(live, run_every=soon if moving else STILL_SECONDS)(
            run.id, line, card, within
        )
        return
    with line:
        st.html(live_run.line(None, []).html())
    with card:
        live_run.draw(None, bench().spec or RunSpec(), [])
    with within:
        inside_panel.draw(None)


navigation.page(with_design=True)
st.title("Build and train")
notes.service_note()
left, right = st.columns([2, 3], gap="large")
with right, st.container(key="workspace"):
    lesson = st.container()
    with st.container(key="bar", gap="small"):
        buttons, line = st.container(), st.container()
    planned = st.container()
    note = st.container()
    card, looks, layers, script = st.tabs(["Curves", "Inside", "Layers", "Keras code"])
    with looks:
        inside_panel.switch()
        within = st.container()
    verdict = st.container(key="word")
    further = st.container()
with left:
    notes.fragment(design_side)(Places(lesson, buttons, planned, layers, script))
run = links.run_in_url()
run_side(run, line, card, within)
if run:
    with note:
        after_run.design_note(run, bench().spec or run.spec)
    with verdict:
        after_run.draw(run)
    if not run.active and shared.runs().has_weights(run.id):
        with further:
            after_run.afterwards(run)
elif links.asked_for_run():
    with note:
        st.warning("There is no run under this link: it may have expired, or the link was cut "
                   "short. You can train a new one.", icon=":material/link_off:")  # fmt: skip
notes.data_note()
