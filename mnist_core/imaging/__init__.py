"""The pixels of any picture, brought to the 28x28 that a model sees.

From an image file or a canvas: which pixels are ink (`paper`), where the digits are (`finder`,
`cutter`), and each of them as MNIST's makers would have stored it (`drawing`). It never knows what
digit it looks at, unless a reader is handed to it. May import
`basis`.
"""

from .drawing import Digit, Reading, read_digits, read_page, stages, to_mnist
from .pictures import BadImage, EmptyDrawing, read_image

__all__ = [
    "BadImage", "Digit", "EmptyDrawing", "Reading", "read_digits", "read_image", "read_page",
    "stages", "to_mnist",
]  # fmt: skip
