"""What is kept of runs: their records, files, models, and for how long.

SQLite and files that appear whole. It never trains, and never asks who is looking: an owner is a
string that is compared. May import `basis`, `storage`, `network`, `design`, `data` and
`training`.
"""

from . import models
from .artifacts import Artifacts, Evaluation
from .database import StoreError
from .models import Model
from .records import Run, Runs

__all__ = ["Artifacts", "Evaluation", "Model", "Run", "Runs", "StoreError", "models"]
