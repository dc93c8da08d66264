"""Pictures for a page: a data URL, and many digits as one."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image


def png(image: np.ndarray) -> str:
    """A uint8 image as a data URL: gray (h, w), RGB (h, w, 3), or with alpha (h, w, 4)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def sprite(images: np.ndarray, columns: int = 10) -> np.ndarray:
    """uint8 images (n, 28, 28) side by side in rows of `columns`: (rows·28, columns·28)."""
    n, height, width = images.shape
    rows = max(1, math.ceil(n / columns))
    sheet = np.zeros((rows * columns, height, width), np.uint8)
    sheet[:n] = images
    grid = sheet.reshape(rows, columns, height, width)
    return grid.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
