"""bench: the engine beside plain Keras, and the app, in one run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .console import Parser, json_option, say, table

ABOUT = "Measure the engine side by side with plain Keras, and the app."


def options(parser: Parser) -> None:
    """What may be given."""
    parser.add_argument("--plot", type=Path, metavar="FILE",
                        help="write a .png picture of what an epoch costs; needs Chromium")
    parser.add_argument("--machines", action="store_true",
                        help="measure instead a class on several machines, played by this one")
    json_option(parser)


def run(given: argparse.Namespace) -> None:
    if given.machines:
        return _machines(given)
    from mnist_core.charts import plotting
    from mnist_core.tools import bench, bench_app, bench_sweep

    result = bench.run(say) | {"costs": bench.costs(say), "looks": bench.looks(say),
                                "sweep": bench_sweep.run(say)}
    try:
        result["app"] = bench_app.run(say)
        if given.plot:
            bench_app.picture(plotting.epoch_costs(result["costs"]), given.plot)
    except RuntimeError as error:
        result["app"] = None
        say(f"The app itself is not timed. {error}")
    print(f"{result['cpu']}, {result['cores']} cores, peak {result['peak_gflops']:.0f} GFLOP/s; "
          f"milliseconds a step, median of {result['repeats']}")
    columns = {"engine": "engine_ms", "fit": "fit_ms", "tuned fit": "tuned_fit_ms",
               "limit": "limit_ms", "fit/engine": "fit_over_engine",
               "tuned/engine": "tuned_fit_over_engine", "engine/limit": "engine_over_limit"}
    rows = [[row["name"], *(f"{row[key]:.2f}" for key in columns.values())]
            for row in result["networks"]]
    table([("network", *columns), *rows], left=1)
    _print_costs(result["costs"])
    _print_looks(result["looks"])
    for words, value in (result["sweep"] | (result["app"] or {})).items():
        print(f"{words.replace('_', ' '):<26}{value:.3f}")
    result["estimates"] = _estimates()
    if given.json:
        print(json.dumps(result))


def _machines(given: argparse.Namespace) -> None:
    from mnist_core.estimates import host
    from mnist_core.tools import bench_machines

    found = bench_machines.run(say)
    print(f"{host.identity()}; several machines, played by this one")
    for words, value in found.items():
        print(f"{words.replace('_', ' '):<26}{value:.3f}")
    if given.json:
        print(json.dumps(found))


def _print_costs(rows: list[dict]) -> None:
    print("\nseconds an epoch of 60,000 images, 784-256-256-10 at batch 128 unless it grows")
    for grows in dict.fromkeys(row["grows"] for row in rows):
        own = [row for row in rows if row["grows"] == grows]
        table([(grows, *(f"{row['value']}" for row in own)),
                ("seconds", *(f"{row['seconds']:.2f}" for row in own))], left=1)  # fmt: skip
    print()


def _print_looks(rows: list[dict]) -> None:
    print("seconds of a training that nobody looks into, and of one that is looked into")
    table([("network", "alone", "looked into", "more"),
           *((row["name"], f"{row['alone']:.2f}", f"{row['looked']:.2f}", f"{row['more']:+.1%}")
             for row in rows)], left=1)  # fmt: skip
    print()


def _estimates() -> list[dict[str, Any]]:
    from mnist_core.tools import bench_estimates

    found = bench_estimates.run(say)
    print("\nwhat was estimated beforehand: seconds an epoch of 48,000 images and MB at most")
    rows = [(row["name"], f"{row['predicted_seconds']:.2f}", f"{row['measured_seconds']:.2f}",
             f"{row['seconds_error']:+.0%}", f"{row['predicted_bytes'] / 1e6:.0f}",
             f"{row['measured_bytes'] / 1e6:.0f}", f"{row['bytes_error']:+.0%}")
            for row in found]  # fmt: skip
    table([("network", "predicted s", "measured s", "error", "predicted MB", "measured MB",
             "error"), *rows], left=1)
    return found
