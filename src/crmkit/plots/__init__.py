"""One picture for each table, for people who would rather look than read.

Every function takes a table that crmkit has made, on any engine, and gives matplotlib Axes,
its own or yours; ``axes.figure.savefig("picture.svg")`` keeps the picture. Nothing is shown or
remembered: `matplotlib.pyplot` is not used. matplotlib is imported when a picture is drawn.
"""

from __future__ import annotations

from crmkit.plots.bars import actions, call_list, cost_benefit, segments, stages, tiers
from crmkit.plots.cohorts import new_and_returning, retention_curve, retention_heatmap
from crmkit.plots.forecasts import calibration, forecast_error
from crmkit.plots.spread import concentration, rfm_grid

__all__ = [
    "actions",
    "calibration",
    "call_list",
    "concentration",
    "cost_benefit",
    "forecast_error",
    "new_and_returning",
    "retention_curve",
    "retention_heatmap",
    "rfm_grid",
    "segments",
    "stages",
    "tiers",
]
