"""What owners do with a run beside training it: a name, a note, a star, deleting it for now."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .database import ACTIVE, Database

TITLE_MOST = 60  # characters
NOTE_MOST = 500


class OwnerEdits(Database):
    """Each method does nothing to runs of somebody else. StoreError as everywhere in the store."""

    def entitle(self, run: str, owner: str, title: str, note: str) -> None:
        """Name a run and note something about it; an empty title brings its usual name back. Both
        are cut at TITLE_MOST and NOTE_MOST characters."""
        title, note = " ".join(title.split())[:TITLE_MOST], note.strip()[:NOTE_MOST]
        self._change([run], owner, "title = ?, note = ?", title, note)

    def guess(self, run: str, owner: str, accuracy: float) -> None:
        """Note what test accuracy (0…1) the owner expects of a run that is not over; the first
        guess stands."""
        with self._database() as db:
            db.execute(
                "UPDATE runs SET guess = ? WHERE id = ? AND owner = ? AND guess IS NULL "
                "AND status IN (?, ?)",
                (accuracy, run, owner, *ACTIVE),
            )

    def star(self, runs: Iterable[str], owner: str, starred: bool = True) -> None:
        """Mark runs, or no longer."""
        self._change(runs, owner, "starred = ?", int(starred))

    def discard(self, runs: Iterable[str], owner: str) -> None:
        """Delete ended runs so that they can be had back for a while: `expiry` removes them."""
        self._change(runs, owner, "discarded = ?", time.time(), but=ACTIVE)

    def restore(self, runs: Iterable[str], owner: str) -> None:
        """Undo `discard`, as long as they are there."""
        self._change(runs, owner, "discarded = ?", None)

    def _change(
        self, runs: Iterable[str], owner: str, what: str, *values: object, but: tuple = ()
    ) -> None:
        marks = ", ".join("?" * len(but))
        query = f"UPDATE runs SET {what} WHERE id = ? AND owner = ? AND status NOT IN ({marks})"
        with self._database() as db:
            db.executemany(query, [(*values, run, owner, *but) for run in runs])
