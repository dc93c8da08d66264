"""Charts of the pixel statistics: each a figure, a computed sentence and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import plotly.graph_objects as go

from mnist_core.basis import numbers
from mnist_core.statistics.pixels import Levels, intensity
from mnist_core.statistics.shapes import MEASURES, PERCENT

from .plotting import LOG_COUNTS, TRAIN, VALIDATION, Chart, pixel_map, plot

DIGITS = list(range(10))


def share(part: SupportsFloat, digits: int = 2) -> str:
    """A share as a percentage, as in 11.24 %."""
    return numbers.percent(part, digits)


# --------------------------------------------------------------- all pixels at once


def class_counts(train: np.ndarray, test: np.ndarray) -> Chart:
    """How many images of each digit; counts int (10,) of both splits."""
    shares = [counts / max(1, counts.sum()) for counts in (train, test)]
    bars = [
        go.Bar(x=DIGITS, y=counts, name=name, customdata=100 * part,
               hovertemplate="digit %{x}: %{y:,} images (%{customdata:.2f} %)"
               "<extra>%{fullData.name}"
               "</extra>")
        for name, counts, part in zip(("train", "test"), (train, test), shares, strict=True)
    ]  # fmt: skip
    figure = plot(*bars, title="How many images of each digit", x="digit", y="images",
                  xaxis_dtick=1, legend={"y": -0.2, "yanchor": "top"})  # fmt: skip
    return Chart(figure, _counts_reading(train, shares[0]),
                 {"digit": DIGITS, "train": train, "test": test})  # fmt: skip


def _counts_reading(counts: np.ndarray, shares: np.ndarray) -> str:
    if counts.min() == counts.max():
        return f"In training every digit is equally common ({counts[0]:,} images each)."

    def told(extreme: int, word: str) -> str:
        digits = np.flatnonzero(counts == extreme)
        several = len(digits) > 1
        return (f"{numbers.listed(digits)} {'are' if several else 'is'} the {word} "
                f"({extreme:,} images{' each' if several else ''}, {share(shares[digits[0]])})")

    return f"In training {told(counts.max(), 'commonest')}, {told(counts.min(), 'rarest')}."


def histogram(counts: np.ndarray, whose: str, log: bool) -> Chart:
    """How often each pixel value 0…255 occurs; counts int (256,), not all zero."""
    bars = go.Bar(x=np.arange(256), y=counts, marker_line_width=0,
                  hovertemplate="value %{x}: %{y:,} pixels<extra></extra>")  # fmt: skip
    figure = plot(bars, title="How often each pixel value occurs", x="pixel value",
                  y="pixels" + (" (log scale)" if log else ""),
                  yaxis_type="log" if log else "linear", bargap=0)  # fmt: skip
    if log:
        figure.update_yaxes(LOG_COUNTS)
    mean, deviation = intensity(counts)
    zero, full = counts[0] / counts.sum(), counts[250:].sum() / counts.sum()
    reading = (
        f"Of all pixels of {whose}, {share(zero)} are exactly 0 and {share(full)} are 250 or more; "
        f"scaled to 0 … 1, their mean is {mean:.4f} and their standard deviation {deviation:.4f}."
    )
    return Chart(figure, reading, {"value": np.arange(256), "pixels": counts})


# ------------------------------------------------------------------- pixel by pixel


@dataclass(frozen=True)
class _Picture:
    title: str
    unit: str
    scale: str
    values: Callable[[Levels], np.ndarray]
    says: Callable[[np.ndarray], str]


def _at(place: int | np.intp, width: int = 28) -> str:
    row, column = divmod(int(place), width)
    return f"row {row}, column {column}"


def _mean_says(mean: np.ndarray) -> str:
    return (f"The pixel with the most ink on average is {_at(mean.argmax())}: {mean.max():.0f} of "
            f"255; {(mean < 1).sum()} of {mean.size} pixels stay below 1.")  # fmt: skip


def _median_says(median: np.ndarray) -> str:
    return (f"Only {(median > 0).sum()} of {median.size} pixels have ink in at least every second "
            f"image.")  # fmt: skip


def _std_says(std: np.ndarray) -> str:
    return (f"Images differ most at {_at(std.argmax())}, by a standard deviation of "
            f"{std.max():.0f}; {(std == 0).sum()} pixels never change.")  # fmt: skip


def _entropy_says(entropy: np.ndarray) -> str:
    return (f"The hardest pixel to guess is {_at(entropy.argmax())}, with {entropy.max():.1f} of "
            f"at most 8 bits; all together, taken one by one, they hold {entropy.sum():,.0f} "
            f"bits.")  # fmt: skip


def _never_says(never: np.ndarray) -> str:
    return f"{int(never.sum())} of {never.size} pixels are 0 in every image and tell none apart."


PICTURES: Mapping[str, _Picture] = {
    "mean": _Picture("Mean", "value", "gray", lambda p: p.mean, _mean_says),
    "median": _Picture("Median", "value", "gray", lambda p: p.median, _median_says),
    "deviation": _Picture("Deviation", "std", "Cividis", lambda p: p.std, _std_says),
    "entropy": _Picture("Entropy of the 256 levels", "bits", "Cividis", lambda p: p.entropy,
                        _entropy_says),
    "never": _Picture("Never used", "", "gray", lambda p: p.never_inked.astype(float), _never_says),
}  # fmt: skip


def picture(name: str, levels: Levels, class_means: np.ndarray) -> Chart:
    """One of PICTURES of these levels (28, 28, 256), of at least one image. A hover shows the mean
    of its pixel in each class, from class_means (10, 28, 28)."""
    kind = PICTURES[name]
    values = kind.values(levels)
    figure = pixel_map(values, kind.title, kind.unit, kind.scale)
    if name == "never":
        figure.data[0].update(showscale=False, zmin=0, zmax=1)
    _hover_classes(figure, class_means)
    return Chart(figure, kind.says(values), _by_place(values))


def difference(class_means: np.ndarray, one: int, other: int) -> Chart:
    """Mean of one class less that of another, both of class_means (10, 28, 28) and not NaN."""
    values = class_means[one] - class_means[other]
    most = max(1.0, float(np.abs(values).max()))
    figure = pixel_map(values, f"Mean {one} minus mean {other}", "value", "RdBu", height=380)
    figure.data[0].update(zmin=-most, zmax=most)
    _hover_classes(figure, class_means)
    reading = (
        f"{_at(values.argmax()).capitalize()} speaks most for {one} "
        f"({numbers.signed(values.max(), 0)}), {_at(values.argmin())} for {other} "
        f"({numbers.signed(values.min(), 0)}); at {(np.abs(values) < 10).sum()}"
        f" of {values.size} pixels the means differ by less than 10."
    )
    return Chart(figure, reading, _by_place(values))


def signed_map(values: np.ndarray, title: str, unit: str, above: str, below: str) -> Chart:
    """A signed number for each pixel, (28, 28): blue above zero, red below, blank at zero.
    `above` and `below` say what the two sides mean."""
    most = max(1e-6, float(np.abs(values).max()))
    figure = pixel_map(np.where(values == 0, np.nan, values), title, unit, "RdBu", height=380)
    hover = "row %{y}, column %{x}: %{z:.2f}<extra></extra>"
    figure.data[0].update(zmin=-most, zmax=most, hovertemplate=hover)
    ends = (above, values.argmax(), 1), (below, values.argmin(), -1)
    parts = [f"{_at(at)} is strongest {word} ({numbers.signed(values.flat[at], 2)})"
             for word, at, sign in ends if sign * values.flat[at] > 0]  # fmt: skip
    reading = ", ".join(parts) or "no pixel counts"
    return Chart(figure, f"{reading[0].upper()}{reading[1:]}.", _by_place(values))


def _hover_classes(figure: go.Figure, class_means: np.ndarray) -> None:
    # Whole numbers in nested lists: Plotly's packed arrays have no third dimension for a hover.
    means = np.nan_to_num(class_means).round().astype(int).transpose(1, 2, 0)
    present = [d for d in DIGITS if not np.isnan(class_means[d]).any()]
    lines = "<br>".join(f"{d}: %{{customdata[{d}]}}" for d in present)
    figure.data[0].update(
        customdata=means.tolist(),
        hovertemplate=f"row %{{y}}, column %{{x}}: %{{z:.1f}}<br><br>mean by digit<br>{lines}"
        "<extra></extra>",
    )


def _by_place(values: np.ndarray) -> dict[str, np.ndarray]:
    row, column = np.indices(values.shape).reshape(2, -1)
    return {"row": row, "column": column, "value": values.ravel()}


# -------------------------------------------------------------------- class by class


def shape_by_class(name: str, train: np.ndarray, test: np.ndarray) -> Chart:
    """The spread of one of MEASURES per digit in both splits; quantiles (10, 5) each."""
    measure = MEASURES[name]
    boxes = [_boxes(*item) for item in (("train", train, TRAIN), ("test", test, VALIDATION))]
    unit = f" ({measure.unit})" if measure.unit else ""
    figure = plot(*boxes, title=f"{measure.title} of each digit", x="digit",
                  y=measure.title.lower() + unit, xaxis_dtick=1, boxmode="group", height=380,
                  legend={"y": -0.2, "yanchor": "top"})  # fmt: skip
    numbers = {"digit": DIGITS} | {
        f"{split} {percent}%": column
        for split, quantiles in (("train", train), ("test", test))
        for percent, column in zip(PERCENT, quantiles.T, strict=True)
    }
    return Chart(figure, _shape_reading(measure.title, train[:, 2], test[:, 2]), numbers)


def _boxes(split: str, quantiles: np.ndarray, color: str) -> go.Box:
    low, q1, median, q3, high = quantiles.T
    return go.Box(x=DIGITS, lowerfence=low, q1=q1, median=median, q3=q3, upperfence=high,
                  name=split, marker_color=color)  # fmt: skip


def _shape_reading(title: str, train: np.ndarray, test: np.ndarray) -> str:
    most, least = int(np.nanargmax(train)), int(np.nanargmin(train))
    reading = (f"{title}: the median is largest for {most} "
               f"({numbers.significant(train[most])}) and "
               f"smallest for {least} ({numbers.significant(train[least])})")  # fmt: skip
    apart = np.abs(train - test)
    if np.isnan(apart).all():
        return reading + "."
    widest = int(np.nanargmax(apart))
    return (f"{reading}; the two splits' medians differ by at most "
            f"{numbers.significant(apart[widest], 2)} (digit "
            f"{widest}).")  # fmt: skip


def class_distances(distances: np.ndarray) -> Chart:
    """How far apart the class means are; (10, 10), NaN for a class without images."""
    off = np.where(np.eye(10, dtype=bool), np.nan, distances)
    heat = go.Heatmap(z=off, x=DIGITS, y=DIGITS, colorscale="Cividis", xgap=2, ygap=2,
                      texttemplate="%{z:.1f}", colorbar={"thickness": 10, "len": 0.9},
                      hovertemplate="%{y} and %{x}: %{z:.2f} apart<extra></extra>")  # fmt: skip
    figure = plot(heat, title="Distance between class means", x="digit", y="digit", height=420,
                  xaxis_dtick=1, yaxis_dtick=1)  # fmt: skip
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", showgrid=False)
    figure.update_xaxes(constrain="domain", showgrid=False)
    numbers = {"digit": DIGITS} | {str(d): distances[:, d] for d in DIGITS}
    if np.isnan(off).all():
        return Chart(figure, "There are not two classes to compare.", numbers)
    near, far = (divmod(int(pick(off)), 10) for pick in (np.nanargmin, np.nanargmax))
    reading = (
        f"{near[0]} and {near[1]} are most alike on average ({off[near]:.1f} apart), "
        f"{far[0]} and {far[1]} least ({off[far]:.1f})."
    )
    return Chart(figure, reading, numbers)


def typicality(distances: np.ndarray, indices: np.ndarray, unit: str) -> Chart:
    """How far each image of a class lies from its mean; both (n,), n at least 1."""
    order = np.argsort(distances, kind="stable")
    bars = go.Histogram(x=distances, nbinsx=60, marker_line_width=0,
                        hovertemplate="%{x}: %{y} images<extra></extra>")  # fmt: skip
    figure = plot(bars, title="How far images lie from their class mean", x=unit, y="images",
                  bargap=0.05, height=260)  # fmt: skip
    first, last = order[0], order[-1]
    reading = (
        f"Index {indices[first]:,} is the most typical ({distances[first]:.2f} from the mean), "
        f"index {indices[last]:,} the most unusual ({distances[last]:.2f}); the median is "
        f"{np.median(distances):.2f}."
    )
    return Chart(figure, reading, {"index": indices[order], "distance": distances[order]})
