"""Stage rules whose limits are learned from who came back after which silence."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._door import frames, time
from crmkit._lifecycle.past_dates import (
    Silences,
    at_dates,
    first_day,
    past_dates,
    silences,
    typical_gaps,
)
from crmkit._lifecycle.rules import StageRules, of_gap, require_lost_below
from crmkit._summary.purchase_days import purchase_days
from crmkit._words.arguments import require_fitted, require_whole
from crmkit._words.formats import percent
from crmkit.errors import CrmkitWarning, FitError
from crmkit.models.numerics.proportions import wilson_at
from crmkit.tables import LEDGER

_SURE: Final = 1.645
"""Standard errors of a one-sided bound of 95 %."""

_LIKELY: Final = 1.0
"""Standard errors by which a rate must have risen for it to be a rise."""

Counts = npt.NDArray[np.int64]


def fit_rules(
    orders: IntoFrame,
    *,
    as_of: date | str,
    horizon_days: int,
    lost_below: float = 0.1,
    rules: StageRules | None = None,
) -> StageRules:
    """Stage rules with learned limits, so that few of those called lost come back.

    Customers are looked at on up to four past dates, a horizon apart, as they were known then:
    how long they had been silent, and whether they bought within the horizon that followed. "lost"
    begins at the shortest silence after which a smaller share than `lost_below` came back. That
    assumes that the rate rises no more in the time to come than it rose between these dates; a
    season that the ledger has not seen yet is unknown.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, or the table of
        `crmkit.rfm.purchase_days`.
    as_of
        The day on which the rules are learned, as a date or ISO text; rows after it are not seen.
    horizon_days
        Length of the time in which customers may come back, in whole days. The ledger must
        reach back for at least twice as long.
    lost_below
        The share that must not be reached by those called lost who come back.
    rules
        Rules to start from: their limits are the earliest that are tried, everything else is
        kept. By default those of `crmkit.lifecycle.rules` as of `as_of`.

    Returns
    -------
    The rules, to be given to `crmkit.lifecycle.assign`, with `horizon_days` and `lost_below` in
    them. Where no limit does what was asked for, `lost_from` is infinite and nobody is called lost.

    Raises
    ------
    FitError
        If the ledger reaches back for less than twice the horizon, or nobody has bought twice and
        no `rules` are given.
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If an argument is outside its range.

    Warns
    -----
    CrmkitWarning
        If no limit does what was asked for, so that nobody is called lost.

    Notes
    -----
    Limits are tried in tenths of an expected gap, or in days where the rules have windows of days.
    With k of n customers beyond a limit who came back at the latest date, "lost" begins at the
    first limit where::

        upper(k / n) * rise < lost_below

    `upper` is the end of Wilson's interval, one-sided at 95 %, so that a few customers prove
    nothing. `rise` is the largest factor by which the rate beyond the limit rose from one date to
    the next, counted only as far as the intervals of one standard error are apart; 1 where it did
    not rise.

    "at risk" and "lapsing" keep their limits as long as the share that comes back falls from
    each stage to the next, over all dates together; else they begin at the next limit where it
    does, or not at all.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
    *Journal of the American Statistical Association* 22, 209-212.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> learned = fit_rules(load_cdnow(), as_of=date(1998, 6, 30), horizon_days=91)
    >>> learned.at_risk_from, learned.lapsing_from, learned.lost_from
    (2.0, 3.0, 5.0)
    """
    as_of = time.as_day(as_of, argument="as_of")
    require_whole(horizon_days, argument="horizon_days", least=1, advice="Write 91 for a quarter.")
    require_lost_below(lost_below)
    if rules is not None:
        made_by = "crmkit.lifecycle.rules"
        require_fitted(rules, StageRules, argument="rules", made_by=made_by)
    days = frames.keep(purchase_days(orders, as_of=as_of))
    dates = dates_to_learn_at(days, as_of=as_of, horizon_days=horizon_days)
    if not dates:
        msg = (
            f"transactions: they do not reach back from {as_of} for twice the horizon of "
            f"{horizon_days} days, so who came back cannot be counted.\n"
            "Give a shorter `horizon_days`, or use crmkit.lifecycle.rules()."
        )
        raise FitError(msg)
    every = (*dates, time.number_of(as_of))
    ledger = frames.read(days, LEDGER)
    customers = at_dates(ledger, dates=every, horizon_days=horizon_days, as_of=as_of)
    if rules is None:
        *gaps, gap_now = typical_gaps(customers, n_dates=len(every))
        rules = of_gap(gap_now)
        gaps = [rules.typical_gap_days if math.isnan(gap) else gap for gap in gaps]
    else:
        gaps = [rules.typical_gap_days] * len(dates)
    seen = silences(customers, dates=dates, typical_gaps=gaps, rules=rules)
    learned = with_limits(rules, seen, lost_below=lost_below)
    if math.isinf(learned.lost_from):
        warnings.warn(nobody_lost(horizon_days, lost_below), CrmkitWarning, stacklevel=2)
    return replace(learned, horizon_days=horizon_days, lost_below=lost_below)


def dates_to_learn_at(orders: IntoFrame, *, as_of: date, horizon_days: int) -> tuple[int, ...]:
    """List the day numbers of the past dates that the ledger allows."""
    first = first_day(orders)
    if first is None:
        return ()
    return past_dates(first=first, as_of=time.number_of(as_of), horizon_days=horizon_days)


def nobody_lost(horizon_days: float, lost_below: float) -> str:
    """Say that no limit does what was asked for."""
    return (
        "Nobody is called lost: even of those who have been silent longest, it is not certain that "
        f"fewer than {percent(lost_below)} come back within {horizon_days:g} days."
    )


def with_limits(rules: StageRules, seen: Silences, *, lost_below: float) -> StageRules:
    """Move the limits of rules to where they hold, never to a shorter silence."""
    lost = _lost_from(seen, least=_step(rules.lost_from, seen), lost_below=lost_below)
    n, k = seen.n_customers.sum(axis=0), seen.n_returned.sum(axis=0)
    end = len(n) if lost is None else lost
    at_risk = _falls_at(n, k, begin=0, end=end, least=_step(rules.at_risk_from, seen))
    lapsing = None
    if at_risk is not None:
        least = max(_step(rules.lapsing_from, seen), at_risk)
        lapsing = _falls_at(n, k, begin=at_risk, end=end, least=least, lost=lost)
    lost_from = _limit(lost, rules.lost_from, seen)
    lapsing_from = min(_limit(lapsing, rules.lapsing_from, seen), lost_from)
    at_risk_from = min(_limit(at_risk, rules.at_risk_from, seen), lapsing_from)
    return replace(rules, at_risk_from=at_risk_from, lapsing_from=lapsing_from, lost_from=lost_from)


def _step(limit: float, seen: Silences) -> int:
    """Turn a limit into its step of silence; one beyond all that was seen into the last."""
    last = int(seen.n_customers.shape[1]) - 1
    return min(math.ceil(limit * seen.per_unit - 1e-9), last) if math.isfinite(limit) else last


def _limit(step: int | None, at_first: float, seen: Silences) -> float:
    """Turn a step of silence back into a limit, no earlier than it was at first."""
    return math.inf if step is None else max(step / seen.per_unit, at_first)


def _lost_from(seen: Silences, *, least: int, lost_below: float) -> int | None:
    """Find the first step of silence beyond which few enough come back; None without one."""
    n, k = (_beyond(each) for each in (seen.n_customers, seen.n_returned))
    likely = wilson_at(k[-1], n[-1], z=_SURE)[1]
    if len(n) > 1:
        lower, upper = wilson_at(k, n, z=_LIKELY)
        rise = (lower[1:] / upper[:-1]).max(axis=0)
        likely = likely * np.maximum(rise, 1.0)
    holds = np.flatnonzero(likely[least:] < lost_below)
    return least + int(holds[0]) if len(holds) else None


def _falls_at(
    n: Counts, k: Counts, *, begin: int, end: int, least: int, lost: int | None = None
) -> int | None:
    """Find the first step at which the rate falls, and again where "lost" begins."""
    for step in range(min(least, end), end):
        before, after = _rate(n, k, begin, step), _rate(n, k, step, end)
        gone = math.nan if lost is None else _rate(n, k, lost, len(n))
        # An empty stage has no rate and contradicts nothing.
        if not (before <= after or after <= gone):
            return step
    return None if lost is None else end


def _rate(n: Counts, k: Counts, begin: int, end: int) -> float:
    customers = int(n[begin:end].sum())
    return int(k[begin:end].sum()) / customers if customers else math.nan


def _beyond(counts: Counts) -> Counts:
    """Count those at each step of silence or beyond it."""
    beyond: Counts = np.flip(np.cumsum(np.flip(counts, axis=1), axis=1), axis=1)
    return beyond
