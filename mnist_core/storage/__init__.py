"""Where the lab keeps its files, and how one is written: whole, or not at all.

It knows paths and bytes, never what is in a file. Imports no other package.
"""

from .archives import UnusualMember
from .arrays import npz, write_npz
from .files import absolute, home, replacing, set_aside, unwritable

__all__ = [
    "UnusualMember", "absolute", "home", "npz", "replacing", "set_aside", "unwritable", "write_npz",
]  # fmt: skip
