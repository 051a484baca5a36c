"""Survival curves of contracts, and what they come to."""

from __future__ import annotations

import math
from datetime import date
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._churn.survival import durations, result_table
from crmkit._churn.survival.durations import Spells
from crmkit._churn.survival.product_limit import product_limit
from crmkit._churn.survival.result_table import Columns, whole
from crmkit._words.arguments import require_choice, require_column_name, require_number
from crmkit._words.rates import require_level
from crmkit.models.numerics.product_limit import INTERVALS, Interval, Mean, median


def survival(
    contracts: IntoFrameT,
    *,
    as_of: date | str | None = None,
    by: str | None = None,
    observed_from: date | str | None = None,
    interval: Interval = "log-log",
    level: float = 0.95,
) -> IntoFrameT:
    r"""Survival curve of contracts (Kaplan-Meier) with intervals and numbers at risk.

    Contracts that still run count for as long as they were seen. The curve assumes that they will
    end as the others of their age did: those who begin now must resemble those who began earlier,
    and a contract must not leave the data because it is about to end.

    Parameters
    ----------
    contracts
        One row per contract: `customer_id`, `start` and `end`, null where it still runs. Or
        durations in any unit: `duration` and `event` (1 where it ended, 0 where it still ran),
        and if they were first seen late `entry`, how long they had run by then.
    as_of
        The last day of the data, with `start` and `end`. What comes later is not seen.
    by
        A column with groups, such as the product; a curve for each.
    observed_from
        The first day of the data, if contracts that had ended before it are missing. Those that
        were running then are at risk from that day on only: else the curve would be too high.
    interval
        How the interval is made: "log-log" (of log(-log S), within 0 and 1), "log" (R's default)
        or "plain".
    level
        Level of the pointwise interval.

    Returns
    -------
    One row per group and duration at which a contract ended or was last seen, in order:

    ==================  =====  ===========================================================
    group               text   the group, under the name of `by`; only with `by`
    ``duration``        float  days since the start of the contract, or in the given unit
    ``n_risk``          int    contracts at risk just before
    ``n_event``         int    contracts that ended then
    ``n_censored``      int    contracts that still ran when last seen
    ``survival``        float  share of contracts that run on after it
    ``standard_error``  float  Greenwood's; null where nobody is left
    ``lower``           float  lower bound of the survival; null where nobody is left
    ``upper``           float  upper bound of the survival; null where nobody is left
    ==================  =====  ===========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, a contract ends before it starts, a group is null, or no contract
        was seen.
    InvalidArgumentError
        If `as_of` is missing, or given with durations; if `interval` or `level` is wrong.

    Notes
    -----
    :math:`S(t) = \\prod_{t_j \\le t} (1 - d_j / n_j)` with the variance
    :math:`S^2 \\sum d_j / (n_j (n_j - d_j))`. At risk at `t` are those seen before `t` and
    followed until `t` or longer. With late entry few may be at risk early on; where all of
    them end, the curve is 0 from there on.

    References
    ----------
    Kaplan, E. L. & Meier, P. (1958). Nonparametric estimation from incomplete observations.
    *JASA* 53(282), 457-481. https://doi.org/10.1080/01621459.1958.10501452

    Examples
    --------
    >>> import pandas as pd
    >>> contracts = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dan"],
    ...         "start": pd.to_datetime(["2024-01-01"] * 4),
    ...         "end": pd.to_datetime(["2024-01-11", "2024-01-21", None, None]),
    ...     }
    ... )
    >>> curve = survival(contracts, as_of="2024-01-31")
    >>> print(curve.iloc[:, :5].to_string(index=False))
     duration  n_risk  n_event  n_censored  survival
         10.0       4        1           0      0.75
         20.0       3        1           0      0.50
         30.0       2        0           2      0.50
    """
    require_choice(interval, INTERVALS, argument="interval")
    require_level(level)
    frame, spells = durations.read(
        contracts, as_of=as_of, observed_from=observed_from, keys={"by": by}
    )
    parts = [
        (group, _curve(part, interval, level=level)) for group, part in spells.groups("by").items()
    ]
    return result_table.give(parts, by=by, frame=frame, like=contracts)


