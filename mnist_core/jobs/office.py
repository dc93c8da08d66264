"""What trainings and errands need of the dispatcher, which holds them both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from mnist_core.data.identity import Identity
from mnist_core.runs.records import Runs
from mnist_core.training.events import Event

if TYPE_CHECKING:  # Dask is imported by the service's own thread
    from .cluster import Cluster
    from .worker import Done

CRASHED = "The training process ended unexpectedly"


class Office(Protocol):
    """The dispatcher, as its parts see it. `records` are the `runs`, waited for while they cannot
    be used; `address` is the scheduler's, None for an embedded one."""

    runs: Runs
    records: Runs
    state: str
    address: str | None

    @property
    def cluster(self) -> Cluster:
        """The cluster. Raises ClusterLost while there is none."""
        ...

    def hand_in(self, job: Callable[[], None]) -> None:
        """Have a job done in the dispatcher's thread."""

    def amiss(self, condition: str, message: str = "") -> None:
        """Raise a condition with its sentence, or clear it."""

    def known(self, data: Identity) -> Identity:
        """What a worker is told of these data."""
        ...

    def learn(self, history: Sequence[Event]) -> None:
        """A run has ended: correct the estimates of this host."""

    def ship(self, worker: str, data: Identity) -> None:
        """Send a worker the digits that its machine does not have. Raises LabError."""

    def after(self, done: Done | None) -> None:
        """A job has ended."""

    def lost(self) -> None:
        """The scheduler is gone."""
