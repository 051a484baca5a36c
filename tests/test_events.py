"""Events: what changed between two snapshots, once, with both values and both days."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmkit import events, lifecycle, pipeline, tiers
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from tests.conftest import MakeFrame, rows

COLUMNS = [
    *("customer_id", "event", "priority", "old_value", "new_value", "at_stake", "reason"),
    *("before_date", "after_date"),
]


def snapshot(**columns: list[Any]) -> pl.DataFrame:
    """A snapshot of customers named in the order of the alphabet."""
    n = len(next(iter(columns.values())))
    return pl.DataFrame({"customer_id": list("abcdefgh"[:n]), **columns})


def rule(column: str, change: str, value: str = "", **others: Any) -> pl.DataFrame:
    """One rule, named "it"."""
    row = {"event": "it", "column": column, "change": change, "compare_to": value}
    return pl.DataFrame([row | {"priority": 1, "reason": "so"} | others])


def happened(found: pl.DataFrame) -> list[tuple[str, str]]:
    return found.select("customer_id", "event").rows()


@pytest.fixture(scope="module")
def months() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The customers of the sample at the ends of May and June, by the same values."""
    log = load_cdnow(sample=True, backend="polars")
    may = pipeline.run(log, as_of=date(1998, 5, 31))
    june = pipeline.run(log, as_of=date(1998, 6, 30), kept=may.kept)
    return may.customers, june.customers


# Twin


@pytest.mark.parametrize(
    ("made", "old", "new", "expected"),
    [
        (rule("stage", "to", "lost"), ["new", "lost", None], ["lost", "lost", "lost"], ["a"]),
        (rule("stage", "from", "lost"), ["lost", "lost", "new"], ["new", "lost", "new"], ["a"]),
        (rule("stage", "moves", "a, b > c"), ["a", "b", "d"], ["c", "a", "c"], ["a"]),
        (rule("stage", "changes"), ["x", "x", None], ["y", "x", "y"], ["a"]),
        (rule("tier", "up", "big > small"), ["small", "big", None], ["big", "small", "big"], ["a"]),
        (
            rule("tier", "down", "big > small"),
            ["big", "small", "big"],
            ["small", "big", "big"],
            ["a"],
        ),
        (rule("x", "above", "2"), [1.0, 2.0, 1.9, None], [2.0, 3.0, 1.99, 5.0], ["a"]),
        (rule("x", "below", "2"), [2.0, 1.0, 3.0, 2.0], [1.9, 1.0, 2.0, None], ["a"]),
        (rule("x", "known"), [None, 1.0, None], [3.0, 2.0, None], ["a"]),
    ],
)
def test_each_change_is_what_its_rule_says(
    made: pl.DataFrame, old: list[Any], new: list[Any], expected: list[str]
) -> None:
    column = made["column"].item()
    before, after = snapshot(**{column: old}), snapshot(**{column: new})
    found = events.compare(before, after, rules=made)
    assert happened(found) == [(who, "it") for who in expected]
    assert found.columns == COLUMNS


@pytest.mark.parametrize(
    ("value", "written"),
    [(-12.34, "-12.34"), (-0.05, "-0.05"), (-0.001, "0.00"), (0.0, "0.00"), (1.005, "1.00")],
)
def test_money_below_zero_is_written_as_it_is(value: float, written: str) -> None:
    before, after = snapshot(x=[value]), snapshot(x=[7.0])
    (row,) = rows(events.compare(before, after, rules=rule("x", "changes")))
    assert (row["old_value"], row["new_value"]) == (written, "7.00")


def test_what_will_happen_is_told_in_days() -> None:
    after = snapshot(
        overdue_ratio=[1.5, 1.9, 2.1, 0.1],
        days_since_last=[30, 38, 42, 2],
        expected_gap_days=[20.0, 20.0, 20.0, 20.0],
    )
    found = events.compare(after, after, rules=rule("overdue_ratio", "soon", "2 in 7"))
    assert found.select("customer_id", "old_value", "new_value").rows() == [
        ("b", "1.90", "in 2 days")
    ]


def test_rules_on_columns_that_nobody_has_give_no_events() -> None:
    found = events.compare(snapshot(x=[1.0]), snapshot(x=[2.0]), rules=rule("y", "above", "2"))
    assert found.columns == COLUMNS
    assert found.height == 0


