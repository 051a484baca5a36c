"""Churn risk from two signals: a model's P(alive), and purchases that are overdue."""

from __future__ import annotations

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._words import wording
from crmkit._words.arguments import is_number, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import RISK_SIGNALS, SUMMARY


def risk(customers: IntoFrameT, *, medium_from: float = 0.5, high_from: float = 0.8) -> IntoFrameT:
    """Churn risk of each customer, by the worse of two signals.

    One signal is a model's probability that the customer is still active, P(alive); the other is
    how overdue the next purchase is by the customer's own purchase rhythm. Both use past
    purchases only: a complaint, a move or the end of a contract shows in neither until purchases
    stop.

    Parameters
    ----------
    customers
        One row per customer or prospect with `p_alive` from `crmkit.clv.predict` and
        `overdue_ratio` from `crmkit.lifecycle.assign`.
    medium_from, high_from
        The risk at which each level begins, ``0 < medium_from <= high_from <= 1``. By the
        second signal alone the defaults are 2 and 5 expected gaps without a purchase, where the
        stages "at risk" and "lost" begin.

    Returns
    -------
    The same rows in the same order, with more columns. All but the reason are null where either
    signal is unknown, as for a prospect:

    ===============  =====  ============================================================
    ``churn_risk``   float  0 … 1, the greater of the two risks below
    ``risk_level``   text   "low", "medium" or "high"
    ``risk_reason``  text   the signal that decided it, with its value
    ===============  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a signal is missing, or `p_alive` is outside 0 … 1.
    InvalidArgumentError
        If the limits are outside their range.

    Notes
    -----
    The model's risk is ``1 - p_alive``. The risk by the rhythm is 0 up to the expected gap, and
    then the part of the time since the last purchase that exceeds the expected gap::

        1 - 1 / overdue_ratio

    That is 0.5 at twice the expected gap and 0.8 at five times the gap. The assumption is that
    expected gaps are uncertain, so that customers come back after a long wait more often than
    chance around a known mean implies (which would give a risk of 0.98 at five times). It is a
    scale to rank by, not a fitted probability.

    The second signal is needed because the BG/NBD model has no dropout before the first repeat
    purchase: a customer who bought once has a `p_alive` of 1, however long ago. Taking the
    worse of the two is the cautious choice.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way.
    *Marketing Science* 24(2), 275-284. https://doi.org/10.1287/mksc.1040.0098.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["regular", "once", "fading", "prospect"],
    ...         "p_alive": [0.93, 1.0, 0.18, None],
    ...         "overdue_ratio": [0.4, 4.0, 2.5, None],
    ...     }
    ... )
    >>> rated = risk(customers)
    >>> print(rated[["customer_id", "churn_risk", "risk_level"]].to_string(index=False))
    customer_id  churn_risk risk_level
        regular        0.07        low
           once        0.75     medium
         fading        0.82       high
       prospect         NaN        NaN
    >>> for reason in rated["risk_reason"]:
    ...     print(reason)
    model: 93% likely still active
    overdue: silent for 4.0 expected gaps
    model: 18% likely still active
    unknown: not enough purchase history
    """
    _require_limits(medium_from, high_from)
    frame = frames.read(customers, RISK_SIGNALS)
    by_model, by_rhythm = 1 - frames.known("p_alive"), _overdue_risk()
    known = ~(by_model.is_null() | by_rhythm.is_null())
    worse = nw.when(by_rhythm > by_model).then(by_rhythm).otherwise(by_model)
    rated = frames.with_columns(frame, churn_risk=nw.when(known).then(worse))
    churn_risk = nw.col("churn_risk")
    level = (
        nw.when(churn_risk >= high_from)
        .then(nw.lit("high"))
        .when(churn_risk >= medium_from)
        .then(nw.lit("medium"))
        .when(~churn_risk.is_null())
        .then(nw.lit("low"))
    )
    rated = frames.with_columns(rated, risk_level=level, risk_reason=_reason(by_model, by_rhythm))
    return frames.give(rated, like=customers)


def p_active(customers: IntoFrameT) -> IntoFrameT:
    """P(active): rule of thumb by Schmittlein and Morrison, without a model.

    How probable is a time without purchases as long as this one, for a customer who still buys
    at the same rate? A small value means that something has changed. It is not the probability
    of being active: it ignores how often customers drop out, and assumes one constant purchase
    rate for each customer.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.

    Returns
    -------
    The same rows in the same order, with one more column:

    ============  =====  ===============================================================
    ``p_active``  float  0 … 1; 1 for customers without a repeat purchase
    ============  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.

    Notes
    -----
    The repeat purchases of a customer who buys at random at a constant rate are uniform between
    the first purchase and `as_of`, so the probability that all of them fall by the last one is
    ``(recency / T) ** frequency``.

    References
    ----------
    Schmittlein, D. C. & Morrison, D. G. (1985). Is the customer still active? *The American
    Statistician* 39(4), 291-295.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["often", "seldom"],
    ...         "frequency": [10, 1],
    ...         "recency": [24, 24],
    ...         "T": [36, 36],
    ...     }
    ... )
    >>> print(p_active(customers).round(3).to_string(index=False))
    customer_id  frequency  recency  T  p_active
          often         10       24 36     0.017
         seldom          1       24 36     0.667
    """
    frame = frames.read(customers, SUMMARY.only("customer_id", "frequency", "recency", "T"))
    repeated = nw.col("frequency") > 0
    evenly = (nw.col("recency") / nw.col("T")) ** nw.col("frequency").cast(nw.Float64)
    judged = nw.when(repeated).then(evenly).otherwise(nw.lit(1.0))
    return frames.give(frames.with_columns(frame, p_active=judged), like=customers)


def _overdue_risk() -> nw.Expr:
    ratio = frames.known("overdue_ratio")
    late = nw.when(ratio > 1).then(1 - 1 / ratio)
    return late.when(ratio >= 0).then(nw.lit(0.0))


def _reason(by_model: nw.Expr, by_rhythm: nw.Expr) -> nw.Expr:
    overdue = nw.concat_str(
        nw.lit("overdue: silent for "),
        wording.tenths(nw.col("overdue_ratio")),
        nw.lit(" expected gaps"),
    )
    model = nw.concat_str(
        nw.lit("model: "),
        wording.whole(nw.col("p_alive") * 100),
        nw.lit("% likely still active"),
    )
    return (
        nw.when(nw.col("churn_risk").is_null())
        .then(nw.lit("unknown: not enough purchase history"))
        .when(by_rhythm > by_model)
        .then(overdue)
        .when(by_model > 0)
        .then(model)
        .otherwise(nw.lit("on time: within the expected gap"))
    )


def _require_limits(medium_from: float, high_from: float) -> None:
    are_numbers = is_number(medium_from) and is_number(high_from)
    if not (are_numbers and 0 < medium_from <= high_from <= 1):
        msg = (
            "`medium_from` and `high_from` must be in rising order, above 0 and at most 1, got "
            f"{shown(medium_from)} and {shown(high_from)}.\n"
            "They are the risks at which a level begins: write 0.5 and 0.8."
        )
        raise InvalidArgumentError(msg)
