"""fetch: the full MNIST, downloaded and verified."""

from __future__ import annotations

import argparse
import os
import sys

from .console import Parser, refusing, say

ABOUT = "Download and verify the full MNIST, and say where it is."


def options(parser: Parser) -> None:
    """What may be given."""
    del parser  # nothing


def run(given: argparse.Namespace) -> None:
    from mnist_core.data import dataset

    with refusing(dataset.DataError):
        if not os.environ.get("MNIST_DATA"):
            dataset.fetch(_downloaded)
        data = dataset.load("full")
    for notice in data.notices:
        say(notice)
    print(f"{data.name}\n{data.source}")


def _downloaded(received: int, total: int) -> None:
    share = f" of {total / 1e6:.1f}" if total else ""
    end = "\n" if received == total else ""
    print(f"\r{received / 1e6:.1f}{share} MB", end=end, file=sys.stderr, flush=True)
