"""How fast this machine trains: a few small designs, timed on the engine's own path.

Each tells one kind of work from the others: the default network is mostly parameters and products,
the widest one products, the one without hidden layers pixels; a narrow and a wide convolution do
the same for theirs. Minima of several short chunks, because other processes only ever add time; the
designs take turns, so that a busy moment of the machine meets all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from mnist_core.data.dataset import Mnist
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.training import engine
from mnist_core.training.loop import Arrays, Program

from . import estimate, host

DEFAULT = RunSpec()  # warm already, so it costs no compilation
PROBES = (
    RunSpec((), "sgd", batch_size=256),
    RunSpec((Layer(512),) * 2, "sgd", batch_size=128),
    RunSpec((), "sgd", convolutions=(Conv(8),), batch_size=32),
    RunSpec((), "sgd", convolutions=(Conv(16), Conv(32)), batch_size=64),
)
IMAGES = 40_000  # so that even the smallest design fills a chunk from one epoch
CHUNK_SECONDS, ROUNDS = 0.012, 15  # short, so that some are not interrupted


def measure(data: Mnist, memory_limit: int = 0) -> Iterator[estimate.Calibration | None]:
    """Measure piece by piece: yields None after each, the Calibration in the end. Some four seconds
    on a quiet machine; `memory_limit` (bytes) is passed on."""
    program, parts = engine.prepared(DEFAULT, data)
    base = host.resident_bytes()
    few = parts.train.part(0, IMAGES)
    probes = [(DEFAULT, stepper(program, DEFAULT, parts.train), 0.0)]
    yield None
    for spec in PROBES:
        program, seconds = compiled(spec, few)
        probes.append((spec, stepper(program, spec, few), seconds))
        yield None
    chunks = [chunk(run, len(few) // spec.batch_size) for spec, run, _ in probes]
    best = [float("inf")] * len(probes)
    for _ in range(ROUNDS):
        yield None
        for i, (_, run, _) in enumerate(probes):
            best[i] = min(best[i], timed(run, chunks[i]) / chunks[i])
    samples = [estimate.Sample(spec, step, seconds)
               for (spec, _, seconds), step in zip(probes, best, strict=True)]  # fmt: skip
    yield estimate.calibrated(samples, host.identity(), base, memory_limit)


def compiled(spec: RunSpec, arrays: Arrays) -> tuple[engine.Program, float]:
    """A fresh program of a design, ready for these arrays, and the seconds that it took."""
    began = time.perf_counter()
    program = engine.Program(spec)
    program.compile(arrays)
    return program, time.perf_counter() - began


def stepper(program: Program, spec: RunSpec, arrays: Arrays) -> Callable[[int], object]:
    """The program as a function that trains so many steps."""
    rows = program.epoch(len(arrays), spec.seed, 0)
    rates = np.full(len(rows), spec.learning_rate)
    return lambda steps: program.run(arrays, rows, rates, 0, steps)


def chunk(run: Callable[[int], object], most: int) -> int:
    """How many steps fill a chunk, at most `most`. Found by doubling: a call takes some time of its
    own, by which a few steps would seem much slower than they are."""
    run(1)
    steps = 1
    while steps < most and timed(run, steps) < CHUNK_SECONDS / 2:
        steps = min(2 * steps, most)
    return steps


def timed(work: Callable[[int], object], amount: int) -> float:
    began = time.perf_counter()
    work(amount)
    return time.perf_counter() - began
