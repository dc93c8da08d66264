"""What a run will take before it is run: this host measured once, a design's cost predicted.

`calibrate` times small networks in a worker and needs TensorFlow; `estimate` is arithmetic, which
pages do at each move of a slider. It never measures while something trains.
May import `storage`, `design`, `data` and `training`.
"""

from .estimate import Calibration, Estimate, Sizes

__all__ = ["Calibration", "Estimate", "Sizes"]
