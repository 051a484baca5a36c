"""A log as it was known on a day, and what then happened: all that rankings are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Generic

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import churn, rfm
from crmkit._door import draw, frames, time
from crmkit._pipeline.evaluate.measures import Floats
from crmkit._pipeline.result import Result
from crmkit._pipeline.run import run

_KNOWN: Final = (
    *("days_since_last", "frequency", "total_amount", "r_score", "f_score", "m_score", "rfm_sum"),
    *("churn_risk", "value_at_risk", "expected_purchases", "clv"),
)
"""Columns of the main job that rankings use, where it can make them."""

_BEFORE: Final = "past_amount"
_AFTER: Final = ("frequency_holdout", "amount_holdout")


@dataclass(frozen=True, slots=True)
class Seen(Generic[IntoFrameT]):
    """The customers on a day, and what they did in the horizon after it.

    Attributes
    ----------
    origin, horizon_days
        The day, and the days after it that are held out.
    orders
        The purchase days up to the origin, none after it.
    job
        The main job as of the origin.
    columns
        Columns of the customers, in the order of the hash of their id.
    purchases, amount
        What all customers then did, added up; the money is None where that of any is unknown.
    """

    origin: date
    horizon_days: int
    orders: IntoFrameT
    job: Result[IntoFrameT]
    columns: Mapping[str, Floats]
    numbers: npt.NDArray[np.int64]
    purchases: float
    amount: float | None

    @property
    def ends(self) -> date:
        """Last day of the horizon."""
        return self.origin + timedelta(days=self.horizon_days)

    @property
    def n_customers(self) -> int:
        """Customers in the columns."""
        return len(self.numbers)

    @property
    def inactive(self) -> Floats:
        """1 for those who bought nothing in the horizon, else 0."""
        found: Floats = (self.columns["frequency_holdout"] == 0).astype(float)
        return found

    def get(self, name: str) -> Floats | None:
        """Give a column of the customers; None where the log does not allow it."""
        return self.columns.get(name)

    def column_of(self, table: IntoFrame, name: str) -> Floats:
        """Collect a column that a function appended to `job.customers`, for the same customers."""
        found: Floats = draw.collect_draw(frames.reopen(table), name)[name].astype(float)
        return found


def seen_from(days: IntoFrameT, *, origin: date, horizon_days: int) -> Seen[IntoFrameT]:
    """Run the main job on what was known on a day, and add what happened after it.

    The job gets a table without later rows, so that it cannot look at them.
    """
    frame = frames.reopen(days)
    known = frames.keep(frames.give(frame.filter(time.until(frame, origin)), like=days))
    job = run(known, as_of=origin, horizon_days=horizon_days)
    customers = frames.reopen(job.customers)
    customers = customers.drop(_BEFORE, *_AFTER, strict=False)
    has_money = frames.has(frame, "amount")
    ends = origin + timedelta(days=horizon_days)
    after = frames.reopen(rfm.holdout(days, split=origin, as_of=ends))
    then = [name for name in _AFTER if frames.has(after, name)]
    joined = customers.join(after.select("customer_id", *then), on="customer_id", how="inner")
    if has_money:
        past = frames.reopen(churn.past_amount(known, as_of=origin, horizon_days=horizon_days))
        joined = joined.join(past.select("customer_id", _BEFORE), on="customer_id", how="left")
        then.append(_BEFORE)
    wanted = [*then, *(name for name in _KNOWN if frames.has(joined, name))]
    numbers = joined.select("customer_id", *(frames.known(name).alias(name) for name in wanted))
    kept = frames.reopen(frames.keep(frames.give(numbers, like=days)))
    purchases, amount = _totals(kept, has_money=has_money)
    found = draw.collect_draw(kept, *wanted)
    return Seen(
        origin=origin,
        horizon_days=horizon_days,
        orders=known,
        job=job,
        columns={name: found[name].astype(float) for name in wanted},
        numbers=found["numbers"],
        purchases=purchases,
        amount=amount,
    )


def _totals(frame: frames.Frame, *, has_money: bool) -> tuple[float, float | None]:
    """Add up purchases and money; one unknown amount makes the money unknown."""
    sums = {"purchases": frames.known("frequency_holdout").sum()}
    if has_money:
        amount = frames.known("amount_holdout")
        sums |= {"amount": amount.sum(), "n": nw.len() - amount.count()}
    (row,) = frames.rows(frame.select(**sums))
    known = has_money and not row["n"]
    return float(row["purchases"] or 0), float(row["amount"] or 0) if known else None
