"""Where the lab keeps its files, and how one is written: whole, or not at all.

It knows paths and bytes, never what is in a file. Imports no other package.
"""

from .files import absolute, home, replacing, set_aside, unwritable

__all__ = ["absolute", "home", "replacing", "set_aside", "unwritable"]
