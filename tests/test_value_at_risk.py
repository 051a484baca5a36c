"""Money of the last horizon, and the part of it that silence puts in doubt."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import churn, rfm
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from tests.conftest import MAKERS, MakeFrame, rows
from tests.ledgers import Row, frame, ledgers

AS_OF = date(2024, 4, 30)


# Twin


@given(ledger=ledgers, days=st.integers(1, 150), engine=st.sampled_from(list(MAKERS)))
def test_past_amount_is_what_came_in_within_the_days(
    ledger: list[Row], days: int, engine: str
) -> None:
    customers = set(rfm.summarize(frame(ledger), as_of=AS_OF)["customer_id"])
    expected = dict.fromkeys(customers, 0.0)
    for who, day, amount in ledger:
        if who in customers and AS_OF - timedelta(days=days) < day <= AS_OF:
            expected[who] += amount
    found = churn.past_amount(frame(ledger, engine), as_of=AS_OF, horizon_days=days)
    assert {row["customer_id"]: row["past_amount"] for row in rows(found)} == pytest.approx(
        expected, abs=1e-9
    )


# Properties


@given(ledger=ledgers)
def test_purchase_days_in_place_of_the_ledger_give_the_same(ledger: list[Row]) -> None:
    days = rfm.purchase_days(frame(ledger), as_of=AS_OF)
    one, other = (
        churn.past_amount(each, as_of=AS_OF, horizon_days=30) for each in (frame(ledger), days)
    )
    assert one["customer_id"].equals(other["customer_id"])
    assert one["past_amount"].to_list() == pytest.approx(other["past_amount"].to_list())


# Shape


def test_silence_puts_past_money_in_doubt_or_else_the_expected(make_frame: MakeFrame) -> None:
    customers = make_frame(
        {
            "customer_id": ["buyer", "silent", "sends back", "unknown", "prospect"],
            "churn_risk": [0.5, 0.9, 0.8, 0.6, None],
            "expected_purchases": [1.0, 0.2, 0.5, None, None],
            "expected_spend": [30.0, 40.0, 10.0, None, None],
        }
    )
    past = make_frame(
        {
            "customer_id": ["buyer", "silent", "sends back", "unknown"],
            "past_amount": [300.0, 0.0, -20.0, 0.0],
        }
    )
    found = rows(churn.value_at_risk(customers, past=past))
    assert {row["customer_id"]: row["value_at_risk"] for row in found} == {
        "buyer": 150.0,  # 300 x 0.5
        "silent": pytest.approx(7.2),  # 0.2 x 40 x 0.9
        "sends back": pytest.approx(4.0),  # 0.5 x 10 x 0.8
        "unknown": 0.0,
        "prospect": None,
    }
    assert {row["customer_id"]: row["past_amount"] for row in found}["prospect"] is None


def test_without_a_forecast_of_money_only_past_money_counts(make_frame: MakeFrame) -> None:
    customers = make_frame({"customer_id": ["a", "b"], "churn_risk": [0.5, 0.9]})
    past = make_frame({"customer_id": ["a"], "past_amount": [10.0]})
    found = rows(churn.value_at_risk(customers, past=past), by="customer_id")
    assert [row["value_at_risk"] for row in found] == [5.0, 0.0]


# Refusals


def test_a_ledger_without_amounts_is_refused() -> None:
    orders = pl.DataFrame({"customer_id": ["a"], "date": [AS_OF]})
    with pytest.raises(MissingColumnsError) as caught:
        churn.past_amount(orders, as_of=AS_OF, horizon_days=30)
    assert str(caught.value) == (
        "transactions: no column `amount` among `customer_id`, `date`.\n"
        "Build this table with crmkit.transactions()."
    )


@pytest.mark.parametrize("days", [0, -1.0, float("inf"), "91"])
def test_a_horizon_outside_its_range_is_refused(days: Any) -> None:
    orders = pl.DataFrame({"customer_id": ["a"], "date": [AS_OF], "amount": [1.0]})
    with pytest.raises(InvalidArgumentError, match=r"^`horizon_days` must be above 0"):
        churn.past_amount(orders, as_of=AS_OF, horizon_days=days)