def survival_summary(
    contracts: IntoFrameT,
    *,
    as_of: date | str | None = None,
    by: str | None = None,
    observed_from: date | str | None = None,
    restricted_to: float | None = None,
    interval: Interval = "log-log",
    level: float = 0.95,
) -> IntoFrameT:
    """Median and restricted mean lifetime of contracts, with their intervals.

    Parameters
    ----------
    contracts
        As in `crmkit.churn.survival`.
    as_of
        As in `crmkit.churn.survival`.
    by
        A column with groups; a row for each.
    observed_from
        As in `crmkit.churn.survival`.
    restricted_to
        The duration up to which the mean counts, in days or in the given unit: the mean lifetime
        within the first year is 365. By default the longest that every group was followed.
    interval
        How the interval of the curve is made, and from it that of the median: "log-log", "log"
        or "plain". They differ, so say which.
    level
        Level of the intervals.

    Returns
    -------
    One row per group, in order:

    =========================  =====  ======================================================
    group                      text   the group, under the name of `by`; only with `by`
    ``n_contracts``            int    contracts that were seen
    ``n_events``               int    of which ended
    ``median``                 float  half of the contracts end by then; null where more
                                      than half run on
    ``median_lower``           float  lower bound of the median
    ``median_upper``           float  upper bound; null where it is beyond the data
    ``restricted_to``          float  the duration up to which the mean counts
    ``restricted_mean``        float  mean lifetime within that duration; null where the
                                      group was not followed so long
    ``restricted_mean_lower``  float  lower bound of the mean
    ``restricted_mean_upper``  float  upper bound of the mean
    ``median_follow_up``       float  median time under observation (reverse Kaplan-Meier)
    =========================  =====  ======================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.churn.survival`, and if `restricted_to` is not above 0.

    Notes
    -----
    The median is the first duration with a survival of at most one half; where the curve stays at
    exactly one half, the middle of that stretch, as R has it. The restricted mean is the area
    under the curve; its variance is that of R's `survfit`.

    References
    ----------
    Royston, P. & Parmar, M. K. B. (2013). Restricted mean survival time. *BMC Medical Research
    Methodology* 13, 152. https://doi.org/10.1186/1471-2288-13-152

    Examples
    --------
    >>> import pandas as pd
    >>> followed = pd.DataFrame({"duration": [2, 4, 6, 8], "event": [1, 1, 1, 0]})
    >>> found = survival_summary(followed, restricted_to=8)
    >>> print(found[["n_events", "median", "restricted_mean"]].to_string(index=False))
     n_events  median  restricted_mean
            3     5.0              5.0
    """
    require_choice(interval, INTERVALS, argument="interval")
    require_level(level)
    _require_restriction(restricted_to)
    frame, spells = durations.read(
        contracts, as_of=as_of, observed_from=observed_from, keys={"by": by}
    )
    groups = spells.groups("by")
    until = _restriction(groups, restricted_to)
    z = NormalDist().inv_cdf((1 + level) / 2)
    parts = []
    for group, part in groups.items():
        curve = product_limit(part)
        lower, upper = curve.bounds(interval, level=level)
        mean = curve.restricted_mean(until)
        followed = product_limit(part.ended_by(~part.event))
        row: dict[str, Any] = {
            "n_contracts": whole(np.array([part.n.sum()])),
            "n_events": whole(np.array([curve.n_event.sum()])),
            "median": median(curve.time, curve.survival),
            "median_lower": median(curve.time, np.where(curve.survival <= 0, 0.0, lower)),
            "median_upper": median(curve.time, np.where(curve.survival <= 0, 1.0, upper)),
            "restricted_to": until,
            "restricted_mean": mean.value,
            "restricted_mean_lower": mean.value - z * mean.error,
            "restricted_mean_upper": mean.value + z * mean.error,
            "median_follow_up": median(followed.time, followed.survival),
        }
        parts.append((group, {name: np.atleast_1d(value) for name, value in row.items()}))
    return result_table.give(parts, by=by, frame=frame, like=contracts)


