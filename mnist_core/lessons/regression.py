"""A line through points: by gradient descent, and exactly.

The model is ŷ = slope · x + intercept, the loss the mean squared error. `tapes.fit_line` does the
same in TensorFlow with GradientTape.
"""

from __future__ import annotations

import csv
import io
import traceback
from dataclasses import dataclass

import numpy as np

from mnist_core.basis import LabError
from mnist_core.network.optimizers import OPTIMIZERS

Array = np.ndarray

MOST_BYTES, MOST_POINTS, LARGEST = 2**20, 5000, 1e6


@dataclass(frozen=True, eq=False)
class Points:
    """x and y float64 (n,), and what they are called."""

    x: Array
    y: Array
    names: tuple[str, str] = ("x", "y")


def generated(
    n: int, slope: float, intercept: float, noise: float, rng: np.random.Generator
) -> Points:
    """n points about a line, x even in −1…1, with normal noise of this deviation in y."""
    x = rng.uniform(-1, 1, n)
    return Points(x, slope * x + intercept + noise * rng.standard_normal(n))


# --------------------------------------------------------------- gradient descent


def draw(rng: np.random.Generator) -> dict[str, Array]:
    """Two new weights from the standard normal distribution."""
    return {"slope": np.array(rng.standard_normal()), "intercept": np.array(rng.standard_normal())}


def differentiate(weights: dict[str, Array], x: Array, y: Array) -> tuple[Array, dict[str, Array]]:
    """The mean squared error and its gradient by each weight."""
    error = weights["slope"] * x + weights["intercept"] - y
    return (error**2).mean(), {"slope": 2 * (error * x).mean(), "intercept": 2 * error.mean()}


def fit(x: Array, y: Array, learning_rate: float, epochs: int, seed: int) -> Array:
    """Slope, intercept and loss before each epoch and after the last, (epochs + 1, 3), with Adam.
    The weights are made once, outside of what is repeated."""
    weights, adam, path = draw(np.random.default_rng(seed)), OPTIMIZERS["adam"](learning_rate), []
    for _ in range(epochs + 1):
        loss, gradients = differentiate(weights, x, y)
        path.append((weights["slope"], weights["intercept"], loss))
        weights = {k: adam.update(k, weights[k], gradients[k]) for k in weights}
    return np.array(path)


def fit_inside(x: Array, y: Array, learning_rate: float, epochs: int, seed: int) -> Array:
    """As `fit`, but the weights are made inside, anew in each epoch: what Adam changes is thrown
    away. Adam itself is new each time too, because it has never seen these weights."""
    rng, path = np.random.default_rng(seed), []
    for _ in range(epochs + 1):
        weights, adam = draw(rng), OPTIMIZERS["adam"](learning_rate)
        loss, gradients = differentiate(weights, x, y)
        path.append((weights["slope"], weights["intercept"], loss))
        weights = {k: adam.update(k, weights[k], gradients[k]) for k in weights}
    return np.array(path)


# ------------------------------------------------------------ as tutorials print it

# The weights are local to the model function, and the loop differentiates by them all the same.
PUBLISHED = """
def line(x):
    weights = draw(rng)
    return weights["slope"] * x + weights["intercept"]

for epoch in range(epochs):
    loss = ((line(x) - y) ** 2).mean()
    gradients = differentiate(weights, x, y)
    optimizer.apply(gradients, weights)
"""
_LOOP = """
for epoch in range(epochs):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(line(x) - y))
    gradients = tape.gradient(loss, weights)
    optimizer.apply_gradients(zip(gradients, weights))
"""
PUBLISHED_TENSORFLOW = """
def line(x):
    weights = [tf.Variable(tf.random.normal([])), tf.Variable(tf.random.normal([]))]
    return weights[0] * x + weights[1]
""" + _LOOP
REPAIRED_TENSORFLOW = """
weights = [tf.Variable(tf.random.normal([])), tf.Variable(tf.random.normal([]))]

def line(x):
    return weights[0] * x + weights[1]
""" + _LOOP


