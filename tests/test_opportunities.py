"""Opportunities to buy: a slow twin, what must hold, every engine."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmkit import clv
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.models import BGBB
from crmkit.typing import Period
from tests.conftest import MAKERS, MakeFrame, columns, rows
from tests.ledgers import Row, frame, ledgers

ORDERS: dict[str, list[Any]] = {
    "customer_id": ["ann", "ann", "ann", "ann", "ben", "cid", "dee", "dee"],
    "date": [
        *(date(2024, 1, 5), date(2024, 1, 20), date(2024, 3, 2), date(2024, 5, 10)),
        *(date(2024, 2, 1), date(2024, 5, 3), date(2024, 1, 1), date(2024, 4, 30)),
    ],
}
PERIODS: tuple[Period, ...] = get_args(Period)

# Twins


def period(day: date, every: Period) -> int:
    """Number a period as a calendar on the wall would."""
    return {
        "day": day.toordinal(),
        "week": (day - timedelta(days=day.weekday())).toordinal() // 7,
        "month": 12 * day.year + day.month,
        "quarter": 4 * day.year + (day.month - 1) // 3,
        "year": day.year,
    }[every]


def slow(ledger: list[Row], as_of: date, every: Period) -> list[dict[str, Any]]:
    last = period(as_of + timedelta(days=1), every) - 1
    found = []
    for name in sorted({row[0] for row in ledger}):
        own = {
            period(day, every)
            for who, day, amount in ledger
            if who == name and amount >= 0 and day <= as_of
        }
        if own:
            later = [p - min(own) for p in own if min(own) < p <= last]
            found.append(
                {
                    "customer_id": name,
                    "frequency": len(later),
                    "recency": max(later, default=0),
                    "n_opportunities": max(last - min(own), 0),
                }
            )
    return found


@given(ledger=ledgers, as_of=st.dates(date(2023, 12, 1), date(2024, 5, 31)))
def test_opportunities_are_counted_as_on_a_wall_calendar(ledger: list[Row], as_of: date) -> None:
    for every in PERIODS:
        found = clv.opportunities(frame(ledger), as_of=as_of, every=every)
        assert rows(found) == slow(ledger, as_of, every)


# Properties


@given(ledger=ledgers, as_of=st.dates(date(2023, 12, 1), date(2024, 5, 31)))
def test_a_history_can_be(ledger: list[Row], as_of: date) -> None:
    for row in rows(clv.opportunities(frame(ledger), as_of=as_of, every="week")):
        assert 0 <= row["frequency"] <= row["recency"] <= row["n_opportunities"]
        assert (row["frequency"] == 0) == (row["recency"] == 0)


@given(ledger=ledgers, as_of=st.dates(date(2023, 12, 1), date(2024, 5, 31)))
def test_the_future_changes_nothing(ledger: list[Row], as_of: date) -> None:
    past = [row for row in ledger if row[1] <= as_of] or [("zoe", as_of, -1.0)]
    whole, cut = (clv.opportunities(frame(each), as_of=as_of) for each in (ledger, past))
    assert rows(whole) == rows(cut)


@pytest.mark.full
@settings(max_examples=15)
@given(ledger=ledgers, as_of=st.dates(date(2023, 12, 1), date(2024, 5, 31)))
def test_every_engine_counts_the_same(ledger: list[Row], as_of: date) -> None:
    expected = slow(ledger, as_of, "month")
    for engine in MAKERS:
        found = clv.opportunities(frame(ledger, engine), as_of=as_of)
        assert rows(found, by="customer_id") == expected


def test_the_model_reads_what_is_counted() -> None:
    # 2,357 customers of CDNOW by month, to 30 June 1998. The mean is no moment of the likelihood.
    seen = clv.opportunities(load_cdnow(sample=True, backend="polars"), as_of=date(1998, 6, 30))
    x, t_x, n = (seen[name].to_numpy().astype(float) for name in seen.columns[1:])
    found = BGBB.fit(x, t_x, n)
    assert found.converged
    assert found.diagnostics == ()
    bought = found.model.expected_purchases_new(n).sum()
    assert bought == pytest.approx(x.sum(), rel=0.025)
    assert np.isfinite(found.model.expected_purchases(x, t_x, n, opportunities=12)).all()


# Shape


def test_columns_and_rows(make_frame: MakeFrame) -> None:
    table = make_frame(ORDERS)
    found = clv.opportunities(table, as_of=date(2024, 5, 15))
    assert type(found) is type(table)
    by_customer = sorted(rows(found), key=lambda row: str(row["customer_id"]))
    assert [list(row.values()) for row in by_customer] == [
        ["ann", 1, 2, 3],
        ["ben", 0, 0, 2],
        ["cid", 0, 0, 0],
        ["dee", 1, 3, 3],
    ]


def test_a_period_that_ends_on_the_day_is_complete() -> None:
    table = pl.DataFrame(ORDERS)
    for as_of, left in ((date(2024, 4, 29), 2), (date(2024, 4, 30), 3)):
        found = columns(clv.opportunities(table, as_of=as_of))
        assert found["n_opportunities"][0] == left


def test_the_last_day_of_all_can_be_asked_for() -> None:
    found = columns(clv.opportunities(pl.DataFrame(ORDERS), as_of=date.max, every="year"))
    assert found["n_opportunities"] == [7975] * 4


def test_no_orders_make_no_customers(make_eager: MakeFrame) -> None:
    none = nothing_left(make_eager(ORDERS))
    found = clv.opportunities(none, as_of=date(2023, 1, 1))
    assert rows(found) == []
    assert list(columns(found)) == ["customer_id", "frequency", "recency", "n_opportunities"]


def nothing_left(table: Any) -> Any:
    return table[:0] if not isinstance(table, pl.DataFrame) else table.clear()


# Refusals


def test_an_unknown_period_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.opportunities(
            pl.DataFrame(ORDERS),
            as_of=date(2024, 5, 15),
            every="fortnight",  # type: ignore[arg-type] # that is the point
        )
    assert str(caught.value) == (
        "`every` must be one of 'day', 'week', 'month', 'quarter', 'year', got 'fortnight'."
    )


def test_a_table_without_dates_is_refused() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        clv.opportunities(pl.DataFrame({"customer_id": ["a"]}), as_of=date(2024, 5, 15))
    assert str(caught.value) == (
        "transactions: no column `date` among `customer_id`.\n"
        "Build this table with crmkit.transactions()."
    )
