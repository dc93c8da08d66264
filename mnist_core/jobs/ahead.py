"""Compiled ahead: the design that somebody looks at, while the worker has nothing else to do.

From the click on Train to the first point most of the time is compilation, which can be over by
then. All of it happens in the dispatcher's thread.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mnist_core.data.identity import Identity
from mnist_core.design.spec import RunSpec
from mnist_core.training.events import ClusterLost, WorkerDied

from .office import Office

if TYPE_CHECKING:  # Dask is imported by the service's own thread
    from distributed import Future

MEMORY_LIMIT = 1.5e9  # bytes that a worker may take: each design leaves some of its code behind
HEADROOM = 0.25e9  # bytes that one more job may add: the largest design was seen to add 0.16e9
LARGE = MEMORY_LIMIT - HEADROOM  # from here on a worker is replaced after its job
STILL_SECONDS = 0.8  # that a design is looked at unchanged before it is compiled
SHARE = 0.95  # of LARGE, beyond which nothing is compiled on mere suspicion


class Ahead:
    """What is looked at, and what was compiled for it. `memory` is the worker's in bytes, as it was
    last heard."""

    def __init__(self, office: Office) -> None:
        self._office, self.memory = office, 0
        self._wished: tuple[RunSpec, Identity] | None = None
        self._since = 0.0
        self._done: tuple[RunSpec, Identity] | None = None

    def wish(self, spec: RunSpec, data: Identity) -> None:
        """Somebody looks at this design."""
        if (spec, data) != self._wished:
            self._wished, self._since = (spec, data), time.monotonic()

    def prepare(self) -> None:
        """Have the design compiled that is looked at, once it has stood still for a while; the
        dispatcher asks when it is idle."""
        still = time.monotonic() - self._since >= STILL_SECONDS
        if self._wished in (None, self._done) or not still or self._office.state != "ready":
            return
        self._done = self._wished
        if self._wished and self.memory < SHARE * LARGE:
            spec, data = self._wished
            self._office.cluster.prepare(
                spec, self._office.known(data),
                lambda future: self._office.hand_in(lambda: self._heard(future)),
            )  # fmt: skip

    def _heard(self, future: Future) -> None:
        """It has ended: note how large the worker is by now."""
        with suppress(WorkerDied, ClusterLost):  # the next training says so
            self.memory = self._office.cluster.result(future).memory
