"""What a run came to, and what can be done next: the verdict, the guess beside it, the remedy."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from mnist_core.analysis import verdict
from mnist_core.basis import LabError, numbers
from mnist_core.design.spec import LIMITS, RunSpec
from mnist_core.runs.records import Run
from mnist_core.training import events, inside
from pages._builder import control_bar, export_panel, forecast, state
from pages._shell import design, navigation, session, shared, visitors
from pages._shell.state import bench

ICONS = {
    "diverged": ":material/bolt:", "guessing": ":material/casino:",
    "overfitting": ":material/call_split:", "improving": ":material/trending_up:",
    "settled": ":material/check_circle:",
}  # fmt: skip


def draw(run: Run | None) -> None:
    """The verdict on an ended run with its remedy; while it goes on, what its owner guessed."""
    if run is None:
        return
    if run.active:
        if run.guess is not None:
            st.caption(f"Your guess: {numbers.percent(run.guess)}.")
        return
    history = events.timeline(shared.runs().history(run.id))
    with st.container(border=True, key="verdict", gap="small"):
        if found := of(run, history):
            st.markdown(f"{ICONS[found.kind]} {found.sentence}")
        else:
            st.caption("This run said too little for a verdict.")
        if run.guess is not None and run.test_accuracy is not None:
            st.caption(guessed(run.guess, run.test_accuracy))
        if found and found.remedy and run.owner == visitors.visitor():
            _remedy(run, found.remedy)
    forecast.afterwards(run, history)


def of(run: Run, history: list[events.Event]) -> verdict.Verdict | None:
    """The verdict on an ended run, computed once for each state of it."""
    data = shared.data()

    def compute() -> verdict.Verdict | None:
        checkpoint = shared.runs().checkpoint(run.id)
        seen = None
        if checkpoint and (run.test_accuracy or 0.0) < verdict.guess(history):
            seen = inside.look(run.spec, checkpoint.answer, data.test.images, data.test.labels)
        return verdict.verdict(run.spec, history, seen, checkpoint is not None)

    state_of_it = f"verdict {run.id} {run.status} {run.ended}"
    return shared.per_data(data.digest, state_of_it, compute)


def guessed(guess: float, came: float) -> str:
    """A guess beside what came."""
    off = numbers.signed(100 * (came - guess), 2)
    return (f"You guessed {numbers.percent(guess)}; it came to {numbers.percent(came)}, "
            f"{off} points.")  # fmt: skip


def _remedy(run: Run, remedy: verdict.Remedy) -> None:
    """One click, unless a lesson holds what it would change."""
    wanted = remedy.spec or replace(run.spec, epochs=run.spec.epochs + remedy.epochs)
    locked = bench().lesson.held(wanted) != wanted
    if remedy.rate is not None:
        locked = "learning_rate" in bench().lesson.lock
    st.button(remedy.label, icon=":material/healing:", key="remedy", disabled=locked,
              help="The lesson locks what this would change." if locked else None,
              on_click=_heal, args=(run, remedy))  # fmt: skip


def _heal(run: Run, remedy: verdict.Remedy) -> None:
    if remedy.spec:
        design.load(remedy.spec)
        control_bar.train(remedy.spec)
    go_on(run, remedy.epochs, remedy.rate)


def afterwards(run: Run) -> None:
    """Use the model, or train it further."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="next"):
        if st.button("Draw a digit for this model", icon=":material/draw:", key="to_draw"):
            bench().model = run.id
            navigation.go("draw")
        if run.owner == visitors.visitor():
            _further(run)
    export_panel.panel(run)


def _further(run: Run) -> None:
    room = int(LIMITS["epochs"].high) - run.spec.epochs
    held = "epochs" in bench().lesson.lock
    if run.status in ("stopped", "interrupted", "failed"):
        st.button("Go on where it stopped", icon=":material/resume:", key="go_on",
                  on_click=go_on, args=(run, 0))  # fmt: skip
    elif room > 0:
        more = st.number_input("Epochs", 1, room, min(5, room), key="more", width=130,
                               disabled=held, on_change="ignore")  # fmt: skip
        st.button("Train more", icon=":material/forward:", key="train_more", disabled=held,
                  help="The lesson locks the epochs." if held else None,
                  on_click=_train_more, args=(run, more))  # fmt: skip


def _train_more(run: Run, more: int) -> None:
    go_on(run, int(session.widget("more") or more))  # it may have been moved since


def go_on(run: Run, epochs: int = 0, rate: float | None = None) -> None:
    """Take the run up again from its checkpoint, at another learning rate if one is given."""
    mine = state.mine()
    try:
        design.load(shared.service().go_on(run.id, epochs).spec)
        if rate is not None:
            shared.service().tell(run.id, "learning_rate", rate)
        mine.refused, mine.asked = "", None
    except LabError as error:
        mine.refused = str(error)
    st.rerun()


def design_note(run: Run, spec: RunSpec) -> None:
    """Whose run this is, if it is not the visitor's, and that it is of another design."""
    other = run.owner != visitors.visitor()
    if other or run.spec != spec:
        with st.container(horizontal=True, vertical_alignment="center", key="run_note"):
            st.text(f"{'Somebody else’s run' if other else 'This run'}: {run.name}"
                    f"{'. You can look at it, but not steer it.' if other else ''}")  # fmt: skip
            if run.spec != spec:
                st.button("Show its design", key="load_design", type="tertiary",
                          icon=":material/undo:", on_click=design.load,
                          args=(run.spec,))  # fmt: skip
