"""What a teacher's link adds to a design: controls that are locked or hidden, and a mission.

A lesson is three parameters beside the design in the URL, readable and short:
`lock=optimizer,epochs`, `hide=seed`, `mission=accuracy97,parameters20000`. It guides a class; it is
no guard: who takes the parameters out of the link has the whole page. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

from mnist_core.basis import LabError

from .spec import RunSpec

KEYS = ("lock", "hide", "mission")
CONTROLS = tuple(f.name for f in fields(RunSpec))  # by the names that RunSpec has for them
_PART = re.compile(r"(?P<goal>[a-z]+)(?P<number>\d+(?:\.\d+)?)")


class LessonError(LabError):
    """A lesson's part of a link that cannot be used; the message is one plain sentence."""


class Goal(NamedTuple):
    """One thing that a mission may ask for: how it is said, and its largest sensible number."""

    label: str
    words: str
    most: float


GOALS: dict[str, Goal] = {
    "accuracy": Goal("Test accuracy of at least (%)", "reach {:g} % test accuracy", 100),
    "parameters": Goal("Fewer parameters than", "with fewer than {:,.0f} parameters", 10_000_000),
    "seconds": Goal("Training in fewer seconds than", "in under {:g} s of training", 3600),
}


class Checked(NamedTuple):
    """A goal in words, and whether it is met; None while there is nothing to tell it from."""

    words: str
    met: bool | None


@dataclass(frozen=True)
class Lesson:
    """`lock` and `hide` name fields of a RunSpec, which keep the values of `spec`, the link's
    design; `mission` holds goals of GOALS with their numbers."""

    lock: frozenset[str] = frozenset()
    hide: frozenset[str] = frozenset()
    mission: tuple[tuple[str, float], ...] = ()
    spec: RunSpec = field(default_factory=RunSpec)

    def __bool__(self) -> bool:
        return bool(self.lock or self.hide or self.mission)

    @classmethod
    def from_query(cls, query: Mapping[str, str], spec: RunSpec) -> Lesson:
        """The lesson of a link with this design. Raises LessonError for a control or a goal that
        is unknown, or a number that cannot be one."""
        return cls(_controls(query, "lock"), _controls(query, "hide"), _mission(query), spec)

    def to_query(self) -> dict[str, str]:
        """The lesson as URL parameters; none for what it does not ask."""
        query = {
            "lock": ",".join(name for name in CONTROLS if name in self.lock),
            "hide": ",".join(name for name in CONTROLS if name in self.hide),
            "mission": ",".join(f"{goal}{number:g}" if number < 1e6 else f"{goal}{number:.0f}"
                                for goal, number in self.mission),
        }  # fmt: skip
        return {key: text for key, text in query.items() if text}

    def held(self, spec: RunSpec) -> RunSpec:
        """The design with everything that the lesson holds back to the link's own."""
        kept = {name: getattr(self.spec, name) for name in self.lock | self.hide}
        return replace(spec, **kept)

    @property
    def words(self) -> str:
        """The mission as a sentence; empty if there is none."""
        told = " ".join(GOALS[goal].words.format(number) for goal, number in self.mission)
        return f"{told[0].upper()}{told[1:]}." if told else ""

    def checked(
        self, spec: RunSpec, accuracy: float | None, seconds: float | None
    ) -> tuple[Checked, ...]:
        """Each goal against a design and what its training came to: test accuracy (0…1) and
        seconds of training, None before there are any."""
        found = {"accuracy": None if accuracy is None else 100 * accuracy,
                 "parameters": spec.parameters, "seconds": seconds}  # fmt: skip
        return tuple(
            Checked(GOALS[goal].words.format(number), _met(goal, found[goal], number))
            for goal, number in self.mission
        )

    def met(self, spec: RunSpec, accuracy: float | None, seconds: float | None) -> bool:
        """Whether a run meets every goal, with nothing changed that the lesson holds."""
        goals = self.checked(spec, accuracy, seconds)
        return bool(goals) and self.held(spec) == spec and all(goal.met for goal in goals)


def _met(goal: str, value: float | None, number: float) -> bool | None:
    if value is None:
        return None
    # By the digits that are shown: what reads "97.00 %" has reached 97, and what reads "10.0 s" did
    # not stay under 10.
    return round(value, 2) >= number if goal == "accuracy" else round(value, 1) < number


def _controls(query: Mapping[str, str], key: str) -> frozenset[str]:
    names = [name.strip() for name in query.get(key, "").split(",") if name.strip()]
    for name in names:
        if name not in CONTROLS:
            raise LessonError(f"The link's {key} names an unknown control {name!r}; known are "
                              f"{', '.join(CONTROLS)}.")  # fmt: skip
    return frozenset(names)


def _mission(query: Mapping[str, str]) -> tuple[tuple[str, float], ...]:
    asked: dict[str, float] = {}
    for part in filter(None, query.get("mission", "").split(",")):
        match = _PART.fullmatch(part.strip())
        if not match or match["goal"] not in GOALS or match["goal"] in asked:
            raise LessonError(f"The link's mission {part!r} cannot be read; it is made of "
                              f"{', '.join(GOALS)}, each once and with a number.")  # fmt: skip
        number, most = float(match["number"]), GOALS[match["goal"]].most
        if not 0 < number <= most:
            raise LessonError(f"The link's mission {part!r} asks for a number above 0 and up to "
                              f"{most:,.0f}.")  # fmt: skip
        asked[match["goal"]] = number
    return tuple((goal, asked[goal]) for goal in GOALS if goal in asked)
