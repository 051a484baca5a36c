"""Totals of purchases and money forecast from a day, with bounds, beside plain rules."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit import clv, rfm
from crmkit._door import frames
from crmkit._pipeline.evaluate.seen import Seen

QUANTITIES: Final = ("purchases", "money")
DEFAULT: Final = "model with misses"
ALONE: Final = "model alone"
PLAIN: Final = "same as the last horizon"
A_YEAR_AGO: Final = "same days a year ago"
_YEAR: Final = 365
_COLUMNS: Final = {"purchases": "expected_purchases", "money": "clv"}


@dataclass(frozen=True, slots=True)
class Total:
    """One way to forecast a total, and what came."""

    quantity: str
    method: str
    actual: float
    predicted: float
    lower: float = math.nan
    upper: float = math.nan

    @property
    def error(self) -> float:
        """Predicted over actual, less 1; NaN where nothing came."""
        return self.predicted / self.actual - 1 if self.actual > 0 else math.nan

    @property
    def held(self) -> float:
        """1 where the bounds hold what came, else 0; NaN without bounds."""
        if math.isnan(self.lower) or math.isnan(self.upper):
            return math.nan
        return float(self.lower <= self.actual <= self.upper)


def totals_of(seen: Seen[Any], *, first: date, level: float) -> list[Total]:
    """Forecast both totals by each method that the log allows.

    What came is that of the customers known at the origin: nobody forecasts those still to come
    from their own history. The plain rules take as many days of as old a customer base: the
    purchases in a horizon of those known when it began.
    """
    actual = {"purchases": seen.purchases, "money": seen.amount}
    found = [
        Total(quantity, method, came, *forecast)
        for method, quantity, forecast in _forecasts(seen, first=first, level=level)
        if (came := actual[quantity]) is not None
    ]
    return sorted(found, key=lambda total: QUANTITIES.index(total.quantity))


def _forecasts(
    seen: Seen[Any], *, first: date, level: float
) -> Iterator[tuple[str, str, tuple[float, ...]]]:
    purchases, spend = seen.job.kept.purchases, seen.job.kept.spend
    if purchases is not None:
        misses = clv.fit_misses(
            seen.orders,
            as_of=seen.origin,
            horizon_days=seen.horizon_days,
            model=purchases.name,
            spend=None if spend is None else spend.name,
        )
        for method, known in ((DEFAULT, misses), (ALONE, None)):
            total = clv.predict_total(
                seen.job.customers,
                purchases=purchases,
                spend=spend,
                horizon_days=seen.horizon_days,
                misses=known,
                level=level,
            )
            (row,) = frames.rows(frames.reopen(total))
            for quantity, name in _COLUMNS.items():
                if row.get(name) is not None:
                    bounds = (row[name], row[f"{name}_lower"], row[f"{name}_upper"])
                    yield method, quantity, tuple(math.nan if b is None else b for b in bounds)
    for method, ago in ((PLAIN, seen.horizon_days), (A_YEAR_AGO, _YEAR)):
        began = seen.origin - timedelta(days=ago)
        if began >= first and (ago > seen.horizon_days or method == PLAIN):
            for quantity, value in _came(
                seen.orders, began, horizon_days=seen.horizon_days
            ).items():
                yield method, quantity, (value,)


def _came(orders: IntoFrame, began: date, *, horizon_days: int) -> dict[str, float]:
    """Add up an earlier horizon: the purchases and money of those known when it began."""
    ends = began + timedelta(days=horizon_days)
    frame = frames.reopen(rfm.holdout(orders, split=began, as_of=ends))
    sums = {"n": nw.len(), "purchases": frames.known("frequency_holdout").sum()}
    has_money = frames.has(frame, "amount_holdout")
    if has_money:
        amount = frames.known("amount_holdout")
        sums |= {"money": amount.sum(), "unknown": nw.len() - amount.count()}
    (row,) = frames.rows(frame.select(**sums))
    if not row["n"]:
        return {}
    found = {"purchases": float(row["purchases"] or 0)}
    if has_money and not row["unknown"]:
        found["money"] = float(row["money"] or 0)
    return found
