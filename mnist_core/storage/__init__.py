"""Where the lab keeps its files, and how one is written: whole, or not at all.

It knows paths and bytes, never what is in a file; `store` says of all that the lab keeps whose it
is and when it goes. Imports no other package.
"""

from .archives import UnusualMember
from .arrays import Damaged, npz, read_npz, write_npz
from .files import absolute, home, incoming, replacing, set_aside, unwritable, write
from .store import SHELVES, Item, Shelf, remove, shelf, size, sweep, use, whose

__all__ = [
    "SHELVES", "Damaged", "Item", "Shelf", "UnusualMember", "absolute", "home", "incoming", "npz",
    "read_npz", "remove", "replacing", "set_aside", "shelf", "size", "sweep", "unwritable", "use",
    "whose", "write", "write_npz",
]  # fmt: skip
