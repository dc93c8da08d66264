"""Which digits are looked at on the Dataset page."""

from __future__ import annotations

from dataclasses import dataclass, field

from mnist_core.basis import Job
from pages._shell import session


@dataclass
class DatasetState:
    """Which digits are looked at on the Dataset page."""

    picked: int | None = None
    opening: int | None = None  # an image to turn to in the next run
    selection: tuple[str, tuple[int, ...]] | None = None  # split, indices
    near: int | None = None  # the point of the map whose neighbours are shown
    suspect: tuple[str, int] | None = None
    bringing: Job | None = field(default=None, repr=False)  # own files that are being checked
    # (digest, split, index) -> what the visitor says of a label: a digit, "right" or "unclear"
    verdicts: dict[tuple[str, str, int], str] = field(default_factory=dict, repr=False)

    def forget_data(self) -> None:
        """Other digits are in use."""
        self.picked = self.selection = self.near = self.suspect = None


def mine() -> DatasetState:
    """The visitor's own."""
    return session.of(DatasetState)
