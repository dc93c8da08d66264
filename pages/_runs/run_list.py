"""The list of a visitor's runs: find some, name them, use them, delete them and have them back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from mnist_core.basis import numbers
from mnist_core.basis.numbers import percent
from mnist_core.design import recipes
from mnist_core.design.choices import OPTIMIZERS
from mnist_core.runs import expiry
from mnist_core.runs.database import ACTIVE, ENDED
from mnist_core.runs.owner_edits import NOTE_MOST, TITLE_MOST
from mnist_core.runs.records import Run
from pages._runs import run_rows, state
from pages._shell import links, navigation, session, shared, visitors
from pages._shell.state import bench

MOST = 500
# What to sort by -> the key, of which the largest comes first where the flag says so.
ORDERS: dict[str, tuple[Callable[[Run], Any], bool]] = {
    "Newest": (lambda run: run.created, True),
    "Accuracy": (lambda run: -1 if run.test_accuracy is None else run.test_accuracy, True),
    "Loss": (lambda run: 1e9 if run.test_loss is None else run.test_loss, False),
    "Time": (lambda run: 1e9 if run.seconds is None else run.seconds, False),
    "Name": (lambda run: run.name.lower(), False),
}
STATES = (*ACTIVE, *ENDED)


def mine(most: int = MOST) -> list[Run]:
    """The visitor's runs without the trials of sweeps, the newest first."""
    return shared.runs().of(visitors.visitor(), most)


def every_run() -> None:
    """The list, what can be done with the chosen ones, and what was deleted."""
    records = mine()
    _undo()
    if not records:
        st.info("You have no runs yet. Train a network and it is kept here, with its curves and "
                "its model.", icon=":material/list_alt:")  # fmt: skip
        navigation.link("builder", "Build and train one")
    else:
        shown = _found(records)
        chosen = _table(shown)
        _actions(chosen)
        if said := run_rows.guesses(records):
            st.caption(said)
    _folded()
    _bin()


# ---------------------------------------------------------------------- which ones


def _found(records: list[Run]) -> list[Run]:
    """Those that the controls ask for, in their order."""
    words, states, order, starred = _controls()
    found = [run for run in records if words.lower() in _words(run)]
    found = [run for run in found if not states or run.status in states]
    found = [run for run in found if run.starred or not starred]
    key, falling = ORDERS[order]
    return sorted(found, key=key, reverse=falling)


def _controls() -> tuple[str, Sequence[str], str, bool]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input("Find", key="find_run", placeholder="name, note, design, data",
                              width=240, persist_state="session")  # fmt: skip
        order = st.selectbox("Sort by", list(ORDERS), key="runs_by", width=130, filter_mode=None,
                             persist_state="session")  # fmt: skip
        states = st.multiselect("Status", STATES, key="run_states", placeholder="any", width=210,
                                persist_state="session")  # fmt: skip
        starred = st.toggle("Starred only", key="starred_only", persist_state="session")
    return words, states, order, starred


def _words(run: Run) -> str:
    """All that a run can be found by."""
    design = f"{recipes.network(run.spec)} {OPTIMIZERS[run.spec.optimizer].label}"
    return f"{run.name} {run.note} {design} {run.data} {run.status}".lower()


def _table(shown: list[Run]) -> list[Run]:
    """The runs as a table; those that are chosen in it."""
    if not shown:
        st.info("None of your runs is like that: ask for less.", icon=":material/filter_alt_off:")
        return []
    chosen = _ticked(shown)
    active = sum(run.active for run in shown)
    st.caption(f"{numbers.some(len(shown), 'run')}"
               f"{f', {active} not over yet' if active else ''}. Tick some to do something with "
               "them.")  # fmt: skip
    return [shown[i] for i in chosen if i < len(shown)]


def _ticked(shown: list[Run]) -> list[int]:
    """Draw the table; the places of the rows that are ticked."""
    # By their place: another list is another widget, with nothing ticked.
    key = f"runs.{state.mine().listed}.{hash(tuple(run.id for run in shown)):x}"
    return st.dataframe(
        run_rows.rows(shown), key=key, hide_index=True, on_select="rerun",
        selection_mode="multi-row", height=min(38 + 35 * len(shown), 470),
        column_config=run_rows.COLUMNS, alt="Your runs",
    )["selection"]["rows"]  # fmt: skip


# ------------------------------------------------------------------ what to do with them


