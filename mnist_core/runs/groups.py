"""Runs that belong together: a race or a sweep, what was asked for, and how far it is."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from dataclasses import dataclass, field
from typing import Any

from .database import Database, StoreError


@dataclass(frozen=True)
class Group:
    """A "race" or a "sweep". `body` holds JSON values, what was asked for and what is known since;
    `status` is "running", "finished", "stopped" or "interrupted"."""

    id: str
    owner: str
    kind: str
    body: dict[str, Any] = field(hash=False)
    status: str
    message: str
    created: float


class Groups(Database):
    """All groups. StoreError as everywhere in the store."""

    def create_group(self, owner: str, kind: str, body: dict[str, Any]) -> Group:
        """A new running group without runs, under an unguessable id."""
        group = secrets.token_urlsafe(9)
        with self._database() as db:
            db.execute(
                "INSERT INTO run_groups (id, owner, kind, body, status, created) "
                "VALUES (?, ?, ?, ?, 'running', ?)",
                (group, owner, kind, json.dumps(body), time.time()),
            )
        return self.known_group(group)

    def known_group(self, group: str) -> Group:
        """The group, which must be there. Raises StoreError if it is gone."""
        if found := self.group(group):
            return found
        raise StoreError("This race or sweep is not there: it may have expired.")

    def group(self, group: str) -> Group | None:
        """The group, or None if there is none of this id."""
        return next(iter(self._groups("id = ?", group)), None)

    def groups(self, owner: str, kind: str) -> list[Group]:
        """An owner's groups of a kind, the newest first; those whose runs are all deleted are left
        out."""
        return self._groups(
            "owner = ? AND kind = ? AND (status = 'running' OR EXISTS (SELECT 1 FROM runs "
            "WHERE part_of = run_groups.id AND discarded IS NULL))", owner, kind,
        )  # fmt: skip

    def running_groups(self, kind: str) -> list[Group]:
        """Everybody's groups that are under way."""
        return self._groups("kind = ? AND status = 'running'", kind)

    def update_group(
        self, group: str, status: str, message: str = "", body: dict[str, Any] | None = None
    ) -> None:
        """Say how far it is, and if `body` is given, what is known now."""
        with self._database() as db:
            db.execute(
                "UPDATE run_groups SET status = ?, message = ?, body = COALESCE(?, body) "
                "WHERE id = ?",
                (status, message, None if body is None else json.dumps(body), group),
            )

    def delete_group(self, group: str) -> None:
        """Forget a group that no run belongs to."""
        with self._database() as db:
            db.execute(
                "DELETE FROM run_groups WHERE id = ? AND id NOT IN (SELECT part_of FROM runs)",
                (group,),
            )

    def _groups(self, condition: str, *values: str) -> list[Group]:
        query = f"SELECT * FROM run_groups WHERE {condition} ORDER BY created DESC"
        with self._database() as db:
            rows = [dict(row) for row in db.execute(query, values)]
        return [Group(**(row | {"body": json.loads(row["body"])})) for row in rows]

    @staticmethod
    def _drop_empty(db: sqlite3.Connection) -> None:
        """Forget groups whose last run is gone."""
        db.execute(
            "DELETE FROM run_groups WHERE status <> 'running' "
            "AND id NOT IN (SELECT part_of FROM runs)"
        )
