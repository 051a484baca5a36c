"""Tiers within groups: each group as if the others were not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmkit import tiers
from crmkit.errors import FitError, InvalidArgumentError, MissingColumnsError
from tests.conftest import MakeFrame, rows

CUSTOMERS: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "cid", "dee", "eve", "fay", "gus"],
    "total_amount": [900.0, 300.0, 20.0, 10.0, 5.0, -4.0, -6.0],
    "orders": [9, 3, 2, 1, 1, 1, 1],
    "region": ["north", "north", "south", "south", "south", "east", "east"],
}
amounts = st.integers(-1_000, 20_000).map(lambda n: n / 100)
groups = st.sampled_from(["a", "b", None])
customers = st.lists(st.tuples(amounts, st.integers(1, 9), groups, st.booleans()), min_size=1)


def frame(given: list[Any]) -> pl.DataFrame:
    names = {
        "total_amount": pl.Float64,
        "orders": pl.Int64,
        "region": pl.String,
        "new": pl.Boolean,
    }
    return pl.DataFrame(given, schema=names, orient="row").with_row_index("customer_id")


def fitted(**options: Any) -> tiers.TierRules:
    given: dict[str, Any] = {"names": ("A", "B"), "cuts": (0.5,), "method": "value_share"}
    return tiers.rule(pl.DataFrame(CUSTOMERS), within="region", **{**given, **options})


# By hand


def test_each_region_has_its_own_best() -> None:
    rule = fitted()
    assert rule.groups == (("east",), ("north",), ("south",))
    assert [None if each is None else each.cuts for each in rule.rules] == [None, (900.0,), (20.0,)]
    tiered = tiers.assign(pl.DataFrame(CUSTOMERS), rule=rule)
    assert tiered["tier"].to_list() == ["A", "B", "A", "B", "B", None, None]


def test_a_group_without_a_total_above_zero_is_a_finding_and_no_error_for_all() -> None:
    negative = (
        "customers: `total_amount` adds up to -10; shares need a total above 0.\n"
        "Take a measure with a total above 0, or cut by thresholds or customer_share."
    )
    assert fitted().findings == (negative, None, None)


def test_the_summary_shows_the_group_without_classes() -> None:
    classed = tiers.abc(pl.DataFrame(CUSTOMERS), cuts=(0.5,), within="region")
    found = tiers.abc_summary(classed, within="region").select(
        "region", "abc_class", "n_customers", "value", "value_share", "finding"
    )
    assert found.rows() == [
        ("east", None, 2, -10.0, None, "total not above 0"),
        ("north", "A", 1, 900.0, 0.75, None),
        ("north", "B", 1, 300.0, 0.25, None),
        ("south", "A", 1, 20.0, pytest.approx(4 / 7), None),
        ("south", "B", 2, 15.0, pytest.approx(3 / 7), None),
    ]


def test_a_group_that_the_fit_has_not_seen_has_no_tier() -> None:
    west = pl.DataFrame({"total_amount": [5000.0], "region": ["west"]})
    assert tiers.assign(west, rule=fitted())["tier"].to_list() == [None]


HELD: dict[str, list[Any]] = CUSTOMERS | {
    "tier_assigned": ["A", "A", "A", "A", None, "A", "B"],
    "agent": ["kim", "kim", "lee", "lee", "lee", "lee", "kim"],
}


def test_each_customer_is_audited_by_the_rule_of_the_region() -> None:
    found = tiers.audit(pl.DataFrame(HELD), rule=fitted())
    assert found["audit"].to_list() == [
        *("right", "over-graded", "right", "over-graded", "unknown", "unknown", "unknown")
    ]
    gaps = [0.0, -600.0, 0.0, -10.0, None, None, None]
    assert found["gap_to_cut"].to_list() == gaps
    summed = tiers.audit_summary(found)
    assert summed.select("agent", "n_over_graded", "n_unknown", "shortfall").rows() == [
        ("kim", 1, 1, 600.0),
        ("lee", 1, 2, 10.0),
    ]


def test_the_summary_of_tiers_goes_group_by_group() -> None:
    rule = fitted()
    found = tiers.summary(tiers.assign(pl.DataFrame(CUSTOMERS), rule=rule), rule=rule)
    assert found.rows() == [
        ("east", None, None, 2, 1.0, -10.0, None),
        ("north", "A", 900.0, 1, 0.5, 900.0, 0.75),
        ("north", "B", None, 1, 0.5, 300.0, 0.25),
        ("south", "A", 20.0, 1, pytest.approx(1 / 3), 20.0, pytest.approx(4 / 7)),
        ("south", "B", None, 2, pytest.approx(2 / 3), 15.0, pytest.approx(3 / 7)),
    ]
    assert found.columns[:3] == ["region", "tier", "cut"]


def test_moves_between_tiers_of_all_regions_are_counted_together() -> None:
    # ben grows beyond the cut of the north, dee beyond that of the south, ann moves to the south.
    before = pl.DataFrame(CUSTOMERS)
    after = before.with_columns(
        total_amount=pl.Series([25.0, 950.0, 20.0, 30.0, 5.0, -4.0, -6.0]),
        region=pl.Series(["south", *CUSTOMERS["region"][1:]]),
    )
    rule = fitted()
    moves = tiers.migrate(before, after, rule=rule, by="total_amount")
    some = moves.filter(pl.col("n_customers") > 0)
    assert some.select("tier_before", "tier_after", "move", "n_customers").rows() == [
        ("A", "A", "stayed", 2),
        ("B", "A", "up", 2),
        ("B", "B", "stayed", 1),
        (None, None, "unknown", 2),
    ]
    found = tiers.mobility(moves, rule=rule)
    assert (found.n_customers, found.n_up, found.n_down) == (5, 2, 0)
    # A averages 460, B 105: two of B (its 2 % are at most its three) are worth 355 more each.
    tiered = tiers.assign(before, rule=rule)
    worth = tiers.migration_value(tiered, rule=rule, by="total_amount", share=2 / 7)
    assert worth["value_change"].to_list() == pytest.approx([(460 - 105) * 10 / 7] * 2)


# Properties


@pytest.mark.parametrize("within", ["region", ["region", "new"]])
@given(given=customers)
def test_audit_and_migration_within_equal_the_calls_on_each_part(
    within: Any, given: list[Any]
) -> None:
    whole = frame(given).with_columns(tier_assigned=pl.lit("gold"), agent=pl.lit("kim"))
    rules = tiers.rule(whole, method="customer_share", cuts=(0.2, 0.6), within=within)
    audited = tiers.audit(whole, rule=rules, tolerance=0.1)
    later = whole.with_columns(total_amount=pl.col("total_amount").reverse())
    moves = tiers.migrate(whole, later, rule=rules, by="total_amount")
    counts = dict.fromkeys(moves["move"].unique().to_list(), 0)
    for group, rule in zip(rules.groups, rules.rules, strict=True):
        names = [within] if isinstance(within, str) else within
        is_it = [pl.col(n).eq_missing(pl.lit(v)) for n, v in zip(names, group, strict=True)]
        part, part_later = whole.filter(*is_it), later.filter(*is_it)
        assert rule is not None
        alone = tiers.audit(part, rule=rule, tolerance=0.1)
        assert_frame_equal(audited.filter(*is_it), alone)
        of_part = tiers.migrate(part, part_later, rule=rule, by="total_amount")
        for move, n in of_part.group_by("move").agg(pl.sum("n_customers")).rows():
            counts[move] += n
    found = dict(moves.group_by("move").agg(pl.sum("n_customers")).rows())
    assert found == counts


@pytest.mark.parametrize("within", ["region", ["region", "new"]])
@pytest.mark.parametrize("by", ["total_amount", {"total_amount": 0.7, "orders": 0.3}])
@given(given=customers, method=st.sampled_from(["customer_share", "value_share"]))
def test_within_equals_the_call_on_each_part(
    within: Any, by: Any, given: list[Any], method: Any
) -> None:
    options: dict[str, Any] = {"method": method, "by": by, "cuts": (0.2, 0.6)}
    whole = frame(given)
    rule = tiers.rule(whole, within=within, **options)
    tiered = tiers.assign(whole, rule=rule)
    assert tiered["customer_id"].to_list() == whole["customer_id"].to_list()
    for _, part in whole.group_by(within):
        found = tiered.join(part.select("customer_id"), on="customer_id").sort("customer_id")
        try:
            alone = tiers.assign(part, rule=tiers.rule(part, **options)).sort("customer_id")
        except FitError:
            assert found["tier"].null_count() == part.height
        else:
            assert found["tier"].to_list() == alone["tier"].to_list()


@pytest.mark.parametrize("within", ["region", ["region", "new"]])
@given(given=customers)
def test_abc_within_equals_the_call_on_each_part(within: Any, given: list[Any]) -> None:
    whole = frame(given)
    try:
        classed = tiers.abc(whole, within=within)
    except FitError:
        assert all(part["total_amount"].sum() < 1e-6 for _, part in whole.group_by(within))
        return
    lazy = tiers.abc(whole.lazy(), within=within).collect()
    assert lazy["customer_id"].to_list() == whole["customer_id"].to_list()
    columns = ["abc_class", "abc_rank", "value_share", "cumulative_share"]
    assert lazy.select(columns).equals(classed.select(columns))
    for _, part in whole.group_by(within):
        ids = part.select("customer_id")
        found = classed.join(ids, on="customer_id").sort("customer_id").select(columns)
        try:
            alone = tiers.abc(part).sort("customer_id").select(columns)
        except FitError:
            assert set(found.null_count().row(0)) == {part.height}
        else:
            assert found.equals(alone)


@given(customers)
def test_shares_of_each_group_sum_to_one(given: list[Any]) -> None:
    whole = frame([*given, (1.0, 1, "c", True)])
    found = tiers.abc_summary(tiers.abc(whole, within="region"), within="region")
    assert found["n_customers"].sum() == whole.height
    for _, part in found.group_by("region"):
        assert part["customer_share"].sum() == pytest.approx(1.0)
        if part["value_share"].null_count() == 0:
            assert part["value_share"].sum() == pytest.approx(1.0)


@given(customers)
def test_kept_rules_give_the_same_tiers_again(given: list[Any]) -> None:
    whole = frame(given)
    rule = tiers.rule(whole, method="customer_share", cuts=(0.2, 0.6), within=["region", "new"])
    assert tiers.TierRules.from_json(rule.to_json()) == rule


# Shape


def test_every_engine_cuts_within_groups(make_frame: MakeFrame) -> None:
    table = make_frame(CUSTOMERS)
    rule = tiers.rule(table, method="value_share", names=("A", "B"), cuts=(0.5,), within="region")
    assert rule == fitted()
    found = {row["customer_id"]: row["tier"] for row in rows(tiers.assign(table, rule=rule))}
    assert found["ann"] == found["cid"] == "A"
    assert found["gus"] is None


def test_every_engine_classes_abc_within_groups(make_frame: MakeFrame) -> None:
    classed = tiers.abc(make_frame(CUSTOMERS), cuts=(0.5,), within="region")
    found = {row["customer_id"]: row for row in rows(classed)}
    classes = [found[who]["abc_class"] for who in CUSTOMERS["customer_id"]]
    assert classes == ["A", "B", "A", "B", "B", None, None]
    assert found["ann"]["cumulative_share"] == 0.75
    assert found["dee"]["cumulative_share"] == pytest.approx(30 / 35)
    assert found["gus"]["cumulative_share"] is None


def test_the_policy_comes_with_tiers_within_groups() -> None:
    policy = pl.DataFrame({"tier": ["A", "B"], "goal": ["retain", "develop"]})
    tiered = tiers.assign(pl.DataFrame(CUSTOMERS), rule=fitted(), policy=policy)
    assert tiered["goal"].to_list()[:2] == ["retain", "develop"]
    assert tiered["goal"].to_list()[-1] is None


# Refusals


def test_a_group_column_that_is_missing_is_refused() -> None:
    with pytest.raises(MissingColumnsError, match="no column `branch`"):
        tiers.rule(pl.DataFrame(CUSTOMERS), method="quantile", within="branch")


def test_groups_that_are_all_losses_are_refused() -> None:
    losses = pl.DataFrame(CUSTOMERS).filter(pl.col("region") == "east")
    with pytest.raises(FitError, match="no group has a total of `total_amount` above 0"):
        tiers.abc(losses, within="region")


def test_rules_of_groups_that_could_not_be_cut_have_nothing_to_audit() -> None:
    losses = pl.DataFrame(HELD).filter(pl.col("region") == "east")
    rule = tiers.rule(losses, method="value_share", cuts=(0.5, 0.8), within="region")
    assert tiers.assign(losses, rule=rule)["tier"].to_list() == [None, None]
    with pytest.raises(InvalidArgumentError, match="`rule` has no tiers, as no group could be cut"):
        tiers.audit(losses, rule=rule)


@pytest.mark.parametrize("within", [[], ["region", "region"]])
def test_columns_must_be_named_once(within: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="`within` must name one or several different"):
        tiers.rule(pl.DataFrame(CUSTOMERS), method="quantile", within=within)


def test_rules_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="TierRules: needs distinct groups"):
        replace(fitted(), groups=(("east",),))
