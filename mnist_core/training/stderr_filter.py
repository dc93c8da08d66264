"""Keep a native library's start-up notes out of stderr, and everything else in. Standard library
only."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stderr_without(*phrases: str) -> Iterator[None]:
    """Hold back what is written to file descriptor 2, native code included; at the end pass on the
    lines that hold none of `phrases`."""
    try:
        terminal = os.dup(2)
    except OSError:  # a process without stderr has nothing to keep quiet
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            unwanted = [phrase.encode() for phrase in phrases]
            for line in held:
                if not any(phrase in line for phrase in unwanted):
                    os.write(2, line)
