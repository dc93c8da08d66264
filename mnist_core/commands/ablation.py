"""ablation: what each part of the default model's training is worth."""

from __future__ import annotations

import argparse
import json
import os

from .console import Parser, json_option, refusing, say, table

ABOUT = "Train the default model briefly, one part left out each time."


def options(parser: Parser) -> None:
    """What may be given."""
    json_option(parser)


def run(given: argparse.Namespace) -> None:
    from mnist_core.data import dataset
    from mnist_core.estimates import host
    from mnist_core.tools import ablation

    with refusing(dataset.DataError, RuntimeError):
        rows = ablation.run(say)
    print(f"{host.cpu()}, {os.cpu_count()} cores; {ablation.IMAGES:,} training images, "
          f"{ablation.EPOCHS} epochs; % read right")
    table([("left out", "MNIST's test set", "drawings"),
            *((row["left_out"], f"{100 * row['test_accuracy']:.2f}",
               f"{100 * row['drawn_accuracy']:.2f}") for row in rows)], left=1)  # fmt: skip
    if given.json:
        print(json.dumps({"images": ablation.IMAGES, "epochs": ablation.EPOCHS, "rows": rows}))
