"""Churn risk: the probability that a customer buys nothing within the horizon."""

from __future__ import annotations

from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit import clv
from crmkit._churn.calibration import RiskCalibration, applied
from crmkit._door import frames
from crmkit._words import formats, wording
from crmkit._words.arguments import is_number, require_fitted, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import RISK_SIGNALS

_MOST_STRETCH: Final = 2.0
"""A calibration serves horizons up to this many times longer or shorter than its own."""

_SURE, _HARDLY = 0.995, 0.005
_LONGER: Final = 1.05
"""Expected gaps that are more than one when written with one decimal."""


def risk(
    customers: IntoFrameT,
    *,
    purchases: clv.Fit,
    horizon_days: float,
    calibration: RiskCalibration | None = None,
    medium_from: float = 0.5,
    high_from: float = 0.8,
) -> IntoFrameT:
    """Churn risk of each customer: the probability of no purchase within the horizon.

    A statement about a stated period, which can be tested: see `crmkit.churn.reliability`. It
    uses past purchases only: a complaint, a move or the end of a contract does not show in it
    until purchases stop.

    Parameters
    ----------
    customers
        One row per customer or prospect, as made by `crmkit.rfm.summarize` or
        `crmkit.lifecycle.rhythm`. With `overdue_ratio` from `crmkit.lifecycle.assign` the reason
        is in the customer's own expected gaps.
    purchases
        A fitted purchase model.
    horizon_days
        The days within which a customer should buy; the shorter, the higher all risks.
    calibration
        From `crmkit.churn.fit_calibration`; without it the risk is the model's own.
    medium_from, high_from
        The probability at which each level begins, ``0 < medium_from <= high_from <= 1``.

    Returns
    -------
    The same rows in the same order, with more columns. All but the reason are null for a
    prospect:

    ===============  =====  ============================================================
    ``churn_risk``   float  probability of no purchase within `horizon_days`
    ``risk_level``   text   "low", "medium" or "high"
    ``risk_reason``  text   the probability in words, and how long the customer has been
                            silent
    ===============  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If the limits or the horizon are outside their range, `purchases` is not a purchase
        model, or `calibration` was learned from a horizon less than half or more than twice
        as long.

    Notes
    -----
    The risk is `crmkit.clv.no_purchase`, then calibrated. How far a purchase is overdue is a
    reason, not a probability: the model knows it from the same dates.

    Which model matters for customers who bought once: BG/NBD lets nobody drop out before the
    first repeat purchase, Pareto/NBD does.

    References
    ----------
    The head of each model's file in `crmkit.models` cites its paper. Wübben, M. & Wangenheim,
    F. v. (2008). Instant customer base analysis: managerial heuristics often "get it right".
    *Journal of Marketing* 72(3), 82-93, on the test against days since the last purchase.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> customers = rfm.summarize(
    ...     load_cdnow(sample=True, backend="pandas"), as_of=date(1997, 9, 30)
    ... )
    >>> model = clv.fit(customers, model="pareto_nbd")
    >>> rated = risk(customers, purchases=model, horizon_days=91)
    >>> columns = ["customer_id", "frequency", "days_since_last", "churn_risk", "risk_level"]
    >>> print(rated[columns].head(3).round(2).to_string(index=False))
    customer_id  frequency  days_since_last  churn_risk risk_level
          00004          2               59        0.63     medium
          00018          0              269        0.97       high
          00021          1              260        0.95       high
    >>> print(rated["risk_reason"][0])
    63% likely to buy nothing in 91 days; last bought 59 days ago
    """
    _require_limits(medium_from, high_from)
    frames.read(customers, RISK_SIGNALS)
    scored = clv.no_purchase(customers, purchases=purchases, horizon_days=horizon_days)
    if calibration is not None:
        _require_calibration(calibration, horizon_days=horizon_days)
    frame = frames.reopen(scored)
    stated = frames.known("p_no_purchase")
    found = stated if calibration is None else applied(calibration, stated)
    rated = frames.with_columns(frame, churn_risk=found).drop("p_no_purchase")
    churn_risk = nw.col("churn_risk")
    level = (
        nw.when(churn_risk >= high_from)
        .then(nw.lit("high"))
        .when(churn_risk >= medium_from)
        .then(nw.lit("medium"))
        .when(~churn_risk.is_null())
        .then(nw.lit("low"))
    )
    reason = _reason(horizon_days, has_rhythm=frames.has(rated, "overdue_ratio"))
    return frames.give(
        frames.with_columns(rated, risk_level=level, risk_reason=reason), like=customers
    )


def _reason(horizon_days: float, *, has_rhythm: bool) -> nw.Expr:
    """Word the probability and the silence: facts, which no name of a stage can contradict."""
    churn_risk = nw.col("churn_risk")
    share = (
        nw.when(churn_risk >= _SURE)
        .then(nw.lit("over 99"))
        .when(churn_risk < _HARDLY)
        .then(nw.lit("under 1"))
        .otherwise(wording.whole(churn_risk * 100))
    )
    ahead = f"% likely to buy nothing in {formats.counted(horizon_days, 'day')}; "
    last = nw.concat_str(
        nw.lit("last bought "), wording.days(nw.col("days_since_last")), nw.lit(" ago")
    )
    silent = last
    if has_rhythm:
        gaps = nw.concat_str(
            nw.lit("silent for "),
            wording.tenths(nw.col("overdue_ratio")),
            nw.lit(" expected gaps"),
        )
        silent = nw.when(frames.known("overdue_ratio") >= _LONGER).then(gaps).otherwise(last)
    known = nw.concat_str(share, nw.lit(ahead), silent)
    unknown = nw.lit("unknown: has not bought yet")
    return nw.when(churn_risk.is_null()).then(unknown).otherwise(known)


def _require_calibration(calibration: RiskCalibration, *, horizon_days: float) -> None:
    require_fitted(
        calibration, RiskCalibration, argument="calibration", made_by="crmkit.churn.fit_calibration"
    )
    stretch = horizon_days / calibration.horizon_days
    if not 1 / _MOST_STRETCH <= stretch <= _MOST_STRETCH:
        msg = (
            f"`calibration` was learned from {calibration.horizon_days:g} held-out days, which "
            f"says little of a horizon of {horizon_days:g}.\n"
            "Learn it from a held-out period about as long, or leave it out."
        )
        raise InvalidArgumentError(msg)


def _require_limits(medium_from: float, high_from: float) -> None:
    are_numbers = is_number(medium_from) and is_number(high_from)
    if not (are_numbers and 0 < medium_from <= high_from <= 1):
        msg = (
            "`medium_from` and `high_from` must be in rising order, above 0 and at most 1, got "
            f"{shown(medium_from)} and {shown(high_from)}.\n"
            "They are the risks at which a level begins: write 0.5 and 0.8."
        )
        raise InvalidArgumentError(msg)
