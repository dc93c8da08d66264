"""Columns of numbers as a file to take away."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def csv_of(columns: Mapping[str, Sequence[Any] | np.ndarray]) -> str:
    """Columns of one length as comma-separated values, with a line of names; nothing for a NaN.
    Raises ValueError if their lengths differ."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    values = [np.asarray(column).tolist() for column in columns.values()]
    rows.writerows(["" if x != x else x for x in row] for row in zip(*values, strict=True))
    return text.getvalue()
