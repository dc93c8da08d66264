"""What all commands share: refusing, saying, tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn


class Refused(Exception):
    """The request cannot be met; the message is one sentence for the person who made it."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one sentence, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")


def json_option(parser: Parser) -> None:
    """The option that every measuring command has."""
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def refusing(*errors: type[Exception], about: str = "") -> Iterator[None]:
    """Turn a module's own complaint, already a sentence, into a refusal."""
    try:
        yield
    except errors as error:
        raise Refused(f"{about}{error}") from error


def table(rows: Sequence[Sequence[Any]], left: int = 3) -> None:
    """Aligned columns: the first `left` of them to the left, numbers to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        cells = [f"{cell:{'<' if i < left else '>'}{widths[i]}}" for i, cell in enumerate(row)]
        print("  ".join(cells).rstrip())
