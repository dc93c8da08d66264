"""A word with a running training: stop, pause, go on, one batch, slow motion, learning rate, and
whether somebody looks inside.

Set from any thread; the loop asks between two chunks of steps.
"""

from __future__ import annotations

import threading
from typing import Any

from mnist_core.basis import LabError
from mnist_core.design.choices import LIMITS

COMMANDS = ("stop", "pause", "resume", "step", "slow", "learning_rate", "look")


def check(command: str, value: Any = None) -> None:
    """Raise LabError for a learning rate outside its limits, ValueError for what is not in
    COMMANDS."""
    if command not in COMMANDS:
        raise ValueError(f"There is no command {command!r}; known are {', '.join(COMMANDS)}.")
    if command == "learning_rate" and _number(value) not in LIMITS["learning_rate"]:
        low, high = LIMITS["learning_rate"]
        raise LabError(f"The learning rate must be a number from {low:g} to {high:g}, "
                         f"not {value!r}.")  # fmt: skip


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


class Control:
    """What a run's owner wants of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._news = threading.Event()
        self.stopping = False
        self.paused = False
        self.delay = 0.0
        self.looking = False
        self._steps = 0
        self._rate: float | None = None

    def tell(self, command: str, value: Any = None) -> None:
        """Obey a command by its name in COMMANDS. Raises ValueError as `check` does."""
        check(command, value)
        with self._lock:
            getattr(self, f"_{command}")(*(() if value is None else (value,)))
        self._news.set()

    def stop(self) -> None:
        """End after the chunk under way, keeping weights and history."""
        self.tell("stop")

    def take_rate(self) -> float | None:
        """The learning rate asked for since the last call, if any."""
        with self._lock:
            rate, self._rate = self._rate, None
        return rate

    def take_step(self) -> bool:
        """Whether one more batch may be trained while paused."""
        with self._lock:
            allowed = self._steps > 0
            self._steps -= allowed
        return allowed

    def wait(self, seconds: float) -> bool:
        """Sleep until a command comes, at most so long; whether one came since the last call."""
        came = self._news.wait(seconds)
        self._news.clear()
        return came

    def sleep(self) -> None:
        """The pause between two batches in slow motion; any command ends it."""
        if self.delay and not self.stopping:
            self.wait(self.delay)

    def _stop(self) -> None:
        self.stopping = True

    def _pause(self) -> None:
        self.paused, self._steps = True, 0

    def _resume(self) -> None:
        self.paused, self._steps = False, 0

    def _step(self, count: int = 1) -> None:
        self.paused = True
        self._steps += int(count)

    def _slow(self, seconds: float) -> None:
        self.delay = max(0.0, float(seconds))

    def _look(self, wanted: float = 1.0) -> None:
        self.looking = bool(wanted)

    def _learning_rate(self, value: float) -> None:
        self._rate = float(value)
