"""Which runs are kept no longer: those too old, and the oldest of too much."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from .records import Kept

DAY = 24 * 3600.0
MB = 2**20
UNDO_DAYS = 1.0  # that a run which its owner deleted can be had back


@dataclass(frozen=True)
class Rules:
    """How long ended runs are kept, and how much all runs together may take; `notices` has a
    sentence for each setting that was passed over."""

    days: float = 30.0
    megabytes: float = 2000.0
    notices: tuple[str, ...] = ()


def rules() -> Rules:
    """The rules of the settings MNIST_LAB_KEEP_DAYS and MNIST_LAB_DISK_MB, where they are set."""
    found = Rules()
    found = _set(found, "days", "MNIST_LAB_KEEP_DAYS", os.environ.get("MNIST_LAB_KEEP_DAYS"))
    return _set(found, "megabytes", "MNIST_LAB_DISK_MB", os.environ.get("MNIST_LAB_DISK_MB"))


def _set(found: Rules, name: str, setting: str, text: str | None) -> Rules:
    if not text:
        return found
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if value > 0 and math.isfinite(value):
        return replace(found, **{name: value})
    usual = getattr(found, name)
    notice = f"{setting} was passed over: {text!r} is not a number above 0; {usual:g} is used."
    return replace(found, notices=(*found.notices, notice))


def expired(
    kept: Sequence[Kept], rules: Rules, now: float, watched: Collection[str]
) -> Iterator[str]:
    """The ids of the runs that go, of `kept`, which begins with the oldest; `now` is in seconds
    since 1970. What is active or `watched` stays, whatever it takes; what its owner has deleted
    goes first."""
    total = sum(run.bytes for run in kept)
    for run in sorted(kept, key=lambda run: run.discarded is None):
        late = now - run.when > rules.days * DAY
        late = late or (run.discarded is not None and now - run.discarded > UNDO_DAYS * DAY)
        if (late or total > rules.megabytes * MB) and not run.active and run.id not in watched:
            total -= run.bytes
            yield run.id
