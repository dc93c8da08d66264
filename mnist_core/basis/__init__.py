"""What every package stands on: whose fault an error is, and work that goes on beside a page.

Plain Python. It never knows a digit, and decides nothing. Imports no other package.
"""

from .errors import LabError, told
from .jobs import Job, Jobs, in_thread

__all__ = ["Job", "Jobs", "LabError", "in_thread", "told"]
