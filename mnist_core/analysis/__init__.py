"""How good a model is and why it erred; runs compared, raced and searched.

Scores with their intervals, explanations, a copy that learns a visitor's hand. It never draws.
May import `basis`, `storage`, `imaging`, `network`, `design`, `data`, `statistics`, `training`,
`runs` and `jobs`.
"""

from .teaching import Lessons

__all__ = ["Lessons"]
