"""Lapse table of contracts, as insurers read it."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._churn.survival import durations, result_table
from crmkit._churn.survival.durations import Spells
from crmkit._churn.survival.product_limit import n_at_risk, product_limit
from crmkit._churn.survival.result_table import Columns, whole
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_whole
from crmkit._words.rates import require_period
from crmkit.typing import Period


def lapse_table(
    contracts: IntoFrameT,
    *,
    every: Period = "year",
    as_of: date | str | None = None,
    by: str | None = None,
    observed_from: date | str | None = None,
    cohort_size: int = 1000,
    periods: int | None = None,
) -> IntoFrameT:
    """Lapse table: lapse rate, contracts in force and persistency by period.

    It assumes that contracts that begin now will lapse at each age as those of the data did.

    Parameters
    ----------
    contracts
        As in `crmkit.churn.survival`; durations count in periods.
    every
        Length of a period: "year", or "month" for the 13-month persistency. Periods count from
        each contract's own first day by the calendar. Not used for durations.
    as_of
        As in `crmkit.churn.survival`. A lapse in a period counts once the period is over, as a
        renewal does.
    by
        A column with groups; a table for each.
    observed_from
        The first day of the data, if contracts that had ended before it are missing. A contract
        that was running then counts from the first period that was seen in full.
    cohort_size
        Contracts that the cohort of the table begins with.
    periods
        Number of periods to show; by default as many as the data have.

    Returns
    -------
    One row per group and period, in order:

    ===============  =====  =============================================================
    group            text   the group, under the name of `by`; only with `by`
    ``period``       int    period of the contract; 1 is the first
    ``n_risk``       int    contracts of the data at risk as it begins
    ``n_event``      int    of which lapsed in it
    ``qx``           float  lapse rate: share of those in force that lapse in the period
    ``lx``           float  contracts of the cohort in force as it begins
    ``dx``           float  contracts of the cohort that lapse in it
    ``exposure``     float  L(x): periods that the cohort is in force in it, lapses
                            counting half
    ``persistency``  float  share of the cohort in force as it ends
    ===============  =====  =============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.churn.survival`; if `every` is not a period, or `cohort_size` or `periods` is
        not a whole number of 1 or more.

    Notes
    -----
    ``l(x+1) = l(x) (1 - q(x))``, ``d(x) = l(x) - l(x+1)``, ``L(x) = (l(x) + l(x+1)) / 2``;
    `qx` is one minus the ratio of the Kaplan-Meier curve at both ends of the period, so that
    contracts that still run count for as long as they were seen. The sum of `exposure` over
    `cohort_size` is the mean number of periods in force within the table.

    Examples
    --------
    >>> import pandas as pd
    >>> years = pd.DataFrame({"duration": [1, 1, 2, 3, 3], "event": [1, 0, 1, 0, 0]})
    >>> table = lapse_table(years, cohort_size=900)
    >>> print(table.round(3).to_string(index=False))
     period  n_risk  n_event    qx    lx    dx  exposure  persistency
          1       5        1 0.200 900.0 180.0     810.0        0.800
          2       3        1 0.333 720.0 240.0     600.0        0.533
          3       2        0 0.000 480.0   0.0     480.0        0.533
    """
    require_period(every)
    require_whole(cohort_size, argument="cohort_size", least=1, advice="Write 1000.")
    if periods is not None:
        require_whole(periods, argument="periods", least=1, advice="Write 5.")
    frame, spells = durations.read(
        contracts, as_of=as_of, observed_from=observed_from, keys={"by": by}, every=every
    )
    parts = [
        (group, _table(part, float(cohort_size), periods))
        for group, part in spells.groups("by").items()
    ]
    return result_table.give(parts, by=by, frame=frame, like=contracts)


def _table(spells: Spells, cohort_size: float, periods: int | None) -> Columns:
    curve = product_limit(spells)
    last = int(np.ceil(curve.time[-1]))
    age = np.arange((last if periods is None else min(last, int(periods))) + 1, dtype=float)
    in_force = curve.at(age)
    in_force[0] = 1.0  # what ends at once ends in the first period
    lapsed = np.diff(np.concatenate([[0.0], np.cumsum(curve.n_event)])[_upto(curve.time, age)])
    lapsed[:1] += curve.n_event[curve.time <= 0].sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        qx = np.where(in_force[:-1] > 0, 1 - in_force[1:] / in_force[:-1], np.nan)
    alive = cohort_size * in_force
    return {
        "period": age[1:].astype(np.int64),
        "n_risk": whole(n_at_risk(spells, np.nextafter(age[:-1], np.inf))),
        "n_event": whole(lapsed),
        "qx": qx,
        "lx": alive[:-1],
        "dx": alive[:-1] - alive[1:],
        "exposure": (alive[:-1] + alive[1:]) / 2,
        "persistency": in_force[1:],
    }


def _upto(time: Floats, age: Floats) -> npt.NDArray[np.int64]:
    """Count the durations up to each age."""
    return np.searchsorted(time, age, side="right")
