"""The rows of a list of runs: what tells them apart, and nothing that is the same in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from mnist_core.analysis import comparison, race
from mnist_core.basis import numbers
from mnist_core.runs.records import Run
from mnist_core.training import course, events
from pages._runs import compare_runs
from pages._shell import shared, visitors

MOST_SETTINGS = 6  # columns of settings; Compare has them all


def rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for each run: how it went and ended, then the settings in which these runs differ."""
    told = shared.runs().told([run.id for run in runs], events.EpochEnded, events.Marked,
                              events.Started)  # fmt: skip
    histories = [events.timeline(told[run.id]) for run in runs]
    differing = comparison.differences([run.spec for run in runs], histories)
    shown = list(differing)[:MOST_SETTINGS]
    if comparison.HAND in differing and comparison.HAND not in shown:
        shown[-1] = comparison.HAND
    found = []
    for i, (name, run) in enumerate(compare_runs.named(list(runs)).items()):
        curve = [e.val_accuracy for e in course.of(events.EpochEnded, histories[i])]
        found.append({
            "Name": f"{'★ ' * run.starred}{name}",
            "Accuracy": _percent(run.test_accuracy),
            "Validation": [round(100 * v, 2) for v in curve] or None,
            "Status": run.status,
            "Loss": run.test_loss,
            "Time": run.seconds,
            **{label: differing[label][i] for label in shown},
            "Guess": _percent(run.guess),
            "Data": run.data,
            "Note": run.note,
            "Made": run.created * 1000,
        })  # fmt: skip
    return _without_the_same(found)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _without_the_same(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without columns that are empty, and without data that are those of every run."""
    empty = {key for key in ("Guess", "Note", "Validation") if not any(row[key] for row in found)}
    if len({row["Data"] for row in found}) == 1:
        empty.add("Data")
    return [{key: value for key, value in row.items() if key not in empty} for row in found]


COLUMNS = {
    "Name": st.column_config.TextColumn(width=210),
    "Accuracy": st.column_config.NumberColumn(format="%.2f %%", width=85,
                                              help="On the test set, at the end"),
    "Validation": st.column_config.LineChartColumn(width=90, help="Validation accuracy by epoch"),
    "Status": st.column_config.TextColumn(width=80),
    "Loss": st.column_config.NumberColumn(format="%.4f", width=70, help="Test loss in nats"),
    "Time": st.column_config.NumberColumn(format="%.1f s", width=75, help="Spent training"),
    "Guess": st.column_config.NumberColumn(format="%.2f %%", width=80,
                                           help="What you expected before the run"),
    "Made": st.column_config.DatetimeColumn(format="distance", width=110),
}  # fmt: skip


def guesses(runs: Sequence[Run]) -> str:
    """The visitor's own record of guesses, in a sentence or two; "" without one."""
    return " ".join(filter(None, (_accuracies(runs), _winners())))


def _accuracies(runs: Sequence[Run]) -> str:
    off = [100 * (run.guess - run.test_accuracy) for run in runs
           if run.guess is not None and run.test_accuracy is not None]  # fmt: skip
    if not off:
        return ""
    mean = sum(map(abs, off)) / len(off)
    high, low = sum(x > 0 for x in off), sum(x < 0 for x in off)
    return (f"Your guesses: {numbers.some(len(off), 'run')}, {numbers.fixed(mean, 2)} points off "
            f"on average, {high} too high and {low} too low.")  # fmt: skip


def _winners() -> str:
    store, right = shared.runs(), []
    for group in store.groups(visitors.visitor(), "race"):
        names, guess = group.body["names"], group.body.get("guess")
        members = [run for run in store.members(group.id) if run.id in names]
        won = race.winner({names[run.id]: run.test_accuracy for run in members})
        if guess and won and len(members) == len(names):
            right.append(won == guess)
    if not right:
        return ""
    return f"Winners of races: {sum(right)} of {len(right)} guessed right."
