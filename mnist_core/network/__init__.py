"""The network in NumPy: each forward beside its backward, and the rules by which it learns.

It answers every drawing in the web process and is the code that the Backprop page shows. It never
imports TensorFlow, and knows a design only by the `Design` protocol. Imports no other package.
"""

from .initial import Design
from .losses import cross_entropy, softmax
from .network import Network
from .optimizers import OPTIMIZERS, Objective, Optimizer

__all__ = ["OPTIMIZERS", "Design", "Network", "Objective", "Optimizer", "cross_entropy", "softmax"]
