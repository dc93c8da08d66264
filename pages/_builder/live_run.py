"""A run on the page: its buttons, its live part, and what can be done when it has ended."""

from __future__ import annotations

import streamlit as st

from mnist_core.basis import LabError
from mnist_core.charts import plotting
from mnist_core.design.spec import LIMITS, RunSpec
from mnist_core.runs.records import IMPORTED, Run
from mnist_core.training import events
from pages._builder import control_keys, export_panel, forecast, state
from pages._components import copy_link
from pages._shell import design, links, navigation, notes, session, shared, visitors
from pages._shell.state import bench

STILL_SECONDS = 60.0  # between two signs that the page of an ended run is still open
SLOW_SECONDS = 0.3  # between two batches in slow motion: slow enough to follow each point


def train(spec: RunSpec) -> None:
    """Queue the design; the page turns to the new run."""
    data, told = shared.data(), forecast.told(spec)
    try:
        visitor = visitors.visitor()
        links.show_run(shared.service().submit(spec, visitor, data.identity, told))
    except LabError as error:  # a SpecError is one too
        st.error(str(error), icon=":material/block:")
    state.mine().paused = False


def stop(run: Run) -> None:
    """End the run."""
    try:
        shared.service().stop(run.id)
    except LabError as error:
        st.error(str(error), icon=":material/block:")


def buttons(spec: RunSpec, run: Run | None) -> None:
    """What can be done to a run, outside the live part: a click there could be lost when it is
    drawn anew. A run's link is for looking: only its owner's browser steers it."""
    blocked = any(problem.blocking for problem in spec.problems())
    blocked = blocked or shared.service().state == "failed"
    active = bool(run and run.active and run.owner == visitors.visitor())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Train", type="primary", icon=":material/play_arrow:", key="train",
                  disabled=blocked or active, on_click=train, args=(spec,))  # fmt: skip
        st.button("Stop", icon=":material/stop:", key="stop", disabled=not active,
                  on_click=stop, args=(run,))  # fmt: skip
        if run and active and run.status == "running":
            steering(run)
        else:
            st.caption(f"{spec.parameters:,} parameters · {shared.data().name}")
        copy_link.show()
    if not (active or blocked):
        forecast.beforehand(spec)


def steering(run: Run) -> None:
    """Pause, single batches, slow motion, and a hand on the learning rate."""
    mine = state.mine()
    tell = shared.service().tell

    def hold(paused: bool) -> None:
        mine.paused = paused
        tell(run.id, "pause" if paused else "resume")

    if mine.paused:
        st.button("Go on", icon=":material/resume:", key="resume", on_click=hold, args=(False,))
        st.button("One batch", icon=":material/skip_next:", key="step",
                  on_click=lambda: tell(run.id, "step", 1))  # fmt: skip
    else:
        st.button("Pause", icon=":material/pause:", key="pause", on_click=hold, args=(True,))
    st.toggle("Slow motion", key="slow", help="One batch at a time, three a second.",
              on_change=lambda: tell(run.id, "slow", SLOW_SECONDS * session.widget("slow")),
              )  # fmt: skip
    rates = control_keys.among(control_keys.RATES, run.spec.learning_rate)
    start = control_keys.exact(rates, run.spec.learning_rate)
    st.select_slider(
        "Learning rate from now on", rates, format_func=control_keys.plain, width=260,
        key=session.seed_widget(f"rate_now.{run.id}", start),
        on_change=lambda: tell(run.id, "learning_rate", session.widget(f"rate_now.{run.id}")),
    )  # fmt: skip


def live(run_id: str) -> None:
    """The run as it is now; a fragment that draws itself anew while the run goes on."""
    shared.service().watched(run_id)
    run = shared.runs().known(run_id)
    history = events.timeline(shared.runs().history(run_id))
    with st.container(border=True, key="live"):
        headline(run, history)
        if any(isinstance(e, events.Started) for e in history):
            figures(run, history)
            log = bool(session.widget("log_loss"))
            left, right = st.columns(2)
            left.echarts_chart(plotting.live_curve(history, "loss", log), key="loss", height=300)
            accuracy = plotting.live_curve(history, "accuracy")
            right.echarts_chart(accuracy, key="accuracy", height=300)
            st.caption("Dots: a few steps each, with their smoothed line. Rings: whole epochs.")
        forecast.afterwards(history)
    if (seen := f"{run.id} {run.status} {run.test_accuracy}") != state.mine().seen:
        # Once for each change: the buttons outside this fragment must hear of it.
        state.mine().seen = seen
        st.rerun()


def paused_at(history: list[events.Event]) -> bool:
    """Whether the last word to the run was a pause."""
    marks = [e.what for e in history if isinstance(e, events.Marked)]
    held = [what for what in marks if what in ("paused", "resumed")]
    return bool(held) and held[-1] == "paused"


