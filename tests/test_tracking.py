"""Tracking: the walkthrough's and another library's curves, then a customer-by-customer twin."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.models import BGNBD, PURCHASE_MODELS
from tests.conftest import MAKERS, MakeFrame, rows
from tests.ledgers import Row, frame, ledgers
from tests.published import printed

LEDGER: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "ann", "ann", "ben", "cid", "cid"],
    "date": [
        date(2024, 1, 3),
        date(2024, 1, 5),
        date(2024, 1, 12),
        date(2024, 1, 12),
        date(2024, 1, 15),
        date(2024, 1, 16),
        date(2024, 1, 17),
    ],
    "amount": [10.0, 20.0, 5.0, 5.0, 7.0, 9.0, -9.0],
}


@pytest.fixture(scope="module")
def orders() -> pl.DataFrame:
    """The log of the papers' 2,357 customers."""
    log: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return log


@pytest.fixture(scope="module")
def purchases(orders: pl.DataFrame) -> clv.Fit:
    """BG/NBD as fitted by 30 September 1997."""
    return clv.fit(rfm.summarize(orders, as_of=date(1997, 9, 30)), model="bg_nbd")


def as_model(fitted: clv.Fit, model: BGNBD) -> clv.Fit:
    return replace(fitted, likelihood=replace(fitted.likelihood, model=model))


# Published


def test_expected_purchases_by_week_are_the_walkthroughs(
    orders: pl.DataFrame, purchases: clv.Fit
) -> None:
    # BTYD-walkthrough.pdf, tracking of BG/NBD: weeks 20 to 25 from 1 January 1997.
    cumulative = ["1312.458", "1387.346", "1460.392", "1531.713", "1601.418", "1669.600"]
    weekly = ["74.88843", "73.04554", "71.32166", "69.70412", "68.18213"]
    model = BGNBD(r=0.2425967, alpha=7 * 4.413659, a=0.7929869, b=2.426164)
    daily = clv.tracking(
        orders, purchases=as_model(purchases, model), every="day", as_of=date(1997, 9, 30)
    )
    ends = [date(1997, 1, 1) + timedelta(weeks=week) for week in range(20, 26)]
    found = daily.filter(pl.col("ends").is_in(ends))["predicted_cumulative"].to_numpy()
    # It computed with more digits of the parameters than it prints, so the last one may differ.
    np.testing.assert_allclose(found, [float(text) for text in cumulative], rtol=1e-6)
    np.testing.assert_allclose(np.diff(found), [float(text) for text in weekly], rtol=1e-5)


def test_expected_purchases_by_day_are_another_librarys(
    orders: pl.DataFrame, purchases: clv.Fit
) -> None:
    # lifetimes, test_expected_cumulative_transactions_date_index. It writes what is expected by
    # the end of a day beside the day before, and what came beside the day itself.
    daily = clv.tracking(orders, purchases=purchases, every="day", as_of=date(1997, 1, 31))
    at = {row["ends"]: row for row in daily.to_dicts()}
    expected = [at[date(1997, 1, day)]["predicted_cumulative"] for day in (12, 13, 14, 15)]
    assert [printed(value, like="10.67") for value in expected] == [
        "10.67",
        "12.67",
        "14.87",
        "17.24",
    ]
    actual = [at[date(1997, 1, day)]["actual_cumulative"] for day in (11, 12, 13, 14)]
    assert actual == [11, 12, 15, 19]


def test_repeat_purchases_by_week_are_counted_as_elsewhere(purchases: clv.Fit) -> None:
    # BTYDplus, elog2cum: days 0, 9, 20 of one customer, 4 and 6 of another, by 7 days.
    start = date(2024, 1, 1)
    log = pl.DataFrame(
        {
            "customer_id": [1, 1, 1, 3, 3],
            "date": [start + timedelta(days=day) for day in (0, 9, 20, 4, 6)],
        }
    )
    found = clv.tracking(log, purchases=purchases, as_of=start + timedelta(days=20))
    repeats = found["actual_cumulative"]
    assert repeats.to_list() == [1, 2, 3]
    assert (repeats + found["n_customers"]).to_list() == [3, 4, 5]


# Twin


