"""What all visitors share: the runs, the gate to training, the digits and what is known of them.

Computed once, kept in Streamlit's caches; nothing here may be written into by a page.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from threadpoolctl import threadpool_limits

from mnist_core import storage
from mnist_core.basis import Job, Jobs, in_thread
from mnist_core.data import dataset, own_data
from mnist_core.jobs import background
from mnist_core.jobs.service import Service
from mnist_core.runs.records import Runs
from mnist_core.statistics import pixels, shapes
from pages._shell import session
from pages._shell.state import bench, visit

if TYPE_CHECKING:
    from mnist_core.analysis.experiments import Sweeps

M_ARENA_MAX, HEAPS = -8, 2  # glibc's name for how many heaps its threads share


@st.cache_resource(show_spinner=False)
def runs() -> Runs:
    """The one store of run records."""
    return Runs(storage.home() / "runs")


@st.cache_resource(show_spinner=False)
def service() -> Service:
    """The one gate to training, started with the first visitor."""
    scheduler = os.environ.get("MNIST_LAB_SCHEDULER") or None
    return Service(runs(), data().source, scheduler).start()


@st.cache_resource(show_spinner=False)
def sweeps() -> Sweeps:
    """The races and sweeps of all visitors."""
    from mnist_core.analysis.experiments import (
        Sweeps,  # with SciPy, for which the first page does not wait
    )

    return Sweeps(service())


# Begun when the server first runs any page, so that reading overlaps with importing the rest.
threading.Thread(target=dataset.prefetch, name="prefetch", daemon=True).start()


# Many small products on few, shared cores: BLAS's own threads would mostly wait for each other,
# which made answers ten times slower on two busy cores.
threadpool_limits(1)
# Each visitor's script runs in a thread, and glibc would give each thread a heap that keeps what it
# once held. Elsewhere there is no such setting.
with suppress(OSError, AttributeError):
    ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, HEAPS)


def data() -> dataset.Mnist:
    """The digits of this session. They change only when the visitor asks for others."""
    mine = bench()
    try:
        found = dataset.load(mine.source)
    except dataset.DataError:
        if not own_data.is_own(mine.source):
            raise
        use_data("auto")
        visit().notice = "Your own data are no longer here: they are kept for "
        visit().notice += f"{own_data.KEPT_HOURS} hours after their last use. This is MNIST again."
        found = dataset.load("auto")
    if own_data.is_own(mine.source):
        own_data.touch(mine.source)  # its day begins again with every look at it
    if mine.source == "auto":
        mine.source = found.source
        if found.source == "sample":
            dataset.start_download()
    return found


def use_data(source: str) -> None:
    """Turn this session to other digits: what was chosen among the old ones is forgotten."""
    bench().source, visit().notice = source, ""
    session.forget_data()


def computed(task: str) -> background.Computation:
    """A task of `background.TASKS` on the digits of this session; it goes on by itself."""
    return background.job(task, data())


@st.cache_data(show_spinner=False, max_entries=128)
def per_data(digest: str, what: str, _compute: Callable[[], Any]) -> Any:
    """A statistic of the data of this digest, computed once for all visitors."""
    return _compute()


@st.cache_resource(show_spinner=False, max_entries=24)
def resource(digest: str, what: str, _compute: Callable[[], Any]) -> Any:
    """As `per_data`, for arrays too large to copy at each visit: nobody may write into them."""
    return _compute()


def job(digest: str, what: str, compute: Callable[..., Any]) -> Job:
    """The one job that computes this for all visitors, in a thread of its own."""
    return _jobs().ask((digest, what), lambda: in_thread(compute, what))


@st.cache_resource(show_spinner=False)
def _jobs() -> Jobs:
    return Jobs(24)


def levels(split: str) -> pixels.Levels:
    """The gray levels of a split by class."""
    part, digest = getattr(data(), split), data().digest
    return resource(digest, f"levels {split}", lambda: pixels.levels(part.images, part.labels))


def image(place: tuple[str, int]) -> tuple[np.ndarray, int]:
    """An image and its label by split and index."""
    part = getattr(data(), place[0])
    return part.images[place[1]], int(part.labels[place[1]])


def measures(split: str) -> dict[str, np.ndarray]:
    """Every measure of every image of a split."""
    part = getattr(data(), split)
    return resource(data().digest, f"measures {split}", lambda: shapes.measures(part.images))
