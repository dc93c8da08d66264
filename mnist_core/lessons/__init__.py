"""Ideas to touch: backpropagation step by step, descent, overfitting, a line through points.

Small enough to be computed while a slider moves, with the numbers of each step and the source
that computed them. Never a whole training, never TensorFlow. May import `basis`, `network`
and `design`.
"""

from .source_code import source

__all__ = ["source"]
