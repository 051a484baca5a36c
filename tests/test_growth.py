"""Growth accounting: the active of each period and where they come from, in money too."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given

from crmkit import lifecycle
from crmkit.errors import InvalidArgumentError
from tests.conftest import rows
from tests.ledgers import Row, frame, ledgers

END = date(2024, 4, 30)
JAN, FEB, MAR = date(2024, 1, 5), date(2024, 2, 5), date(2024, 3, 5)


def bought(*months: tuple[date, str]) -> list[Row]:
    return [(who, day, 1.0) for day, names in months for who in names]


# Published


def test_periods_are_those_of_set_arithmetic() -> None:
    # Actives a, b, c; then b, c, d; then a, c, d, e: the identity of growth accounting.
    ledger = bought((JAN, "abc"), (FEB, "bcd"), (MAR, "acde"))
    table = lifecycle.growth_accounting(frame(ledger), as_of=date(2024, 3, 31))
    found = table.select("new", "retained", "resurrected", "churned_customers").rows()
    assert found == [(3, 0, 0, 0), (1, 2, 0, 1), (1, 2, 1, 1)]
    assert table["quick_ratio"].to_list() == [None, 1.0, 2.0]


@pytest.mark.parametrize(
    ("changes", "ratio", "net"),
    [  # new, expansion, churned, contraction
        ((20000, 8000, 5000, 3000), 3.5, 20000),  # pitchkit, quick ratio page
        ((40000, 5000, 32000, 8000), 1.13, 5000),  # super-calc
        ((25000, 10000, 8000, 4000), 2.92, 23000),  # primecalc
    ],
)
def test_the_quick_ratio_of_money_is_that_of_the_calculators(
    changes: tuple[float, float, float, float], ratio: float, net: float
) -> None:
    new, expansion, lost, less = changes
    before = [("up", JAN, 100.0), ("down", JAN, 50000.0), ("gone", JAN, lost)]
    after = [("up", FEB, 100 + expansion), ("down", FEB, 50000 - less), ("new", FEB, new)]
    table = lifecycle.growth_accounting(frame([*before, *after]), as_of=date(2024, 2, 29))
    row = rows(table)[1]
    assert row["amount_quick_ratio"] == pytest.approx(ratio, abs=0.005)
    assert row["amount"] - row["previous_amount"] == pytest.approx(net)


# Twin


@given(ledger=ledgers)
def test_counts_are_those_of_sets(ledger: list[Row]) -> None:
    table = lifecycle.growth_accounting(frame(ledger), as_of=END)
    active: dict[int, set[str]] = {}
    for who, day, amount in ledger:
        if amount >= 0:
            active.setdefault(day.year * 12 + day.month - 1, set()).add(who)
    seen: set[str] = set()
    before: set[str] = set()
    for row in rows(table):
        now = active.get(row["starts"].year * 12 + row["starts"].month - 1, set())
        assert row["active"] == len(now)
        assert row["new"] == len(now - seen)
        assert row["retained"] == len(now & before)
        assert row["resurrected"] == len((now & seen) - before)
        assert row["churned_customers"] == len(before - now)
        seen, before = seen | now, now


# Properties


@given(ledger=ledgers)
def test_both_sums_hold_in_each_period(ledger: list[Row]) -> None:
    for is_cut in (False, True):
        table = lifecycle.growth_accounting(
            frame(ledger), as_of=END, every="week", is_cut=is_cut, tolerance=0.1
        )
        for row in rows(table):
            came = row["before"] + row["new"] + row["resurrected"]
            assert row["active"] == row["previous"] + came - row["churned_customers"]
            gained = row["before_amount"] + row["new_amount"] + row["resurrected_amount"]
            change = row["expansion"] - row["contraction"] + row["unchanged"]
            due = row["previous_amount"] + gained + change - row["churned_amount"]
            assert row["amount"] == pytest.approx(due, abs=1e-9)
            assert min(row["expansion"], row["contraction"]) >= 0


def test_a_ledger_that_is_cut_has_customers_from_before() -> None:
    ledger = frame(bought((JAN, "ab"), (FEB, "bc")))
    table = lifecycle.growth_accounting(ledger, as_of=date(2024, 2, 29), is_cut=True)
    assert table.select("before", "new").rows() == [(2, 0), (0, 1)]


def test_an_unfinished_period_has_no_rates_and_a_small_change_is_none() -> None:
    ledger = [("ann", JAN, 100.0), ("ann", FEB, 104.0), ("ann", MAR, 90.0)]
    table = lifecycle.growth_accounting(frame(ledger), as_of=date(2024, 3, 10), tolerance=0.05)
    assert table["is_complete"].to_list() == [True, True, False]
    assert table["churn_rate"].to_list() == [None, 0.0, None]
    assert table.select("expansion", "contraction", "unchanged").rows() == [
        *[(0.0, 0.0, 0.0), (0.0, 0.0, 4.0), (0.0, 14.0, 0.0)]
    ]
    assert table["net_retention"][1] == pytest.approx(1.04)
    assert table["gross_retention"][1] == 1.0


@given(ledger=ledgers)
def test_order_of_rows_changes_nothing(ledger: list[Row]) -> None:
    one = lifecycle.growth_accounting(frame(ledger), as_of=END)
    other = lifecycle.growth_accounting(frame(ledger[::-1]), as_of=END)
    for name in one.columns:
        np.testing.assert_array_equal(one[name].is_null(), other[name].is_null())
    assert one["active"].to_list() == other["active"].to_list()
    assert one["expansion"].to_list() == pytest.approx(other["expansion"].to_list(), abs=1e-9)


# Refusals


def test_a_tolerance_in_percent_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as error:
        lifecycle.growth_accounting(frame([("ann", JAN, 1.0)]), as_of=END, tolerance=5)
    assert str(error.value) == (
        "`tolerance` must be at least 0 and below 1, got 5.\nWrite 0.05 for 5 %."
    )
