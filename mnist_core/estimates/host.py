"""What this machine is, and what this process takes of it. Standard library only."""

from __future__ import annotations

import contextlib
import os
import platform
from importlib import metadata
from pathlib import Path

_STATUS = Path("/proc/self/status")


def cpu() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def identity() -> str:
    """What a measurement of speed holds for: processor, cores, and the library that computes."""
    return f"{cpu()}, {os.cpu_count()} cores, TensorFlow {_tensorflow()}"


def _tensorflow() -> str:
    """Its version, by the name of the package that is installed, without importing it."""
    for name in ("tensorflow", "tensorflow-cpu"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return "unknown"


def resident_bytes() -> int:
    """The memory this process holds now; 0 where the system does not say."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """The most memory it held since `forget_peak`, or ever; 0 where the system does not say."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Count the peak from now on, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> int:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    found = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(next(found, "0"))
