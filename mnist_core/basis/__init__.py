"""What every package stands on: whose fault an error is, work that goes on beside a page, and how
a number is written.

Plain Python. It never knows a digit, and decides nothing. Imports no other package.
"""

from . import numbers
from .errors import LabError, told
from .jobs import Job, Jobs, in_thread

__all__ = ["Job", "Jobs", "LabError", "in_thread", "numbers", "told"]
