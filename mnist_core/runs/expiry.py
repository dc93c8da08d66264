"""Which runs are kept no longer: those too old, and the oldest of too much."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from .records import Kept

DAY = 24 * 3600.0
MB = 2**20
UNDO_DAYS = 1.0  # that a run which its owner deleted can be had back


@dataclass(frozen=True)
class Rules:
    """How long ended runs are kept, and how much all runs together, and those of one owner, may
    take; `notices` has a sentence for each setting that was passed over."""

    days: float = 30.0
    megabytes: float = 2000.0
    owner_megabytes: float = 250.0
    notices: tuple[str, ...] = ()


def rules() -> Rules:
    """The rules of the settings MNIST_LAB_KEEP_DAYS, MNIST_LAB_DISK_MB and MNIST_LAB_OWNER_MB,
    where they are set."""
    found = Rules()
    found = _set(found, "days", "MNIST_LAB_KEEP_DAYS", os.environ.get("MNIST_LAB_KEEP_DAYS"))
    found = _set(found, "megabytes", "MNIST_LAB_DISK_MB", os.environ.get("MNIST_LAB_DISK_MB"))
    each = os.environ.get("MNIST_LAB_OWNER_MB")
    return _set(found, "owner_megabytes", "MNIST_LAB_OWNER_MB", each)


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
) -> list[str]:
    """The ids of the runs that go, of `kept`, which begins with the oldest; `now` is in seconds
    since 1970. What is active or `watched` stays, whatever it takes.

    Above a limit goes first what its owner has deleted, then the oldest, what is starred last; of
    all runs together, those of whoever takes most. So nobody loses runs by another's sweep.
    """
    sizes = Counter[str]()
    for run in kept:
        sizes[run.owner] += run.bytes
    left = [run for run in kept if not run.active and run.id not in watched]
    left.sort(key=lambda run: (run.discarded is None, run.starred))
    gone: list[str] = []

    def drop(run: Kept) -> None:
        left.remove(run)
        sizes[run.owner] -= run.bytes
        gone.append(run.id)

    for run in [run for run in left if _late(run, rules, now)]:
        drop(run)
    for run in list(left):
        if sizes[run.owner] > rules.owner_megabytes * MB:
            drop(run)
    while left and sizes.total() > rules.megabytes * MB:
        plain = [run for run in left if not run.starred] or left
        drop(max(plain, key=lambda run: (run.discarded is not None, sizes[run.owner])))
    return gone


def _late(run: Kept, rules: Rules, now: float) -> bool:
    deleted = run.discarded is not None and now - run.discarded > UNDO_DAYS * DAY
    return deleted or now - run.when > rules.days * DAY
