"""The engine side by side with plain Keras, in one run.

Every contender trains the same network on the same images, plain Keras in a process of its own.
Their repetitions are interleaved, so that a busy moment of the machine meets all of them, and
medians are reported. Each takes some steps before it is timed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from mnist_core.data import dataset
from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.estimates.host import cpu
from mnist_core.training import engine, numpy_engine
from mnist_core.training.control import Control
from mnist_core.training.events import Compiled

from .bench_fit import CALL, Fit, training_images, warm_up

NETWORKS: dict[str, RunSpec] = {
    "784-128-BN-10, adam, 32": RunSpec((Layer(128, batch_norm=True),)),
    "784-128-64-10, adam, 32": RunSpec((Layer(128), Layer(64))),
    "784-512-512-10, dropout, adam, 128": RunSpec((Layer(512, dropout=0.2),) * 2, batch_size=128),
    "784-512-10, rmsprop, 128": RunSpec((Layer(512),), "rmsprop", batch_size=128),
    "conv32-pool-conv64-pool-10, adam, 128": RunSpec(
        (), convolutions=(Conv(32), Conv(64)), batch_size=128
    ),
    "784-128-64-32-10 in NumPy, adam, 32": RECIPES["numpy-128-64-32"].spec,
}
# One thing grows at a time, from the same network of two layers of 256.
COSTS: dict[str, dict[int, RunSpec]] = {
    "width": {n: RunSpec((Layer(n), Layer(n)), batch_size=128) for n in (64, 128, 256, 512, 1024)},
    "depth": {n: RunSpec((Layer(256),) * n, batch_size=128) for n in (1, 2, 3, 4, 6)},
    "batch": {n: RunSpec((Layer(256),) * 2, batch_size=n) for n in (16, 32, 64, 128, 256, 512)},
}
# Trained for so many epochs, some ten seconds, looked into and not, ROUNDS times each.
LOOKED_INTO = {
    "784-128-64-10, adam, 32": 50, "conv32-pool-conv64-pool-10, adam, 128": 3,
}  # fmt: skip
ROUNDS = 5
EPOCH = 60_000  # images
# Whole calls at every batch size, and enough of them that what `fit` does once hardly counts.
IMAGES, REPEATS = 4 * CALL * 128, 3
QUICK_IMAGES, QUICK_REPEATS = CALL * 128, 1
SHARE_OF_CONVOLUTIONS = 4  # they take so long that a part of the images is measure enough
Progress = Callable[[str], None]


def run(progress: Progress | None = None, quick: bool = False) -> dict[str, Any]:
    """Measure all NETWORKS, in about two minutes; `quick` only shows that it works.

    Returns plain values: the machine (`cpu`, `cores`, `peak_gflops`: its float32 matrix product),
    `repeats`, and for each of the `networks` its `name`, the `steps` of a repetition, the median
    milliseconds a step of `engine_ms`, `fit_ms` (numpy arrays, Keras's defaults) and
    `tuned_fit_ms` (64 steps a call and XLA), `limit_ms` (its matrix products alone, at peak
    speed), and the ratios `fit_over_engine`, `tuned_fit_over_engine` and `engine_over_limit`.
    `progress` hears a sentence before each network.
    """
    images, repeats = (QUICK_IMAGES, QUICK_REPEATS) if quick else (IMAGES, REPEATS)
    seconds = {}
    for name, spec in NETWORKS.items():
        if progress:
            progress(f"Measuring {name} …")
        seconds[name] = _measure(spec, _steps(spec, images), repeats)
    peak = max(speed for times in seconds.values() for speed in times["peak"])
    return {
        "cpu": cpu(), "cores": os.cpu_count(), "peak_gflops": peak / 1e9, "repeats": repeats,
        "networks": [_row(name, images, times, peak) for name, times in seconds.items()],
    }  # fmt: skip


def _steps(spec: RunSpec, images: int) -> int:
    """Steps of a repetition."""
    return images // (SHARE_OF_CONVOLUTIONS if spec.convolutions else 1) // spec.batch_size


def costs(progress: Progress | None = None) -> list[dict[str, Any]]:
    """What an epoch of 60,000 images costs as one thing grows: `grows` (a key of COSTS), its
    `value`, and `seconds`, the best of three, without compiling and evaluating."""
    rows = []
    for grows, specs in COSTS.items():
        if progress:
            progress(f"Measuring an epoch as the {grows} grows …")
        for value, spec in specs.items():
            steps = min(EPOCH // spec.batch_size, 100)
            step = engine.stepper(spec, *training_images(spec.batch_size * steps))
            best = min(_seconds(lambda step=step, n=steps: step(n)) for _ in range(3))
            seconds = best / (steps * spec.batch_size) * EPOCH
            rows.append({"grows": grows, "value": value, "seconds": seconds})
    return rows


def looks(progress: Progress | None = None) -> list[dict[str, Any]]:
    """What it costs to look inside while a network trains: for each of LOOKED_INTO its `name`, the
    median seconds of a training that nobody looks into (`alone`) and of one that is looked into
    (`looked`), in turns, without compiling, and `more`, how much longer that takes, 0…1."""
    data, rows = dataset.load(), []
    for name, epochs in LOOKED_INTO.items():
        if progress:
            progress(f"Looking into {name} …")
        spec = replace(NETWORKS[name], epochs=epochs)
        times: dict[bool, list[float]] = {False: [], True: []}
        for i in range(2 * ROUNDS):
            times[bool(i % 2)].append(_training_seconds(spec, data, bool(i % 2)))
        alone, looked = median(times[False]), median(times[True])
        rows.append({"name": name, "alone": alone, "looked": looked, "more": looked / alone - 1})
    return rows


def _training_seconds(spec: RunSpec, data: dataset.Mnist, looked_into: bool) -> float:
    """From the end of compiling to the end of the run."""
    control, began = Control(), 0.0
    control.tell("look", float(looked_into))
    for event in engine.train(spec, data, control):
        if isinstance(event, Compiled):
            began = time.perf_counter()
    return time.perf_counter() - began


def _row(name: str, images: int, times: dict[str, list[float]], peak: float) -> dict[str, Any]:
    steps = _steps(NETWORKS[name], images)
    limit = 1000 * flops(NETWORKS[name]) / peak
    who = ("engine", "fit", "tuned_fit")
    ms = {f"{name}_ms": 1000 * median(times[name]) / steps for name in who}
    return {
        "name": name, "steps": steps, **ms, "limit_ms": limit,
        "fit_over_engine": ms["fit_ms"] / ms["engine_ms"],
        "tuned_fit_over_engine": ms["tuned_fit_ms"] / ms["engine_ms"],
        "engine_over_limit": ms["engine_ms"] / limit,
    }  # fmt: skip


def _measure(spec: RunSpec, steps: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round, and the matrix product's FLOP/s in each ("peak")."""
    room = numpy_engine if spec.framework == "numpy" else engine
    step = room.stepper(spec, *training_images(spec.batch_size * steps))
    times: dict[str, list[float]] = {"engine": [], "fit": [], "tuned_fit": [], "peak": []}
    with Fit(spec, steps) as fit:
        for _ in range(repeats):
            step(warm_up(steps))
            times["engine"].append(_seconds(lambda: step(steps)))
            times["fit"].append(fit.seconds("plain"))
            times["tuned_fit"].append(fit.seconds("tuned"))
            times["peak"].append(_matrix_speed())
    return times


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _matrix_speed(n: int = 1024, tries: int = 5) -> float:
    """The best float32 FLOP/s of NumPy's n x n matrix product."""
    a = np.ones((n, n), np.float32)
    return 2 * n**3 / min(_seconds(lambda: a @ a) for _ in range(tries))


def flops(spec: RunSpec) -> int:
    """Floating-point operations of a training step's matrix products, those of convolutions among
    them: two a multiplication forward, as many for the kernel's gradient, and again for the
    input's, which the first layer does not need."""
    multiplications = [block.multiplications for block in spec.stack() if block.multiplications]
    products = [2 * spec.batch_size * n for n in multiplications]
    return 3 * sum(products) - products[0]
