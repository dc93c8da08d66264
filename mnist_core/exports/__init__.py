"""What can be taken away: scripts, notebooks, logs, sheets of charts, a report.

Each is made from a run's records, as text or bytes, when it is asked for, and never written to
disk. May import `basis`, `data`, `design`, `statistics`, `training`, `runs`, `analysis` and
`charts`.
"""

from .keras_script import keras_code

__all__ = ["keras_code"]
