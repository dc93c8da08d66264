"""Which runs are side by side, and what was just done to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pages._shell import session


@dataclass
class RunsState:
    """Which runs are side by side, and what was just done to them."""

    compared: list[str] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)  # "race", "sweep" -> the one shown
    deleted: list[str] = field(default_factory=list)  # just now: they can be had back
    listed: int = 0  # goes up when the list of runs forgets what was ticked


def mine() -> RunsState:
    """The visitor's own."""
    return session.of(RunsState)
