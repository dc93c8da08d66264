"""Work that goes on beside a page: one kind of job, and one rule for what becomes of a failed one.

Whoever has a job is told how it ended, by the job itself. Whoever asks anew for one that failed
gets a new one: so a failure is no longer remembered than somebody waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from .errors import LabError, told

Report = Callable[[float], None]


class Job(Future):
    """A future that says how far it is. `label` is what it is about, `share` what is done of it,
    0…1, `usual` about how many seconds it takes, which the first estimate is made from."""

    def __init__(self, label: str = "", usual: float = 0.0) -> None:
        super().__init__()
        self.label, self.usual, self.share = label, usual, 0.0
        self.asked = time.monotonic()
        self._began: float | None = None
        self._first = self._last = (0.0, 0.0)  # when, and the share then

    @property
    def state(self) -> str:
        """One of "waiting", "running", "done" and "failed"."""
        if self.done():
            return "failed" if self.exception() else "done"
        return "waiting" if self._began is None else "running"

    @property
    def message(self) -> str:
        """What a visitor is told of a failed job, else ""."""
        error = self.exception() if self.done() else None
        return str(error) if error else ""

    def over(self, seconds: float = 0.0) -> bool:
        """Whether it has ended, within so many seconds."""
        return bool(wait([self], seconds).done)

    def begin(self) -> None:
        """Somebody works on it from now on."""
        self._began = time.monotonic()
        self._first = self._last = (self._began, 0.0)

    def wait_again(self) -> None:
        """Whoever worked on it is gone: it waits for another."""
        self._began, self.share = None, 0.0

    def report(self, share: float) -> None:
        """It has come so far. The first word counts from its own time: before it libraries load."""
        self.share = min(1.0, share)
        self._last = (time.monotonic(), self.share)
        if self._first[1] == 0:
            self._first = self._last

    @property
    def remaining(self) -> float:
        """About how many seconds more, once it is running."""
        now, (began, before), (heard, share) = time.monotonic(), self._first, self._last
        if share <= before:  # nothing was heard yet, or nothing since the first word
            return max(1.0, self.usual - (now - began))
        return max(0.0, (heard - began) / (share - before) * (1 - share) - (now - heard))

    def fail(self, error: BaseException | str) -> None:
        """It will never be done. What is no LabError is recorded, and told as such."""
        words = error if isinstance(error, str) else told(error, f"{self.label or 'A job'} failed.")
        failure = LabError(words)
        failure.__cause__ = error if isinstance(error, BaseException) else None
        self.set_exception(failure)

    def do(self, compute: Callable[[Report], Any]) -> None:
        """Do it now, in this thread: its result is what `compute` returns, which is given a
        function to tell the share with."""
        self.begin()
        try:
            found = compute(self.report)
        except Exception as error:
            self.fail(error)
        else:
            self.share = 1.0
            self.set_result(found)


J = TypeVar("J", bound=Job)


def in_thread(compute: Callable[[Report], Any], label: str = "") -> Job:
    """A job that is done in a thread of its own."""
    job = Job(label)
    threading.Thread(target=job.do, args=(compute,), name=label or "job", daemon=True).start()
    return job


class Jobs:
    """Jobs by what they are about, shared by all who ask; `most` of those that are over are
    remembered, the ones asked for last. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.RLock()
        self._jobs: dict[Hashable, Any] = {}

    def ask(self, key: Hashable, make: Callable[[], J]) -> J:
        """The job of this key: the one that there is, or what `make` returns if there is none, or
        if it has failed."""
        with self._lock:
            found = self._jobs.pop(key, None)
            if found is None or found.state == "failed":
                found = make()
            self._jobs[key] = found
            over = [old for old, job in self._jobs.items() if job.done()]
            for old in over[: -self._most]:
                del self._jobs[old]
        return found

    def look(self, key: Hashable) -> Any:
        """The job of this key, however it ended; None if nobody has asked for it."""
        with self._lock:
            return self._jobs.get(key)

    def forget(self, key: Hashable) -> None:
        """Whoever asks next gets a new one."""
        with self._lock:
            self._jobs.pop(key, None)
