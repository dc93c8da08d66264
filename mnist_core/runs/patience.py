"""The run records for a thread that can wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from .database import StoreError
from .records import Runs

RETRY_SECONDS = 1.0  # between two attempts


class Patient(Runs):
    """The run records for a thread that can wait: a call that finds them locked, or the disk full,
    says so and is made again until it works, so that nothing is lost. All that is public is that
    of `runs`, waited for."""

    def __init__(self, runs: Runs, say: Callable[[str], None], closing: threading.Event) -> None:
        self._runs, self._say, self._closing = runs, say, closing

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return super().__getattribute__(name)
        found = getattr(self._runs, name)
        return partial(self._insist, found) if callable(found) else found

    def _insist(self, call: Callable, *values: Any, **named: Any) -> Any:
        waited = False
        while True:
            try:
                done = call(*values, **named)
            except StoreError as error:
                self._say(str(error))
                waited = True
                if self._closing.wait(RETRY_SECONDS):
                    raise
            else:
                if waited:
                    self._say("")
                return done