@given(ledger=ledgers, every=st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_each_period_is_the_sum_over_customers(
    purchases: clv.Fit, ledger: list[Row], every: Any
) -> None:
    as_of = date(2024, 4, 10)
    bought: dict[str, set[date]] = {}
    for who, day, amount in ledger:
        if amount >= 0 and day <= as_of:
            bought.setdefault(who, set()).add(day)
    assume(bought)
    found = clv.tracking(frame(ledger), purchases=purchases, every=every, as_of=as_of)
    for row in found.to_dicts():
        until = min(row["ends"], as_of)
        seen = {who: days for who, days in bought.items() if min(days) <= until}
        repeats = [day for days in seen.values() for day in days if min(days) < day <= until]
        ages = np.array([(until - min(days)).days for days in seen.values()], dtype=float)
        assert row["is_complete"] == (row["ends"] <= as_of)
        assert row["n_customers"] == len(seen)
        assert row["actual_cumulative"] == len(repeats)
        assert row["actual_purchases"] == sum(day >= row["starts"] for day in repeats)
        expected = purchases.model.expected_purchases_new(ages).sum()
        assert row["predicted_cumulative"] == pytest.approx(expected, rel=1e-9)
    starts, ends = found["starts"].to_list(), found["ends"].to_list()
    assert starts[0] <= min(min(days) for days in bought.values()) <= ends[0]
    assert starts[-1] <= as_of <= ends[-1]
    assert starts[1:] == [day + timedelta(days=1) for day in ends[:-1]]


# Properties


@given(ledger=ledgers)
def test_the_future_changes_no_period_that_is_over(purchases: clv.Fit, ledger: list[Row]) -> None:
    assume(any(amount >= 0 and day <= date(2024, 2, 15) for _, day, amount in ledger))
    now, later = (
        clv.tracking(frame(ledger), purchases=purchases, every="month", as_of=as_of)
        for as_of in (date(2024, 2, 15), date(2024, 4, 30))
    )
    over = now.filter("is_complete")
    assert_frame_equal(later.head(len(over)), over, rel_tol=1e-9, abs_tol=1e-12)


def test_the_model_keeps_track_of_what_it_was_fitted_on(
    orders: pl.DataFrame, purchases: clv.Fit
) -> None:
    # Nine months of the fit, and nine more that it has not seen.
    found = clv.tracking(orders, purchases=purchases, every="month", as_of=date(1998, 6, 30))
    by_day = {row["ends"]: row for row in found.to_dicts()}
    for day, off in ((date(1997, 9, 30), 0.02), (date(1998, 6, 30), 0.1)):
        row = by_day[day]
        assert row["predicted_cumulative"] == pytest.approx(row["actual_cumulative"], rel=off)


# Shape


def test_every_engine_tracks_the_same(make_frame: MakeFrame, purchases: clv.Fit) -> None:
    table = make_frame(LEDGER)
    found = clv.tracking(table, purchases=purchases, as_of=date(2024, 1, 17))
    assert type(found) is type(table)
    assert nw.from_native(found).collect_schema().names() == [
        "starts",
        "ends",
        "is_complete",
        "n_customers",
        "actual_purchases",
        "predicted_purchases",
        "actual_cumulative",
        "predicted_cumulative",
    ]
    plain = rows(found, by="starts")
    expected = [
        purchases.model.expected_purchases_new(np.array(ages, float)).sum()
        for ages in ([4, 2], [11, 9], [14, 12, 1])
    ]
    assert [row.pop("predicted_cumulative") for row in plain] == pytest.approx(expected)
    changes = np.diff(expected, prepend=0.0).tolist()
    assert [row.pop("predicted_purchases") for row in plain] == pytest.approx(changes)
    names = ("starts", "ends", "is_complete", "n_customers", "actual_purchases")
    assert [(*(row[name] for name in names), row["actual_cumulative"]) for row in plain] == [
        (date(2024, 1, 1), date(2024, 1, 7), True, 2, 0, 0),
        (date(2024, 1, 8), date(2024, 1, 14), True, 2, 1, 1),
        (date(2024, 1, 15), date(2024, 1, 21), False, 3, 1, 2),
    ]


def test_without_a_purchase_there_is_no_period(purchases: clv.Fit) -> None:
    empty = pl.DataFrame(LEDGER).clear()
    found = clv.tracking(empty, purchases=purchases, as_of=date(2023, 12, 31))
    assert rows(found) == []
    assert "predicted_cumulative" in nw.from_native(found).collect_schema().names()


def test_an_old_date_among_the_others_is_no_burden(purchases: clv.Fit) -> None:
    log = pl.DataFrame({"customer_id": [1, 2], "date": [date(1, 1, 1), date(2024, 1, 1)]})
    found = clv.tracking(log, purchases=purchases, every="year", as_of=date(2024, 12, 31))
    assert len(found) == 2024
    assert found["n_customers"].to_list()[-2:] == [1, 2]


# Refusals


def test_a_spend_model_expects_no_purchases(orders: pl.DataFrame) -> None:
    customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    spend = clv.fit(customers, model="gamma_gamma")
    with pytest.raises(InvalidArgumentError) as caught:
        clv.tracking(orders, purchases=spend, as_of=date(1997, 9, 30))
    models = ", ".join(map(repr, PURCHASE_MODELS))
    assert str(caught.value) == (
        f"`purchases` is a fitted gamma_gamma.\nFit one of {models} instead."
    )


@pytest.mark.parametrize("engine", list(MAKERS))
def test_a_day_before_the_first_purchase_is_refused(engine: str, purchases: clv.Fit) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        clv.tracking(MAKERS[engine](LEDGER), purchases=purchases, as_of=date(2023, 12, 31))
    assert str(caught.value) == (
        "`as_of` is 2023-12-31, before the first purchase.\nGive a later day."
    )


def test_no_period_of_the_calendar(orders: pl.DataFrame, purchases: clv.Fit) -> None:
    weeks: Any = "W"
    with pytest.raises(InvalidArgumentError) as caught:
        clv.tracking(orders, purchases=purchases, every=weeks, as_of=date(1997, 9, 30))
    assert str(caught.value) == (
        "`every` must be one of 'day', 'week', 'month', 'quarter', 'year', got 'W'."
    )


def test_a_summary_is_no_ledger(orders: pl.DataFrame, purchases: clv.Fit) -> None:
    customers = rfm.summarize(orders, as_of=date(1997, 9, 30)).select("customer_id", "T")
    with pytest.raises(MissingColumnsError) as caught:
        clv.tracking(customers, purchases=purchases, as_of=date(1997, 9, 30))
    assert str(caught.value) == (
        "transactions: no column `date` among `customer_id`, `T`.\n"
        "Build this table with crmkit.transactions()."
    )