def survival_difference(
    contracts: IntoFrameT,
    *,
    by: str,
    as_of: date | str | None = None,
    observed_from: date | str | None = None,
    restricted_to: float | None = None,
    level: float = 0.95,
) -> IntoFrameT:
    """Difference in mean lifetime between groups of contracts, with its interval.

    "Contracts of this kind last 56 days longer within the first year": the difference of the
    restricted means. It describes; the groups may differ in more than `by`.

    Parameters
    ----------
    contracts
        As in `crmkit.churn.survival`.
    by
        The column with the groups; each pair of them is compared.
    as_of
        As in `crmkit.churn.survival`.
    observed_from
        As in `crmkit.churn.survival`.
    restricted_to
        The duration up to which lifetimes count, as in `crmkit.churn.survival_summary`.
    level
        Level of the interval.

    Returns
    -------
    One row per pair of groups, in order:

    =========================  =====  ====================================================
    ``group``                  text   one group
    ``other``                  text   the other
    ``restricted_to``          float  the duration up to which lifetimes count
    ``restricted_mean``        float  mean lifetime of the group within it
    ``restricted_mean_other``  float  that of the other group
    ``difference``             float  the first less the second
    ``standard_error``         float  of the difference
    ``lower``                  float  lower bound of the difference
    ``upper``                  float  upper bound of the difference
    ``p_value``                float  of a difference as large by chance
    =========================  =====  ====================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.churn.survival_summary`, and if `by` has one value only.

    References
    ----------
    See `crmkit.churn.survival_summary`.

    Examples
    --------
    >>> import pandas as pd
    >>> followed = pd.DataFrame(
    ...     {"duration": [2, 4, 6, 8], "event": [1, 1, 1, 1], "plan": ["a", "a", "b", "b"]}
    ... )
    >>> found = survival_difference(followed, by="plan", restricted_to=8)
    >>> print(found[["group", "other", "difference"]].to_string(index=False))
    group other  difference
        a     b        -4.0
    """
    require_level(level)
    _require_restriction(restricted_to)
    require_column_name(by, argument="by")
    frame, spells = durations.read(
        contracts, as_of=as_of, observed_from=observed_from, keys={"by": by}
    )
    durations.require_groups(spells, by=by)
    groups = spells.groups("by")
    until = _restriction(groups, restricted_to)
    means = {name: product_limit(part).restricted_mean(until) for name, part in groups.items()}
    rows = [
        _difference(one, other, means[one], means[other], until=until, level=level)
        for one, other in combinations(groups, 2)
    ]
    return result_table.give([("", row) for row in rows], by=None, frame=frame, like=contracts)


def _curve(spells: Spells, interval: Interval, *, level: float) -> Columns:
    curve = product_limit(spells)
    lower, upper = curve.bounds(interval, level=level)
    return {
        "duration": curve.time,
        "n_risk": whole(curve.n_risk),
        "n_event": whole(curve.n_event),
        "n_censored": whole(curve.n_censored),
        "survival": curve.survival,
        "standard_error": curve.error,
        "lower": lower,
        "upper": upper,
    }


def _difference(
    one: str, other: str, mean: Mean, mean_other: Mean, *, until: float, level: float
) -> Columns:
    z = NormalDist().inv_cdf((1 + level) / 2)
    difference = mean.value - mean_other.value
    error = float(np.hypot(mean.error, mean_other.error))
    p = math.erfc(abs(difference) / error / math.sqrt(2)) if error > 0 else math.nan
    names = {"group": np.array([one], dtype=object), "other": np.array([other], dtype=object)}
    numbers = {
        "restricted_to": until,
        "restricted_mean": mean.value,
        "restricted_mean_other": mean_other.value,
        "difference": difference,
        "standard_error": error,
        "lower": difference - z * error,
        "upper": difference + z * error,
        "p_value": p,
    }
    return {**names, **{name: np.array([value]) for name, value in numbers.items()}}


def _require_restriction(restricted_to: float | None) -> None:
    if restricted_to is not None:
        require_number(
            restricted_to,
            argument="restricted_to",
            must="be above 0",
            fits=lambda x: 0 < x < math.inf,
            advice="Write 365 for the first year.",
        )


def _restriction(groups: dict[str, Spells], restricted_to: float | None) -> float:
    """Take the longest duration that every group was followed."""
    if restricted_to is not None:
        return float(restricted_to)
    return float(min(part.duration.max() for part in groups.values()))
