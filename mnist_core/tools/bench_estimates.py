"""What the app predicts for a run, held against what it takes: ten designs, in one process.

The designs of the calibration and the ten of the table take turns, so that a busy moment of the
machine meets all of them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, NamedTuple

from mnist_core.data import dataset
from mnist_core.data.dataset import Mnist
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.estimates import calibrate, estimate, host
from mnist_core.training import engine
from mnist_core.training.loop import Arrays

DESIGNS: dict[str, RunSpec] = {
    "784-10, sgd, 32": RunSpec((), "sgd"),
    "784-64-64-10, adam, 256": RunSpec((Layer(64),) * 2, batch_size=256),
    "784-128-BN-64-BN-10, adam, 32": RunSpec(
        (Layer(128, batch_norm=True), Layer(64, batch_norm=True))
    ),
    "784-256-128-10, tanh, sgd, 64": RunSpec(
        (Layer(256, "tanh"), Layer(128, "tanh")), "sgd", batch_size=64
    ),
    "784-512-10, rmsprop, 128": RunSpec((Layer(512),), "rmsprop", batch_size=128),
    "784-512-512-10, dropout, nadam, 32": RunSpec((Layer(512, dropout=0.2),) * 2, "nadam"),
    "784-512-512-10, dropout, BN, adam, 128": RunSpec(
        (Layer(512, batch_norm=True, dropout=0.3),) * 2, batch_size=128
    ),
    "784-1024-1024-1024-10, adam, 256": RunSpec((Layer(1024),) * 3, batch_size=256),
    "conv 32-64, adam, 128": RunSpec((), convolutions=(Conv(32), Conv(64)), batch_size=128),
    "conv 6-16 of 5 x 5, 120-84, sgd, 32": RunSpec(
        (Layer(120), Layer(84)), "sgd", convolutions=(Conv(6, 5), Conv(16, 5))
    ),
}
ROUNDS = 15
EVALUATED = 3  # every so many rounds: these need no fine minimum
SIZES = estimate.Sizes(48_000, 12_000, 10_000)
Progress = Callable[[str], None]


class Subject(NamedTuple):
    """A design that is compiled and waits for its turns; `grown` is the memory it took (bytes)."""

    spec: RunSpec
    step: Callable[[int], object]
    evaluate: Callable[[], object]
    steps: int
    compile_seconds: float
    grown: int


def run(progress: Progress | None = None, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """A row for each of the DESIGNS: its `name`, seconds an epoch of 48,000 images with 12,000 for
    validation (`predicted_seconds`, `measured_seconds`), memory at its peak (`predicted_bytes`,
    `measured_bytes`), and how far each prediction was off (`seconds_error`, `bytes_error`; 0.1 is
    a tenth too much). `progress` hears a sentence before each design."""
    data = dataset.load("auto")
    program, parts = engine.prepared(calibrate.DEFAULT, data)
    program.evaluate(parts.validation)
    base = host.resident_bytes()
    probes = [_subject(spec, data, parts.train) for spec in (calibrate.DEFAULT, *calibrate.PROBES)]
    subjects = []
    for name, spec in DESIGNS.items():
        if progress:
            progress(f"Estimating {name} …")
        subjects.append(_subject(spec, data, parts.train))
    seconds = _measure([*probes, *subjects], rounds)
    samples = [estimate.Sample(probe.spec, step, probe.compile_seconds)
               for probe, (step, _) in zip(probes, seconds, strict=False)]  # fmt: skip
    found = estimate.calibrated(samples, host.identity(), base)
    return [
        _row(name, subject, step, image, found)
        for name, subject, (step, image)
        in zip(DESIGNS, subjects, seconds[len(probes) :], strict=True)
    ]  # fmt: skip


def _subject(spec: RunSpec, data: Mnist, arrays: Arrays) -> Subject:
    """Compile a design and take it once through all that costs memory in a run."""
    gc.collect()
    host.forget_peak()
    before = host.resident_bytes()
    program, compile_seconds = calibrate.compiled(spec, arrays)
    some = engine.arrays(data.test.images[:1000], data.test.labels[:1000])
    step = calibrate.stepper(program, spec, arrays)
    steps = calibrate.chunk(step, len(arrays) // spec.batch_size)
    program.evaluate(some)
    kept = [(program.weights(), program.state()) for _ in range(2)]
    engine.model_file(spec, kept[0][0])
    return Subject(spec, step, lambda: program.evaluate(some), steps, compile_seconds,
                   host.peak_bytes() - before)  # fmt: skip


def _measure(subjects: list[Subject], rounds: int) -> list[tuple[float, float]]:
    """The least seconds a step and for evaluating one image, for each of the subjects."""
    best = [(float("inf"), float("inf"))] * len(subjects)
    for turn in range(rounds):
        for i, subject in enumerate(subjects):
            step, image = best[i]
            step = min(step, calibrate.timed(subject.step, subject.steps) / subject.steps)
            if turn % EVALUATED == 0:
                image = min(image, calibrate.timed(lambda _, s=subject: s.evaluate(), 0) / 1000)
            best[i] = step, image
    return best


def _row(
    name: str, subject: Subject, step: float, image: float, found: estimate.Calibration
) -> dict[str, Any]:
    told = estimate.estimate(subject.spec, SIZES, found)
    seconds = SIZES.train // subject.spec.batch_size * step + SIZES.validation * image
    taken = found.base_bytes + subject.grown
    return {
        "name": name,
        "predicted_seconds": told.seconds_per_epoch, "measured_seconds": seconds,
        "seconds_error": told.seconds_per_epoch / seconds - 1,
        "predicted_bytes": told.peak_bytes, "measured_bytes": taken,
        "bytes_error": told.peak_bytes / taken - 1 if taken else 0.0,
    }  # fmt: skip
