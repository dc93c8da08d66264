"""What a run will take on this host, said beside the Train button, and what it took."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from mnist_core.basis import numbers
from mnist_core.design.spec import RunSpec
from mnist_core.estimates import estimate
from mnist_core.runs.records import Run
from mnist_core.training import events
from pages._shell import shared

LONG_SECONDS = 600.0  # others wait in the queue meanwhile
ABOUT = (
    "When the server was idle it timed a few small networks on this machine. The arithmetic of "
    "your design (products, values, parameters, batches, images) tells how many times that it "
    "takes. Validation after each epoch is included; the network is compiled before, once for "
    "each design. Other work on the machine makes it slower. The memory is that of the whole "
    "training process, with TensorFlow and the digits."
)


def told(spec: RunSpec) -> estimate.Estimate | None:
    """What is expected of a valid design on the data of this page, if this host is measured."""
    calibration = shared.service().calibration
    if calibration is None:
        return None
    data = shared.data()
    sizes = estimate.Sizes.of(spec, len(data.train.labels), len(data.test.labels))
    return estimate.estimate(spec, sizes, calibration)


def line(spec: RunSpec) -> str:
    """What a run will take, in a sentence; while the host is still being measured, that."""
    expected = told(spec)
    if expected is None:
        return "Time and memory: measuring this machine…"
    after = f", after {compiling(expected)}," if expected.compile_seconds else ""
    return (f"Takes **about {duration(expected.seconds)}**{after} and "
            f"{memory(expected.peak_bytes)} of memory.")  # fmt: skip


def warnings(expected: estimate.Estimate, memory_limit: int) -> list[str]:
    """What its designer should hear before a run that is long or large."""
    found = []
    if expected.seconds > LONG_SECONDS:
        found.append(
            f"This run would take about {duration(expected.seconds)} on this machine, and others "
            "wait for it: use fewer epochs, a smaller network or larger batches."
        )
    if memory_limit and expected.peak_bytes > memory_limit:
        found.append(
            f"This run would need {memory(expected.peak_bytes)}, but this machine has "
            f"{memory(memory_limit)}: use a smaller network or smaller batches."
        )
    return found


def compiling(expected: estimate.Estimate) -> str:
    seconds = expected.compile_seconds
    return "a second to compile" if seconds < 1.5 else f"{duration(seconds)} to compile"


def duration(seconds: float) -> str:
    """A time as exactly as an estimate knows it: "6 s", "40 s", "3 min", "1.5 h"."""
    if seconds < 1:
        return "1 s"
    if seconds < 10:
        return f"{seconds:.0f} s"
    if seconds < 95:
        return f"{5 * round(seconds / 5)} s"
    if seconds < 95 * 60:
        minutes = seconds / 60
        return f"{minutes:.0f} min" if minutes < 10 else f"{5 * round(minutes / 5)} min"
    return f"{math.ceil(2 * seconds / 3600 - 0.5) / 2:g} h"


def memory(count: int) -> str:
    """Bytes as gigabytes with one decimal."""
    return f"{count / 1e9:.1f} GB"


def afterwards(run: Run, history: Sequence[events.Event]) -> None:
    """What was predicted for a run that has ended, and what it took."""
    found = estimate.outcome(history)
    if found is None:
        return
    reused = " (the network was there already)" if found.compile_seconds < 0.3 else ""
    validation = found.seconds - (run.seconds or 0.0)
    parts = [
        f"Predicted: {numbers.seconds(found.predicted_seconds)}. It took "
        f"{numbers.seconds(run.seconds)} of training and {numbers.seconds(max(0.0, validation))} "
        "of validation."
    ]
    if found.predicted_compile:
        parts.append(f"Compiling: predicted {numbers.seconds(found.predicted_compile)}, took "
                     f"{numbers.seconds(found.compile_seconds)}{reused}.")  # fmt: skip
    if found.peak_bytes:
        parts.append(f"Memory: predicted {memory(found.predicted_bytes)}, took "
                     f"{memory(found.peak_bytes)}.")  # fmt: skip
    st.caption(" ".join(parts), help="Without pauses and slow motion.")
