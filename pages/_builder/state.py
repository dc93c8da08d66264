"""What the Build page remembers beside the design and the run."""

from __future__ import annotations

from dataclasses import dataclass, field

from mnist_core.design import RunSpec
from pages._shell import session


@dataclass
class BuilderState:
    """What the Build page remembers beside the design and the run."""

    before: RunSpec | None = None  # the visitor's own design, while a recipe is looked at
    draw: int = 0  # which random draw the preview of augmentation shows
    seen: str = ""
    paused: bool = False
    converting: set[tuple[str, str]] = field(default_factory=set)  # run, model file that is made


def mine() -> BuilderState:
    """The visitor's own."""
    return session.of(BuilderState)