def failing(code: str, names: dict[str, object]) -> str:
    """Run a script of ours with these names, and say where it fails and with what; "" if it does
    not."""
    try:
        exec(compile(code, "published", "exec"), names)
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
                 if frame.filename == "published"]  # fmt: skip
        at = lines[-1] or 0
        return (f"Line {at - 1}, `{code.splitlines()[at - 1].strip()}`: "
                f"{type(error).__name__}: {error}")  # fmt: skip
    return ""


def published(x: Array, y: Array, seed: int) -> str:
    """Where `PUBLISHED` fails on these points, by running it."""
    names = {"draw": draw, "differentiate": differentiate, "epochs": 1, "x": x, "y": y,
             "rng": np.random.default_rng(seed), "optimizer": OPTIMIZERS["adam"](0.01)}  # fmt: skip
    return failing(PUBLISHED, names)


# ---------------------------------------------------------------------- exactly


def exact(x: Array, y: Array) -> tuple[float, float]:
    """Slope and intercept of least squared error: cov(x, y) / var(x), and the line through the
    means (Legendre 1805). Raises LabError if all x are equal."""
    dx, dy = x - x.mean(), y - y.mean()
    if not (spread := (dx**2).sum()):
        raise LabError("All x are the same, so no slope fits best: give points that differ in x.")
    slope = (dx * dy).sum() / spread
    return float(slope), float(y.mean() - slope * x.mean())


def solved(x: Array, y: Array) -> tuple[float, float]:
    """The same by NumPy's solver of linear least squares."""
    columns = np.column_stack([x, np.ones_like(x)])
    slope, intercept = np.linalg.lstsq(columns, y, rcond=None)[0]
    return float(slope), float(intercept)


def loss(x: Array, y: Array, slope: float, intercept: float) -> float:
    """The mean squared error of a line."""
    return float(((slope * x + intercept - y) ** 2).mean())


# ------------------------------------------------------------- a visitor's points


def read_csv(given: bytes) -> Points:
    """Points from a file of two columns of numbers, with or without names above them, separated by
    commas, semicolons or tabs. Raises LabError, one sentence, for anything else."""
    if len(given) > MOST_BYTES:
        raise LabError(f"The file has more than {MOST_BYTES // 2**20} MB: give fewer points.")
    try:
        text = given.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LabError("This is not a text file: save the table as CSV in UTF-8.") from None
    if "\0" in text:
        raise LabError("This is not a text file: save the table as CSV in UTF-8.")
    rows = _rows(text)
    names, rows = _head(rows)
    if not 2 <= len(rows) <= MOST_POINTS:
        raise LabError(f"The file has {len(rows):,} points: give from 2 to {MOST_POINTS:,}.")
    x, y = np.array([_point(number, cells) for number, cells in rows]).T
    exact(x, y)
    return Points(x, y, names)


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The lines that are not empty, each with its number and its cells."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = next((mark for mark in "\t;" if mark in first), ",")
    try:
        cells = list(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error as error:
        raise LabError(f"The file cannot be read as CSV ({error}).") from None
    stripped = [[cell.strip() for cell in row] for row in cells]
    rows = [(i, row) for i, row in enumerate(stripped, 1) if any(row)]
    if separator == ";":  # as spreadsheets write where the comma is the decimal sign
        rows = [(i, [c.replace(",", ".") for c in row]) for i, row in rows]
    return rows


def _head(rows: list) -> tuple[tuple[str, str], list]:
    """The names of the columns, if the first row is not of numbers, and the other rows."""
    first = rows[0][1] if rows else []
    if len(first) == 2 and not any(map(_is_number, first)):
        return (first[0][:40], first[1][:40]), rows[1:]
    return ("x", "y"), rows


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _point(number: int, cells: list[str]) -> list[float]:
    if len(cells) != 2:
        raise LabError(f"Line {number} has {len(cells)} column{'s' * (len(cells) != 1)}: give "
                         "exactly two, x and y.")  # fmt: skip
    for cell in cells:
        if not _is_number(cell) or not abs(float(cell)) <= LARGEST:
            raise LabError(f"Line {number} holds {cell[:20]!r}: give numbers between "
                             f"−{LARGEST:,.0f} and {LARGEST:,.0f}.")  # fmt: skip
    return [float(cell) for cell in cells]
