"""What is looked at, tried and fitted on the Backprop page."""

from __future__ import annotations

from dataclasses import dataclass, field

from mnist_core.jobs import Call
from mnist_core.lessons.microscope import Trial
from pages._shell import session


@dataclass
class BackpropState:
    """What is looked at, tried and fitted on the Backprop page."""

    picks: dict[str, tuple[int, ...]] = field(default_factory=dict)  # units and weights looked at
    trial: tuple[str, Trial] | None = field(default=None, repr=False)  # of which specimen
    trial_fault: str = ""
    # what was asked of a worker, and its call or why there is none
    fitting: tuple[object, Call | str] | None = field(default=None, repr=False)
    overfitted: list = field(default_factory=list)  # the last two settings, each with its gap
    draw: int = 0  # which random draw the concepts show


def mine() -> BackpropState:
    """The visitor's own."""
    return session.of(BackpropState)
