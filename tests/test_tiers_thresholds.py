"""Tiers that every measure must reach: `method="all_thresholds"`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import tiers
from crmkit.errors import InvalidArgumentError
from tests.conftest import MakeFrame, rows

CUTS = {"assets": (1000.0, 500.0), "fees": (50.0, 20.0)}
CLIENTS: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "cid", "dee", "eve", "fay"],
    "assets": [1200.0, 1200.0, 400.0, 500.0, None, 9.0],
    "fees": [60.0, 30.0, 90.0, 20.0, 90.0, None],
}
amounts = st.none() | st.integers(0, 120_000).map(lambda n: n / 100)
clients = st.lists(st.tuples(amounts, amounts), min_size=1, max_size=30)


def frame(given: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(given, schema={"assets": pl.Float64, "fees": pl.Float64}, orient="row")


def rule_of(cuts: Any = CUTS, **options: Any) -> Any:
    return tiers.rule(pl.DataFrame(CLIENTS), method="all_thresholds", cuts=cuts, **options)


# By hand


def test_a_tier_is_reached_where_every_measure_reaches_its_cut() -> None:
    tiered = tiers.assign(pl.DataFrame(CLIENTS), rule=rule_of())
    assert tiered["tier"].to_list() == ["diamond", "gold", "silver", "gold", None, None]
    assert "tier_value" not in tiered.columns


def test_the_audit_tells_the_gap_of_each_measure() -> None:
    held = pl.DataFrame(CLIENTS).with_columns(
        tier_assigned=pl.Series(["gold", "diamond", "gold", "silver", "gold", "gold"]),
        agent=pl.lit("kim"),
    )
    found = tiers.audit(held, rule=rule_of())
    assert found.select("audit", "gap_assets", "gap_fees", "gap_share").rows()[:4] == [
        ("under-graded", 700.0, 40.0, pytest.approx(1.4)),
        ("over-graded", 200.0, -20.0, pytest.approx(-0.4)),
        ("over-graded", -100.0, 70.0, pytest.approx(-0.2)),
        ("under-graded", None, None, None),
    ]
    assert found["audited_value"].null_count() == found["gap_to_cut"].null_count() == 6
    near = tiers.audit(held, rule=rule_of(), tolerance=0.2)
    assert near["audit"].to_list()[1:4] == ["over-graded", "right", "right"]
    (summed,) = tiers.audit_summary(found).rows(named=True)
    # Assets and fees are not to be added up.
    assert (summed["n_over_graded"], summed["shortfall"]) == (2, None)


def test_the_summary_shows_the_cut_of_each_measure() -> None:
    rule = rule_of()
    found = tiers.summary(tiers.assign(pl.DataFrame(CLIENTS), rule=rule), rule=rule, by="fees")
    assert found.select("tier", "cut", "cut_assets", "cut_fees", "n_customers").rows() == [
        ("diamond", None, 1000.0, 50.0, 1),
        ("gold", None, 500.0, 20.0, 2),
        ("silver", None, None, None, 1),
        (None, None, None, None, 2),
    ]


def test_moves_are_counted_by_all_measures() -> None:
    before = pl.DataFrame(CLIENTS)
    after = before.with_columns(fees=pl.lit(10.0))
    moves = tiers.migrate(before, after, rule=rule_of(), by="assets")
    moved = moves.filter(pl.col("n_customers") > 0)
    assert moved.select("tier_before", "tier_after", "n_customers").rows() == [
        ("diamond", "silver", 1),
        ("gold", "silver", 2),
        ("silver", "silver", 1),
        (None, None, 1),
        (None, "silver", 1),
    ]


# Properties


@given(clients)
def test_the_tier_is_the_lower_of_those_by_each_measure(given: list[Any]) -> None:
    table = frame(given)
    names = ["diamond", "gold", "silver"]
    single = []
    for name, cuts in CUTS.items():
        rule = tiers.rule(table, method="thresholds", by=name, cuts=cuts)
        single.append(tiers.assign(table, rule=rule)["tier"].to_list())
    expected = [
        None if None in pair else max(pair, key=names.index) for pair in zip(*single, strict=True)
    ]
    assert tiers.assign(table, rule=rule_of())["tier"].to_list() == expected


def test_a_kept_rule_gives_the_same_tiers_again() -> None:
    rule = rule_of()
    assert tiers.TierRule.from_json(rule.to_json()) == rule
    groups = rule_of(within="customer_id")
    assert tiers.TierRules.from_json(groups.to_json()) == groups


# Shape


def test_every_engine_compares_all_measures(make_frame: MakeFrame) -> None:
    tiered = tiers.assign(make_frame(CLIENTS), rule=rule_of())
    found = {row["customer_id"]: row["tier"] for row in rows(tiered)}
    assert [found[who] for who in ("ann", "ben", "cid", "eve")] == [
        *("diamond", "gold", "silver", None)
    ]


# Refusals


@pytest.mark.parametrize(
    "cuts",
    [
        {"assets": (500, 1000), "fees": (50, 20)},  # out of order
        {"assets": (1000, 500), "fees": (50,)},  # one short
        {"assets": (500, 500), "fees": (20, 20)},  # two tiers alike
        {"assets": (float("nan"), 1), "fees": (50, 20)},
    ],
)
def test_cuts_that_do_not_fall_in_each_measure_are_refused(cuts: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rule_of(cuts)
    assert str(caught.value) == (
        "`cuts` of method 'all_thresholds' must be 2 for each measure, for 3 tiers, in falling "
        "order, and each tier must differ from the next in one of them; got "
        f"{cuts}.\nBegin with the best tier, as in "
        '{"assets": (500, 100), "fees": (20, 5)}.'
    )


@pytest.mark.parametrize("cuts", [None, (500, 100), {}])
def test_cuts_without_a_measure_are_refused(cuts: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="needs `cuts` for each measure"):
        rule_of(cuts)


def test_measures_named_twice_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="takes its measures from `cuts`"):
        rule_of(by="orders")


@pytest.mark.parametrize(
    "broken",
    [
        {"measure_cuts": ()},
        {"measure_cuts": ((1.0, 2.0), (2.0, 1.0))},
        {"measure_cuts": ((2.0, 1.0),)},
        {"cuts": (2.0, 1.0)},
        {"method": "thresholds"},
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="TierRule: needs distinct names"):
        replace(rule_of(), **broken)
