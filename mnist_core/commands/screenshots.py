"""screenshots: each page, light and dark."""

from __future__ import annotations

import argparse
from pathlib import Path

from .console import Parser, refusing, say

ABOUT = "Picture each page, light and dark, for the README."


def options(parser: Parser) -> None:
    """What may be given."""
    parser.add_argument("--out", type=Path, metavar="FOLDER", default=Path(".github/screenshots"),
                        help="where the .png files go (default .github/screenshots)")


def run(given: argparse.Namespace) -> None:
    from mnist_core.tools import screenshots

    with refusing(RuntimeError), refusing(OSError, about=f"{given.out} cannot be written: "):
        for path in screenshots.take(given.out, say):
            print(path)
