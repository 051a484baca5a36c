"""Complaints: how many, how often again, how soon answered, and who buys afterwards."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames, time
from crmkit._loyalty.given import require_same_ids
from crmkit._summary import purchase_days
from crmkit._words.arguments import require_whole
from crmkit._words.rates import require_level
from crmkit.models.numerics.proportions import newcombe, wilson
from crmkit.tables import CONTACTS, LEDGER

_MOST_DAYS: Final = 36_500
_HALF: Final = 0.5


def complaints(
    contacts: IntoFrameT,
    orders: IntoFrame,
    *,
    as_of: date | str,
    window_days: int = 365,
    horizon_days: int = 91,
    level: float = 0.95,
) -> IntoFrameT:
    """Complaints: rate, repeated ones, time to answer, and repurchase against all others.

    Customers who bought in a window are followed after it: did those who complained in it buy
    again less often than the others? The assumption that most often fails is that the two groups
    are alike. Who complains has bought, often more than others, and still talks to the company; so
    a difference is what goes with complaints, not what they cause.

    Parameters
    ----------
    contacts
        One row per contact, as made by `crmkit.contacts`, with `is_complaint`. A lazy table is
        run, to count.
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, on the same
        engine.
    as_of
        The last day that is known, as a date or ISO text; later rows are not seen.
    window_days
        Days of the window in which complaints and buyers are counted. It ends `horizon_days`
        before `as_of`.
    horizon_days
        Days after the window in which a purchase counts as repurchase.
    level
        Probability of the intervals, 0.95 for 95 %.

    Returns
    -------
    One row:

    ===========================  =====  ========================================================
    ``n_buyers``                 int    customers with a purchase in the window
    ``n_complaints``             int    complaints in the window, of anybody
    ``n_complained``             int    buyers who complained in it
    ``n_complained_others``      int    people who complained in it without a purchase in it
    ``complaint_rate``           float  `n_complained` / `n_buyers`
    ``complaint_rate_lower``     float  lower bound (Wilson)
    ``complaint_rate_upper``     float  upper bound
    ``n_repeated``               int    buyers with two complaints or more in the window
    ``repeated_rate``            float  `n_repeated` / `n_complained`
    ``n_open``                   int    complaints of the window not answered by `as_of`
    ``days_to_answer``           float  days by which half of them were answered (Kaplan-Meier);
                                        null where half are not, or no answers are known
    ``repurchase_complained``    float  share of the buyers who complained that bought again
    ``repurchase_others``        float  share of the other buyers
    ``repurchase_difference``    float  the first less the second
    ``difference_lower``         float  lower bound of the difference (Newcombe)
    ``difference_upper``         float  upper bound
    ===========================  =====  ========================================================

    Rates are null where nobody is there to count.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract.
    InvalidArgumentError
        If an argument is outside its range, or ids are numbers in one table and text in the other.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions.
    *Statistics in Medicine* 17, 873-890, method 10.

    Kaplan, E. L. & Meier, P. (1958). Nonparametric estimation from incomplete observations.
    *Journal of the American Statistical Association* 53, 457-481, for complaints still open.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee", "ben", "cid"],
    ...         "date": pd.to_datetime(["2024-01-05"] * 4 + ["2024-03-01"] * 2),
    ...     }
    ... )
    >>> contacts = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann", "ben"],
    ...         "contact_date": pd.to_datetime(["2024-01-06", "2024-01-20", "2024-01-08"]),
    ...         "is_complaint": [True, True, True],
    ...         "answered_on": pd.to_datetime(["2024-01-09", None, "2024-01-10"]),
    ...     }
    ... )
    >>> found = complaints(contacts, orders, as_of="2024-03-31", window_days=31, horizon_days=60)
    >>> print(found[["n_buyers", "n_complaints", "n_complained", "n_repeated", "n_open"]])
       n_buyers  n_complaints  n_complained  n_repeated  n_open
    0         4             3             2           1       1
    >>> print(found[["days_to_answer", "repurchase_complained", "repurchase_others"]])
       days_to_answer  repurchase_complained  repurchase_others
    0             3.0                    0.5                0.5
    """
    as_of = time.as_day(as_of, argument="as_of")
    advice = "Write 91 for a quarter."
    for argument, days in (("window_days", window_days), ("horizon_days", horizon_days)):
        require_whole(days, argument=argument, least=1, most=_MOST_DAYS, advice=advice)
    require_level(level)
    last = time.number_of(as_of) - int(horizon_days)
    first = last - int(window_days) + 1
    said = frames.read(contacts, _WITH_COMPLAINTS)
    ledger = frames.read(orders, LEDGER)
    require_same_ids(said, ledger, ("customer_id",), table="transactions")
    found = said.filter(nw.col("is_complaint") & ~nw.col("contact_date").is_null())
    found = found.with_columns(crmkit_day=time.day_number(found, "contact_date"))
    found = found.filter((nw.col("crmkit_day") >= first) & (nw.col("crmkit_day") <= last))
    counts = _counts(found, ledger, as_of=as_of, first=first, last=last)
    row = _rates(counts, level=level) | _answers(found, as_of=as_of)
    names = [name for name in _COLUMNS if name in row]
    made = frames.table_like({name: [row[name]] for name in names}, like=said)
    floats = [nw.col(n).cast(nw.Float64) for n in names if not n.startswith("n_")]
    return frames.give(made.with_columns(*floats), like=contacts)


_WITH_COMPLAINTS: Final = replace(
    CONTACTS,
    columns=tuple(
        replace(column, required=True) if column.name == "is_complaint" else column
        for column in CONTACTS.columns
    ),
)
_COLUMNS: Final = (
    *("n_buyers", "n_complaints", "n_complained", "n_complained_others", "complaint_rate"),
    *("complaint_rate_lower", "complaint_rate_upper", "n_repeated", "repeated_rate", "n_open"),
    *("days_to_answer", "repurchase_complained", "repurchase_others", "repurchase_difference"),
    *("difference_lower", "difference_upper"),
)


def _counts(
    found: frames.Frame, ledger: frames.Frame, *, as_of: date, first: int, last: int
) -> list[frames.Row]:
    """Count customers by whether they bought, complained (again), and bought afterwards."""
    bought = purchase_days.days(ledger, as_of=as_of).filter(nw.col("n_orders") > 0)
    bought = bought.with_columns(crmkit_day=time.day_number(bought, "day"))
    day, one, nothing = nw.col("crmkit_day"), nw.lit(1), nw.lit(0)
    seen = bought.filter(day >= first).select(
        "customer_id",
        said=nothing,
        before=nw.when(day <= last).then(one).otherwise(nothing),
        after=nw.when(day > last).then(one).otherwise(nothing),
    )
    complained = found.select("customer_id", said=one, before=nothing, after=nothing)
    columns = ("said", "before", "after")
    both = nw.concat(
        [each.with_columns(nw.col(*columns).cast(nw.Float64)) for each in (seen, complained)],
        how="vertical",
    )
    customers = both.group_by("customer_id").agg(
        nw.col("said").sum(), nw.col("before").max(), nw.col("after").max()
    )
    times = nw.when(nw.col("said") > 1).then(nw.lit(2.0)).otherwise(nw.col("said"))
    grouped = (
        customers.with_columns(times=times)
        .group_by("times", "before", "after")
        .agg(n=nw.len(), n_said=nw.col("said").sum())
    )
    return frames.rows(grouped)


def _rates(counts: list[frames.Row], *, level: float) -> dict[str, Any]:
    def total(what: str = "n", **which: float) -> int:
        fitting = (row for row in counts if all(row[name] == v for name, v in which.items()))
        return int(sum(row[what] for row in fitting))

    buyers = total(before=1.0)
    others = total(before=1.0, times=0.0)
    repeated = total(before=1.0, times=2.0)
    complained = buyers - others
    again_others = total(before=1.0, times=0.0, after=1.0)
    again = total(before=1.0, after=1.0) - again_others
    numbers = (again, complained, again_others, others)
    k, n, k_other, n_other = (np.array([float(each)]) for each in numbers)
    low, high = wilson(n, n + n_other, level=level)
    has_both = complained > 0 and others > 0
    lower, upper = newcombe(k, n, k_other, n_other, level=level)
    rates = {
        "complaint_rate": _share(complained, buyers),
        "complaint_rate_lower": float(low[0]) if buyers else None,
        "complaint_rate_upper": float(high[0]) if buyers else None,
        "repeated_rate": _share(repeated, complained),
        "repurchase_complained": _share(again, complained),
        "repurchase_others": _share(again_others, others),
        "repurchase_difference": again / complained - again_others / others if has_both else None,
        "difference_lower": float(lower[0]) if has_both else None,
        "difference_upper": float(upper[0]) if has_both else None,
    }
    n_said = total("n_said")
    outside = total(before=0.0) - total(before=0.0, times=0.0)
    return rates | {
        "n_buyers": buyers,
        "n_complaints": n_said,
        "n_complained": complained,
        "n_complained_others": outside,
        "n_repeated": repeated,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _answers(found: frames.Frame, *, as_of: date) -> dict[str, Any]:
    """Count the open complaints, and find the day by which half were answered."""
    if not frames.has(found, "answered_on"):
        n = found.select(n=nw.len()).collect().item()
        return {"n_open": int(n), "days_to_answer": None}
    kind = found.collect_schema()["answered_on"]
    until = time.until(found, as_of, column="answered_on")
    flagged = frames.with_columns(found, crmkit_answered=until.fill_null(value=False))
    day: Any = as_of if kind == nw.Date else datetime(as_of.year, as_of.month, as_of.day)  # noqa: DTZ001 - no zone
    today = nw.lit(day).cast(kind)
    ended = nw.when(nw.col("crmkit_answered")).then(nw.col("answered_on")).otherwise(today)
    dated = frames.with_columns(flagged, crmkit_ended=ended)
    days = time.day_number(dated, "crmkit_ended") - nw.col("crmkit_day")
    grouped = (
        dated.select(days=days, is_answered=nw.col("crmkit_answered").cast(nw.Int64))
        .group_by("days", "is_answered")
        .agg(n=nw.len())
    )
    rows = frames.rows(grouped)
    n_open = int(sum(row["n"] for row in rows if not row["is_answered"]))
    days_, answered, n_ = (
        np.array([float(row[name]) for row in rows]) for name in ("days", "is_answered", "n")
    )
    return {"n_open": n_open, "days_to_answer": _median(np.maximum(days_, 0.0), answered, n_)}


def _median(
    days: npt.NDArray[np.float64], answered: npt.NDArray[np.float64], n: npt.NDArray[np.float64]
) -> float | None:
    """First day on which half or fewer are open, by the product limit."""
    open_share = 1.0
    for day in np.unique(days[answered > 0]):
        at_risk = n[days >= day].sum()
        open_share *= 1.0 - n[(days == day) & (answered > 0)].sum() / at_risk
        if open_share <= _HALF or math.isclose(open_share, _HALF):
            return float(day)
    return None