def _actions(chosen: list[Run]) -> None:
    """What can be done with the chosen runs."""
    ids, over = [run.id for run in chosen], all(not run.active for run in chosen)
    with st.container(horizontal=True, vertical_alignment="center", key="run_actions"):
        if len(chosen) == 1:
            _one(chosen[0])
        if st.button("Compare", icon=":material/stacked_line_chart:", key="to_compare",
                     disabled=len(chosen) < 2):  # fmt: skip
            state.mine().compared = ids
            links.keep_choice("tab", "Compare")
            st.query_params["runs"] = "~".join(ids)
            st.rerun()
        starred = bool(chosen) and all(run.starred for run in chosen)
        st.button("Unstar" if starred else "Star", icon=":material/star:", key="star_runs",
                  disabled=not chosen, on_click=_star, args=(ids, not starred))  # fmt: skip
        st.button("Delete", icon=":material/delete:", key="delete_runs",
                  disabled=not chosen or not over, on_click=_delete, args=(ids,),
                  help=None if over else "Stop what is not over first.")  # fmt: skip
    if len(chosen) == 1:
        _labels(chosen[0])


def _one(run: Run) -> None:
    """Where one may go with a run."""
    if st.button("Open", type="primary", icon=navigation.PAGES["builder"][1], key="open_run"):
        _open(run)
    usable = not run.active and shared.runs().has_weights(run.id)
    if st.button("Evaluate", icon=navigation.PAGES["evaluate"][1], key="evaluate_run",
                 disabled=not usable):  # fmt: skip
        bench().run = bench().model = run.id
        navigation.go("evaluate")
    if st.button("Draw", icon=navigation.PAGES["draw"][1], key="draw_run", disabled=not usable):
        bench().model = run.id
        navigation.go("draw")


def _open(run: Run) -> None:
    """The run with its design on the Build page."""
    mine = bench()
    session.drop_widgets("design.")
    mine.run, mine.spec = run.id, run.spec
    navigation.go("builder")


def _labels(run: Run) -> None:
    """The run's own name and a note."""
    with st.form(f"labels.{run.id}"):
        left, right = st.columns([2, 3])
        title = left.text_input("Name", run.title, max_chars=TITLE_MOST, placeholder=run.name)
        note = right.text_area("Note", run.note, max_chars=NOTE_MOST, height=80,
                               placeholder="What you tried, what you saw")  # fmt: skip
        if st.form_submit_button("Save", icon=":material/save:"):
            shared.runs().entitle(run.id, visitors.visitor(), title, note)
            st.rerun()


def _star(ids: list[str], starred: bool) -> None:
    shared.runs().star(ids, visitors.visitor(), starred)


def _delete(ids: list[str]) -> None:
    shared.runs().discard(ids, visitors.visitor())
    state.mine().deleted = ids
    state.mine().listed += 1


# ------------------------------------------------------------------------- and back


def _undo() -> None:
    """What was deleted just now can be had back with one click."""
    ids = state.mine().deleted
    if not ids:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="undo"):
        st.caption(f"{numbers.some(len(ids), 'run')} deleted.", width="content")
        st.button("Undo", icon=":material/undo:", key="undo_delete", on_click=_restore,
                  args=(ids,))  # fmt: skip


def _restore(ids: list[str]) -> None:
    shared.runs().restore(ids, visitors.visitor())
    state.mine().deleted = []
    state.mine().listed += 1


def _bin() -> None:
    """What was deleted and is still there."""
    gone = shared.runs().discarded(visitors.visitor())
    if not gone:
        return
    hours = 24 * expiry.UNDO_DAYS
    with st.expander(f"Deleted ({len(gone)})", icon=":material/delete:"):
        st.caption(f"Kept for {hours:.0f} hours, or until the disk is full.")
        for run in gone[:20]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(run.name, width="stretch")
                st.button("Restore", icon=":material/undo:", key=f"restore.{run.id}",
                          on_click=_restore, args=([run.id],))  # fmt: skip
        if len(gone) > 1:
            st.button("Restore all", key="restore_all", on_click=_restore,
                      args=([run.id for run in gone],))  # fmt: skip


# ------------------------------------------------------------------- what is folded


def _folded() -> None:
    """The sweeps, each as one line in place of its trials."""
    store = shared.runs()
    found = store.groups(visitors.visitor(), "sweep")
    if not found:
        return
    st.subheader("Sweeps", anchor=False)
    for group in found[:20]:
        scores = group.body["scores"].values()
        best = f", the best reads {percent(max(scores))} of the validation images" if scores else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{numbers.some(len(scores), 'trial')}{best}", width="stretch")
            if st.button("Look at it", icon=":material/unfold_more:", key=f"unfold.{group.id}"):
                state.mine().groups["sweep"] = group.id
                links.keep_choice("tab", "Sweep")
                st.query_params["sweep"] = group.id
                st.rerun()