def test_a_tier_that_will_fall_is_told_with_the_date_and_the_days_to_it() -> None:
    held = snapshot(tier=["gold"] * 5)
    after = held.with_columns(
        falls_on=pl.Series(
            [date(2024, 7, 1), date(2024, 7, 2), date(2024, 7, 31), date(2024, 8, 1), None]
        )
    )
    found = events.compare(held, after, after_date="2024-07-01")
    assert found.select("customer_id", "event", "old_value", "new_value").rows() == [
        ("a", "tier will fall", "2024-07-01", "in 0 days"),
        ("b", "tier will fall", "2024-07-02", "in 1 day"),
        ("c", "tier will fall", "2024-07-31", "in 30 days"),
    ]


def test_a_review_tells_who_will_fall_and_who_fell() -> None:
    rule = tiers.TierRule(
        *(("diamond", "gold", "silver"), (500.0, 100.0), ("total_amount",)),
        *((1.0,), (1.0,), "thresholds"),
    )
    since = [date(2024, 1, 1), date(2024, 6, 10), date(2024, 1, 1)]
    before = snapshot(tier=["gold", "gold", "gold"], tier_since=since)
    worth = snapshot(total_amount=[20.0, 20.0, 120.0])
    after = tiers.review(before, worth, rule=rule, as_of="2024-06-30", hold_days=30)
    found = events.compare(before, after, after_date="2024-06-30")
    assert found.select("customer_id", "event", "new_value").rows() == [
        ("a", "tier down", "silver"),
        ("b", "tier will fall", "in 10 days"),
    ]


# Properties


