"""The file of the run records: one of an earlier version is read and goes on."""

import json
import sqlite3

from mnist_core.design.spec import RunSpec
from mnist_core.runs.records import Runs

EARLIER = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, spec TEXT NOT NULL, data TEXT NOT NULL,
    source TEXT NOT NULL, status TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL, started REAL, ended REAL,
    test_accuracy REAL, test_loss REAL, seconds REAL
);
"""


def test_records_of_an_earlier_version_keep_their_runs(tmp_path):
    spec = RunSpec(seed=7)
    with sqlite3.connect(tmp_path / "runs.sqlite") as db:
        db.executescript(EARLIER)
        db.execute("INSERT INTO runs (id, owner, spec, data, source, status, created) "
                   "VALUES ('old', 'ada', ?, 'd', 's', 'finished', 1.0)",
                   (json.dumps(spec.to_query()),))  # fmt: skip
    runs = Runs(tmp_path)
    (old,) = runs.of("ada")
    assert (old.id, old.spec, old.title, old.starred, old.part_of) == ("old", spec, "", False, "")
    runs.entitle("old", "ada", "mine", "")
    assert Runs(tmp_path).get("old").title == "mine"  # nothing is added twice
