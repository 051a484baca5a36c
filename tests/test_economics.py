"""Cost-benefit analysis: a statement from practice that does not add up, and properties."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import economics
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MAKERS, MakeFrame, rows
from tests.published import printed

# A company's cost-benefit statement of its customers, as printed; its totals do not add up.
COSTS = {
    "advertising, promotion and research": 125320,
    "special expenses": 890000,
    "customer visits and reception": 112530,
    "maintaining customer relations": 128048,
    "transaction costs with customers": 1043674,
}
REVENUES = {
    "base income 2015": 1196090,
    "base income 2016": 6512016,
    "growth of operating income": 0,
    "cost and price concessions": 0,
    "customer referral income": 0,
}
STATEMENT: dict[str, list[Any]] = {
    "item": [*COSTS, *REVENUES],
    "kind": ["cost"] * len(COSTS) + ["revenue"] * len(REVENUES),
    "amount": [*COSTS.values(), *REVENUES.values()],
}
DECLARED = {"total_cost": 6741373, "total_revenue": 6987106, "ratio": 1.18}
GROUPED: dict[str, list[Any]] = {
    "item": ["visits", "sales", "discount", "hotline", "mailing", "post"],
    "kind": ["cost", "revenue", "revenue", "cost", "cost", "cost"],
    "amount": [100.0, 500.0, -50.0, 20.0, 30.0, 50.0],
    "group": ["north", "north", "north", "south", None, None],
}

amounts = st.integers(-10_000, 1_000_000).map(lambda n: n / 100)
statements = st.lists(
    st.tuples(st.sampled_from(["cost", "revenue"]), amounts, st.sampled_from(["a", "b", None])),
    max_size=12,
)


def table(statement: list[tuple[str, float, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item": [f"item {n}" for n in range(len(statement))],
            "kind": [kind for kind, _, _ in statement],
            "amount": [amount for _, amount, _ in statement],
            "group": [group for _, _, group in statement],
        },
        {"item": pl.String, "kind": pl.String, "amount": pl.Float64, "group": pl.String},
    )


# Published


def test_the_printed_statement_adds_up_to_other_totals(make_frame: MakeFrame) -> None:
    # A firm's cost-benefit statement of its customers for 2015 and 2016, mistakes included.
    result = economics.cost_benefit(make_frame(STATEMENT), declared=DECLARED)
    (total,) = rows(result.groups)
    assert (total["group"], total["cost"], total["revenue"]) == ("total", 2299572, 7708106)
    assert total["net"] == 5408534
    assert printed(total["ratio"], like="3.351974") == "3.351974"
    assert printed(total["roi"], like="2.351974") == "2.351974"


def test_the_printed_statement_contradicts_itself_three_times(make_frame: MakeFrame) -> None:
    # A firm's cost-benefit statement of its customers for 2015 and 2016, mistakes included.
    findings = rows(economics.cost_benefit(make_frame(STATEMENT), declared=DECLARED).findings)
    assert [row["finding"] for row in findings] == [
        "declared total_cost differs from the sum of its items by 4441801",
        "declared total_revenue differs from the sum of its items by -721000",
        "declared ratio 1.18 differs from the declared totals (1.036451)",
    ]
    assert [row["about"] for row in findings] == ["total_cost", "total_revenue", "ratio"]
    assert {row["severity"] for row in findings} == {"error"}
    assert [row["declared"] for row in findings] == [6741373, 6987106, 1.18]
    assert [row["computed"] for row in findings[:2]] == [2299572, 7708106]
    assert printed(findings[2]["computed"], like="1.036451") == "1.036451"
    assert [row["difference"] for row in findings[:2]] == [4441801, -721000]


# Twin


@given(statement=statements)
def test_groups_are_what_one_gets_on_paper(statement: list[tuple[str, float, str | None]]) -> None:
    found = {row["group"]: row for row in rows(economics.cost_benefit(table(statement)).groups)}
    names = {group for _, _, group in statement}
    assert set(found) == names | {"total"}
    for name, row in found.items():
        chosen = [each for each in statement if name in (each[2], "total")]
        # Whole cents, so that nothing is rounded.
        cost = sum(round(amount * 100) for kind, amount, _ in chosen if kind == "cost")
        revenue = sum(round(amount * 100) for kind, amount, _ in chosen if kind == "revenue")
        assert row["cost"] == pytest.approx(cost / 100, abs=1e-9)
        assert row["revenue"] == pytest.approx(revenue / 100, abs=1e-9)
        assert row["net"] == pytest.approx((revenue - cost) / 100, abs=1e-9)
        if cost > 0:
            assert row["ratio"] == pytest.approx(revenue / cost)
            assert row["roi"] == pytest.approx((revenue - cost) / cost, abs=1e-9)
        else:
            assert (row["ratio"], row["roi"]) == (None, None)


# Properties


@given(statement=statements)
def test_what_follows_from_the_items_gives_no_finding_when_declared(
    statement: list[tuple[str, float, str | None]],
) -> None:
    total = rows(economics.cost_benefit(table(statement)).groups)[-1]
    declared = {"total_cost": total["cost"], "total_revenue": total["revenue"]}
    if total["ratio"] is not None:
        declared["ratio"] = round(total["ratio"], 3)
    findings = rows(economics.cost_benefit(table(statement), declared=declared).findings)
    assert not [row for row in findings if row["rule"].startswith("declared")]


@given(statement=statements, cents=st.integers(1, 10_000))
def test_a_total_that_is_off_is_always_found(
    statement: list[tuple[str, float, str | None]], cents: int
) -> None:
    total = rows(economics.cost_benefit(table(statement)).groups)[-1]
    declared = {"total_cost": total["cost"] + cents / 100}
    findings = rows(economics.cost_benefit(table(statement), declared=declared).findings)
    (found,) = [row for row in findings if row["rule"] == "declared_total"]
    assert found["difference"] == pytest.approx(cents / 100)


@given(statement=statements, seed=st.randoms(use_true_random=False))
def test_row_order_changes_no_figure(
    statement: list[tuple[str, float, str | None]], seed: Any
) -> None:
    shuffled = list(statement)
    seed.shuffle(shuffled)
    first, second = (
        rows(economics.cost_benefit(table(each)).groups) for each in (statement, shuffled)
    )
    assert first == second


@given(statement=statements)
def test_shares_of_a_kind_sum_to_one(statement: list[tuple[str, float, str | None]]) -> None:
    items = economics.cost_benefit(table(statement)).items
    for kind in ("cost", "revenue"):
        shares = items.filter(pl.col("kind") == kind)["kind_share"].drop_nulls()
        assert shares.len() == 0 or shares.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("ratio", "agrees"),
    [
        (3.351974, True),
        (3.35, True),
        (3.4, True),
        (3, True),
        (Decimal("3.350"), False),
        (3.36, False),
        (3.0, False),
        (4, False),
    ],
)
def test_a_ratio_is_compared_at_the_decimals_it_is_given_with(ratio: Any, *, agrees: bool) -> None:
    findings = rows(
        economics.cost_benefit(pl.DataFrame(STATEMENT), declared={"ratio": ratio}).findings
    )
    assert (not findings) == agrees
    if findings:
        assert findings[0]["finding"].endswith("differs from the sums of the items (3.351974)")


def test_rounding_of_the_sum_does_not_count_as_a_difference() -> None:
    items = pl.DataFrame({"item": ["a", "b"], "kind": ["cost", "cost"], "amount": [0.1, 0.2]})
    assert not rows(economics.cost_benefit(items, declared={"total_cost": 0.3}).findings)


def test_costs_that_cancel_are_0() -> None:
    items = pl.DataFrame(
        {"item": ["a", "b", "c"], "kind": ["cost"] * 3, "amount": [0.1, 0.2, -0.3]}
    )
    (total,) = rows(economics.cost_benefit(items).groups)
    assert (total["cost"], total["ratio"]) == (0.0, None)


# Shape


def test_every_engine_gives_the_documented_tables(make_frame: MakeFrame) -> None:
    items = make_frame(GROUPED)
    result = economics.cost_benefit(items, declared={"total_cost": 200})
    assert all(type(each) is type(items) for each in result)
    names = ("group", "cost", "revenue", "net", "ratio", "roi")
    assert rows(result.groups) == [
        dict(zip(names, row, strict=True))
        for row in (
            ("north", 100.0, 450.0, 350.0, 4.5, 3.5),
            ("south", 20.0, 0.0, -20.0, 0.0, -1.0),
            (None, 80.0, 0.0, -80.0, 0.0, -1.0),
            ("total", 200.0, 450.0, 250.0, 2.25, 1.25),
        )
    ]
    assert [row["kind_share"] for row in rows(result.items)] == pytest.approx(
        [0.5, 500 / 450, -50 / 450, 0.1, 0.15, 0.25]
    )
    assert rows(result.findings) == [
        {
            "rule": "negative_amount",
            "severity": "info",
            "about": "discount",
            "declared": None,
            "computed": -50.0,
            "difference": None,
            "finding": "revenue item discount is below 0 (-50)",
        }
    ]


def test_a_group_without_cost_has_no_ratio_and_a_finding(make_frame: MakeFrame) -> None:
    items: dict[str, list[Any]] = {
        "item": ["sales", "refund", "fee", "visits"],
        "kind": ["revenue", "cost", "revenue", "cost"],
        "amount": [10, -4, 5, 1],
        "group": ["north", "north", None, "south"],
    }
    result = economics.cost_benefit(make_frame(items), declared={"ratio": 2})
    assert [(row["group"], row["ratio"], row["roi"]) for row in rows(result.groups)] == [
        ("north", None, None),
        ("south", 0.0, -1.0),
        (None, None, None),
        ("total", None, None),
    ]
    assert [row["finding"] for row in rows(result.findings)] == [
        "declared ratio 2 cannot be checked: the cost is -3",
        "cost item refund is below 0 (-4)",
        "north: no ratio and no roi, as the cost is -4",
        "no group: no ratio and no roi, as the cost is 0",
        "total: no ratio and no roi, as the cost is -3",
    ]
    shares = [row["kind_share"] for row in rows(result.items)]
    assert shares == [pytest.approx(10 / 15), None, pytest.approx(5 / 15), None]


def test_a_statement_of_nothing_is_zero(make_frame: MakeFrame) -> None:
    nothing = nw.from_native(make_frame({"item": [], "kind": [], "amount": []}))
    typed = nothing.with_columns(
        nw.col("item", "kind").cast(nw.String), nw.col("amount").cast(nw.Float64)
    )
    result = economics.cost_benefit(typed.to_native())
    (total,) = rows(result.groups)
    assert (total["cost"], total["net"], total["ratio"]) == (0.0, 0.0, None)
    assert [row["finding"] for row in rows(result.findings)] == [
        "total: no ratio and no roi, as the cost is 0"
    ]
    assert rows(result.items) == []


def test_findings_have_their_types_where_there_are_none(make_frame: MakeFrame) -> None:
    findings = nw.from_native(economics.cost_benefit(make_frame(STATEMENT)).findings)
    schema = findings.collect_schema()
    assert rows(findings.to_native()) == []
    assert [name for name, dtype in schema.items() if dtype == nw.Float64] == [
        "declared",
        "computed",
        "difference",
    ]
    assert [name for name, dtype in schema.items() if dtype == nw.String] == [
        "rule",
        "severity",
        "about",
        "finding",
    ]


@pytest.mark.parametrize("engine", list(MAKERS))
def test_declared_totals_may_be_a_table_of_any_engine(engine: str) -> None:
    declared = MAKERS[engine]({"total_cost": [2299572], "total_revenue": [None], "ratio": [1.5]})
    findings = rows(economics.cost_benefit(pl.DataFrame(STATEMENT), declared=declared).findings)
    assert [row["finding"] for row in findings] == [
        "declared ratio 1.5 differs from the sums of the items (3.351974)"
    ]


def test_items_of_pandas_keep_their_order_and_index_and_are_not_changed() -> None:
    items = pd.DataFrame(GROUPED, index=[5, 1, 1, 0, 9, 2])
    before = items.copy()
    found = economics.cost_benefit(items).items
    pd.testing.assert_frame_equal(found.drop(columns="kind_share"), before)
    pd.testing.assert_frame_equal(items, before)


# Refusals


def refusal(items: Any, declared: Any = None) -> str:
    with pytest.raises((InvalidArgumentError, InvalidRowsError, MissingColumnsError)) as caught:
        economics.cost_benefit(items, declared=declared)
    return str(caught.value)


def test_an_amount_that_is_null_is_refused(make_frame: MakeFrame) -> None:
    items = make_frame({"item": ["a", "b"], "kind": ["cost", "cost"], "amount": [1.0, None]})
    assert refusal(items) == (
        "costs: `amount` is null in 1 of 2 rows (row 1).\nBuild this table with crmkit.costs()."
    )


def test_another_kind_is_refused(make_frame: MakeFrame) -> None:
    items = make_frame({"item": ["a", "b"], "kind": ["cost", "gain"], "amount": [1.0, 2.0]})
    assert refusal(items) == (
        "costs: `kind` is neither cost nor revenue in 1 of 2 rows (row 1).\n"
        "Build this table with crmkit.costs()."
    )


def test_a_column_that_is_not_there_is_named(make_frame: MakeFrame) -> None:
    items = make_frame({"item": ["a"], "amount": [1.0]})
    assert refusal(items) == (
        "costs: no column `kind` among `item`, `amount`.\nBuild this table with crmkit.costs()."
    )


def test_a_group_called_total_is_refused(make_frame: MakeFrame) -> None:
    items: dict[str, list[Any]] = {
        "item": ["a"],
        "kind": ["cost"],
        "amount": [1.0],
        "group": ["total"],
    }
    assert refusal(make_frame(items)) == (
        "costs: a group is called 'total', the name of the last row.\nRename the group."
    )


def test_another_declaration_is_refused() -> None:
    assert refusal(pl.DataFrame(STATEMENT), {"total": 5}) == (
        "`declared` must be one of 'total_cost', 'total_revenue', 'ratio', got 'total'.\n"
        "Did you mean 'total_cost'?"
    )


@pytest.mark.parametrize("declared", ["ratio", 1.18, [1.18]])
def test_a_declaration_of_another_type_is_refused(declared: Any) -> None:
    assert refusal(pl.DataFrame(STATEMENT), declared) == (
        f"`declared` must be a mapping or a table of one row, got {declared!r}.\n"
        'Write {"total_cost": 250000}.'
    )


@pytest.mark.parametrize("value", ["1.18", True, math.inf, [1]])
def test_a_declaration_that_is_not_a_number_is_refused(value: Any) -> None:
    assert refusal(pl.DataFrame(STATEMENT), {"ratio": value}) == (
        f"`declared['ratio']` must be a finite number, got {value!r}.\n"
        'Write {"total_cost": 250000}.'
    )


def test_declared_totals_of_several_rows_are_refused() -> None:
    declared = pl.DataFrame({"total_cost": [1, 2]})
    assert refusal(pl.DataFrame(STATEMENT), declared) == (
        "`declared` must be a table of one row, got 2 rows.\n"
        "Give one column for each declared total."
    )
