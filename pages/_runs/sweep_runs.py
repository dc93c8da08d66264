"""A sweep: many short runs in search of better settings, and which of the settings matter."""

from __future__ import annotations

import streamlit as st

from mnist_core.analysis import experiments as under_way
from mnist_core.analysis import sweep
from mnist_core.analysis.sweep import METHODS, SECONDS, Plan, Trial
from mnist_core.basis import LabError, numbers
from mnist_core.basis.numbers import percent
from mnist_core.charts import run_charts
from mnist_core.design.variations import SETTINGS, applicable
from mnist_core.runs.groups import Group
from pages._runs import state, vary
from pages._shell import chart, design, navigation, notes, shared, visitors, waiting
from pages._shell.state import bench

FIRST = ("learning_rate", "units")
# Plotly draws them black whatever the page is.
_AXES = "<style>.parcoords .axis :is(path, line) { stroke: #8A877F !important; }</style>"
HIDDEN = ("optimizer_alone", "seed")  # of no use in a search for the best


def sweeps() -> None:
    """A new sweep, and the one that is shown."""
    st.caption("Many short runs over settings of your choice, within a budget of seconds. Each is "
               "judged by its validation accuracy: to choose by the test set would spoil "
               "it.")  # fmt: skip
    before = len(shared.runs().groups(visitors.visitor(), "sweep"))
    # Each start closes it: another key is another expander.
    with st.expander("A new sweep", expanded=not before, icon=":material/grid_on:",
                     key=f"new_sweep.{before}"):  # fmt: skip
        _new()
    if (group := vary.chosen_group("sweep")) is not None:
        _shown(group)


# -------------------------------------------------------------------- a new sweep


def _new() -> None:
    spec = vary.base("sweep")
    settings = {k: s for k, s in applicable(spec).items() if k not in HIDDEN and k != "epochs"}
    chosen = st.multiselect(
        "Settings to vary", list(settings), [name for name in FIRST if name in settings],
        format_func=lambda n: settings[n].label, max_selections=sweep.MOST_SETTINGS,
        key="sweep_settings", filter_mode=None,
    )  # fmt: skip
    values = {name: vary.values(spec, name, "sweep") for name in chosen if name in settings}
    left, right = st.columns(2)
    method = left.segmented_control("How", list(METHODS), default="grid", required=True,
                                    format_func=str.capitalize, key="sweep_method")  # fmt: skip
    left.caption(METHODS[method])
    seconds = right.slider("Budget", SECONDS[0], 600, 60, step=5, format="%d s",
                           key="sweep_seconds")  # fmt: skip
    right.caption("Time in which trials train; waiting in the queue is free.")
    plan = Plan(spec, values, method, float(seconds), spec.seed)
    problems = plan.problems()
    for sentence in problems if values else ():
        st.warning(sentence, icon=":material/block:")
    st.caption(_size(plan) if not problems else "Choose settings, and two values or more of each.")
    if st.button("Start the sweep", type="primary", icon=":material/grid_on:", key="start_sweep",
                 disabled=bool(problems) or shared.service().state == "failed"):  # fmt: skip
        _start(plan)


def _size(plan: Plan) -> str:
    slots = shared.service().slots
    workers = "one at a time" if slots < 2 else f"up to {slots} at once"
    whole = (f"{plan.combinations} combinations" if plan.method == "grid"
             else "As many trials as fit into the budget")  # fmt: skip
    return f"{whole}, {workers}; visitors who wait get their turn between them."


def _start(plan: Plan) -> None:
    data, visitor = shared.data(), visitors.visitor()
    vary.begin("sweep", lambda: shared.sweeps().start(plan, visitor, data.identity))


# ------------------------------------------------------------------- the one shown


def _shown(group: Group) -> None:
    running = group.status == "running"
    if running:
        st.button("Stop, and keep what is there", icon=":material/stop:", key="stop_sweep",
                  on_click=shared.sweeps().stop, args=(group.id,))  # fmt: skip
    notes.fragment(_now, run_every=1.0 if running else None)(group.id, running)
    if not running:
        _afterwards(group)


def _now(group_id: str, was_running: bool) -> None:
    """The sweep as it is now."""
    group = shared.runs().group(group_id)
    if group is None or (was_running and group.status != "running"):
        st.rerun()
    trials = under_way.trials(shared.runs(), group)
    _headline(group, trials)
    if any(trial.score is not None for trial in trials):
        _results(Plan.from_body(group.body), trials, was_running)


