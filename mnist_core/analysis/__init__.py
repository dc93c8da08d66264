"""How good a model is and why it erred; runs compared, raced and searched.

Scores with their intervals, explanations, a copy that learns a visitor's hand. It draws nothing.
May import everything below it.
"""

from .teaching import Lessons

__all__ = ["Lessons"]
