"""Charts and colours of the map, the principal components and the suspect labels."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from mnist_core.basis import numbers
from mnist_core.statistics.label_errors import Ranking

from .plotting import LOG_COUNTS, TRAIN, VALIDATION, Chart, plot

# Ten colours that stay apart for colour-blind eyes too, on light and dark: Petroff 2021,
# "Accessible color sequences for data visualization", https://arxiv.org/abs/2107.02270
PALETTE = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
           "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")  # fmt: skip
BELOW, ABOVE = np.array([33, 102, 172]), np.array([178, 24, 43])  # ColorBrewer's RdBu, its ends
MOST_PAIRS = 12


def diverging(values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Numbers (h, w) as colours around zero: blue below, white at 0, red above. uint8 (h, w, 3);
    ±`limit`, by default the largest magnitude, is the full colour."""
    limit = limit or float(np.abs(values).max()) or 1.0
    strength = np.clip(values / limit, -1, 1)[..., None]
    end = np.where(strength < 0, BELOW, ABOVE)
    return np.round(255 + np.abs(strength) * (end - 255)).astype(np.uint8)


def explained(shares: np.ndarray) -> Chart:
    """How much of the variance the first k components explain together; shares (k,), sum 1."""
    k, total = np.arange(1, len(shares) + 1), np.cumsum(shares)
    lines = [
        go.Scatter(x=k, y=100 * total, name="first k together", line_color=TRAIN,
                   hovertemplate="first %{x}: %{y:.2f} %<extra></extra>"),
        go.Scatter(x=k, y=100 * shares, name="each alone", line_color=VALIDATION,
                       hovertemplate="component %{x}: %{y:.2f} %<extra></extra>"),
    ]  # fmt: skip
    figure = plot(*lines, title="Few components, most variance",
                  x="component k (log scale)", y="share of variance (%)",
                  xaxis_type="log", xaxis_range=[0, float(np.log10(len(shares)))],
                  legend={"y": -0.25, "yanchor": "top"})  # fmt: skip
    figure.update_xaxes(LOG_COUNTS)
    enough = [int(np.searchsorted(total, share - 1e-9)) + 1 for share in (0.5, 0.9, 0.99)]
    reading = (
        f"{enough[0]} of {len(shares)} components explain half of the variance, {enough[1]} explain"
        f" 90 % and {enough[2]} explain 99 %; the first two, which PCA's map shows, "
        f"{numbers.percent(total[min(1, len(total) - 1)])}."
    )
    return Chart(figure, reading, {"component": k, "share": shares, "together": total})


def rebuilding(errors: np.ndarray, k: int) -> Chart:
    """How far a rebuilt image is from its original with 0, 1, … components; errors (m + 1,), root
    mean square over pixels in gray levels of 255; `k` is marked."""
    counts = np.arange(len(errors))
    lines = [
        go.Scatter(x=counts, y=errors, name="error", line_color=TRAIN,
                   hovertemplate="%{x} components: off by %{y:.1f}<extra></extra>"),
        go.Scatter(x=[k], y=[errors[k]], name="shown", mode="markers", marker_size=11,
                   marker_color=VALIDATION, hoverinfo="skip"),
    ]  # fmt: skip
    figure = plot(*lines, title="Error of the rebuilt digit",
                  x="components", y="error (gray levels, RMS)", height=280, showlegend=False)
    half = int(np.argmax(errors <= errors[0] / 2))
    reading = (
        f"With {k} components a pixel of this digit is off by {errors[k]:.1f} of 255 gray levels "
        f"(root mean square); the mean image alone is off by {errors[0]:.1f}, and {half} components"
        f" halve that."
    )
    return Chart(figure, reading, {"components": counts, "error": errors})


def pairs(found: Ranking) -> Chart:
    """Which label is doubted in favour of which digit, over the images whose out-of-fold prediction
    is another digit than the label."""
    wrong = found.margin < 0
    codes, counts = np.unique(10 * found.label[wrong].astype(int) + found.predicted[wrong],
                              return_counts=True)  # fmt: skip
    order = np.argsort(-counts, kind="stable")
    codes, counts = codes[order], counts[order]
    names = [f"{code // 10} → {code % 10}" for code in codes]
    bars = go.Bar(x=counts[:MOST_PAIRS], y=names[:MOST_PAIRS], orientation="h", marker_color=TRAIN,
                  hovertemplate="%{y}: %{x} images<extra></extra>")  # fmt: skip
    figure = plot(bars, title="Which labels are doubted", x="images",
                  y="label → prediction", height=360)  # fmt: skip
    figure.update_yaxes(autorange="reversed", type="category")
    reading = f"{wrong.sum():,} of {len(wrong):,} labels differ from the prediction"
    if len(names):
        label, digit = names[0].split(" → ")
        reading += (
            f", most often a {label} that the model reads as {digit} ({counts[0]:,} images); "
            f"{found.confident.sum():,} confidently so"
        )
    return Chart(figure, reading + ".", {
        "label": codes // 10, "prediction": codes % 10, "images": counts,
    })  # fmt: skip
