"""Audit of assigned tiers: the cases of the trade, a slow twin, and properties."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import tiers
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame, rows

RULE = tiers.TierRule(
    ("diamond", "gold", "silver"), (2000.0, 1000.0), ("total_amount",), (1.0,), (1.0,), "thresholds"
)
CUSTOMERS: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "cid", "dee", "eve", "fay", "gus"],
    "total_amount": [1200.0, 450.0, 2100.0, 980.0, 60.0, None, 20.0],
    "tier_assigned": ["gold", "gold", "gold", "gold", "diamond", "gold", None],
    "agent": ["kim", "kim", "lee", "lee", "kim", "lee", "lee"],
}

amounts = st.none() | st.integers(0, 400_000).map(lambda n: n / 100)
held = st.none() | st.sampled_from(RULE.names)
customers = st.lists(st.tuples(amounts, held), min_size=1, max_size=30)


def frame(given: list[tuple[Any, Any]]) -> pl.DataFrame:
    names = {"total_amount": pl.Float64, "tier_assigned": pl.String}
    return pl.DataFrame(given, schema=names, orient="row")


# By hand


def test_the_audit_of_five_customers() -> None:
    # The example of the specification: cuts 2000 and 1000.
    found = tiers.audit(pl.DataFrame(CUSTOMERS), rule=RULE)
    columns = ["tier_earned", "steps", "gap_to_cut", "audit"]
    assert found.select(columns).rows() == [
        ("gold", 0, 200.0, "right"),
        ("silver", 1, -550.0, "over-graded"),
        ("diamond", -1, 1100.0, "under-graded"),
        ("silver", 1, -20.0, "over-graded"),
        ("silver", 2, -1940.0, "over-graded"),
        (None, None, None, "unknown"),
        ("silver", None, None, "unknown"),
    ]
    expected = [0.2, -0.55, 1.1, -0.02, -0.97, None, None]
    assert found["gap_share"].to_list() == pytest.approx(expected)


def test_within_the_tolerance_a_tier_is_right_on_both_sides_of_a_cut() -> None:
    given = frame([(980.0, "gold"), (940.0, "gold"), (2050.0, "gold"), (2100.0, "gold")])
    found = tiers.audit(given, rule=RULE, tolerance=0.05)
    assert found["audit"].to_list() == ["right", "over-graded", "right", "under-graded"]
    assert found["steps"].to_list() == [1, 1, -1, -1]


def test_the_last_tier_has_no_cut_to_miss() -> None:
    found = tiers.audit(frame([(1500.0, "silver")]), rule=RULE)
    assert found.select("steps", "gap_to_cut", "audit").rows() == [(-1, None, "under-graded")]


def test_the_summary_compares_each_agent_with_all_others() -> None:
    found = tiers.audit_summary(tiers.audit(pl.DataFrame(CUSTOMERS), rule=RULE))
    kim, lee = found.rows(named=True)
    assert (kim["agent"], kim["n_customers"], kim["n_over_graded"]) == ("kim", 3, 2)
    assert (kim["value_over_graded"], kim["shortfall"]) == (510.0, 2490.0)
    counts = ["n_customers", "n_right", "n_over_graded", "n_under_graded", "n_unknown"]
    assert [lee[name] for name in counts] == [4, 0, 1, 1, 2]
    assert kim["over_grading_rate"] == pytest.approx(2 / 3)
    assert kim["others_rate"] == lee["over_grading_rate"] == 0.5
    assert kim["difference"] == pytest.approx(1 / 6) == -lee["difference"]
    assert kim["difference_lower"] == pytest.approx(-lee["difference_upper"])


def test_the_intervals_are_those_of_newcombe() -> None:
    # Newcombe (1998), Table II, method 10: 56/70 less 48/80 is .2000, from .0524 to .3339;
    # the interval of 56/70 alone by Wilson's formula is .6918 to .8770.
    given = [(500.0, "gold", "a")] * 56 + [(1500.0, "gold", "a")] * 14
    given += [(500.0, "gold", "b")] * 48 + [(1500.0, "gold", "b")] * 32
    table = pl.DataFrame(given, schema=["total_amount", "tier_assigned", "agent"], orient="row")
    first = tiers.audit_summary(tiers.audit(table, rule=RULE)).row(0, named=True)
    assert first["agent"] == "a"
    found = [first[name] for name in ("difference", "difference_lower", "difference_upper")]
    assert found == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)
    z = 1.959963984540054
    center, half = (56 + z * z / 2) / (70 + z * z), z * math.sqrt(56 * 14 / 70 + z * z / 4)
    bounds = [center - half / (70 + z * z), center + half / (70 + z * z)]
    assert [first["rate_lower"], first["rate_upper"]] == pytest.approx(bounds)


# Twin


@given(customers, st.sampled_from([0.0, 0.05, 0.3]))
def test_each_customer_is_judged_as_on_paper(given: list[Any], tolerance: float) -> None:
    found = tiers.audit(frame(given), rule=RULE, tolerance=tolerance)
    cuts = {"diamond": 2000.0, "gold": 1000.0}
    for (value, tier), grade in zip(given, found["audit"], strict=True):
        if value is None or tier is None:
            assert grade == "unknown"
            continue
        too_low = tier in cuts and value < cuts[tier] * (1 - tolerance)
        better = {"gold": "diamond", "silver": "gold"}.get(tier)
        too_high = better is not None and value >= cuts[better] * (1 + tolerance)
        assert grade == ("over-graded" if too_low else "under-graded" if too_high else "right")


# Properties


@given(customers)
def test_a_rule_that_is_audited_against_itself_finds_nothing(given: list[Any]) -> None:
    tiered = tiers.assign(frame(given), rule=RULE)
    found = tiers.audit(tiered, rule=RULE, assigned="tier")
    assert set(found["audit"]) <= {"right", "unknown"}
    assert set(found["steps"]) <= {0, None}


@given(customers, st.sampled_from([0.0, 0.1]))
def test_the_summary_loses_nobody(given: list[Any], tolerance: float) -> None:
    audited = tiers.audit(frame(given), rule=RULE, tolerance=tolerance)
    marked = audited.with_columns(agent=pl.int_range(pl.len()) % 3)
    found = tiers.audit_summary(marked)
    grades = ["n_right", "n_over_graded", "n_under_graded", "n_unknown"]
    assert found["n_customers"].sum() == len(given)
    assert found.select(pl.sum_horizontal(grades)).to_series().sum() == len(given)
    over = audited.filter(pl.col("audit") == "over-graded")
    assert found["shortfall"].sum() == pytest.approx(-over["gap_to_cut"].sum())
    assert found["value_over_graded"].sum() == pytest.approx(over["total_amount"].sum())


@given(customers)
def test_more_tolerance_never_finds_more(given: list[Any]) -> None:
    wrong = [
        set(
            tiers.audit(frame(given).with_row_index(), rule=RULE, tolerance=tolerance)
            .filter(pl.col("audit").str.ends_with("graded"))["index"]
            .to_list()
        )
        for tolerance in (0.3, 0.05, 0.0)
    ]
    assert wrong[0] <= wrong[1] <= wrong[2]


# Shape


def test_every_engine_audits_alike(make_frame: MakeFrame) -> None:
    found = tiers.audit(make_frame(CUSTOMERS), rule=RULE)
    by_id = {row["customer_id"]: row["audit"] for row in rows(found)}
    assert by_id["dee"] == "over-graded"
    assert by_id["fay"] == by_id["gus"] == "unknown"


def test_categories_of_pandas_are_tiers_too() -> None:
    table = pd.DataFrame(CUSTOMERS).astype({"tier_assigned": "category"})
    assert tiers.audit(table, rule=RULE)["audit"].tolist()[:2] == ["right", "over-graded"]


def test_an_agent_alone_has_nobody_to_be_compared_with() -> None:
    table = frame([(1.0, "gold")]).with_columns(agent=pl.lit("kim"))
    (found,) = tiers.audit_summary(tiers.audit(table, rule=RULE)).rows(named=True)
    assert found["over_grading_rate"] == 1
    assert found["others_rate"] is found["difference"] is found["difference_lower"] is None


def test_nobody_audited_is_an_empty_summary() -> None:
    table = frame([]).with_columns(agent=pl.lit("kim"))
    assert tiers.audit_summary(tiers.audit(table, rule=RULE)).height == 0


# Refusals


def test_a_tier_that_the_rule_does_not_know_is_refused() -> None:
    table = frame([(1.0, "platinum"), (1.0, "gold"), (1.0, "Gold")])
    with pytest.raises(InvalidRowsError) as caught:
        tiers.audit(table, rule=RULE)
    assert str(caught.value) == (
        "customers: `tier_assigned` is not a tier of the rule in 2 of 3 rows "
        "('Gold', 'platinum').\n"
        "The rule has `diamond`, `gold`, `silver`: give the rule that these tiers belong to, or "
        "make null what is unknown."
    )


def test_a_table_without_assigned_tiers_is_refused() -> None:
    with pytest.raises(MissingColumnsError, match="no column `tier_assigned`"):
        tiers.audit(pl.DataFrame({"total_amount": [1.0]}), rule=RULE)


def test_a_tolerance_in_percent_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        tiers.audit(frame([]), rule=RULE, tolerance=5)
    assert str(caught.value) == (
        "`tolerance` must be from 0 to 1, got 5.\nWrite 0.05 for 5 % of the cut."
    )


def test_a_group_with_the_name_of_a_result_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="which is made here"):
        tiers.audit_summary(tiers.audit(frame([]), rule=RULE), by="shortfall")
