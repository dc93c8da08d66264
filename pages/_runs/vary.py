"""What races and sweeps share: the design they vary, the values to try, and which one is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from mnist_core.basis import LabError
from mnist_core.design import recipes
from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import LIMITS, RunSpec
from mnist_core.design.variations import SETTINGS
from mnist_core.runs.groups import Group
from pages._runs import run_list, state
from pages._shell import links, session, shared, visitors
from pages._shell.state import bench

MOST_RUNS = 20  # of the visitor's own among the designs to vary


def base(kind: str) -> RunSpec:
    """The design to vary, chosen among that of the Build page, the recipes and the visitor's runs,
    with epochs and seed of its own."""
    designs = {"design": bench().spec or RunSpec()}
    names = {"design": "The design on the Build page"}
    for name, recipe in RECIPES.items():
        designs[name], names[name] = recipe.spec, f"Recipe {name}"
    for run in run_list.mine(MOST_RUNS):
        designs[run.id], names[run.id] = run.spec, f"Run {run.name}"
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    choice = left.selectbox("Start from", list(designs), format_func=names.__getitem__,
                            filter_mode=None, key=f"{kind}_base")  # fmt: skip
    spec = designs[choice]
    (fewest, most), (first, last) = (map(int, LIMITS[name]) for name in ("epochs", "seed"))
    usual = min(spec.epochs, 2) if kind == "sweep" else spec.epochs
    epochs = middle.number_input("Epochs", fewest, most, usual, key=f"{kind}_epochs.{choice}")
    seed = right.number_input("Seed", first, last, spec.seed, key=f"{kind}_seed.{choice}")
    st.caption(f"{recipes.network(spec)} · {spec.optimizer}, learning rate "
               f"{spec.learning_rate:g}, batches of {spec.batch_size}")  # fmt: skip
    return replace(spec, epochs=epochs, seed=seed)


def values(spec: RunSpec, name: str, kind: str, most: int | None = None) -> tuple[Any, ...]:
    """The values of a setting to try: at first the design's own and its neighbours."""
    setting, own = SETTINGS[name], SETTINGS[name].get(spec)
    options = list(setting.options)
    if own not in options:
        options = sorted([*options, own]) if not isinstance(own, str) else [*options, own]
    at = options.index(own)
    usual = sorted({at, min(at + 1, len(options) - 1), max(at - 1, 0)})
    if most:
        usual = [at, at + 1 if at + 1 < len(options) else at - 1]
    chosen = st.multiselect(
        setting.label, options, [options[i] for i in usual], format_func=setting.write,
        max_selections=most, key=f"{kind}_values.{name}.{own}", filter_mode=None,
    )  # fmt: skip
    return tuple(sorted(chosen, key=options.index))


def chosen_group(kind: str) -> Group | None:
    """The race or sweep that is shown: the link's, the session's, else the visitor's last one."""
    found = {group.id: group for group in shared.runs().groups(visitors.visitor(), kind)}
    if not found:
        return None
    groups = state.mine().groups
    asked = st.query_params.get(kind, groups.get(kind, ""))
    groups[kind] = asked if asked in found else next(iter(found))
    if len(found) > 1:
        session.set_widget(f"shown_{kind}", groups[kind])
        st.selectbox(f"{kind.capitalize()} to look at", list(found), key=f"shown_{kind}",
                     format_func=lambda g: title(found[g]), filter_mode=None,
                     on_change=lambda: show(kind, session.widget(f"shown_{kind}")))  # fmt: skip
    show(kind, groups[kind])
    return found[groups[kind]]


def begin(kind: str, start: Callable[[], Group]) -> None:
    """Start a race or a sweep and show it, or say why it cannot be."""
    try:
        group = start()
    except LabError as error:
        st.error(str(error), icon=":material/block:")
        return
    show(kind, group.id)
    st.rerun()


def show(kind: str, group: str) -> None:
    """Keep it in the session and in the URL."""
    state.mine().groups[kind] = group
    if st.query_params.get(kind) != group:
        st.query_params[kind] = group


def title(group: Group) -> str:
    """What a race or a sweep is called in a list."""
    made = time.strftime("%H:%M", time.localtime(group.created))
    if group.kind == "race":
        return f"{made} · {', '.join(group.body['names'].values())} · {group.body['words']}"
    varied = ", ".join(SETTINGS[name].label.split(",")[0] for name in group.body["values"])
    return f"{made} · {varied} ({len(group.body['scores'])} trials)"


def to_compare(ids: list[str]) -> None:
    """Compare these runs; for callbacks."""
    state.mine().compared = ids
    st.query_params["runs"] = "~".join(ids)
    links.keep_choice("tab", "Compare")
