"""The bar of a run: Train, Pause, One batch, Stop, and a hand on how it goes.

It stays where it is, whatever happens: a button that cannot be used is gray, never gone. On a phone
it lies at the bottom of the screen (`style.css`).
"""

from __future__ import annotations

import streamlit as st

from mnist_core.basis import LabError, numbers
from mnist_core.design.spec import RunSpec
from mnist_core.runs.records import Run
from mnist_core.training import course, events
from mnist_core.training.course import Steering
from pages._builder import control_keys, forecast, state
from pages._components import copy_link
from pages._shell import links, session, shared, visitors

SLOW_SECONDS = 0.3  # between two batches in slow motion: slow enough to follow each point


def draw(spec: RunSpec, run: Run | None) -> None:
    """All buttons. A run's link is for looking: only its owner's browser steers it."""
    blocked = shared.service().state == "failed" or any(p.blocking for p in spec.problems())
    mine = bool(run and run.active and run.owner == visitors.visitor())
    running = bool(mine and run and run.status == "running")
    now = steered(run) if running and run else Steering(False, 0.0, spec.learning_rate)
    with st.container(horizontal=True, vertical_alignment="center", key="buttons"):
        st.button("Train", type="primary", icon=":material/play_arrow:", key="train",
                  disabled=blocked or mine, on_click=train, args=(spec,))  # fmt: skip
        if now.paused:
            st.button("Go on", icon=":material/resume:", key="resume",
                      on_click=tell, args=(run, now, "resume"))  # fmt: skip
        else:
            st.button("Pause", icon=":material/pause:", key="pause", disabled=not running,
                      on_click=tell, args=(run, now, "pause"))  # fmt: skip
        st.button("Batch", icon=":material/skip_next:", key="step", disabled=not running,
                  help="Train one batch more, and pause.",
                  on_click=tell, args=(run, now, "step", 1))  # fmt: skip
        st.button("Stop", icon=":material/stop:", key="stop", disabled=not mine,
                  on_click=stop, args=(run,))  # fmt: skip
        with st.popover("Steer", icon=":material/tune:", disabled=not running, key="steer"):
            if running and run:
                _steer(run, now)
        st.html('<a class="to-curves" href="#curves" title="To the curves">Curves</a>')
        copy_link.show()


def steered(run: Run) -> Steering:
    """How the run goes by its own words, or as it was asked to just now."""
    history = events.timeline(shared.runs().history(run.id))
    return state.mine().steered(run.id, course.steering(run.spec, history))


def _steer(run: Run, now: Steering) -> None:
    """Slow motion, and a hand on the learning rate: as the run has them, whoever set them."""
    session.set_widget("slow", bool(now.delay))
    st.toggle("Slow motion", key="slow", help="One batch at a time, three a second.",
              on_change=lambda: tell(run, now, "slow", SLOW_SECONDS * session.widget("slow")),
              )  # fmt: skip
    rates = control_keys.among(control_keys.RATES, now.rate)
    key = f"rate_now.{run.id}"
    session.set_widget(key, control_keys.exact(rates, now.rate))
    st.select_slider(
        "Learning rate from now on", rates, format_func=numbers.plain, key=key,
        on_change=lambda: tell(run, now, "learning_rate", session.widget(key)),
    )  # fmt: skip


def train(spec: RunSpec) -> None:
    """Queue the design; the page turns to the new run."""
    mine, data, told = state.mine(), shared.data(), forecast.told(spec)
    try:
        run = shared.service().submit(spec, visitors.visitor(), data.identity, told)
        mine.refused, mine.asked = "", None
        links.show_run(run)
        if mine.guess is not None:
            shared.runs().guess(run.id, visitors.visitor(), mine.guess)
            mine.guess = None
    except LabError as error:  # a SpecError is one too
        mine.refused = str(error)
    st.rerun()


def stop(run: Run) -> None:
    """End the run."""
    _obeyed(lambda: shared.service().stop(run.id))
    st.rerun()


def tell(run: Run, now: Steering, command: str, value: float | None = None) -> None:
    """Pass a word on to the run; the bar shows at once what it will be like."""
    changes = {
        "pause": {"paused": True}, "resume": {"paused": False}, "step": {"paused": True},
        "slow": {"delay": value}, "learning_rate": {"rate": value},
    }[command]  # fmt: skip
    if _obeyed(lambda: shared.service().tell(run.id, command, value)):
        state.mine().ask(run.id, now, **changes)
    st.rerun()


def _obeyed(act) -> bool:
    try:
        act()
    except LabError as error:
        state.mine().refused = str(error)
        return False
    state.mine().refused = ""
    return True
