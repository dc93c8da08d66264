"""What pixels say: levels, shapes, typical members, projections, doubtful labels.

Functions from arrays to arrays, which never draw, keep or cache anything. May import `basis`,
`imaging` and `network`.
"""

from .pixels import Levels, intensity, levels
from .shapes import MEASURES, measures
from .smoothing import smoothed
from .tables import csv_of

__all__ = ["MEASURES", "Levels", "csv_of", "intensity", "levels", "measures", "smoothed"]
