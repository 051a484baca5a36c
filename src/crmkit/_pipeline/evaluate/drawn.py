"""The purchase days of a draw of customers on this machine, whatever engine they come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.typing import IntoDataFrame, IntoFrame

from crmkit import rfm
from crmkit._door import draw, frames, time


@dataclass(frozen=True, slots=True)
class Drawn:
    """Purchase days of the customers drawn, how many customers there are, and how many of them."""

    days: IntoDataFrame
    n_drawn: int
    n_customers: int


def draw_of(orders: IntoFrame, *, as_of: date, most: int = draw.MOST_CUSTOMERS) -> Drawn:
    """Collect the purchase days of all customers, or of about `most`; ids become text."""
    frame, n = draw.of_drawn_customers(
        frames.reopen(rfm.purchase_days(orders, as_of=as_of)), most=most
    )
    numbers = ["n_orders_of_day", *(["amount"] if frames.has(frame, "amount") else [])]
    day = time.day_number(frame, "date").alias("day")
    found = frames.collect(
        frame.select("customer_id", day, *numbers), "customer_id", "day", *numbers
    )
    ids = [str(each) for each in found["customer_id"].tolist()]
    columns: dict[str, Any] = {
        "customer_id": ids,
        "date": found["day"].astype("datetime64[D]"),
        "n_orders_of_day": found["n_orders_of_day"].astype(np.int64),
    }
    if "amount" in numbers:
        columns["amount"] = found["amount"].astype(float)
    table = nw.from_native(frames.new_table(columns, backend="polars"), eager_only=True)
    if "amount" in numbers:
        table = table.with_columns(nw.col("amount").fill_nan(None))
    return Drawn(table.to_native(), n_drawn=len(set(ids)), n_customers=n)
