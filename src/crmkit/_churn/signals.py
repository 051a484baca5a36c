"""Who is leaving, how likely it is, and what says so."""

from __future__ import annotations

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._words import wording
from crmkit.errors import InvalidArgumentError
from crmkit.tables import RISK_SIGNALS, SUMMARY

__all__ = ["p_active", "risk"]


def risk(customers: IntoFrameT, *, medium_from: float = 0.5, high_from: float = 0.8) -> IntoFrameT:
    """Rate how likely each customer is gone, by the worse of two signals.

    One signal is a model's probability of still being a customer; the other is how far the
    customer is behind their own rhythm. Both know past purchases only: a complaint, a move or
    a contract that ends shows in neither until purchases stop.

    Parameters
    ----------
    customers
        One row per customer or prospect with `p_alive` from `crmkit.clv.predict` and
        `overdue_ratio` from `crmkit.lifecycle.assign`.
    medium_from, high_from
        The risk at which each level begins, ``0 < medium_from <= high_from <= 1``. By the
        second signal alone the defaults are a silence of 2 and of 5 expected gaps, where the
        stages "at risk" and "lost" begin.

    Returns
    -------
    The same rows in the same order, with more columns, null (but for the reason) where either
    signal is unknown, as for a prospect:

    ===============  =====  ============================================================
    ``churn_risk``   float  0 … 1, the greater of the two risks below
    ``risk_level``   text   "low", "medium" or "high"
    ``risk_reason``  text   the signal that decided it, with its figure
    ===============  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a signal is missing, or `p_alive` is outside 0 … 1.
    InvalidArgumentError
        If the limits are outside their range.

    Notes
    -----
    The model's risk is ``1 - p_alive``. The rhythm's is 0 up to the expected gap, and then the
    part of the silence that the expected gap does not explain::

        1 - 1 / overdue_ratio

    That is half at twice the expected gap and four fifths at five times it. The assumption is
    that expected gaps are guesses, so that long waits end well more often than chance around a
    known mean would have it (0.98 would be gone at five times). It is a scale to rank by, not
    a probability that was fitted.

    The second signal is needed because the BG/NBD model lets nobody leave before their first
    repeat purchase: whoever bought once has a `p_alive` of 1, however long ago. Taking the
    worse of the two errs on the side of caution.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way.
    *Marketing Science* 24(2), 275-284. https://doi.org/10.1287/mksc.1040.0098.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["regular", "once", "fading", "known"],
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
          known         NaN        NaN
    >>> for reason in rated["risk_reason"]:
    ...     print(reason)
    model: 93% likely still a customer
    overdue: silent for 4.0 expected gaps
    model: 18% likely still a customer
    unknown: no purchases to judge by
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
    """Test each customer's silence with no model but an even pace: Schmittlein's rule of thumb.

    How likely is a silence as long as this one for a customer who goes on buying as before? A
    small value says that something has changed. It is no probability of being a customer: it
    takes no notice of how often customers leave, and judges each by one pace for all time.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.

    Returns
    -------
    The same rows in the same order, with one more column:

    ============  =====  ===============================================================
    ``p_active``  float  0 … 1; 1 where there is no repeat purchase to judge by
    ============  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.

    Notes
    -----
    The repeat purchases of someone who buys at random at one pace are spread evenly from the
    first purchase to `as_of`, so the chance that all of them fall by the last is
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
        nw.lit("% likely still a customer"),
    )
    return (
        nw.when(nw.col("churn_risk").is_null())
        .then(nw.lit("unknown: no purchases to judge by"))
        .when(by_rhythm > by_model)
        .then(overdue)
        .when(by_model > 0)
        .then(model)
        .otherwise(nw.lit("on time: within the expected gap"))
    )


def _require_limits(medium_from: float, high_from: float) -> None:
    if not 0 < medium_from <= high_from <= 1:
        msg = (
            "`medium_from` and `high_from` must be in rising order above 0 and up to 1, got "
            f"{medium_from!r} and {high_from!r}.\nThey are the risks at which a level begins."
        )
        raise InvalidArgumentError(msg)
