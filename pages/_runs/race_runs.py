"""A fair race: networks that differ in one setting, trained on the same batches, and who won."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.analysis import comparison, race
from mnist_core.basis.numbers import percent
from mnist_core.charts import run_charts
from mnist_core.design.spec import RunSpec
from mnist_core.design.variations import SETTINGS, applicable
from mnist_core.runs.groups import Group
from mnist_core.runs.records import Run
from pages._runs import compare_runs, vary
from pages._shell import answering, chart, notes, shared, visitors, waiting


def races() -> None:
    """A new race, and the one that is shown."""
    st.caption("Two or more networks that differ in one setting. They begin with the same weights "
               "wherever their shapes are the same, and see the same images in the same order; "
               "then a paired test on the test set says who reads better.")  # fmt: skip
    before = len(shared.runs().groups(visitors.visitor(), "race"))
    # Each start closes it: another key is another expander.
    with st.expander("A new race", expanded=not before, icon=":material/flag:",
                     key=f"new_race.{before}"):  # fmt: skip
        _new(before)
    if (group := vary.chosen_group("race")) is None:
        return
    _shown(group)


# --------------------------------------------------------------------- a new race


def _new(before: int) -> None:
    spec = vary.base("race")
    settings = applicable(spec)
    name = st.selectbox("What differs", list(settings), key="race_setting", filter_mode=None,
                        format_func=lambda n: settings[n].label)  # fmt: skip
    values = vary.values(spec, name, "race", race.MOST)
    setting = settings[name]
    specs = {setting.write(value): setting.put(spec, value) for value in values}
    problems = [f"{who}: {p}" for who, x in specs.items() for p in x.problems() if p.blocking]
    for sentence in problems:
        st.error(sentence, icon=":material/block:")
    if len(specs) >= race.FEWEST and not problems:
        st.caption(" ".join((*race.fairness(list(specs.values())), _order(len(specs)))))
    elif not problems:
        st.info("Choose two values or more.", icon=":material/flag:")
    ready = len(specs) >= race.FEWEST and not problems
    guess = _guess(list(specs), before) if ready else ""
    if st.button("Start the race", type="primary", icon=":material/flag:", key="start_race",
                 disabled=not ready or shared.service().state == "failed"):  # fmt: skip
        _start(specs, setting.label, guess)


def _guess(names: list[str], before: int) -> str:
    """Who the visitor thinks will win, "" if they would rather not say (Kim, Reinecke, Hullman
    2017: who guesses first remembers what came). Each race is guessed anew."""
    return st.segmented_control(
        "Who will win? Your guess, if you like", names, wrap=True, persist_state="session",
        key=f"race_guess.{before}." + "~".join(names),
    ) or ""  # fmt: skip


def _order(racers: int) -> str:
    """When they train, as it will be."""
    slots = shared.service().slots
    if slots < 2:
        return "This server trains one network at a time, so they run one after another."
    if slots < racers:
        return f"{slots} of them train at the same time, the others after them."
    return "All of them train at the same time."


def _start(specs: dict[str, RunSpec], words: str, guess: str = "") -> None:
    data, visitor = shared.data(), visitors.visitor()
    vary.begin("race", lambda: shared.sweeps().race(specs, visitor, data.identity, words, guess))


# ------------------------------------------------------------------- the one shown


def _shown(group: Group) -> None:
    members = _members(group)
    over = shared.sweeps().race_over(group.id)
    st.subheader(f"{group.body['words']}: {' or '.join(members)}", anchor=False)
    guess = group.body.get("guess", "")
    if not over:
        if guess:
            st.caption(f"Your guess: {guess} wins.")
        st.button("Stop the race", icon=":material/stop:", key="stop_race",
                  on_click=shared.sweeps().stop, args=(group.id,))  # fmt: skip
        metric = _metric()
        notes.fragment(_live, run_every=0.7)(group.id, metric)
        return
    if said := race.guessed(guess, {name: run.test_accuracy for name, run in members.items()}):
        st.markdown(said)
    _verdict(members)
    histories = [shared.runs().history(run.id) for run in members.values()]
    metric = _metric()
    compare_runs.curves(members, histories, metric, "epochs")
    compare_runs.table(members, histories)
    _afterwards(group, members)


def _metric() -> str:
    return st.segmented_control(
        "Show", list(comparison.METRICS), default="accuracy", required=True, wrap=True,
        format_func=lambda m: comparison.METRICS[m][0], key="race_metric",
        label_visibility="collapsed", persist_state="session",
    )  # fmt: skip


def _members(group: Group) -> dict[str, Run]:
    names = group.body["names"]
    return {names[run.id]: run for run in shared.runs().members(group.id) if run.id in names}


def _live(group_id: str, metric: str) -> None:
    """The race as it is now."""
    sweeps = shared.sweeps()
    if sweeps.race_over(group_id):
        st.rerun()
    members = _members(shared.runs().known_group(group_id))
    histories = [shared.runs().history(run.id) for run in members.values()]
    found = comparison.curves(members, histories, metric, "epochs")
    for (name, run), history in zip(members.items(), histories, strict=True):
        shared.service().watched(run.id)
        _line(name, run, comparison.curve(history, run.spec.batch_size, "loss", "epochs").x)
    epochs = max(run.spec.epochs for run in members.values())
    st.echarts_chart(run_charts.live_overlay(found, metric, epochs), key="race_live", height=380)


def _line(name: str, run: Run, epochs: np.ndarray) -> None:
    """Where one racer is."""
    done = float(epochs[-1]) if len(epochs) else 0.0
    share = min(1.0, done / run.spec.epochs)
    if run.status == "queued":
        st.progress(0.0, f"**{name}**: waits for its turn")
    elif run.status == "running":
        words = f"epoch {done:.1f} of {run.spec.epochs}" if done else "compiling"
        st.progress(share, f"**{name}**: {words}")
    else:
        accuracy = f", {percent(run.test_accuracy)} of the test images" if run.test_accuracy else ""
        st.progress(1.0, f"**{name}**: {run.status}{accuracy}")


def _verdict(members: dict[str, Run]) -> None:
    """Who won, by the answers of all to the same test images."""
    there = {name: run for name, run in members.items() if run.test_accuracy is not None}
    for name, run in members.items():
        if name not in there:
            why = notes.plain(run.message or run.status)
            st.warning(f"{name}: {why}", icon=":material/warning:")
    if len(there) < race.FEWEST:
        st.info("There is no verdict: fewer than two of them came to an end.",
                icon=":material/flag:")  # fmt: skip
        return
    cut = [name for name, run in there.items() if run.status == "stopped"]
    if cut:
        st.info(f"Stopped before the end: {', '.join(cut)}.", icon=":material/stop_circle:")
    answers = {name: answering.answers(run.id, "test") for name, run in there.items()}
    for job in answers.values():
        if not waiting.ready(job, "Reading the test images"):
            return
    labels = shared.data().test.labels
    pairs = race.verdict({n: job.result().argmax(axis=1) == labels for n, job in answers.items()})
    say = st.success if any(pair.differs for pair in pairs) else st.info
    say(race.sentence(pairs), icon=":material/flag:")
    if any(run.data != shared.data().name for run in there.values()):
        st.caption(f"They were trained on other data; this is about the {len(labels):,} test "
                   "images of the data below.")  # fmt: skip
    chart.show(run_charts.pairs(pairs), "race_pairs")
    st.caption("Exact McNemar test on the images that only one of a pair reads right; intervals "
               "after Agresti and Min (2005). It compares these networks as they were trained. "
               "Whether the setting wins in general, a race with another seed "
               "says.")  # fmt: skip


def _afterwards(group: Group, members: dict[str, Run]) -> None:
    """The same again with another seed; or everything side by side."""
    with st.container(horizontal=True):
        specs = {name: run.spec for name, run in members.items()}
        seeds = {spec.seed for spec in specs.values()}
        if len(seeds) == 1 and group.body["words"] != SETTINGS["seed"].label:
            again = _with_seed(specs, min(seeds) + 1)
            if st.button("Again with another seed", icon=":material/replay:", key="race_again"):
                _start(again, group.body["words"])
        st.button("Compare in detail", icon=":material/stacked_line_chart:", key="race_compare",
                  on_click=vary.to_compare, args=([run.id for run in members.values()],),
                  )  # fmt: skip


def _with_seed(specs: dict[str, RunSpec], seed: int) -> dict[str, RunSpec]:
    return {name: SETTINGS["seed"].put(spec, seed) for name, spec in specs.items()}


