"""Contracts as histories, and as a table of how many came to each renewal and left there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.distinct import distinct_pairs


@dataclass(frozen=True, slots=True)
class Contracts:
    """Distinct histories that a model of contracts can be fitted on."""

    periods: Floats
    lost: Floats
    n_customers: Floats
    churn_rate: float
    """Share of all renewals that were not made."""

    @classmethod
    def of(cls, periods: Floats, lost: Floats, weights: Floats | None) -> Contracts:
        """Collect the distinct histories; refuse those that cannot be, or tell nothing."""
        _require_whole(periods, lost)
        periods, lost, of_row = distinct_pairs(periods, lost)
        n_customers = np.bincount(of_row, weights, minlength=len(periods)).astype(np.float64)
        _, kept, gone = renewals_by_period(periods, lost, n_customers)
        if not (kept.any() and gone.any()):
            raise FitError(_one_sided(kept, gone, total=float(n_customers.sum())))
        return cls(periods, lost, n_customers, float(gone.sum() / (kept.sum() + gone.sum())))


def renewals_by_period(
    periods: Floats, lost: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Give each period that anybody came to the end of, how many renewed and how many left.

    A customer lost in period t renewed t - 1 times; one still there after t periods, t times.
    """
    left = lost > 0
    last = int(periods.max(initial=0))
    made = (periods - left).astype(np.int64)
    kept = np.bincount(made, weights, minlength=last + 1)[::-1].cumsum()[::-1][1:]
    gone = np.bincount(periods[left].astype(np.int64), weights[left], minlength=last + 1)[1:]
    seen = kept + gone > 0
    period, kept, gone = np.stack([np.arange(1.0, last + 1), kept, gone])[:, seen]
    return period, kept, gone


def _one_sided(kept: Floats, gone: Floats, *, total: float) -> str:
    found = "nobody left" if kept.any() else "nobody renewed"
    if not kept.any() and not gone.any():
        found = "no renewal has come due"
    return (
        f"contracts: {found} in {total:,.0f} of {total:,.0f} customers.\n"
        "Observe them for longer before you fit."
    )


def _require_whole(periods: Floats, lost: Floats) -> None:
    whole = (periods >= lost) & (periods == np.floor(periods)) & np.isin(lost, (0.0, 1.0))
    if whole.all():
        return
    msg = (
        f"contracts: no whole number of periods in {(~whole).sum():,} of {len(whole):,} customers "
        f"(row {', '.join(map(str, np.flatnonzero(~whole)[:3]))}).\n"
        "Count periods from 1, and give lost as 0 or 1."
    )
    raise InvalidArgumentError(msg)
