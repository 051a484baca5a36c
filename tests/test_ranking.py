"""The main job: ranking with trees where held-out days say so, bounds, and a test that stays."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from crmkit import clv, pipeline
from crmkit._clv.evaluation.misses import past_totals
from crmkit.clv import Misses, MissTest
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from tests.test_trees import replacements

pytestmark = pytest.mark.filterwarnings("ignore::crmkit.errors.CrmkitWarning")

BLENDED = {"blended_purchases", "blended_amount"}
AS_OF = date(1998, 6, 30)


@pytest.fixture(scope="module")
def cdnow() -> pl.DataFrame:
    """The sample of the founding paper."""
    orders: pl.DataFrame = load_cdnow(sample=True, backend="polars")
    return orders


# Ranking


def test_trees_are_used_where_held_out_days_say_so() -> None:
    found = pipeline.run(replacements(), as_of=date(2023, 3, 31), horizon_days=181, ranking="best")
    assert set(found.customers.columns) >= BLENDED
    assert found.kept.trees is not None
    (note,) = [each for each in found.notes if each.startswith("Ranking: ")]
    assert note.endswith("both views are used.")


def test_trees_are_not_used_where_they_find_about_the_same(cdnow: pl.DataFrame) -> None:
    best = pipeline.run(cdnow, as_of=AS_OF, horizon_days=181, ranking="best")
    assert not set(best.customers.columns) & BLENDED
    assert best.kept.trees is None
    (note,) = [each for each in best.notes if each.startswith("Ranking: ")]
    assert note.endswith("the model alone is used.")


def test_a_blend_can_be_asked_for(cdnow: pl.DataFrame) -> None:
    found = pipeline.run(cdnow, as_of=AS_OF, horizon_days=181, ranking="blend").customers
    money = (found["expected_purchases"] * found["expected_spend"]).sum()
    assert found["blended_amount"].sum() == pytest.approx(money)
    visits = pipeline.run(cdnow.drop("amount"), as_of=AS_OF, horizon_days=181, ranking="blend")
    assert set(visits.customers.columns) & BLENDED == {"blended_purchases"}


def test_a_log_too_short_for_trees_says_so() -> None:
    days = [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)]
    rows = [(f"c{i}", day, 5.0 + i) for i in range(30) for day in days[: 2 + i % 2]]
    orders = pl.DataFrame(rows, schema=["customer_id", "date", "amount"], orient="row")
    found = pipeline.run(orders, as_of=days[-1], horizon_days=30, ranking="best")
    assert not set(found.customers.columns) & BLENDED


def test_a_misspelt_ranking_is_answered_with_the_nearest(cdnow: pl.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        pipeline.run(cdnow, as_of=AS_OF, ranking="blends")  # type: ignore[arg-type]
    assert "`ranking`" in str(caught.value)
    assert "blend" in str(caught.value)


# Bounds of the totals


def test_the_bounds_are_those_of_the_misses_of_two_earlier_days(cdnow: pl.DataFrame) -> None:
    found = pipeline.run(cdnow, as_of=AS_OF, horizon_days=91)
    split = found.settings.split
    assert split is not None
    assert found.backtest is not None
    assert found.kept.purchases is not None
    (test,) = found.backtest.filter(pl.col("method") == found.kept.purchases.name).to_dicts()
    first = MissTest(
        split,
        AS_OF,
        test["actual_purchases"],
        test["predicted_purchases"],
        test["actual_amount"],
        test["predicted_amount"],
    )
    last = clv.fit_misses(
        cdnow, as_of=AS_OF, horizon_days=91, model=found.kept.purchases.name, origins=1
    )
    due = clv.predict_total(
        found.customers,
        purchases=found.kept.purchases,
        spend=found.kept.spend,
        horizon_days=91,
        misses=replace(last, tests=(first, *last.tests)),
    )
    figures = {row["figure"]: row for row in found.key_figures.to_dicts()}
    for figure, column in (("expected purchases", "expected_purchases"), ("expected value", "clv")):
        assert figures[figure]["lower"] == pytest.approx(due[f"{column}_lower"][0])
        assert figures[figure]["upper"] == pytest.approx(due[f"{column}_upper"][0])


def test_the_past_of_a_test_by_hand() -> None:
    # 40 customers on three days each, of which the second is in the 30 days before the split.
    days = [date(2024, 1, 1), date(2024, 5, 20), date(2024, 6, 15)]
    rows = [(f"c{i}", day + timedelta(days=i % 5), 3.0) for i in range(40) for day in days]
    orders = pl.DataFrame(rows, schema=["customer_id", "date", "amount"], orient="row")
    found = past_totals(orders, split=date(2024, 5, 31), length=30)
    assert found == {"purchases": 40.0, "amount": 120.0}
    visits = past_totals(orders.drop("amount"), split=date(2024, 5, 31), length=30)
    assert visits == {"purchases": 40.0}


def test_typical_error_by_hand() -> None:
    tests = (
        MissTest(date(2024, 1, 1), date(2024, 2, 1), 100.0, 50.0, past_purchases=100.0),
        MissTest(date(2024, 2, 1), date(2024, 3, 1), 100.0, 200.0, past_purchases=110.0),
    )
    misses = Misses("nbd", 31.0, tests)
    assert misses.typical_error("purchases") == pytest.approx(1.0)  # a factor of two, both ways
    past = math.exp(math.log(1.1) / 2) - 1
    assert misses.typical_error("purchases", "past") == pytest.approx(past)
    assert misses.typical_error("amount") is None
    assert Misses.from_json(misses.to_json()) == misses


def test_a_rule_that_forecast_better_is_said() -> None:
    found = pipeline.run(replacements(), as_of=date(2023, 3, 31), horizon_days=181)
    (note,) = [each for each in found.notes if each.startswith("Total of money: ")]
    assert "a plain rule, the same money as in as many days before, missed by" in note


# The test of the forecast


def test_the_middle_of_the_time_is_the_split_where_it_serves(cdnow: pl.DataFrame) -> None:
    found = pipeline.run(cdnow, as_of=AS_OF, horizon_days=91)
    assert found.settings.split == date(1997, 9, 30)


def test_a_young_log_with_an_old_customer_is_tested_from_a_later_day(cdnow: pl.DataFrame) -> None:
    # One purchase ten years before all others: in the middle of the time nobody had come back.
    old = pl.DataFrame({"customer_id": ["old"], "date": [date(1987, 1, 1)], "amount": [5.0]})
    orders = pl.concat([cdnow.select(old.columns), old.cast(cdnow.select(old.columns).schema)])
    found = pipeline.run(orders, as_of=AS_OF, horizon_days=91)
    assert found.backtest is not None
    assert found.settings.split is not None
    bought = orders.select("customer_id", pl.col("date").cast(pl.Date)).unique()
    days = np.sort(bought["date"].to_numpy())
    assert found.settings.split == days[len(days) // 2].astype("datetime64[D]").item()
