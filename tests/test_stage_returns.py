"""Learned stage rules and the test of stages: a slow twin, held-out days, and what is refused."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given

from crmkit import clv, lifecycle, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitWarning, FitError, InvalidArgumentError
from crmkit.lifecycle import StageRules
from tests.conftest import MakeFrame, rows
from tests.ledgers import Row, frame, ledgers

START = date(2020, 1, 1)
THUMB = StageRules(20.0, 1.0, 25.0, 1.5, 2, 1.5, 2.0, 4.0)


def quiet_rules(orders: Any, **options: Any) -> StageRules:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CrmkitWarning)
        return lifecycle.fit_rules(orders, **options)


def simulated(gap_days: float, *, years: int, seed: int = 1, n: int = 2000) -> pl.DataFrame:
    """Customers who buy every `gap_days` on average and leave in the end (Pareto/NBD)."""
    fit = clv.Fit.of(
        "pareto_nbd", unit="day", r=2.0, alpha=2.0 * gap_days, s=1.0, beta=4.0 * gap_days
    )
    days = int(365 * years)
    ledger: pl.DataFrame = clv.simulate(
        purchases=fit,
        n_customers=n,
        start=START,
        acquisition_days=days // 2,
        as_of=START + timedelta(days=days),
        seed=seed,
        backend="polars",
    )
    return ledger


def came_back(orders: Any, rules: StageRules, day: date, horizon: int) -> dict[str, float]:
    """The share of each stage who bought within the horizon, by public functions alone."""
    staged = lifecycle.assign(lifecycle.rhythm(orders, as_of=day), rules=rules)
    later = rfm.holdout(orders, split=day, as_of=day + timedelta(days=horizon))
    both = staged.join(later.select("customer_id", "frequency_holdout"), on="customer_id")
    share = both.group_by("stage").agg((pl.col("frequency_holdout") > 0).mean())
    return dict(share.iter_rows())


# Published


def test_the_interval_is_wilsons() -> None:
    # Wilson (1927): (k + z²/2 -+ z sqrt(k (n - k) / n + z²/4)) / (n + z²). For 1 of 4 and z = 1.96
    # that is (2.9207 -+ 2.5625) / 7.8415, so .0457 to .6993 with these roundings.
    days = [date(2024, 1, 1)]
    ledger = [(who, days[0], 1.0) for who in "abcd"] + [("a", date(2024, 1, 20), 1.0)]
    table = lifecycle.calibrate(frame(ledger), dates=days, horizon_days=19, rules=THUMB, level=0.95)
    new = table.filter((pl.col("stage") == "new") & pl.col("date").is_not_null())
    assert new.select("n_customers", "n_returned").row(0) == (4, 1)
    assert new["lower"].round(4).item() == 0.0456
    assert new["upper"].round(4).item() == 0.6994


# Twin


@given(ledger=ledgers)
def test_calibrate_counts_as_staging_and_looking_afterwards_does(ledger: list[Row]) -> None:
    days, horizon = [date(2024, 2, 1), date(2024, 3, 1)], 30
    orders = frame([*ledger, ("zoe", date(2024, 4, 30), 0.0)])
    table = lifecycle.calibrate(orders, dates=days, horizon_days=horizon, rules=THUMB)
    expected: dict[tuple[date | None, str], list[float]] = {}
    for day in days:
        staged = lifecycle.assign(lifecycle.rhythm(orders, as_of=day), rules=THUMB)
        later = rfm.holdout(orders, split=day, as_of=day + timedelta(days=horizon))
        after = {row["customer_id"]: row for row in rows(later)}
        for row in rows(staged):
            then = after[row["customer_id"]]
            for key in ((day, row["stage"]), (None, row["stage"])):
                sums = expected.setdefault(key, [0, 0, 0.0])
                sums[0] += 1
                sums[1] += then["frequency_holdout"] > 0
                sums[2] += then["amount_holdout"]
    found = {
        (row["date"], row["stage"]): [row["n_customers"], row["n_returned"], row["amount"]]
        for row in rows(table)
        if row["n_customers"]
    }
    assert found == expected


def test_the_limit_is_the_first_that_holds_counted_by_hand() -> None:
    # 200 customers bought once, on day 0 to 199, and every second of those silent for less than
    # 120 days on day 200 came back on day 230; two customers set the typical gap at 10 days.
    once = [(f"c{i:03}", START + timedelta(days=i), 1.0) for i in range(200)]
    back = [(f"c{i:03}", START + timedelta(days=230), 1.0) for i in range(200) if i > 80 and i % 2]
    orders = frame([*once, *back])
    base = lifecycle.rules(lifecycle.rhythm(orders, as_of=date(2020, 7, 18)), typical_gap_days=10.0)
    learned = lifecycle.fit_rules(
        orders, as_of=START + timedelta(days=260), horizon_days=60, rules=base
    )
    # On day 200 those silent for d days have the ratio d / 10. Beyond the limit L there are
    # 201 - 10 L customers, and (119 - 10 L) / 2 of them came back.
    n = np.arange(200, 0, -1)[:-1]  # silent for d = 1, 2, ... days or more
    k = np.array(
        [sum(1 for i in range(200) if i > 80 and i % 2 and 200 - i >= d) for d in range(1, 200)]
    )
    z = 1.645
    upper = (k + z * z / 2 + z * np.sqrt(k * (n - k) / n + z * z / 4)) / (n + z * z)
    first = 1 + int(np.flatnonzero((upper < 0.1) & (np.arange(1, 200) >= 50))[0])
    assert learned.lost_from == pytest.approx(first / 10)
    assert (learned.horizon_days, learned.lost_below) == (60, 0.1)


# On held-out days


@pytest.mark.parametrize(("gap", "years", "horizon"), [(7, 2, 91), (30, 3, 91), (365, 12, 364)])
def test_few_of_the_lost_come_back_whether_people_buy_weekly_or_yearly(
    gap: float, years: int, horizon: int
) -> None:
    orders = simulated(gap, years=years)
    day = START + timedelta(days=365 * years - horizon)
    rules = quiet_rules(orders, as_of=day, horizon_days=horizon)
    rates = came_back(orders, rules, day, horizon)
    assert rates["lost"] < 0.1
    assert rates["lost"] < rates["active"]


@pytest.mark.parametrize("day", [date(1997, 9, 30), date(1997, 12, 31), date(1998, 3, 31)])
def test_few_of_the_lost_of_cdnow_come_back(day: date) -> None:
    orders = load_cdnow(backend="polars")
    rules = quiet_rules(orders, as_of=day, horizon_days=91)
    assert came_back(orders, rules, day, 91).get("lost", 0.0) < 0.1


def test_on_a_log_whose_silent_customers_come_back_nobody_is_lost() -> None:
    # Everyone is silent for 300 days and then buys again: a season.
    ledger = [
        (f"c{i}", START + timedelta(days=start + i % 30), 1.0)
        for i in range(300)
        for start in (0, 5, 10, 365, 370, 375, 730)
    ]
    with pytest.warns(CrmkitWarning) as caught:
        rules = lifecycle.fit_rules(
            frame(ledger), as_of=START + timedelta(days=800), horizon_days=91
        )
    assert math.isinf(rules.lost_from)
    assert str(caught[0].message) == (
        "Nobody is called lost: even of those who have been silent longest, it is not certain that "
        "fewer than 10% come back within 91 days."
    )
    staged = lifecycle.assign(
        lifecycle.rhythm(frame(ledger), as_of=START + timedelta(days=1000)), rules=rules
    )
    assert "lost" not in staged["stage"]


# Properties


def test_the_future_changes_no_rules() -> None:
    orders, day = load_cdnow(sample=True, backend="polars"), date(1998, 3, 31)
    past = orders.filter(pl.col("date") <= day)
    both = [quiet_rules(each, as_of=day, horizon_days=60) for each in (orders, past)]
    assert both[0] == both[1]


def test_purchase_days_give_the_same_as_the_ledger() -> None:
    orders, day = load_cdnow(sample=True, backend="polars"), date(1998, 6, 30)
    days = rfm.purchase_days(orders, as_of=day)
    assert quiet_rules(orders, as_of=day, horizon_days=91) == quiet_rules(
        days, as_of=day, horizon_days=91
    )


@pytest.mark.parametrize("gap", [10, 90])
def test_stages_come_back_ever_more_seldom(gap: float) -> None:
    orders = simulated(gap, years=4, seed=5)
    rules = quiet_rules(orders, as_of=date(2023, 6, 30), horizon_days=91)
    assert rules.at_risk_from <= rules.lapsing_from <= rules.lost_from
    table = lifecycle.calibrate(orders, dates=[date(2023, 6, 30)], horizon_days=91, rules=rules)
    by_stage = {row["stage"]: row for row in rows(table) if row["date"]}
    stages = [by_stage[name] for name in ("active", "at risk", "lapsing", "lost")]
    rates = [row["return_rate"] for row in stages if row["n_customers"] >= 30]
    assert len(rates) >= 2
    assert rates == sorted(rates, reverse=True)


def test_rules_with_nobody_lost_are_kept() -> None:
    rules = replace(THUMB, lost_from=math.inf, horizon_days=91, lost_below=0.1)
    assert '"lost_from": null' in rules.to_json()
    assert StageRules.from_json(rules.to_json()) == rules


# Shape


def test_a_silence_of_exactly_the_days_of_a_window_has_reached_it() -> None:
    day = START + timedelta(days=8)
    ledger = [("ann", START, 1.0), ("ben", START + timedelta(days=1), 1.0)]
    table = lifecycle.rhythm(frame(ledger), as_of=day)
    rules = lifecycle.rules(
        table, windows="days", at_risk_from=4, lapsing_from=8, lost_from=30, new_days=0
    )
    staged = lifecycle.assign(table, rules=rules)
    assert staged["stage"].to_list() == ["lapsing", "at risk"]
    assert staged["stage_reason"].to_list() == ["silent for 8 days", "silent for 7 days"]
    assert StageRules.from_json(rules.to_json()) == rules


def test_every_engine_gives_the_documented_columns(make_frame: MakeFrame) -> None:
    ledger = make_frame(
        {
            "customer_id": ["a", "a"],
            "date": [date(2024, 1, 1), date(2024, 3, 1)],
            "amount": [1.0, 2.0],
        }
    )
    table = lifecycle.calibrate(ledger, dates=["2024-01-31"], horizon_days=30, rules=THUMB)
    assert type(table) is type(ledger)
    found = [row for row in rows(table) if row["n_customers"] and row["date"]]
    (row,) = found
    assert {name: row[name] for name in ("date", "stage", "n_returned", "amount")} == {
        "date": date(2024, 1, 31),
        "stage": "at risk",
        "n_returned": 1,
        "amount": 2.0,
    }
    assert len(rows(table)) == 14


def test_holds_is_false_where_too_many_of_the_lost_came_back() -> None:
    last = START + timedelta(days=300)
    quick = [(who, START + timedelta(days=day), 1.0) for who in "abcd" for day in (0, 5)]
    orders = frame([*quick, ("a", last, 1.0)])
    day = START + timedelta(days=200)
    for lost_below, holds in ((0.25, False), (0.26, True)):
        table = lifecycle.calibrate(
            orders, dates=[day], horizon_days=100, rules=THUMB, lost_below=lost_below
        )
        lost = table.filter(pl.col("stage") == "lost")
        assert lost["return_rate"].to_list() == [0.25, 0.25]
        assert lost["holds"].to_list() == [holds, holds]
        assert table.filter(pl.col("stage") != "lost")["holds"].all()


def test_pandas_shows_dates_as_dates() -> None:
    ledger = pd.DataFrame(
        {"customer_id": ["a", "a"], "date": pd.to_datetime(["2024-01-01", "2024-03-01"])}
    )
    table = lifecycle.calibrate(ledger, dates=["2024-01-31"], horizon_days=30, rules=THUMB)
    assert table["date"].dtype.kind == "M"
    assert "amount" not in table


# Refusals


def test_a_ledger_that_is_too_short_is_refused() -> None:
    ledger = frame([("a", START, 1.0), ("a", START + timedelta(days=90), 1.0)])
    with pytest.raises(FitError) as caught:
        lifecycle.fit_rules(ledger, as_of=START + timedelta(days=99), horizon_days=50)
    assert str(caught.value) == (
        "transactions: they do not reach back from 2020-04-09 for twice the horizon of 50 days, so "
        "who came back cannot be counted.\n"
        "Give a shorter `horizon_days`, or use crmkit.lifecycle.rules()."
    )


def test_one_purchase_date_has_no_typical_gap() -> None:
    ledger = frame([("a", START, 1.0), ("b", START, 1.0)])
    with pytest.raises(FitError, match=r"^rhythm: nobody has bought twice"):
        lifecycle.fit_rules(ledger, as_of=START + timedelta(days=400), horizon_days=50)


def test_a_horizon_beyond_the_ledger_is_refused() -> None:
    ledger = frame([("a", START, 1.0), ("a", START + timedelta(days=90), 1.0)])
    with pytest.raises(InvalidArgumentError) as caught:
        lifecycle.calibrate(ledger, dates=[START], horizon_days=91, rules=THUMB)
    assert str(caught.value) == (
        "transactions: they end on 2020-03-31, and customers of 2020-01-01 are followed for 91 "
        "days.\nGive earlier `dates` or a shorter `horizon_days`."
    )
    table = lifecycle.calibrate(
        ledger, dates=[START], horizon_days=91, rules=THUMB, as_of="2020-04-01"
    )
    assert table["n_returned"].sum() == 2


def test_windows_of_days_need_their_limits() -> None:
    table = lifecycle.rhythm(frame([("a", START, 1.0)]), as_of=START)
    with pytest.raises(InvalidArgumentError) as caught:
        lifecycle.rules(table, windows="days", at_risk_from=4, lapsing_from=8)
    assert str(caught.value) == (
        "`lost_from` is missing, and windows of days have no default.\n"
        "Give at_risk_from, lapsing_from and lost_from in days, such as 40, 90 and 180."
    )


@pytest.mark.parametrize("share", [0, 1, 10, math.nan])
def test_the_share_of_the_lost_lies_between_0_and_1(share: float) -> None:
    with pytest.raises(InvalidArgumentError, match="`lost_below` must lie between 0 and 1"):
        lifecycle.fit_rules(
            frame([("a", START, 1.0)]), as_of=START, horizon_days=91, lost_below=share
        )


def test_no_dates_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="`dates` is empty"):
        lifecycle.calibrate(frame([("a", START, 1.0)]), dates=[], horizon_days=91)
