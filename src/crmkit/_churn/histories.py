"""Histories as of a past day: each customer's features, and what they did in the days after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import narwhals as nw

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._summary.summarize import per_customer

Frame = nw.LazyFrame[Any]

SUMMARY: Final = ("orders", "days_since_last", "frequency", "recency", "T")
MONEY: Final = ("total_amount", "monetary_value")

_ROUNDING: Final = 1e-9
"""The part of the money moved that a sum may be off by."""


def numbered_days(ledger: Frame, *, as_of: date) -> Frame:
    """Collapse a ledger to purchase days, with the gap that each purchase ended.

    A gap depends on earlier days only, so that one table serves all dates of a panel. Days with
    returns only stand between no two purchases: they form a group of their own.
    """
    days = purchase_days.days(ledger, as_of=as_of)
    days = days.with_columns(is_bought=nw.col("n_orders") > 0, number=time.day_number(days, "day"))
    gap = nw.col("number").diff().over("customer_id", "is_bought", order_by="number")
    return days.with_columns(gap=gap.cast(nw.Float64))


def as_known(days: Frame, *, as_of: date, windows: Sequence[int], horizon_days: int = 0) -> Frame:
    """Describe each customer as of a day, from the days of `numbered_days`.

    With a horizon there is `later`, the purchase days within it; nothing else sees them.
    """
    until = as_of + timedelta(days=horizon_days)
    marked, sums = _marked(
        days.filter(nw.col("number") <= time.number_of(until)), time.number_of(as_of), windows
    )
    histories = purchase_days.histories(marked, more=[nw.col(name).sum() for name in sums])
    return _described(per_customer(histories, as_of=as_of, also=sums), windows)


def names(windows: Sequence[int], *, money: bool) -> list[str]:
    """List the columns that `as_known` gives, in order."""
    parts = ["orders", "amount"] if money else ["orders"]
    counted = [f"n_orders_{w}d" for w in windows] + [
        f"amount_{w}d" for w in (windows if money else ())
    ]
    trends = [f"{part}_trend_{a}d_{b}d" for part in parts for a, b in pairwise(windows)]
    rhythm = ["gap_mean_days", "gap_sd_days", "silence_over_gap"]
    returns = ["return_share"] if money else []
    return [*SUMMARY, *(MONEY if money else ()), *counted, *trends, *rhythm, *returns]


def _marked(days: Frame, today: int, windows: Sequence[int]) -> tuple[Frame, tuple[str, ...]]:
    """Mark each day with its part in every window, and take what is later out of all others."""
    ago = nw.lit(today) - nw.col("number")
    seen, bought, zero = ago >= 0, nw.col("is_bought"), nw.lit(0.0)
    orders = nw.when(seen).then(nw.col("n_orders")).otherwise(nw.lit(0))
    of_gap = nw.when(seen & bought & (nw.col("gap") > 0)).then(nw.col("gap") * nw.col("gap"))
    new: dict[str, nw.Expr] = {
        "n_orders": orders,
        "gap_squares": of_gap.otherwise(zero),
        "later": (bought & ~seen).cast(nw.Int64),
    }
    for window in windows:
        recent = seen & (ago < window)
        counted = nw.when(recent).then(nw.col("n_orders")).otherwise(nw.lit(0))
        new[f"n_orders_{window}d"] = counted.cast(nw.Int64)
    sums = [name for name in new if name != "n_orders"]
    if frames.has(days, "amount"):
        amount = nw.col("amount")
        new["amount"] = nw.when(seen).then(amount).otherwise(zero)
        money = {
            "bought": nw.when(seen & (amount > 0)).then(amount).otherwise(zero),
            "returned": nw.when(seen & (amount < 0)).then(-amount).otherwise(zero),
        }
        for window in windows:
            recent = seen & (ago < window)
            money[f"amount_{window}d"] = nw.when(recent).then(amount).otherwise(zero)
        new |= money
        sums += money
    kept = ["customer_id", "day", "n_orders", *(["amount"] if "amount" in new else []), *sums]
    return days.with_columns(**new).select(*kept), tuple(sums)


def _described(customers: Frame, windows: Sequence[int]) -> Frame:
    """Make the features of sums, by customer."""
    money = frames.has(customers, "bought")
    n, total = nw.col("frequency"), nw.col("recency")
    mean = nw.when(n > 0).then(total / n)
    # Whole numbers below 2**53, so the sum of squares is exact on every engine.
    squares = nw.col("gap_squares") * n - (total * total).cast(nw.Float64)
    spread = nw.when(n > 1).then((squares / (n * (n - 1))).sqrt())
    new = {
        **{f"n_orders_{w}d": nw.col(f"n_orders_{w}d").cast(nw.Int64) for w in windows},
        **_trends("orders", "n_orders", windows, above=nw.lit(0.0)),
        "gap_mean_days": mean,
        "gap_sd_days": spread,
        "silence_over_gap": nw.when(n > 0).then(nw.col("days_since_last") * n / total),
        "later": nw.col("later").cast(nw.Int64),
    }
    if money:
        moved = nw.col("bought") + nw.col("returned")
        new |= _trends("amount", "amount", windows, above=moved * _ROUNDING)
        new["return_share"] = nw.when(nw.col("bought") > 0).then(
            nw.col("returned") / nw.col("bought")
        )
    described = customers.with_columns(**new)
    return described.select("customer_id", *names(windows, money=money), "later")


def _trends(
    name: str, column: str, windows: Sequence[int], *, above: nw.Expr
) -> dict[str, nw.Expr]:
    """Divide the daily rate of each window by that of the next longer one.

    A customer who is younger than a window is measured over the days since the first purchase.
    """
    age = nw.col("T") + 1
    trends: dict[str, nw.Expr] = {}
    for short, long in pairwise(windows):
        here, there = nw.col(f"{column}_{short}d"), nw.col(f"{column}_{long}d")
        days = [nw.when(age < w).then(age).otherwise(nw.lit(w)) for w in (short, long)]
        ratio = here * days[1] / (there * days[0])
        trends[f"{name}_trend_{short}d_{long}d"] = nw.when(there > above).then(ratio)
    return trends
