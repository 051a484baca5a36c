"""Rates by period and drift: published arithmetic, a slow twin, and what must always hold."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given

from crmkit import churn, cohorts
from crmkit.errors import InvalidArgumentError
from tests.conftest import MakeFrame, rows
from tests.ledgers import Row, frame, ledgers

AS_OF = date(2024, 4, 30)

# Published


def test_a_monthly_churn_rate_makes_a_yearly_one() -> None:
    # fightchurn, listing 2.5 (MIT): 5 % a month is 45.964 % a year, 40 % a year 4.1675 % a month.
    assert cohorts.rescale_churn(0.05, every="month") == pytest.approx(0.45964, abs=1e-6)
    monthly = cohorts.rescale_churn(0.4, every="year", to="month")
    assert monthly == pytest.approx(0.041675, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "shares"),
    [
        # dnoise.online, metrickittools.com and altiorco.com on net revenue retention.
        ((200_000, 6_000, 4_000, 20_000), (1.05, 0.95)),
        ((100_000, 8_000, 5_000, 15_000), (1.02, 0.87)),
        ((1_000_000, 80_000, 20_000, 150_000), (1.05, 0.90)),
    ],
)
def test_revenue_retention_is_as_published(
    make_frame: MakeFrame, changes: tuple[int, ...], shares: tuple[float, float]
) -> None:
    start, lost, less, more = changes
    # One customer leaves, one spends less, one spends more.
    jan, feb = date(2024, 1, 15), date(2024, 2, 15)
    half = (start - lost) / 2
    orders = make_frame(
        {
            "customer_id": ["gone", "less", "more", "less", "more"],
            "date": [jan, jan, jan, feb, feb],
            "amount": [lost, half, half, half - less, half + more],
        }
    )
    found = rows(cohorts.rates(orders, every="month", as_of="2024-02-29"), by="starts")[1]
    found_shares = found["net_revenue_retention"], found["gross_revenue_retention"]
    assert found_shares == pytest.approx(shares)


def test_retention_is_that_of_end_less_new_over_start() -> None:
    # phpOMS, MetricsTest: 105 at the end, 20 of them new, 100 at the start make 0.85.
    first = [(f"c{i}", date(2024, 1, 5), 1.0) for i in range(100)]
    second = [(f"c{i}", date(2024, 2, 5), 1.0) for i in range(15, 120)]
    found = rows(cohorts.rates(frame(first + second), every="month", as_of="2024-02-29"))[1]
    assert (found["n_end"], found["n_new"], found["n_start"]) == (105, 20, 100)
    assert found["retention_rate"] == 0.85
    assert found["churn_rate"] == pytest.approx(0.15)
    assert found["acquisition_rate"] == 0.2


def test_the_stability_index_is_that_of_the_formula(make_frame: MakeFrame) -> None:
    # Quarters that become 20, 25, 25 and 30 %: .05 ln(.25 / .2) + .05 ln(.3 / .25) = 0.0202733.
    then = {"customer_id": list(range(400)), "plan": [*"abcd"] * 100, "n": [1, 2, 3, 4] * 100}
    plans = ["a"] * 80 + ["b"] * 100 + ["c"] * 100 + ["d"] * 120
    now = {**then, "plan": plans, "n": ["abcd".index(plan) + 1 for plan in plans]}
    found = rows(churn.drift(make_frame(then), now=make_frame(now)), by="column")
    assert [row["column"] for row in found] == ["n", "plan"]
    for row in found:
        assert row["psi"] == pytest.approx(0.0202733, abs=1e-6)
        # By chance alone: 7.8147 (chi-squared, 3 degrees of freedom) times (1/400 + 1/400).
        assert row["chance"] == pytest.approx(0.0390736, abs=1e-6)
        assert row["change"] == "little"


# Twin


@given(ledger=ledgers)
def test_rates_are_those_of_sets(ledger: list[Row]) -> None:
    active: dict[int, set[str]] = {}
    for who, day, amount in ledger:
        if amount >= 0:
            active.setdefault(day.year * 12 + day.month, set()).add(who)
    found = rows(cohorts.rates(frame(ledger), every="month", as_of=AS_OF), by="starts")
    seen: set[str] = set()
    for row in found:
        month = row["starts"].year * 12 + row["starts"].month
        here, before = active.get(month, set()), active.get(month - 1, set())
        due: dict[str, Any] = {
            "n_start": before,
            "n_new": here - seen,
            "n_retained": here & before,
            "n_lost": before - here,
            "n_lapsed": seen - before,
            "n_won_back": (here & seen) - before,
            "n_end": here,
        }
        assert {name: row[name] for name in due} == {name: len(each) for name, each in due.items()}
        seen |= here
    assert len(found) == (0 if not active else AS_OF.year * 12 + AS_OF.month - min(active) + 1)


# Properties


def test_a_table_has_not_moved_from_itself(make_frame: MakeFrame) -> None:
    table = make_frame(
        {
            "customer_id": [*range(30)],
            "x": [1.5 * i for i in range(29)] + [None],
            "flag": [True] * 30,
        }
    )
    found = rows(churn.drift(table, now=table))
    assert [row["psi"] for row in found] == [0.0, 0.0]


def test_what_has_become_unknown_has_moved() -> None:
    then = pl.DataFrame({"customer_id": range(200), "x": [1.0, 2.0] * 100})
    now = then.with_columns(x=pl.when(pl.col("customer_id") < 100).then("x"))
    (row,) = churn.drift(then, now=now).to_dicts()
    # Halves become quarters, and an unknown class of half a customer a half.
    due = 2 * 0.25 * math.log(2) + (0.5 - 0.0025) * math.log(0.5 / 0.0025)
    assert row["psi"] == pytest.approx(due)
    assert row["change"] == "large"


def test_a_period_that_is_not_over_has_no_rate(make_frame: MakeFrame) -> None:
    orders = make_frame({"customer_id": ["a", "a"], "date": [date(2024, 1, 5), date(2024, 2, 5)]})
    found = rows(cohorts.rates(orders, every="month", as_of="2024-02-20"), by="starts")
    assert [(row["is_complete"], row["retention_rate"]) for row in found] == [
        (True, None),
        (False, None),
    ]


# Refusals


def test_tables_without_a_common_feature_are_refused() -> None:
    then = pl.DataFrame({"customer_id": [1], "x": [1.0]})
    with pytest.raises(InvalidArgumentError) as caught:
        churn.drift(then, now=then.rename({"x": "y"}))
    assert str(caught.value) == (
        "features: the two tables share no feature.\nGive two tables of the same columns."
    )


def test_a_number_that_became_text_is_refused() -> None:
    then = pl.DataFrame({"customer_id": [1], "x": [1.0]})
    with pytest.raises(InvalidArgumentError) as caught:
        churn.drift(then, now=then.cast({"x": pl.String}))
    assert str(caught.value) == (
        "features: `x` has type Float64 then and String now.\nCast one to the type of the other."
    )