def headline(run: Run, history: list[events.Event]) -> None:
    """One line on where the run is, with a bar while it moves."""
    chunks = [e for e in history if isinstance(e, events.Progress)]
    started = next((e for e in reversed(history) if isinstance(e, events.Started)), None)
    if run.status == "queued":
        ahead = shared.service().ahead(run.id)
        behind = "starting" if not ahead else f"{ahead} run{'s' * (ahead > 1)} before yours"
        st.progress(0.0, f"**In the queue**: {behind}")
    elif run.status == "running" and started and paused_at(history):
        step = chunks[-1].step if chunks else started.step
        share = step / (started.steps_per_epoch * started.epochs)
        st.progress(share, f"**Paused** after {step:,} batches")
    elif run.status == "running" and not (started and chunks):
        warming = shared.service().state == "starting"
        st.progress(0.0, "**Starting the training process**: about 10 seconds after a server start"
                    if warming else "**Compiling the network**: a second or two")  # fmt: skip
    elif run.status == "running" and started:
        total = started.steps_per_epoch * started.epochs
        last = chunks[-1]
        left = last.seconds / last.step * (total - last.step)
        epoch = min(started.epochs, (last.step - 1) // started.steps_per_epoch + 1)
        st.progress(last.step / total, f"**Epoch {epoch} of {started.epochs}** · "
                    f"{speed(chunks):,.0f} images/s · {left:.0f} s left")  # fmt: skip
    elif run.status == "finished":
        st.success(f"Finished in {run.seconds:.1f} s of training: **{run.test_accuracy:.2%}** of "
                   f"the test images are read correctly. {run.message}",
                   icon=":material/check:")  # fmt: skip
    elif run.status == "stopped" and run.test_accuracy is not None:
        st.info(f"Stopped after {run.seconds:.1f} s of training: **{run.test_accuracy:.2%}** of "
                f"the test images are read correctly. {run.message} Weights and history are kept.",
                icon=":material/stop_circle:")  # fmt: skip
    elif run.status == IMPORTED:
        st.info(f"Imported: these weights came in a file. {_read_here(run)}",
                icon=":material/upload:")  # fmt: skip
    else:
        st.warning(run.message, icon=":material/warning:")


def _read_here(run: Run) -> str:
    if run.test_accuracy is not None:
        return f"**{run.test_accuracy:.2%}** of the test images are read correctly."
    return "They are being measured on the test images." if _measuring(run) else ""


def _measuring(run: Run) -> bool:
    """Whether a worker has yet to say how well imported weights read."""
    if run.status != IMPORTED or run.test_accuracy is not None:
        return False
    asked = shared.service().evaluation(run.id)
    return asked is not None and not asked.over()


def speed(chunks: list[events.Progress]) -> float:
    """Images a second over the last ten chunks: one alone jumps about."""
    recent = chunks[-10:]
    return sum(e.images_per_second for e in recent) / len(recent)


def figures(run: Run, history: list[events.Event]) -> None:
    """The latest numbers, side by side."""
    ends = [e for e in history if isinstance(e, events.EpochEnded)]
    chunks = [e for e in history if isinstance(e, events.Progress)]
    losses = plotting.smoothed([e.loss for e in chunks], [e.steps for e in chunks])
    now = losses[-1] if chunks else None
    shown = {
        "Training loss": f"{now:.4f}" if now is not None else "–",
        "Validation loss": f"{ends[-1].val_loss:.4f}" if ends else "–",
        "Validation accuracy": f"{ends[-1].val_accuracy:.2%}" if ends else "–",
        "Test accuracy": f"{run.test_accuracy:.2%}" if run.test_accuracy else "–",
    }
    with st.container(horizontal=True):
        for name, value in shown.items():
            st.metric(name, value)


def run_panel(run: Run) -> None:
    """The live part and, when it has ended, what can be done with it."""
    if run.spec != bench().spec:
        st.caption(f"This run: {run.name}. The design on this page has changed since.")
        st.button("Show this run's design", key="load_design", type="tertiary",
                  icon=":material/undo:", on_click=design.load, args=(run.spec,))  # fmt: skip
    moving = run.active or _measuring(run)
    notes.fragment(live, run_every=0.5 if moving else STILL_SECONDS)(run.id)
    st.toggle("Loss on a log scale", key=session.seed_widget("log_loss", False))
    if not run.active and shared.runs().has_weights(run.id):
        afterwards(run)
        export_panel.panel(run)


def afterwards(run: Run) -> None:
    """Use the model, or train it further."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Draw a digit for this model", icon=":material/draw:", key="to_draw"):
            bench().model = run.id
            navigation.go("draw")
        if run.owner != visitors.visitor():
            return
        room = int(LIMITS["epochs"].high) - run.spec.epochs
        if run.status in ("stopped", "interrupted"):
            st.button("Go on where it stopped", icon=":material/resume:", key="go_on",
                      on_click=go_on, args=(run, 0))  # fmt: skip
        elif room > 0:
            more = st.number_input("Epochs", 1, room, min(5, room), key="more", width=130)
            st.button("Train more", icon=":material/forward:", key="train_more",
                      on_click=go_on, args=(run, more))  # fmt: skip


def go_on(run: Run, epochs: int) -> None:
    """Take the run up again from its checkpoint."""
    try:
        design.load(shared.service().go_on(run.id, epochs).spec)
    except LabError as error:
        st.error(str(error), icon=":material/block:")
    state.mine().paused = False
