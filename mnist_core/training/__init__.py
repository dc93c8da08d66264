"""One training run: from a RunSpec and the digits to a sequence of events.

`train` picks who computes it; `loop` is what happens around the arithmetic; `engine` is the only
file with TensorFlow, and is imported by whoever trains, never by this `__init__`. A run never
writes a file and never knows its owner. May import `basis`, `storage`, `network`, `design` and
`data`.
"""

from .control import Control
from .events import Checkpoint, Event
from .frameworks import train

__all__ = ["Checkpoint", "Control", "Event", "train"]