def _headline(group: Group, trials: list[Trial]) -> None:
    scored = sum(trial.score is not None for trial in trials)
    count = numbers.some(scored, "trial")
    spent, budget = group.body["spent"], group.body["seconds"]
    if group.status == "running":
        runs = shared.runs().members(group.id)
        waits = any(run.status == "queued" for run in runs) and not any(
            run.status == "running" for run in runs
        )
        words = " · waits for its turn" if waits and not scored else ""
        st.progress(min(1.0, spent / budget), f"**{count}** in {spent:.0f} of "
                    f"{budget:.0f} s{words}")  # fmt: skip
    else:
        st.caption(f"{count} in {spent:.0f} s of training. {group.message}")


def _results(plan: Plan, trials: list[Trial], running: bool) -> None:
    best = sweep.best(trials)
    if best is None:
        return
    record = shared.runs().get(best.run)
    first, second, third = st.columns(3)
    first.metric("Best validation accuracy", f"{percent(best.score or 0)}")
    second.metric("Its test accuracy", f"{percent(record.test_accuracy)}" if record else "–")
    third.metric("Trials", sum(trial.score is not None for trial in trials))
    words = [f"{SETTINGS[k].label.split(',')[0]}: **{SETTINGS[k].write(v)}**"
             for k, v in best.values.items()]  # fmt: skip
    st.markdown(" · ".join(words))
    if sum(trial.score is not None for trial in trials) >= sweep.FEWEST_TO_WEIGH:
        st.html(_AXES)
        chart.show(run_charts.trials(plan, trials), "sweep_trials")
    if not running:
        _importance(plan, trials)
        chart.show(run_charts.progress(trials), "sweep_progress")
    _table(plan, trials)


def _importance(plan: Plan, trials: list[Trial]) -> None:
    done = sum(trial.score is not None for trial in trials)
    key = f"importance {plan} {[trial.run for trial in trials]} {done}"
    job = shared.job("", key, lambda report: sweep.weighed(plan, trials))
    if not waiting.ready(job, "Weighing the settings"):
        return
    found = job.result()
    if found:
        chart.show(run_charts.importance(found, sweep.whole(plan, trials)),
                    "sweep_importance")  # fmt: skip
    else:
        st.caption(f"Which setting matters, {sweep.FEWEST_TO_WEIGH} trials or more that differ in "
                   "their score can say.")  # fmt: skip


def _table(plan: Plan, trials: list[Trial]) -> None:
    ranked = sorted(sweep.scored(trials), key=lambda pair: -pair[1])
    rows = [
        {"Validation": round(100 * score, 2),
         **{_label(k): SETTINGS[k].write(v) for k, v in t.values.items()}}
        for t, score in ranked
    ]
    st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 300), alt="All trials",
                 column_config={"Validation": st.column_config.NumberColumn(format="%.2f %%")},
                 )  # fmt: skip


def _label(name: str) -> str:
    return SETTINGS[name].label.split(",")[0]


def _afterwards(group: Group) -> None:
    """Take the best design on; go on; compare the best ones; delete all."""
    trials = under_way.trials(shared.runs(), group)
    scored = [t for t, _ in sorted(sweep.scored(trials), key=lambda pair: -pair[1])]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if scored and st.button("Take the best design", type="primary", key="take_best",
                                icon=navigation.PAGES["builder"][1]):  # fmt: skip
            best = shared.runs().known(scored[0].run)
            design.load(best.spec)
            bench().run = best.id
            navigation.go("builder")
        if len(scored) > 1:
            st.button("Compare the best three", icon=":material/stacked_line_chart:",
                      key="sweep_compare", on_click=vary.to_compare,
                      args=([trial.run for trial in scored[:3]],))  # fmt: skip
        seconds = st.number_input("Seconds", SECONDS[0], 600, 30, key="more_seconds", width=120)
        st.button("Go on", icon=":material/resume:", key="sweep_on", on_click=_go_on,
                  args=(group.id, float(seconds)))  # fmt: skip
        st.button("Delete", icon=":material/delete:", key="delete_sweep", on_click=_delete,
                  args=([trial.run for trial in trials],),
                  help="All its trials; All runs has them back.")  # fmt: skip


def _go_on(group: str, seconds: float) -> None:
    try:
        shared.sweeps().go_on(group, seconds)
    except LabError as error:
        st.error(str(error), icon=":material/block:")


def _delete(ids: list[str]) -> None:
    shared.runs().discard(ids, visitors.visitor())
    state.mine().deleted = ids
    state.mine().groups.pop("sweep", None)
    st.query_params.pop("sweep", None)
