"""Distort training images: shifted, turned, leaning, zoomed, bent, with a thicker or thinner pen.

One formula for the page's preview (NumPy) and for training (Keras, compiled), so that the page
shows what a network is fed. It is written against an array namespace `xp`, which is `numpy` or
`keras.ops`, and its random numbers are an argument. NumPy only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .choices import IMAGE_SHAPE, Augment

SIDE = IMAGE_SHAPE[0]
MIDDLE = SIDE / 2  # the pixel that MNIST's makers put each digit's centre of mass on
RIM = 2  # black pixels around the image: one that ink may grow into, one that stays black
WIDE = SIDE + 2 * RIM
KNOTS = 7  # the elastic sheet is pulled at KNOTS x KNOTS points
SMOOTH = 4.0  # pixels, the deviation of the Gaussian around each point, as in Simard et al.


def draws(augment: Augment) -> int:
    """How many random numbers `distort` takes for one image."""
    return 6 + (2 * KNOTS**2 if augment.elastic else 0)


def distort(images: Any, noise: Any, augment: Augment, xp: Any = np) -> Any:
    """Each image in its own distortion, float32 (n, 28, 28): first the pen, then the shape.

    `images` are float32 (n, 28, 28), 0 to 255, and stay so. `noise` is uniform from -1 to 1,
    float32 (n, draws(augment)); -1 and 1 are the most that `augment` allows. Round the result for
    pixels. Only what is not zero is computed. Source of the elastic part, there with a deviation
    of 1.4 pixels: Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks
    Applied to Visual Document Analysis", ICDAR 2003.
    """
    flat = framed(images, xp)
    if augment.pen:
        flat = redraw(flat, augment.pen * noise[:, 5:6], xp)
    y, x = sources(noise, augment, xp)
    if len(x.shape) < 3:  # the same for all images: they keep their shape
        return xp.reshape(flat, (-1, WIDE, WIDE))[:, RIM:-RIM, RIM:-RIM]
    return sample(flat, y + MIDDLE, x + MIDDLE, xp)


def framed(images: Any, xp: Any = np) -> Any:
    """The images in their rim, each as one row: (n, WIDE**2)."""
    return xp.reshape(xp.pad(images, ((0, 0), (RIM, RIM), (RIM, RIM))), (-1, WIDE**2))


def redraw(flat: Any, pen: Any, xp: Any = np) -> Any:
    """Strokes thicker by `pen` (n, 1) pixels on each side, or thinner where it is negative: so far
    towards the grey dilation or erosion by 3 x 3 pixels. `flat` is of `framed`."""
    sign = xp.sign(pen)
    ink = flat * sign  # an erosion is a dilation of the negative
    rows = xp.maximum(xp.maximum(ink[:, :-2], ink[:, 1:-1]), ink[:, 2:])
    most = xp.maximum(xp.maximum(rows[:, : -2 * WIDE], rows[:, WIDE:-WIDE]), rows[:, 2 * WIDE :])
    grown = xp.pad(most, ((0, 0), (WIDE + 1, WIDE + 1)))
    return flat + xp.absolute(pen) * (grown * sign - flat)


def sources(noise: Any, augment: Augment, xp: Any = np) -> tuple[Any, Any]:
    """Where each pixel's ink comes from, y (down) and x (right) in pixels from the middle, which
    broadcast to (n, 28, 28). A digit is zoomed, sheared, turned, shifted; this is the way back."""
    right, down, turn, zoom, lean = (xp.reshape(noise[:, i], (-1, 1, 1)) for i in range(5))
    x = np.arange(SIDE, dtype="float32") - MIDDLE
    y = np.reshape(x, (-1, 1))
    if augment.shift:
        x, y = x - augment.shift * right, y - augment.shift * down
    if augment.rotation:
        turn = turn * (augment.rotation * np.pi / 180)
        x, y = xp.cos(turn) * x + xp.sin(turn) * y, xp.cos(turn) * y - xp.sin(turn) * x
    if augment.shear:
        x = x - xp.tan(lean * (augment.shear * np.pi / 180)) * y
    if augment.zoom:
        x, y = x / (1 + augment.zoom * zoom), y / (1 + augment.zoom * zoom)
    if augment.elastic:
        bent = augment.elastic * bend(noise[:, 6:], xp)
        x, y = x + bent[:, 0], y + bent[:, 1]
    return y, x


def bend(noise: Any, xp: Any = np) -> Any:
    """A smooth random field, (n, 2, 28, 28), of deviation 1 everywhere: the noise, uniform from -1
    to 1 at the knots, through a Gaussian filter."""
    knots = np.reshape(np.linspace(0, SIDE - 1, KNOTS, dtype="float32"), (-1, 1))
    near = np.exp(-((knots - np.arange(SIDE, dtype="float32")) ** 2) / (2 * SMOOTH**2))
    near = near / np.sqrt(np.sum(near**2, axis=0))
    pulls = 3**0.5 * xp.reshape(noise, (-1, 2, KNOTS, KNOTS))  # to a deviation of 1
    return xp.matmul(xp.matmul(near.T, pulls), near)


def sample(flat: Any, y: Any, x: Any, xp: Any = np) -> Any:
    """Images `flat`, of `framed`, interpolated between the four pixels around each (y, x), which
    broadcast to (n, 28, 28); black outside."""
    y, x = (xp.clip(place + RIM, 0, WIDE - 1) for place in (y, x))
    top, left = (xp.clip(xp.floor(place), 0, WIDE - 2) for place in (y, x))
    image = xp.reshape(xp.arange(xp.shape(flat)[0], dtype="int32"), (-1, 1, 1)) * WIDE**2
    corner = image + xp.array(top * WIDE + left, "int32")
    ink = xp.reshape(flat, (-1,))
    a, b, c, d = (xp.take(ink, corner + step) for step in (0, 1, WIDE, WIDE + 1))
    above, below = a + (x - left) * (b - a), c + (x - left) * (d - c)
    return above + (y - top) * (below - above)


def distorted(images: np.ndarray, augment: Augment, random: np.random.Generator) -> np.ndarray:
    """uint8 images (n, 28, 28) as training may show them, uint8 again."""
    noise = random.uniform(-1, 1, (len(images), 6 + 2 * KNOTS**2)).astype(np.float32)
    floats = distort(images.astype(np.float32), noise[:, : draws(augment)], augment)
    return np.round(floats).astype(np.uint8)
