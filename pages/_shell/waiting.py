"""What takes longer than a page may: a thread of its own, and its progress on the page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import streamlit as st

PATIENCE = 0.7  # seconds that a page waits before it shows a bar instead


class Awaited(Protocol):
    """What a page can wait for: how far it is, 0 to 1, and whether it has ended."""

    @property
    def share(self) -> float: ...
    def done(self, seconds: float = 0.0) -> bool: ...


class Job:
    """One computation in a thread. `compute` gets a function that takes how far it is, 0 to 1."""

    def __init__(self, compute: Callable[[Callable[[float], None]], Any]) -> None:
        self.share = 0.0
        self._result: Any = None
        self._error: Exception | None = None
        self.told = False  # whether anybody has been told that it failed
        self._thread = threading.Thread(target=self._run, args=(compute,), daemon=True)
        self._thread.start()

    def _run(self, compute: Callable[..., Any]) -> None:
        try:
            self._result = compute(self._report)
        except Exception as error:
            self._error = error

    def _report(self, share: float) -> None:
        self.share = min(1.0, share)

    def done(self, seconds: float = 0.0) -> bool:
        """Whether it has ended, within so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def result(self) -> Any:
        """What was computed, once done; raises what the computation raised."""
        if self._error:
            self.told = True
            raise self._error
        return self._result


def ready(job: Awaited, words: str) -> bool:
    """True if the job is done. If not soon, a bar says how far it is, and the page is drawn anew
    when it has ended."""
    if job.done(PATIENCE):
        return True
    st.fragment(_bar, run_every=0.4)(job, words)
    return False


def _bar(job: Awaited, words: str) -> None:
    if job.done():
        st.rerun()
    st.progress(job.share, words)
