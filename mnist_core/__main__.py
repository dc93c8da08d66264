"""The command line: python -m mnist_core fetch | recipes | train | predict | ablation | bench |
screenshots.

Results go to stdout, progress to stderr. Bad input gets one sentence on stderr and exit code 2.
Each command imports what it needs, so that `recipes` answers without waiting for TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

KINDS = (".npz", ".keras")


class Refused(Exception):
    """The request cannot be met; the message is one sentence for the person who made it."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one sentence, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; its exit code: 0, 1 (failed), 2 (refused) or 130 (Ctrl-C)."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        given = _parser().parse_args(argv)
        given.command = shlex.join(["python", "-m", "mnist_core", *argv])
        return given.run(given) or 0
    except Refused as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        _say("Stopped; nothing was saved.")
        return 130


def _parser() -> Parser:
    parser = Parser(prog="python -m mnist_core", description="MNIST Lab on the command line.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def command(run: Callable[[argparse.Namespace], int | None], about: str) -> Parser:
        added = commands.add_parser(run.__name__, help=about, description=about)
        added.set_defaults(run=run)
        return added

    command(fetch, "Download and verify the full MNIST, and say where it is.")
    added = command(recipes, "List the recipes, with what they teach and what they reach.")
    added.add_argument("--measure", action="store_true",
                       help="train each three times, and plain Keras too; some twenty minutes")
    added.add_argument("--only", action="append", metavar="NAME", help="measure this one alone")
    added = command(train, "Train a recipe and measure it on the test set.")
    added.add_argument("--recipe", required=True, metavar="NAME", help="one of `recipes`")
    added.add_argument("--epochs", type=int, metavar="N", help="instead of the recipe's")
    added.add_argument("--seed", type=int, metavar="S", help="instead of the recipe's")
    added.add_argument("--data", default="auto", metavar="SOURCE",
                       help="auto (default), full, sample, or the path of a data file")
    added.add_argument("--save", type=Path, metavar="FILE", help="keep the model: .npz or .keras")
    _json_option(added)
    added = command(predict, "Read the digits in image files.")
    added.add_argument("--model", required=True, metavar="FILE",
                       help="an .npz or .keras file, or `default` for the one that comes along")
    added.add_argument("images", nargs="+", metavar="IMAGE", help="any image file")
    _json_option(added)
    added = command(ablation, "Train the default model briefly, one part left out each time.")
    _json_option(added)
    added = command(bench, "Measure the engine side by side with plain Keras, and the app.")
    added.add_argument("--plot", type=Path, metavar="FILE",
                       help="write a .png picture of what an epoch costs; needs Chromium")
    _json_option(added)
    added = command(screenshots, "Picture each page, light and dark, for the README.")
    added.add_argument("--out", type=Path, metavar="FOLDER", default=Path(".github/screenshots"),
                       help="where the .png files go (default .github/screenshots)")
    return parser


def _json_option(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _refusing(*errors: type[Exception], about: str = "") -> Iterator[None]:
    """Turn a module's own complaint, already a sentence, into a refusal."""
    try:
        yield
    except errors as error:
        raise Refused(f"{about}{error}") from error


# ---- fetch, recipes


def fetch(given: argparse.Namespace) -> None:
    from . import dataset

    with _refusing(dataset.DataError):
        if not os.environ.get("MNIST_DATA"):
            dataset.fetch(_downloaded)
        data = dataset.load("full")
    for notice in data.notices:
        _say(notice)
    print(f"{data.name}\n{data.source}")


def _downloaded(received: int, total: int) -> None:
    share = f" of {total / 1e6:.1f}" if total else ""
    end = "\n" if received == total else ""
    print(f"\r{received / 1e6:.1f}{share} MB", end=end, file=sys.stderr, flush=True)


def recipes(given: argparse.Namespace) -> None:
    from . import measured
    from .recipes import RECIPES, network

    if given.measure:
        _measure(given.only)
    figures = measured.known()
    rows = [("recipe", "network", "optimizer", "batch", "epochs", "published", "ours", "Keras")]
    for name, (spec, published) in ((n, (r.spec, r.published)) for n, r in RECIPES.items()):
        found = figures.get(name)
        rows.append((name, network(spec), spec.optimizer, spec.batch_size, spec.epochs,
                     f"{100 * published:.2f} %" if published else "–",
                     measured.percent(found.ours) if found else "–",
                     measured.percent(found.keras) if found else "–"))  # fmt: skip
    _table(rows)
    for name, recipe in RECIPES.items():
        print(f"\n{name}: {recipe.says}\n  Source: {recipe.source}")


def _measure(only: list[str] | None) -> None:
    from . import dataset, measured

    for name in only or ():
        if name not in measured.MEASURED:
            raise Refused(f"There is no recipe {name!r} to measure; there are "
                          f"{', '.join(measured.MEASURED)}.")  # fmt: skip
    with _refusing(dataset.DataError, RuntimeError):
        measured.measure(only or measured.MEASURED, progress=_say)


def _table(rows: Sequence[Sequence[Any]], left: int = 3) -> None:
    """Aligned columns: the first `left` of them to the left, numbers to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        cells = [f"{cell:{'<' if i < left else '>'}{widths[i]}}" for i, cell in enumerate(row)]
        print("  ".join(cells).rstrip())


# ---- train


def train(given: argparse.Namespace) -> int:
    from . import dataset
    from .spec import SpecError

    spec = _design(given)
    with _refusing(SpecError):
        spec.check()
    _check_target(given.save)
    with _refusing(dataset.DataError):
        data = dataset.load(given.data)
    for note in (*data.notices, *spec.problems()):
        _say(f"Note: {note}")
    _say(f"{given.recipe} on {data.name}")
    return _train(given, spec, data)


def _design(given: argparse.Namespace) -> Any:
    from .recipes import RECIPES

    if given.recipe not in RECIPES:
        raise Refused(f"There is no recipe {given.recipe!r}; known are {', '.join(RECIPES)}.")
    changes = {"epochs": given.epochs, "seed": given.seed}
    changes = {name: value for name, value in changes.items() if value is not None}
    return replace(RECIPES[given.recipe].spec, **changes)


def _check_target(path: Path | None) -> None:
    """A training is not lost for a name that could have been refused before it."""
    if path is None:
        return
    if path.suffix not in KINDS:
        raise Refused(f"--save takes a file that ends in {' or '.join(KINDS)}, not {path}.")
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise Refused(f"{path} cannot be written; name a file in a folder that can.")


def _train(given: argparse.Namespace, spec: Any, data: Any) -> int:
    from . import events, loop

    result = {"recipe": given.recipe, "seed": spec.seed, "data": data.name, "epochs": []}
    for event in loop.train(spec, data):
        match event:
            case events.Failed():
                _say(event.message)
                return 1
            case events.Compiled():
                result["compile_seconds"] = event.seconds
                _say(f"compiled in {event.seconds:.1f} s")
            case events.EpochEnded():
                result["epochs"].append(_epoch(event))
                _say(_epoch_line(event, spec.epochs))
            case events.Finished():
                result |= _measured(event, spec)
                checkpoint = event.checkpoint
    if given.save:
        _save(given, spec, checkpoint.answer, result)
    print(f"test accuracy {result['test_accuracy']:.2%}, loss {result['test_loss']:.4f}, "
          f"{result['images_per_second']:,.0f} images a second")
    if given.json:
        print(json.dumps(result))
    return 0


def _epoch(event: Any) -> dict[str, float]:
    names = ("epoch", "seconds", "accuracy", "val_accuracy", "loss", "val_loss")
    return {name: getattr(event, name) for name in names}


def _epoch_line(event: Any, epochs: int) -> str:
    return (
        f"epoch {event.epoch}/{epochs}  loss {event.loss:.4f}  accuracy {event.accuracy:.2%}  "
        f"validation {event.val_accuracy:.2%}  {event.seconds:.2f} s"
    )


def _measured(event: Any, spec: Any) -> dict[str, float]:
    return {
        "test_accuracy": event.test_accuracy,
        "test_loss": event.test_loss,
        "images_per_second": event.step * spec.batch_size / event.seconds,
    }


def _save(given: argparse.Namespace, spec: Any, weights: Any, result: dict[str, Any]) -> None:
    from . import models

    kept = ("test_accuracy", "test_loss", "data", "recipe", "seed")
    about = {name: result[name] for name in kept} | {"command": given.command}
    with _refusing(OSError, about=f"{given.save} was not written: "):
        if given.save.suffix == ".npz":
            models.save(given.save, spec, weights, about)
        else:
            from . import engine

            given.save.write_bytes(engine.model_file(spec, weights))
    _say(f"kept as {given.save}")


# ---- predict


def predict(given: argparse.Namespace) -> None:
    import numpy as np

    images = np.stack([_digit(path) for path in given.images])
    probabilities = _predictor(given.model)(images)
    found = []
    for path, p in zip(given.images, probabilities.astype(float), strict=True):
        digit = int(p.argmax())
        print(f"{path}: {digit} ({p[digit]:.1%})")
        found.append({"image": path, "digit": digit, "probabilities": p.tolist()})
    if given.json:
        print(json.dumps({"model": given.model, "predictions": found}))


def _digit(path: str) -> Any:
    """The image file as the model takes it: uint8 (28, 28)."""
    import numpy as np

    from . import drawing

    with _refusing(drawing.BadImage):
        image = drawing.read_image(path)
    with _refusing(drawing.BadImage, drawing.EmptyDrawing, about=f"{path}: "):
        return np.round(255 * drawing.to_mnist(image)).astype(np.uint8)


def _predictor(name: str) -> Callable[[Any], Any]:
    """Probabilities (n, 10) for uint8 images (n, 28, 28), from a model file or "default"."""
    from . import models

    if name == "default":
        return models.default().network.predict
    path = Path(name)
    if path.suffix not in KINDS:
        raise Refused(f"--model takes `default` or a file that ends in {' or '.join(KINDS)}.")
    if path.suffix == ".keras":
        return _keras_predictor(path)
    with _refusing(ValueError):
        return models.load(path).network.predict


def _keras_predictor(path: Path) -> Callable[[Any], Any]:
    if not path.is_file():
        raise Refused(f"{path} cannot be read (no such file).")
    if not zipfile.is_zipfile(path):
        raise Refused(f"{path} is damaged or not a Keras model file.")
    import numpy as np

    from . import engine

    try:
        predict = engine.keras_predictor(path)
        if predict(np.zeros((1, 28, 28), np.uint8)).shape != (1, 10):
            raise ValueError("its output is not ten classes")
    except Exception as error:  # a foreign model can make Keras raise almost anything
        raise Refused(f"{path} is not a Keras model for MNIST digits.") from error
    return predict


# ---- ablation


def ablation(given: argparse.Namespace) -> None:
    from . import ablation, dataset, host

    with _refusing(dataset.DataError, RuntimeError):
        rows = ablation.run(_say)
    print(f"{host.cpu()}, {os.cpu_count()} cores; {ablation.IMAGES:,} training images, "
          f"{ablation.EPOCHS} epochs; % read right")
    _table([("left out", "MNIST's test set", "drawings"),
            *((row["left_out"], f"{100 * row['test_accuracy']:.2f}",
               f"{100 * row['drawn_accuracy']:.2f}") for row in rows)], left=1)  # fmt: skip
    if given.json:
        print(json.dumps({"images": ablation.IMAGES, "epochs": ablation.EPOCHS, "rows": rows}))


# ---- bench


def bench(given: argparse.Namespace) -> None:
    from . import bench, bench_app, charts

    result = bench.run(_say) | {"costs": bench.costs(_say)}
    try:
        result["app"] = bench_app.run(_say)
        if given.plot:
            bench_app.picture(charts.epoch_costs(result["costs"]), given.plot)
    except RuntimeError as error:
        result["app"] = None
        _say(f"The app itself is not timed. {error}")
    print(f"{result['cpu']}, {result['cores']} cores, peak {result['peak_gflops']:.0f} GFLOP/s; "
          f"milliseconds a step, median of {result['repeats']}")
    columns = {"engine": "engine_ms", "fit": "fit_ms", "tuned fit": "tuned_fit_ms",
               "limit": "limit_ms", "fit/engine": "fit_over_engine",
               "tuned/engine": "tuned_fit_over_engine", "engine/limit": "engine_over_limit"}
    rows = [[row["name"], *(f"{row[key]:.2f}" for key in columns.values())]
            for row in result["networks"]]
    _table([("network", *columns), *rows], left=1)
    _print_costs(result["costs"])
    for words, value in (result["app"] or {}).items():
        print(f"{words.replace('_', ' '):<26}{value:.3f}")
    result["estimates"] = _estimates()
    if given.json:
        print(json.dumps(result))


def _print_costs(rows: list[dict]) -> None:
    print("\nseconds an epoch of 60,000 images, 784-256-256-10 at batch 128 unless it grows")
    for grows in dict.fromkeys(row["grows"] for row in rows):
        own = [row for row in rows if row["grows"] == grows]
        _table([(grows, *(f"{row['value']}" for row in own)),
                ("seconds", *(f"{row['seconds']:.2f}" for row in own))], left=1)  # fmt: skip
    print()


def _estimates() -> list[dict[str, Any]]:
    from . import bench_estimates

    found = bench_estimates.run(_say)
    print("\nwhat was estimated beforehand: seconds an epoch of 48,000 images and MB at most")
    rows = [(row["name"], f"{row['predicted_seconds']:.2f}", f"{row['measured_seconds']:.2f}",
             f"{row['seconds_error']:+.0%}", f"{row['predicted_bytes'] / 1e6:.0f}",
             f"{row['measured_bytes'] / 1e6:.0f}", f"{row['bytes_error']:+.0%}")
            for row in found]  # fmt: skip
    _table([("network", "predicted s", "measured s", "error", "predicted MB", "measured MB",
             "error"), *rows], left=1)
    return found


# ---- screenshots


def screenshots(given: argparse.Namespace) -> None:
    from . import screenshots

    with _refusing(RuntimeError), _refusing(OSError, about=f"{given.out} cannot be written: "):
        for path in screenshots.take(given.out, _say):
            print(path)


if __name__ == "__main__":
    sys.exit(main())
