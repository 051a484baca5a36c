"""What no model of purchases can do without: customers who came back, over days that were seen."""

from __future__ import annotations

import math

from crmkit.errors import FitError
from crmkit.models.numerics.arrays import Floats


def require_repeats(x: Floats, seen: Floats, weights: Floats, *, table: str) -> None:
    """Refuse histories in which nobody bought again, or which were seen for no time at all.

    `seen` is for how long, in days or opportunities; `weights` counts the customers of each row.
    """
    n_customers, repeats = float(weights.sum()), float(weights @ x)
    if not n_customers:
        msg = (
            f"{table}: there are no customers.\n"
            "Nobody may have bought by the day that the table was made as of."
        )
        raise FitError(msg)
    if not repeats:
        msg = (
            f"{table}: no repeat purchase in {n_customers:,.0f} of {n_customers:,.0f} customers.\n"
            "Observe them for longer before you fit."
        )
        raise FitError(msg)
    exposure = float(weights @ seen)
    if not (0 < exposure < math.inf and repeats < math.inf):
        msg = (
            f"{table}: {repeats:,.0f} repeat purchases in a total time of {exposure:g}, which no "
            "rate explains.\nLook for times that are missing or endless."
        )
        raise FitError(msg)
