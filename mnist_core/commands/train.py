"""train: a recipe, and its figures on the test set."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import Parser, Refused, json_option, refusing, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from mnist_core.data import Mnist
    from mnist_core.design import RunSpec
    from mnist_core.training.events import EpochEnded, Finished

KINDS = (".npz", ".keras")


ABOUT = "Train a recipe and measure it on the test set."


def options(parser: Parser) -> None:
    """What may be given."""
    parser.add_argument("--recipe", required=True, metavar="NAME", help="one of `recipes`")
    parser.add_argument("--epochs", type=int, metavar="N", help="instead of the recipe's")
    parser.add_argument("--seed", type=int, metavar="S", help="instead of the recipe's")
    parser.add_argument("--data", default="auto", metavar="SOURCE",
                        help="auto (default), full, sample, or the path of a data file")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the model: .npz or .keras")
    json_option(parser)


def run(given: argparse.Namespace) -> int:
    from mnist_core.data import dataset
    from mnist_core.design.spec import SpecError

    spec = _design(given)
    with refusing(SpecError):
        spec.check()
    _check_target(given.save)
    with refusing(dataset.DataError):
        data = dataset.load(given.data)
    for note in (*data.notices, *spec.problems()):
        say(f"Note: {note}")
    say(f"{given.recipe} on {data.name}")
    return _train(given, spec, data)


def _design(given: argparse.Namespace) -> RunSpec:
    from mnist_core.design.recipes import RECIPES

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


def _train(given: argparse.Namespace, spec: RunSpec, data: Mnist) -> int:
    from mnist_core.training import events
    from mnist_core.training.frameworks import train

    result: dict[str, Any] = {"recipe": given.recipe, "seed": spec.seed, "data": data.name,
                              "epochs": []}  # fmt: skip
    ended = None
    for event in train(spec, data):
        match event:
            case events.Failed():
                say(event.message)
                return 1
            case events.Compiled():
                result["compile_seconds"] = event.seconds
                say(f"compiled in {event.seconds:.1f} s")
            case events.EpochEnded():
                result["epochs"].append(_epoch(event))
                say(_epoch_line(event, spec.epochs))
            case events.Finished():
                result |= _measured(event, spec)
                ended = event
    if given.save and ended:
        _save(given, spec, ended.last.answer, result)
    print(f"test accuracy {result['test_accuracy']:.2%}, loss {result['test_loss']:.4f}, "
          f"{result['images_per_second']:,.0f} images a second")
    if given.json:
        print(json.dumps(result))
    return 0


def _epoch(event: EpochEnded) -> dict[str, float]:
    names = ("epoch", "seconds", "accuracy", "val_accuracy", "loss", "val_loss")
    return {name: getattr(event, name) for name in names}


def _epoch_line(event: EpochEnded, epochs: int) -> str:
    return (
        f"epoch {event.epoch}/{epochs}  loss {event.loss:.4f}  accuracy {event.accuracy:.2%}  "
        f"validation {event.val_accuracy:.2%}  {event.seconds:.2f} s"
    )


def _measured(event: Finished, spec: RunSpec) -> dict[str, float]:
    return {
        "test_accuracy": event.test_accuracy,
        "test_loss": event.test_loss,
        "images_per_second": event.step * spec.batch_size / event.seconds,
    }


def _save(
    given: argparse.Namespace, spec: RunSpec, weights: Mapping[str, np.ndarray],
    result: dict[str, Any],
) -> None:  # fmt: skip
    from mnist_core.runs import models

    kept = ("test_accuracy", "test_loss", "data", "recipe", "seed")
    about = {name: result[name] for name in kept} | {"command": given.command}
    with refusing(OSError, about=f"{given.save} was not written: "):
        if given.save.suffix == ".npz":
            models.save(given.save, spec, weights, about)
        else:
            from mnist_core.training import engine

            given.save.write_bytes(engine.model_file(spec, weights))
    say(f"kept as {given.save}")
