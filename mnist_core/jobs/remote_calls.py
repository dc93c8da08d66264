"""Small jobs for a worker: a function of the engine by its name, asked for once and soon over.

Nothing of them is kept on disk. One that no worker could take for a while is given up: whoever
asked will have gone, or asks again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What may be asked for: name -> function of `tapes`
CALLS: Mapping[str, str] = {
    "fit_line": "fit_line", "fit_line_inside": "fit_line_inside", "gradients": "tapes",
}  # fmt: skip

MOST_WAITING = 20
PATIENCE_SECONDS = 30.0
BUSY = "The worker is busy with a training: ask again when it is done."


@dataclass(eq=False)
class Call:
    """One such job. `status` is "queued", "running", "done" with a `result`, or "failed" with a
    `message`, one sentence; `over` is set with the last two."""

    name: str
    arguments: Mapping[str, Any]
    asked: float = field(default_factory=time.monotonic)
    status: str = "queued"
    message: str = ""
    result: Any = None
    over: threading.Event = field(default_factory=threading.Event)

    def finish(self, result: Any) -> None:
        """It is done, with this result."""
        self.result, self.status = result, "done"
        self.over.set()

    def fail(self, message: str) -> None:
        """It will never be done."""
        self.message, self.status = message, "failed"
        self.over.set()


class Calls:
    """Those that wait for a worker. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Call] = []

    def ask(self, name: str, arguments: Mapping[str, Any]) -> Call:
        """Queue a call. Raises ValueError for a name that is not in CALLS, or if too many wait."""
        if name not in CALLS:
            raise ValueError(f"There is no call {name!r}; known are {', '.join(CALLS)}.")
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise ValueError(BUSY)
            call = Call(name, arguments)
            self._waiting.append(call)
        return call

    def take(self, most: int) -> list[Call]:
        """At most so many of the waiting ones, the first first; they wait no longer."""
        with self._lock:
            taken, self._waiting = self._waiting[: max(0, most)], self._waiting[max(0, most) :]
        return taken

    def back(self, call: Call) -> None:
        """Have a call wait again, before the others."""
        with self._lock:
            call.status = "queued"
            self._waiting.insert(0, call)

    def give_up(self, seconds: float = PATIENCE_SECONDS, message: str = BUSY) -> None:
        """Fail those that have waited longer than so many seconds."""
        now = time.monotonic()
        with self._lock:
            late = [call for call in self._waiting if now - call.asked > seconds]
            self._waiting = [call for call in self._waiting if call not in late]
        for call in late:
            call.fail(message)
