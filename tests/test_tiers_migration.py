"""Migration between tiers and its value: published figures, a slow twin, and properties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import tiers
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from tests.conftest import MakeFrame, rows

RULE = tiers.TierRule(
    ("gold", "silver", "bronze"), (500.0, 100.0), ("total_amount",), (1.0,), (1.0,), "thresholds"
)
WORTH = {"gold": 1000.0, "silver": 300.0, "bronze": 80.0}

amounts = st.none() | st.integers(-10_000, 100_000).map(lambda n: n / 100)
snapshots = st.dictionaries(st.integers(0, 20), amounts, max_size=20)


def frame(given: dict[int, float | None]) -> pl.DataFrame:
    names = {"customer_id": pl.Int64, "total_amount": pl.Float64}
    return pl.DataFrame(list(given.items()), schema=names, orient="row")


def moves_of(before: dict[int, Any], after: dict[int, Any]) -> pl.DataFrame:
    return tiers.migrate(frame(before), frame(after), rule=RULE, by="total_amount")


# Published


def test_mobility_of_eight_hundred_customers() -> None:
    # Definitions of Shorrocks (1978), Econometrica 46(5), 1013-1024; the matrix by hand: 680 of 800
    # stay, shares of those who stay .80, .75 and .90, so that the index is (3 - 2.45) / 2.
    matrix = [[80, 15, 5], [20, 150, 30], [5, 45, 450]]
    before, after, who = {}, {}, 0
    for i, row in enumerate(matrix):
        for j, n in enumerate(row):
            for _ in range(n):
                before[who], after[who] = (list(WORTH.values())[k] for k in (i, j))
                who += 1
    moves = moves_of(before, after)
    assert moves["n_customers"].to_list()[:9] == [80, 15, 5, 20, 150, 30, 5, 45, 450]
    found = tiers.mobility(moves, rule=RULE, values=WORTH)
    assert (found.n_customers, found.n_stayed, found.n_up, found.n_down) == (800, 680, 70, 50)
    assert found.stayed_share == 0.85
    assert found.shorrocks == pytest.approx(0.275)
    assert found.value_moved == pytest.approx(6800.0)
    expected = [0.17424242424242437, 0.29545454545454547, 0.5303030303030303]
    assert found.stationary == pytest.approx(expected, abs=1e-9)
    # Nobody's value changed within a tier here, so the two figures agree.
    assert found.value_change == pytest.approx(6800.0)
    assert tiers.mobility(moves, rule=RULE).value_moved == pytest.approx(6800.0)


@pytest.mark.parametrize(
    ("margin", "cost", "profit"), [(0.2, 0.0, 0.5), (0.1, 0.0, 1.0), (0.2, 250.0, 0.25)]
)
def test_ten_percent_more_revenue_is_half_more_profit_where_the_margin_is_a_fifth(
    margin: float, cost: float, profit: float
) -> None:
    # 1,000 from one of 600 and four of 100: .2 customers moved bring .2 x 500 = 100, which is 10 %.
    customers = frame({0: 600.0, 1: 100.0, 2: 100.0, 3: 100.0, 4: 100.0})
    rule = tiers.rule(customers, method="thresholds", names=("A", "B"), cuts=[500])
    found = tiers.migration_value(
        tiers.assign(customers, rule=rule),
        rule=rule,
        by="total_amount",
        share=0.04,
        net_margin=margin,
        cost_per_customer=cost,
    )
    assert found["value_change_share"].to_list() == pytest.approx([0.1, 0.1])
    assert found["profit_change_share"].to_list() == pytest.approx([profit, profit])


# Twin


@given(snapshots, snapshots)
def test_moves_are_counted_as_on_paper(before: dict[int, Any], after: dict[int, Any]) -> None:
    def tier(value: float | None) -> str | None:
        if value is None:
            return None
        return "gold" if value >= 500 else "silver" if value >= 100 else "bronze"

    for row in moves_of(before, after).rows(named=True):
        who = [
            each
            for each in before.keys() | after.keys()
            if (tier(before.get(each)), tier(after.get(each)))
            == (row["tier_before"], row["tier_after"])
        ]
        if row["move"] == "entered":
            who = [each for each in who if each not in before]
        elif row["move"] == "left":
            who = [each for each in who if each not in after]
        elif row["move"] == "unknown":
            continue
        else:
            who = [each for each in who if each in before and each in after]
        assert row["n_customers"] == len(who)
        worth = sum((after.get(w) or 0.0) - (before.get(w) or 0.0) for w in who)
        assert row["value_change"] == pytest.approx(worth, abs=1e-9)


# Properties


@given(snapshots, snapshots)
def test_nobody_and_no_money_is_lost(before: dict[int, Any], after: dict[int, Any]) -> None:
    moves = moves_of(before, after)
    assert moves["n_customers"].sum() == len(before.keys() | after.keys())
    old, new = (sum(v or 0.0 for v in each.values()) for each in (before, after))
    assert moves["value_before"].sum() == pytest.approx(old, abs=1e-9)
    assert moves["value_after"].sum() == pytest.approx(new, abs=1e-9)
    if None not in [*before.values(), *after.values()]:
        assert moves["value_change"].sum() == pytest.approx(new - old, abs=1e-9)


@given(snapshots, snapshots)
def test_back_is_the_mirror_of_forth(before: dict[int, Any], after: dict[int, Any]) -> None:
    forth, back = moves_of(before, after), moves_of(after, before)
    mirror = {"up": "down", "down": "up", "entered": "left", "left": "entered"}

    def cells(moves: pl.DataFrame, old: str, new: str) -> set[Any]:
        return {(row[old], row[new], row["move"], row["n_customers"]) for row in rows(moves)}

    there = cells(forth, "tier_before", "tier_after")
    assert {(a, b, mirror.get(move, move), n) for a, b, move, n in there} == cells(
        back, "tier_after", "tier_before"
    )


@given(snapshots)
def test_without_a_change_nobody_moves(given: dict[int, Any]) -> None:
    moves = moves_of(given, given)
    moved = moves.filter(~pl.col("move").is_in(["stayed", "unknown"]))
    assert moved["n_customers"].sum() == 0


@given(snapshots, snapshots)
def test_shares_of_each_tier_before_add_up(before: dict[int, Any], after: dict[int, Any]) -> None:
    moves = moves_of(before, after).filter(pl.col("before_share").is_not_null())
    for _, of_tier in moves.group_by("tier_before"):
        assert of_tier["before_share"].sum() == pytest.approx(1.0)


# Shape


def test_every_engine_counts_moves_alike(make_frame: MakeFrame) -> None:
    before = make_frame({"customer_id": ["a", "b", "c"], "total_amount": [900.0, 40.0, None]})
    after = make_frame({"customer_id": ["b", "c", "d"], "total_amount": [700.0, 20.0, 150.0]})
    found = rows(tiers.migrate(before, after, rule=RULE, by="total_amount"))
    some = {
        (row["tier_before"], row["tier_after"], row["move"]): row["n_customers"]
        for row in found
        if row["n_customers"]
    }
    assert some == {
        ("gold", None, "left"): 1,
        ("bronze", "gold", "up"): 1,
        (None, "bronze", "unknown"): 1,
        (None, "silver", "entered"): 1,
    }


def test_tiers_as_they_were_held_may_be_taken() -> None:
    before = frame({1: 900.0}).with_columns(tier=pl.lit("silver"))
    after = frame({1: 900.0}).with_columns(tier=pl.lit("gold"))
    moves = tiers.migrate(before, after, rule=RULE, by="total_amount", tier="tier")
    assert moves.filter(pl.col("n_customers") > 0)["move"].to_list() == ["up"]


def test_nobody_on_either_day_is_a_matrix_of_zeros() -> None:
    moves = moves_of({}, {})
    assert moves.height == 15
    assert moves["n_customers"].sum() == 0
    found = tiers.mobility(moves, rule=RULE)
    assert (found.stayed_share, found.shorrocks, found.stationary) == (None, None, None)


def test_where_nobody_moves_at_all_no_single_share_is_stationary() -> None:
    same = {1: 900.0, 2: 200.0, 3: 5.0}
    found = tiers.mobility(moves_of(same, same), rule=RULE)
    assert (found.shorrocks, found.value_moved, found.stationary) == (0.0, 0.0, None)


def test_no_more_customers_move_than_there_are_in_the_lower_tier() -> None:
    customers = frame({1: 900.0, 2: 800.0, 3: 200.0})
    found = tiers.migration_value(
        tiers.assign(customers, rule=RULE), rule=RULE, by="total_amount", share=0.5
    )
    assert found["step"].to_list() == ["bronze to silver", "silver to gold", "all"]
    assert found["customers_moved"].to_list() == [0.0, 1.0, 1.0]
    assert found["value_change"].to_list() == [None, 650.0, None]
    assert found["profit_change_share"].to_list() == [None, None, None]


# Refusals


def test_tiers_of_another_rule_are_refused() -> None:
    before = tiers.assign(frame({1: 900.0, 2: 50.0}), rule=RULE)
    other = replace(RULE, cuts=(5000.0, 100.0))
    after = tiers.assign(frame({1: 900.0, 2: 50.0}), rule=other)
    with pytest.raises(InvalidRowsError) as caught:
        tiers.migrate(before, after, rule=RULE, by="total_amount")
    assert str(caught.value) == (
        "customers after: `tier` is not what the rule gives in 1 of 2 rows; another rule made it.\n"
        'Drop the column, so that one rule cuts both days, or say tier="tier" to take the tiers '
        "as they were held."
    )


def test_a_customer_twice_is_refused() -> None:
    twice = pl.concat([frame({1: 2.0}), frame({1: 3.0})])
    with pytest.raises(InvalidRowsError, match="customer_id"):
        tiers.migrate(twice, frame({}), rule=RULE, by="total_amount")


def test_a_tier_that_the_rule_does_not_know_is_refused() -> None:
    held = frame({1: 900.0}).with_columns(held=pl.lit("platinum"))
    with pytest.raises(InvalidRowsError, match="is not a tier of the rule in 1 of 1 rows"):
        tiers.migrate(held, held, rule=RULE, by="total_amount", tier="held")


def test_moves_of_another_rule_are_refused() -> None:
    other = replace(RULE, names=("A", "B", "C"))
    with pytest.raises(InvalidRowsError, match="Give the rule that made these moves"):
        tiers.mobility(moves_of({1: 1.0}, {}), rule=other)


def test_values_without_a_tier_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="`values` must give each tier"):
        tiers.mobility(moves_of({}, {}), rule=RULE, values={"gold": 1.0})


@pytest.mark.parametrize(
    ("option", "value"), [("share", 2), ("net_margin", 0), ("cost_per_customer", -1)]
)
def test_numbers_out_of_range_are_refused(option: str, value: float) -> None:
    tiered = tiers.assign(frame({1: 2.0}), rule=RULE)
    with pytest.raises(InvalidArgumentError, match=f"`{option}` must be"):
        tiers.migration_value(tiered, rule=RULE, by="total_amount", **{option: value})
