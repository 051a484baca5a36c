"""Minimum data of a purchase model: repeat purchases within a finite observation time."""

from __future__ import annotations

import math

from crmkit.errors import FitError
from crmkit.models.numerics.arrays import Floats


def require_repeats(x: Floats, seen: Floats, weights: Floats, *, table: str) -> None:
    """Refuse histories without repeat purchases or without observation time.

    `seen` is the observation time, in days or opportunities; `weights` is the number of customers
    of each row.
    """
    n_customers, repeats = float(weights.sum()), float(weights @ x)
    if not n_customers:
        msg = f"{table}: no customers.\nPerhaps nobody had bought by the `as_of` of the table."
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
            f"{table}: {repeats:,.0f} repeat purchases in a total time of {exposure:g}, which "
            "gives no rate.\nCheck for missing or infinite times."
        )
        raise FitError(msg)