def test_equal_snapshots_have_no_events(months: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    before, _ = months
    found = events.compare(before, before)
    assert set(found["event"]) <= {"overdue soon"}
    assert found.columns == COLUMNS


def test_each_change_of_stage_is_one_event(months: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    before, after = months
    both = before.select("customer_id", old="stage").join(
        after.select("customer_id", new="stage"), on="customer_id"
    )
    moved = both.filter(pl.col("old") != pl.col("new"))
    rules = events.rules(backend="polars")
    of_stage = rules.filter(pl.col("column") == "stage")["event"].to_list()
    found = events.compare(before, after)
    told = found.filter(pl.col("event").is_in(of_stage))
    assert sorted(told["customer_id"]) == sorted(moved["customer_id"])
    assert set(told["before_date"]) == {date(1998, 5, 31)}
    assert set(told["after_date"]) == {date(1998, 6, 30)}


def test_a_comparison_the_other_way_mirrors_it(months: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    before, after = months
    made = pl.concat(
        [
            rule("churn_risk", "above", "0.8", event="up"),
            rule("churn_risk", "below", "0.8", event="down"),
            rule("tier", "up", "diamond > gold > silver", event="tier up"),
            rule("tier", "down", "diamond > gold > silver", event="tier down"),
            rule("stage", "changes", event="stage"),
            rule("", "appeared", event="appeared"),
            rule("", "vanished", event="vanished"),
        ]
    )
    days: dict[str, Any] = {"before_date": "2024-01-01", "after_date": "2024-01-02"}
    there = events.compare(before[:2000], after[100:], rules=made, **days)
    back = events.compare(after[100:], before[:2000], rules=made, **days)
    mirror = {"up": "down", "tier up": "tier down", "appeared": "vanished", "stage": "stage"}
    mirror |= {new: old for old, new in mirror.items()}
    turned = back.select(
        "customer_id",
        pl.col("event").replace_strict(mirror),
        old_value="new_value",
        new_value="old_value",
    )
    names = ["customer_id", "event", "old_value", "new_value"]
    assert there.height > 200
    assert_frame_equal(there.select(names).sort(names), turned.sort(names))


def test_a_threshold_fires_once() -> None:
    values = [0.1, 0.5, 0.85, 0.9, 0.81, 0.4, 0.95]
    made = rule("churn_risk", "above", "0.8")
    fired = [
        events.compare(snapshot(churn_risk=[old]), snapshot(churn_risk=[new]), rules=made).height
        for old, new in itertools.pairwise(values)
    ]
    assert fired == [0, 1, 0, 0, 0, 1]


def test_who_vanished_has_no_other_event() -> None:
    before = snapshot(stage=["active", "active"], total_amount=[10.0, 7.0])
    found = events.compare(before, before[:1])
    assert found.select("customer_id", "event", "at_stake").rows() == [("b", "vanished", 7.0)]


def test_a_customer_who_flaps_is_marked() -> None:
    low, high = snapshot(churn_risk=[0.1, 0.1]), snapshot(churn_risk=[0.9, 0.1])
    earlier = None
    flaps = []
    start = date(2024, 1, 1)
    for i in range(6):
        sides = (low, high) if i % 2 == 0 else (high, low)
        found = events.compare(
            *sides,
            before_date=start + timedelta(days=i),
            after_date=start + timedelta(days=i + 1),
            earlier=earlier,
        )
        flaps.append(found["flaps"].item() if earlier is not None else False)
        kept = found.drop("flaps", strict=False)
        earlier = kept if earlier is None else pl.concat([earlier, kept])
    assert flaps == [False, False, False, True, True, True]


def test_the_control_group_is_carried_along() -> None:
    before = snapshot(stage=["active", "active"])
    after = snapshot(stage=["lost", "lost"], treated=[True, False])
    assert events.compare(before, after)["treated"].to_list() == [True, False]


def test_the_most_urgent_come_first_then_the_most_money(make_frame: MakeFrame) -> None:
    before: dict[str, list[Any]] = {"customer_id": [1, 2, 3], "clv": [5.0, 50.0, 500.0]}
    before["stage"] = ["active"] * 3
    after = before | {"stage": ["lost", "lost", "growing"]}
    found = events.compare(make_frame(before), make_frame(after))
    ordered = sorted(rows(found), key=lambda row: (row["priority"], -row["at_stake"]))
    assert [row["customer_id"] for row in ordered] == [2, 1, 3]


def test_growth_of_a_log_tells_first_and_second_purchases() -> None:
    log = load_cdnow(sample=True, backend="polars")
    first = lifecycle.rhythm(log, as_of=date(1997, 2, 28))
    second = lifecycle.rhythm(log, as_of=date(1997, 3, 31))
    found = events.summary(events.compare(first, second))
    counts = dict(found.select("event", "n_customers").rows())
    old = first.select("customer_id", "orders")
    both = old.join(second, on="customer_id", suffix="_now")
    assert counts["appeared"] == second.height - first.height
    crossed = (pl.col("orders") < 2) & (pl.col("orders_now") >= 2)
    assert counts["second purchase"] == both.filter(crossed).height


# Refusals


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (rule("x", "abov", "2"), "`change` of 'it' is 'abov'.\nDid you mean 'above'?"),
        (
            rule("x", "above", "much"),
            "`compare_to` of 'it' is 'much'; for 'above' it must be a number",
        ),
        (rule("x", "soon", "2"), "it must be a threshold and days, as '2 in 14'"),
        (rule("x", "soon", "much"), "must be a threshold and days, such as '2 in 14', or days to"),
        (rule("day", "soon", "2 in 14"), "it must be days alone, such as '30'"),
        (rule("stage", "soon", "2 in 14"), "compares `stage` with a number or a date"),
        (rule("x", "up", "big"), "must be an order, such as 'diamond > gold > silver'"),
        (rule("", "to", "lost"), "'it' names no column"),
        (rule("stage", "above", "2"), "compares `stage` with a number"),
        (pl.concat([rule("x", "above", "2")] * 2), "`event` 'it' is there twice"),
        (rule("x", "above", "2")[:0], "the table is empty"),
    ],
)
def test_rules_that_cannot_be_applied_are_refused(made: pl.DataFrame, words: str) -> None:
    table = snapshot(x=[1.0], stage=["new"], day=[date(2024, 1, 1)])
    with pytest.raises(InvalidArgumentError) as caught:
        events.compare(table, table, rules=made, after_date="2024-01-01")
    assert words in str(caught.value)


def test_what_is_wrong_with_the_snapshots_is_said() -> None:
    table = snapshot(tier=["gold", "odd"])
    with pytest.raises(InvalidRowsError, match="`tier` has `odd`"):
        events.compare(table, table)
    with pytest.raises(InvalidRowsError, match="`customer_id` is repeated"):
        events.compare(pl.concat([table, table]), table)
    ahead = snapshot(falls_on=[date(2024, 1, 1)])
    with pytest.raises(InvalidArgumentError, match="Say it with `after_date`"):
        events.compare(ahead, ahead)
    log = load_cdnow(sample=True, backend="polars")
    may, june = (lifecycle.rhythm(log, as_of=date(1998, month, 30)) for month in (5, 6))
    with pytest.raises(InvalidArgumentError, match="`before` is of 1998-06-30"):
        events.compare(june, may)
