"""What the Build page remembers beside the design and the run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from mnist_core.design import RunSpec
from mnist_core.training.course import Steering
from pages._shell import session

ASKED_SECONDS = 3.0  # after which a wish that the run has not obeyed is none any more


@dataclass(frozen=True)
class Asked:
    """How a visitor wants a run to go, until it says itself that it does."""

    run: str
    steering: Steering
    at: float = field(default_factory=time.monotonic)


@dataclass
class BuilderState:
    """What the Build page remembers beside the design and the run."""

    before: RunSpec | None = None  # the visitor's own design, while a recipe is looked at
    draw: int = 0  # which random draw the preview of augmentation shows
    seen: tuple = ()  # what of the run the buttons were drawn for
    refused: str = ""  # why the last click could not be obeyed
    asked: Asked | None = None
    place: tuple[str, int] | None = None  # a run in the queue, and how many were before it
    look: bool = True  # whether runs are looked into while they train
    looked: tuple = ()  # what a run was last told of that
    guess: float | None = None  # of the next run's test accuracy, 0…1
    converting: set[tuple[str, str]] = field(default_factory=set)  # run, model file that is made

    def steered(self, run: str, said: Steering) -> Steering:
        """How a run goes: as it `said` itself, unless it was asked for something else just now."""
        asked = self.asked
        if asked is None or asked.run != run or said == asked.steering:
            return said
        return asked.steering if time.monotonic() - asked.at < ASKED_SECONDS else said

    def ask(self, run: str, now: Steering, **changes: Any) -> None:
        """Note what a run has been asked for."""
        self.asked = Asked(run, replace(now, **changes))


def mine() -> BuilderState:
    """The visitor's own."""
    return session.of(BuilderState)
