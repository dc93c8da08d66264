"""What a data set is: its digest, never its name or where it lies."""

from __future__ import annotations

from dataclasses import dataclass

# The digest of MNIST, in any of its files.
MNIST_DIGEST = "a35d1f084d8ad98f1652318b7de6df52ffcfdbff445a7dfa4a3a8d841e53d799"


@dataclass(frozen=True)
class Identity:
    """Which data something is about: `digest` says what they are, the same for equal arrays in any
    file and process ("" for records of before it was noted); `name` is what people call them, and
    `source` where this machine may find them, by `dataset.load`."""

    name: str
    source: str
    digest: str = ""

    def same(self, other: Identity) -> bool:
        """Whether both are the same digits; without a digest, whether they lie in one place."""
        if self.digest and other.digest:
            return self.digest == other.digest
        return self.source == other.source
