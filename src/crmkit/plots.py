"""One picture for each table, for people who would rather look than read.

Every function takes a table that crmkit has made, on any engine, and gives matplotlib Axes,
its own or yours; ``axes.figure.savefig("picture.svg")`` keeps the picture. Nothing is shown or
remembered: `matplotlib.pyplot` is not used. matplotlib is imported when a picture is drawn.
"""

from crmkit._plots.bars import actions, call_list, cost_benefit, segments, stages, tiers
from crmkit._plots.cohorts import new_and_returning, retention_curve, retention_heatmap
from crmkit._plots.distribution import concentration, rfm_grid
from crmkit._plots.forecasts import calibration, forecast_error

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
