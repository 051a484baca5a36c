"""Stages of life: published windows, a slow twin, and what must hold for any customer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import lifecycle, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import MissingColumnsError
from crmkit.lifecycle import STAGES, StageRules
from tests.conftest import MAKERS, MakeFrame, rows
from tests.ledgers import Row, frame, ledgers, people, stage_rules, strangers

AS_OF = date(2024, 3, 31)
RECENT = 30
RULES = StageRules(
    typical_gap_days=20.0,
    prior_gaps=1.0,
    new_days=25.0,
    growing_ratio=1.5,
    growing_purchases=2,
    at_risk_from=1.5,
    lapsing_from=2.0,
    lost_from=4.0,
)
HEALTH = dict.fromkeys(("new", "active", "growing", "returned"), 0)
HEALTH |= {"at risk": 1, "lapsing": 2, "lost": 3}


def rhythm(ledger: list[Row], *, as_of: date = AS_OF) -> Any:
    return lifecycle.rhythm(frame(ledger), as_of=as_of, recent_days=RECENT)


def one_customer(**figures: float | None) -> pd.DataFrame:
    """Someone who bought every 20 days for long, and 10 days ago for the last time."""
    usual: dict[str, float | None] = {
        "days_since_last": 10,
        "frequency": 10,
        "recency": 200,
        "T": 210,
        "mean_gap_days": 20,
        "last_gap_days": 20,
        "purchases_recent": 2,
        "purchases_before": 2,
    }
    return pd.DataFrame([usual | figures], dtype=float).assign(customer_id="ann")


def stage_of(table: Any, rules: StageRules = RULES) -> str:
    return str(lifecycle.assign(table, rules=rules)["stage"][0])


# Published


@pytest.mark.parametrize(
    ("days", "stage", "theirs"),
    [
        (10, "new", "recent"),
        (60, "at risk", "needs nurturing"),
        (120, "lapsing", "at risk"),
        (200, "lost", "about to lose"),
    ],
)
def test_fixed_windows_of_days_give_omnisends_default_stages(
    days: int, stage: str, theirs: str
) -> None:
    # Omnisend support article 5569006: under 40 days recent, to 90 needs nurturing, to 180 at
    # risk, then about to lose; the same four steps under our names.
    table = one_customer(days_since_last=days, T=200 + days)
    fixed = lifecycle.rules(
        table,
        windows="days",
        new_days=400,
        at_risk_from=40,
        lapsing_from=90,
        lost_from=180,
    )
    assert (stage_of(table, fixed), theirs) == (stage, theirs)


# Twin


def slow_stage(who: dict[str, Any], rules: StageRules) -> str:
    if who["frequency"] is None:
        return "prospect"
    credit = rules.typical_gap_days * rules.prior_gaps
    expected = (who["recency"] + credit) / (who["frequency"] + rules.prior_gaps)
    overdue = who["days_since_last"] / expected
    for name, limit in (
        ("lost", rules.lost_from),
        ("lapsing", rules.lapsing_from),
        ("at risk", rules.at_risk_from),
    ):
        if overdue >= limit:
            return name
    if who["T"] <= rules.new_days:
        return "new"
    if who["frequency"]:
        earlier = who["recency"] - who["last_gap_days"] + credit
        expected_then = earlier / (who["frequency"] - 1 + rules.prior_gaps)
        if who["last_gap_days"] >= expected_then * rules.lapsing_from:
            return "returned"
    if (
        who["purchases_before"] is not None
        and who["purchases_recent"] >= rules.growing_purchases
        and who["purchases_recent"] >= who["purchases_before"] * rules.growing_ratio
        and who["amount_recent"] >= who["amount_before"]
    ):
        return "growing"
    return "active"


@given(ledger=ledgers, prospects=strangers, rules=stage_rules, engine=st.sampled_from(list(MAKERS)))
def test_everyone_gets_the_one_stage_that_the_rules_say(
    ledger: list[Row], prospects: list[str], rules: StageRules, engine: str
) -> None:
    table = lifecycle.rhythm(
        frame(ledger, engine),
        as_of=AS_OF,
        recent_days=RECENT,
        prospects=people(prospects, engine),
    )
    staged = rows(lifecycle.assign(table, rules=rules), by="customer_id")
    assert [row["stage"] for row in staged] == [slow_stage(row, rules) for row in staged]
    assert {row["stage"] for row in staged} <= set(STAGES)


# Properties


def test_a_weekly_buyer_silent_for_60_days_is_lost_where_a_yearly_one_is_active() -> None:
    rules = replace(RULES, typical_gap_days=60.0, at_risk_from=2.0, lapsing_from=3.0, lost_from=5.0)
    weekly = one_customer(days_since_last=60, frequency=20, recency=140, last_gap_days=7)
    yearly = one_customer(days_since_last=60, frequency=3, recency=1095, T=1155, last_gap_days=365)
    assert (stage_of(weekly, rules), stage_of(yearly, rules)) == ("lost", "active")


@pytest.mark.parametrize(
    ("figures", "stage", "reason"),
    [
        ({}, "active", "last bought 10 days ago, expected gap 20 days"),
        (
            {"T": 25, "frequency": 1, "recency": 15, "last_gap_days": 15},
            "new",
            "first bought 25 days ago",
        ),
        ({"days_since_last": 30}, "at risk", "silent for 30 days, 1.5 times the expected gap"),
        ({"days_since_last": 40}, "lapsing", "silent for 40 days, 2.0 times the expected gap"),
        ({"days_since_last": 80}, "lost", "silent for 80 days, 4.0 times the expected gap"),
        ({"last_gap_days": 60}, "returned", "came back after 60 days"),
        (
            {"purchases_recent": 3},
            "growing",
            "bought on 3 days recently, on 2 in the window before",
        ),
        (
            {"days_since_last": 39},
            "at risk",
            "silent for 39 days, 2.0 times the expected gap of 20 days",
        ),
        ({"days_since_last": 1}, "active", "last bought 1 day ago, expected gap 20 days"),
        ({"purchases_before": None, "purchases_recent": 9}, "active", "last bought"),
        (
            {"purchases_recent": 3, "amount_recent": 9.0, "amount_before": 9.5},
            "active",
            "last bought",
        ),
    ],
)
def test_each_stage_begins_at_its_limit_and_says_why(
    figures: dict[str, float | None], stage: str, reason: str
) -> None:
    staged = lifecycle.assign(one_customer(**figures), rules=RULES)
    assert staged["stage"][0] == stage
    assert staged["stage_reason"][0].startswith(reason)


@given(ledger=ledgers, rules=stage_rules, silence=st.integers(1, 400))
def test_more_silence_never_makes_a_stage_healthier(
    ledger: list[Row], rules: StageRules, silence: int
) -> None:
    past = [row for row in ledger if row[1] <= AS_OF] or [("ann", AS_OF, 1.0)]
    sooner, later = (
        lifecycle.assign(rhythm(past, as_of=day), rules=rules)
        for day in (AS_OF, AS_OF + timedelta(days=silence))
    )
    for before, after in zip(sooner["stage"], later["stage"], strict=True):
        assert HEALTH[after] >= HEALTH[before]


@given(ledger=ledgers, rules=stage_rules)
def test_the_currency_changes_no_stage(ledger: list[Row], rules: StageRules) -> None:
    dearer = [(customer, day, amount * 128) for customer, day, amount in ledger]
    stages = [lifecycle.assign(rhythm(each), rules=rules)["stage"] for each in (ledger, dearer)]
    assert stages[0].to_list() == stages[1].to_list()


@given(ledger=ledgers, prospects=strangers, rules=stage_rules)
def test_the_summary_counts_everyone_once(
    ledger: list[Row], prospects: list[str], rules: StageRules
) -> None:
    table = lifecycle.rhythm(frame(ledger), as_of=AS_OF, prospects=people(prospects))
    summary = lifecycle.stage_summary(lifecycle.assign(table, rules=rules))
    assert summary["stage"].to_list() == list(STAGES)
    assert summary["n_customers"].sum() == table.height
    assert summary["customer_share"].sum() == pytest.approx(1)
    assert summary["total_amount"].sum() == pytest.approx(table["total_amount"].sum())


def test_the_healthier_the_stage_the_more_of_its_customers_came_back() -> None:
    # The full CDNOW log: stages of 30 September 1997 against the 39 weeks after it.
    orders, split = load_cdnow(backend="polars"), date(1997, 9, 30)
    table = lifecycle.rhythm(orders, as_of=split)
    staged = lifecycle.assign(table, rules=lifecycle.rules(table))
    later = rfm.holdout(orders, split=split, as_of=date(1998, 6, 30))
    came_back = (
        staged.join(later.select("customer_id", "frequency_holdout"), on="customer_id")
        .group_by("stage")
        .agg((pl.col("frequency_holdout") > 0).mean().alias("share"))
    )
    share = dict(came_back.iter_rows())
    assert share["growing"] > share["active"] > share["returned"] > share["at risk"]
    assert share["at risk"] > 2 * max(share["lapsing"], share["lost"])


# Shape


def test_every_engine_gives_the_documented_tables(make_frame: MakeFrame) -> None:
    ledger = make_frame(
        {"customer_id": ["a", "a"], "date": [date(2024, 1, 1), AS_OF], "amount": [1.0, 2.0]}
    )
    table = lifecycle.rhythm(ledger, as_of=AS_OF)
    staged = lifecycle.assign(table, rules=RULES)
    summary = lifecycle.stage_summary(staged)
    assert {type(each) for each in (table, staged, summary)} == {type(ledger)}
    before, after, counted = (
        nw.from_native(each).collect_schema().names() for each in (table, staged, summary)
    )
    assert after == [*before, "expected_gap_days", "overdue_ratio", "stage", "stage_reason"]
    shares = ["n_customers", "customer_share", "total_amount", "amount_share"]
    assert counted == ["stage", "stage_order", *shares]


def test_a_ledger_without_money_gets_stages_all_the_same(make_frame: MakeFrame) -> None:
    ledger = make_frame({"customer_id": ["a", "a"], "date": [date(2024, 1, 1), AS_OF]})
    staged = lifecycle.assign(lifecycle.rhythm(ledger, as_of=AS_OF), rules=RULES)
    assert rows(staged)[0]["stage"] == "returned"
    assert "total_amount" not in rows(lifecycle.stage_summary(staged))[0]


def test_stages_leave_rows_index_and_other_columns_alone() -> None:
    table = pd.concat([one_customer(), one_customer(days_since_last=90)]).assign(
        city=["x", "y"], customer_id=["ann", "ben"]
    )
    table.index = pd.Index([7, 3], name="line")
    before = table.copy(deep=True)
    staged = lifecycle.assign(table, rules=RULES)
    pd.testing.assert_frame_equal(staged[list(table.columns)], before)
    pd.testing.assert_frame_equal(table, before)
    assert staged["stage"].tolist() == ["active", "lost"]


def test_nan_counts_as_null() -> None:
    once = [("ann", AS_OF - timedelta(days=10), 1.0)]
    table = lifecycle.rhythm(frame(once), as_of=AS_OF, prospects=people(["pia"]))
    numbers = pl.selectors.numeric()
    with_nan = table.with_columns(numbers.cast(pl.Float64).fill_null(np.nan))
    staged, same = (
        lifecycle.assign(each, rules=replace(RULES, new_days=5)) for each in (table, with_nan)
    )
    assert staged["stage"].to_list() == same["stage"].to_list() == ["active", "prospect"]
    assert staged["stage_reason"].equals(same["stage_reason"])


def test_an_empty_ledger_gives_empty_tables(make_frame: MakeFrame) -> None:
    ledger = make_frame({"customer_id": ["a"], "date": [date(2025, 1, 1)], "amount": [1.0]})
    table = lifecycle.rhythm(ledger, as_of=AS_OF)
    assert rows(table) == []
    summary = rows(lifecycle.stage_summary(lifecycle.assign(table, rules=RULES)), by="stage_order")
    assert [row["n_customers"] for row in summary] == [0] * len(STAGES)
    assert {row["customer_share"] for row in summary} == {None}


def test_one_purchase_each_on_one_day_needs_a_typical_gap_by_hand(make_frame: MakeFrame) -> None:
    ledger = make_frame({"customer_id": ["a", "b"], "date": [AS_OF] * 2, "amount": [1.0, 2.0]})
    table = lifecycle.rhythm(ledger, as_of=AS_OF)
    staged = lifecycle.assign(table, rules=lifecycle.rules(table, typical_gap_days=30))
    assert [row["stage"] for row in rows(staged)] == ["new", "new"]
    assert {row["overdue_ratio"] for row in rows(staged)} == {0.0}


def test_a_stage_of_ones_own_keeps_its_row_at_the_end(make_frame: MakeFrame) -> None:
    staged = make_frame({"customer_id": ["a", "b", "c"], "stage": ["dormant", "lost", "dormant"]})
    last = rows(lifecycle.stage_summary(staged), by="stage_order")[-1]
    assert last == {
        "stage": "dormant",
        "stage_order": 9,
        "n_customers": 2,
        "customer_share": pytest.approx(2 / 3),
    }


# Refusals


def test_a_customer_summary_is_not_a_rhythm(make_frame: MakeFrame) -> None:
    orders = make_frame({"customer_id": ["a"], "date": [AS_OF]})
    with pytest.raises(MissingColumnsError, match=r"^rhythm: no column `mean_gap_days`") as caught:
        lifecycle.assign(rfm.summarize(orders, as_of=AS_OF), rules=RULES)
    assert str(caught.value).endswith("Build this table with crmkit.lifecycle.rhythm().")
