"""The command line: python -m mnist_core COMMAND, a file of `commands` each.

Results go to stdout, progress to stderr. Bad input gets one sentence on stderr and exit code 2.
Each command imports what it needs, so that `recipes` answers without waiting for TensorFlow.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from mnist_core.commands import ablation, bench, fetch, predict, recipes, screenshots, train
from mnist_core.commands.console import Parser, Refused, say

COMMANDS = (fetch, recipes, train, predict, ablation, bench, screenshots)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; its exit code: 0, 1 (failed), 2 (refused) or 130 (Ctrl-C)."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        given = _parser().parse_args(argv)
        given.command = shlex.join(["python", "-m", "mnist_core", *argv])
        return given.run(given) or 0
    except Refused as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("Stopped; nothing was saved.")
        return 130


def _parser() -> Parser:
    parser = Parser(prog="python -m mnist_core", description="MNIST Lab on the command line.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        added = commands.add_parser(name, help=command.ABOUT, description=command.ABOUT)
        command.options(added)
        added.set_defaults(run=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
