"""The canvas, the photo and the taught copy of the Draw page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mnist_core.basis import Job
from mnist_core.imaging import Digit
from pages._shell import session


@dataclass
class DrawState:
    """The canvas, the photo and the taught copy of the Draw page."""

    drawing: dict[str, Any] | None = None
    pictures: dict[int, np.ndarray] = field(default_factory=dict, repr=False)
    canvas: int = 0
    canvas_start: dict[str, Any] | None = None
    photo: np.ndarray | None = field(default=None, repr=False)
    photo_fault: str = ""
    found: list[Digit] = field(default_factory=list, repr=False)
    found_at: int = 0
    teaching: Job | None = field(default=None, repr=False)
    base: str = "default"
    explained: bool = False


def mine() -> DrawState:
    """The visitor's own."""
    return session.of(DrawState)
