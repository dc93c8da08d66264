"""Where digits come from: MNIST, the sample, a stranger's files.

Nothing in a file is believed before it is checked, and what is handed out is read-only, because
all visitors share it. It never changes an image's label or knows a design. May import `basis`,
`storage` and `imaging`.
"""

from .dataset import load
from .formats import DataError, Mnist, Split
from .identity import Identity
from .uploads import Brought, read_files

__all__ = ["Brought", "DataError", "Identity", "Mnist", "Split", "load", "read_files"]
