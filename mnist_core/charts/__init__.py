"""Figures, each with a sentence on what it shows and its numbers.

Plotly for what stands still, options for ECharts for what moves. A chart never computes what it
shows: it is handed numbers. May import `basis`, `network`, `design`, `statistics`, `lessons`,
`training` and `analysis`.
"""

from .plotting import Chart, plot

__all__ = ["Chart", "plot"]
