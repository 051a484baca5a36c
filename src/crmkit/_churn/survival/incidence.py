"""Cumulative incidence of competing ends."""

from __future__ import annotations

from datetime import date
from statistics import NormalDist

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._churn.survival import durations, result_table
from crmkit._churn.survival.durations import Flags, Spells
from crmkit._churn.survival.product_limit import product_limit
from crmkit._churn.survival.result_table import Columns, whole
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_column_name
from crmkit._words.rates import require_level
from crmkit.models.numerics.product_limit import Curve, counted


def cumulative_incidence(
    contracts: IntoFrameT,
    *,
    reason: str,
    as_of: date | str | None = None,
    by: str | None = None,
    observed_from: date | str | None = None,
    level: float = 0.95,
) -> IntoFrameT:
    r"""Share of contracts that end for each reason, by duration (Aalen-Johansen).

    One minus the survival of one reason alone overstates it, since a contract that ended for
    another reason can no longer end for this one. The incidences of all reasons and the survival
    add up to 1.

    Parameters
    ----------
    contracts
        As in `crmkit.churn.survival`, with a column of reasons.
    reason
        The column that says why a contract ended, such as switched, died, cancelled by the
        company. Where it still runs, it is not read.
    as_of
        As in `crmkit.churn.survival`.
    by
        A column with groups.
    observed_from
        As in `crmkit.churn.survival`.
    level
        Level of the pointwise interval.

    Returns
    -------
    One row per group, reason and duration at which a contract ended or was last seen, in order:

    ==================  =====  ==============================================================
    group               text   the group, under the name of `by`; only with `by`
    ``reason``          text   why contracts ended
    ``duration``        float  days since the start of the contract, or in the given unit
    ``n_risk``          int    contracts at risk just before, of whatever end
    ``n_event``         int    contracts that ended then for this reason
    ``incidence``       float  share of contracts that have ended for this reason by then
    ``standard_error``  float  of the share
    ``lower``           float  lower bound of the share
    ``upper``           float  upper bound of the share
    ==================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.churn.survival`, and if the reason of a contract that ended is null.

    Notes
    -----
    :math:`I_k(t) = \\sum_{t_j \\le t} S(t_{j-1}) d_{kj} / n_j`. The variance is that of the
    delta method (Marubini & Valsecchi), the interval that of log(-log I).

    References
    ----------
    Aalen, O. O. & Johansen, S. (1978). An empirical transition matrix for non-homogeneous Markov
    chains. *Scandinavian Journal of Statistics* 5(3), 141-150.
    Marubini, E. & Valsecchi, M. G. (1995). *Analysing Survival Data from Clinical Trials and
    Observational Studies*. Wiley, section 10.2.

    Examples
    --------
    Of four contracts two were switched, one customer died, and one contract runs on.

    >>> import pandas as pd
    >>> followed = pd.DataFrame(
    ...     {
    ...         "duration": [1, 2, 3, 4],
    ...         "event": [1, 1, 1, 0],
    ...         "why": ["switched", "died", "switched", None],
    ...     }
    ... )
    >>> found = cumulative_incidence(followed, reason="why")
    >>> print(found[found["duration"] == 4][["reason", "incidence"]].to_string(index=False))
      reason  incidence
        died       0.25
    switched       0.50
    """
    require_level(level)
    require_column_name(reason, argument="reason")
    frame, spells = durations.read(
        contracts, as_of=as_of, observed_from=observed_from, keys={"by": by, "reason": reason}
    )
    reasons = sorted(set(spells.keys["reason"][spells.event].tolist()))
    parts: list[tuple[str, Columns]] = []
    for group, part in spells.groups("by").items():
        curve = product_limit(part)
        parts += [
            (group, _incidence(part, curve, each, level=level)) for each in reasons or ["none"]
        ]
    return result_table.give(parts, by=by, frame=frame, like=contracts)


def _incidence(spells: Spells, curve: Curve, reason: str, *, level: float) -> Columns:
    mine: Flags = spells.event & (spells.keys["reason"] == reason)
    place = np.searchsorted(curve.time, spells.duration)
    d = counted(place, spells.n * mine, into=curve.time)
    before = np.concatenate([[1.0], curve.survival[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(d > 0, d / curve.n_risk, 0.0)
    incidence = np.cumsum(before * share)
    error = np.sqrt(_variance(incidence, before, d, curve))
    z = NormalDist().inv_cdf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spread = z * error / (incidence * np.log(incidence))
        lower, upper = incidence ** np.exp(-spread), incidence ** np.exp(spread)
    is_sure = (incidence <= 0) | (incidence >= 1)
    n = len(curve.time)
    return {
        "reason": np.array([reason] * n, dtype=object),
        "duration": curve.time,
        "n_risk": whole(curve.n_risk),
        "n_event": whole(d),
        "incidence": incidence,
        "standard_error": error,
        "lower": np.where(is_sure, incidence, lower),
        "upper": np.where(is_sure, incidence, upper),
    }


def _variance(incidence: Floats, before: Floats, d: Floats, curve: Curve) -> Floats:
    """Sum the terms at each duration; (I(t) - I(t_j))^2 is multiplied out, so one pass does."""
    n = curve.n_risk
    steps = np.where(np.isfinite(curve.steps), curve.steps, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(d > 0, before**2 * (n - d) * d / n**3, 0.0)
        both = np.where(d > 0, before * d / n**2, 0.0)
    of_all = (
        incidence**2 * np.cumsum(steps)
        - 2 * incidence * np.cumsum(incidence * steps)
        + np.cumsum(incidence**2 * steps)
    )
    of_both = incidence * np.cumsum(both) - np.cumsum(incidence * both)
    variance: Floats = np.maximum(of_all + np.cumsum(own) - 2 * of_both, 0.0)
    return variance
