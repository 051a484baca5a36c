"""Contract histories, and the number of renewals and churned customers in each period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.distinct import distinct_pairs


@dataclass(frozen=True, slots=True)
class Contracts:
    """Distinct contract histories with their counts, checked for a fit."""

    periods: Floats
    lost: Floats
    n_customers: Floats
    churn_rate: float
    """Share of renewal decisions that were not to renew."""

    @classmethod
    def of(cls, periods: Floats, lost: Floats, weights: Floats | None) -> Contracts:
        """Collect the distinct histories; refuse impossible or uninformative ones."""
        _require_whole(periods, lost)
        periods, lost, of_row = distinct_pairs(periods, lost)
        n_customers = np.bincount(of_row, weights, minlength=len(periods)).astype(np.float64)
        _, kept, gone = renewals_by_period(periods, lost, n_customers)
        if not (kept.any() and gone.any()):
            raise FitError(_no_churn_or_no_renewal(kept, gone, total=float(n_customers.sum())))
        return cls(periods, lost, n_customers, float(gone.sum() / (kept.sum() + gone.sum())))


def renewals_by_period(
    periods: Floats, lost: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Count renewals and churned customers at the end of each period with any.

    A customer lost in period t renewed t - 1 times; one retained after t periods, t times.
    """
    left = lost > 0
    last = int(periods.max(initial=0))
    made = (periods - left).astype(np.int64)
    kept = np.bincount(made, weights, minlength=last + 1)[::-1].cumsum()[::-1][1:]
    gone = np.bincount(periods[left].astype(np.int64), weights[left], minlength=last + 1)[1:]
    seen = kept + gone > 0
    period, kept, gone = np.stack([np.arange(1.0, last + 1), kept, gone])[:, seen]
    return period, kept, gone


def _no_churn_or_no_renewal(kept: Floats, gone: Floats, *, total: float) -> str:
    found = "nobody churned" if kept.any() else "nobody renewed"
    if not kept.any() and not gone.any():
        found = "no renewal observed"
    return (
        f"contracts: {found} in {total:,.0f} of {total:,.0f} customers.\n"
        "Observe them for longer before you fit."
    )


def _require_whole(periods: Floats, lost: Floats) -> None:
    whole = (periods >= lost) & (periods == np.floor(periods)) & np.isin(lost, (0.0, 1.0))
    if whole.all():
        return
    msg = (
        f"contracts: impossible history in {(~whole).sum():,} of {len(whole):,} customers "
        f"(row {', '.join(map(str, np.flatnonzero(~whole)[:3]))}).\n"
        "Give whole periods, 1 or more where lost is 1; lost is 0 or 1."
    )
    raise InvalidArgumentError(msg)
