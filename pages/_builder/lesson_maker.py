"""A teacher's link on the page: the mission of the one that was opened, and how to make one."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

import streamlit as st

from mnist_core.basis import numbers
from mnist_core.basis.numbers import percent
from mnist_core.design.lesson_link import GOALS, Checked, Lesson
from mnist_core.design.spec import RunSpec
from mnist_core.runs.records import Run
from pages._shell import links, notes, shared, visitors
from pages._shell.state import bench

NAMES = {
    "convolutions": "Convolution blocks", "layers": "Hidden layers", "framework": "Trained by",
    "optimizer": "Optimizer",
    "learning_rate": "Learning rate", "batch_size": "Batch size", "epochs": "Epochs",
    "validation": "Validate on", "validation_share": "Share kept for validation", "seed": "Seed",
    "schedule": "Learning rate over time", "initializer": "Initial weights", "l2": "L2 penalty",
    "loss": "Cross-entropy", "label_smoothing": "Label smoothing", "keep": "Weights kept",
    "patience": "Patience", "augment": "Augmentation",
}  # fmt: skip
USUAL = {"accuracy": 97.0, "parameters": 20_000.0, "seconds": 10.0}
MARKS = {True: ":material/check_circle:", False: ":material/cancel:", None: ":material/pending:"}


# --------------------------------------------------------------------- the mission


def note(spec: RunSpec) -> None:
    """What the lesson asks for and how far this visitor is; nothing without a lesson."""
    lesson = bench().lesson
    if not lesson:
        return
    with st.container(border=True, key="lesson"):
        if lesson.mission:
            _mission(lesson, spec)
        if lesson.lock or lesson.hide:
            st.caption(_held(lesson))
        st.button("Leave this lesson", key="leave_lesson", type="tertiary",
                  icon=":material/logout:", on_click=_leave)  # fmt: skip


def _mission(lesson: Lesson, spec: RunSpec) -> None:
    done = _fulfilled(lesson)
    if done:
        st.success(f"**Mission accomplished** by {notes.plain(done.name)}: "
                   f"{percent(done.test_accuracy)} with {done.spec.parameters:,} parameters in "
                   f"{numbers.seconds(done.seconds)} of training.",
                   icon=":material/trophy:")  # fmt: skip
    st.markdown(f"**Mission**: {lesson.words}")
    told = next((run for run in _shown_first() if run.spec == spec), None)
    goals = lesson.checked(spec, told and told.test_accuracy, told and told.seconds)
    st.markdown("  \n".join(f"{MARKS[goal.met]} {_sentence(goal)}" for goal in goals))


def _sentence(goal: Checked) -> str:
    return goal.words + ("" if goal.met is not None else ": known when this design has trained")


def _ended() -> list[Run]:
    """This visitor's runs with a test accuracy, the newest first."""
    mine = shared.runs().of(visitors.visitor())
    return [run for run in mine if not run.active and run.test_accuracy is not None]


def _shown_first() -> list[Run]:
    """The same, and before them the one whose card is on the page."""
    shown = links.run_in_url()
    return sorted(_ended(), key=lambda run: shown is None or run.id != shown.id)


def _fulfilled(lesson: Lesson) -> Run | None:
    """The best run of this visitor that meets the whole mission."""
    met = [r for r in _ended() if lesson.met(r.spec, r.test_accuracy, r.seconds)]
    return max(met, key=lambda run: run.test_accuracy or 0.0, default=None)


def _held(lesson: Lesson) -> str:
    parts = []
    for said, names in (("Locked", lesson.lock - lesson.hide), ("Hidden", lesson.hide)):
        if names:
            parts.append(f"{said}: {', '.join(label for n, label in NAMES.items() if n in names)}.")
    return " ".join(parts)


def _leave() -> None:
    """All controls as ever; the design stays."""
    bench().lesson = Lesson()


# ------------------------------------------------------------------- making one


def maker(spec: RunSpec) -> None:
    """Choose what a class may change and what it is to reach; the link that says so."""
    with st.expander("A link for a class", icon=":material/school:"):
        st.caption("Whoever opens the link finds the design of this page, with some of its "
                   "controls locked or hidden, and a mission that is checked when it is met. It "
                   "guides; it does not guard.")  # fmt: skip
        lock = st.multiselect("Lock", list(NAMES), format_func=NAMES.__getitem__, key="lesson_lock",
                              placeholder="Nothing is locked")  # fmt: skip
        hide = st.multiselect("Hide", list(NAMES), format_func=NAMES.__getitem__, key="lesson_hide",
                              placeholder="Nothing is hidden")  # fmt: skip
        goals = st.multiselect("Mission", list(GOALS), key="lesson_goals",
                               format_func=lambda goal: GOALS[goal].label,
                               placeholder="No mission")  # fmt: skip
        mission = tuple((goal, _number(goal)) for goal in GOALS if goal in goals)
        lesson = Lesson(frozenset(lock), frozenset(hide), mission, spec)
        if lesson.words:
            st.markdown(f"**Mission**: {lesson.words}")
        if not lesson:
            st.caption("The link appears when something is locked, hidden or asked for.")
        elif any(problem.blocking for problem in spec.problems()):
            st.caption("The link appears as soon as this design can be trained.")
        else:
            st.code(link(lesson), language=None, wrap_lines=True)


def _number(goal: str) -> float:
    kind, step = (int, 1000) if goal == "parameters" else (float, 0.5)
    low, most, value = kind(step), kind(GOALS[goal].most), kind(USUAL[goal])
    return float(st.number_input(GOALS[goal].label, low, most, value, kind(step),
                                 key=f"lesson_{goal}"))  # fmt: skip


def link(lesson: Lesson) -> str:
    """The address of this page with the lesson and its design."""
    here = urlsplit(st.context.url or "")
    address = f"{here.scheme}://{here.netloc}{here.path}" if here.netloc else "builder"
    query = urlencode(lesson.spec.to_query() | lesson.to_query(), safe=",~")
    return f"{address}?{query}"


