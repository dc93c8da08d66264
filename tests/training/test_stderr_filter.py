"""What native code writes to stderr: the unwanted lines are dropped, all others arrive."""

import os
import subprocess
import sys

import pytest

from mnist_core.training.stderr_filter import stderr_without


def test_only_the_unwanted_lines_are_dropped(capfd):
    with stderr_without("note", "chatter"):
        os.write(2, b"a note\nan error\n")
        print("python's own", file=sys.stderr, flush=True)
        os.write(2, b"more chatter\n")
    os.write(2, b"after\n")
    assert sorted(capfd.readouterr().err.splitlines()) == ["after", "an error", "python's own"]


def test_what_was_written_before_an_exception_arrives(capfd):
    with pytest.raises(ImportError), stderr_without("note"):
        os.write(2, b"why\n")
        raise ImportError
    assert capfd.readouterr().err == "why\n"


def test_a_process_without_stderr_goes_on():
    code = (
        "import os; os.close(2)\n"
        "from mnist_core.training.stderr_filter import stderr_without\n"
        "with stderr_without('note'): print('on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "on\n"


def test_the_engine_loads_in_silence():
    done = subprocess.run([sys.executable, "-c", "import mnist_core.training.engine"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stderr == ""
