"""Tiers, ABC classes and concentration: published classes, a slow twin, and properties."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import tiers
from crmkit.errors import FitError, InvalidArgumentError, InvalidRowsError, MissingColumnsError
from crmkit.tiers import TierRule
from tests.conftest import MAKERS, MakeFrame, rows

# Example data "calempdl" of mapclassify (BSD-3), with the classes that its documentation prints.
CALEMPDL = [
    *[329.92, 0.42, 5.9, 14.03, 2.78, 1.34, 181.27, 1.65, 10.03, 16.7, 1.32, 3.99, 3.16, 0.22, 8.7],
    *[6.56, 3.27, 0.33, 370.5, 4.51, 75.29, 0.99, 2.74, 8.68, 0.14, 0.92, 12.63, 28.7, 12.02],
    *[722.85, 36.68, 0.74, 29.82, 192.05, 3.38, 11.15, 110.74, 4111.45, 49.47, 10.33, 317.11],
    *[20.47, 264.93, 66.26, 5.39, 0.13, 0.61, 50.65, 40.48, 36.67, 13.09, 1.81, 0.2, 7.6, 2.51],
    *[57.26, 24.32, 6.97],
]
FIVE = ("5", "4", "3", "2", "1")
CUSTOMERS: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "cid", "dee", "eve", "fay"],
    "total_amount": [40.0, 900.0, None, -60.0, 300.0, 40.0],
    "orders": [1, 9, 2, 1, 5, 1],
}
SHARES_RULE = TierRule(
    names=("diamond", "gold", "silver"),
    cuts=(900.0, 300.0),
    measures=("total_amount",),
    weights=(1.0,),
    scales=(1.0,),
    method="customer_share",
)

cents = st.integers(-50_000, 500_000).map(lambda n: n / 100)
spends = st.lists(st.integers(0, 60).map(float) | cents.filter(lambda v: v >= 0), min_size=1)
with_losses = st.lists(cents | st.none(), min_size=1).filter(
    lambda values: sum(v or 0.0 for v in values) > 1
)
two_shares = st.lists(st.integers(1, 99), min_size=2, max_size=2, unique=True).map(
    lambda percents: tuple(p / 100 for p in sorted(percents))
)
by_share = st.sampled_from(["customer_share", "value_share"])


def frame(values: list[float] | list[float | None]) -> pl.DataFrame:
    spent = pl.Series("total_amount", values, dtype=pl.Float64)
    return pl.DataFrame([pl.Series("customer_id", range(len(values))), spent])


def tier_of(values: list[Any], rule: TierRule) -> list[str | None]:
    tiered: list[str | None] = tiers.assign(frame(values), rule=rule)["tier"].to_list()
    return tiered


# Published


def test_quantile_tiers_are_those_of_mapclassify() -> None:
    rule = tiers.rule(frame(CALEMPDL), method="quantile", names=FIVE)
    assert rule.cuts == pytest.approx((54.616, 13.278, 5.798, 1.464), abs=1e-9)
    assert [Counter(tier_of(CALEMPDL, rule))[name] for name in "12345"] == [12, 11, 12, 11, 12]


def test_natural_tiers_are_those_of_mapclassify() -> None:
    # mapclassify prints upper bounds 75.29, 192.05, 370.5, 722.85: the next value begins a tier.
    rule = tiers.rule(frame(CALEMPDL), method="natural", names=FIVE)
    assert rule.cuts == (4111.45, 722.85, 264.93, 110.74)
    assert [Counter(tier_of(CALEMPDL, rule))[name] for name in "12345"] == [49, 3, 4, 1, 1]


def test_head_tail_tiers_are_those_of_mapclassify() -> None:
    # Means 125.92810345 and 811.26: the next value begins a tier.
    rule = tiers.rule(frame(CALEMPDL), method="head_tail")
    assert rule.cuts == (4111.45, 181.27)
    found = Counter(tier_of(CALEMPDL, rule))
    assert [found[name] for name in ("silver", "gold", "diamond")] == [50, 7, 1]


def test_the_gini_of_one_who_has_seven_tenths() -> None:
    # 2 (1 + 2 + 3 + 4 x 7) / (4 x 10) - 5/4
    assert tiers.gini(pd.DataFrame({"total_amount": [1, 1, 1, 7]})) == pytest.approx(
        0.45, abs=1e-12
    )


def test_the_whale_curve_of_ten_customers() -> None:
    # Arithmetic on the definition of the whale curve (controlling-wiki).
    profit = [400, 300, 200, 100, 50, 0, -50, -150, -250, -400]
    table = pd.DataFrame({"profit": profit})
    tenths = [n / 10 for n in range(1, 11)]
    curve = tiers.concentration(table, by="profit", shares=tenths)
    assert curve["value"].to_list() == [400, 700, 900, 1000, 1050, 1050, 1000, 850, 600, 200]
    assert curve["value_share"][1] == 3.5
    assert rows(tiers.whale(table)) == [
        {
            "n_customers": 10,
            "n_at_peak": 5,
            "peak": 1050.0,
            "total": 200.0,
            "eroded": 850.0,
            "peak_multiple": 5.25,
        }
    ]


def test_the_policy_is_the_one_of_the_three_tiers() -> None:
    # The customer policy of a services firm: diamond, gold, silver.
    assert rows(tiers.policy()) == [
        {
            "tier": "diamond",
            "goal": "retain",
            "marketing": "build loyalty",
            "sales": "strategic account management",
            "service": "priority / personal service",
        },
        {
            "tier": "gold",
            "goal": "develop",
            "marketing": "cross-sell / up-sell",
            "sales": "proactive outbound selling",
            "service": "personal service",
        },
        {
            "tier": "silver",
            "goal": "lift or let go",
            "marketing": "targeted marketing",
            "sales": "automated channels",
            "service": "self-service",
        },
    ]


# Twin


def slow_classes(
    values: list[float | None], cuts: tuple[float, ...], names: str, *, of_value: bool
) -> dict[float, tuple[str, float]]:
    """Walk down the customers from the best, as one does on paper, in whole cents."""
    known = sorted((round(v * 100) for v in values if v is not None), reverse=True)
    total = sum(known) if of_value else len(known)
    found: dict[float, tuple[str, float]] = {}
    for value in dict.fromkeys(known):
        before = [v for v in known if v > value]
        sofar = sum(before) if of_value else len(before)
        # In hundredths, so that nothing is rounded.
        class_number = sum(sofar * 100 >= round(cut * 100) * total for cut in cuts)
        if value < 0:
            class_number = len(cuts)
        cumulative = sum(v for v in known if v >= value) / sum(known)
        found[value / 100] = (names[class_number], cumulative)
    return found


@given(values=with_losses, cuts=two_shares)
def test_abc_is_what_one_gets_on_paper(values: list[float | None], cuts: tuple[float, ...]) -> None:
    expected = slow_classes(values, cuts, "ABC", of_value=True)
    for row in rows(tiers.abc(frame(values), cuts=cuts)):
        if row["total_amount"] is None:
            assert (row["abc_class"], row["cumulative_share"]) == (None, None)
        else:
            name, cumulative = expected[row["total_amount"]]
            assert row["abc_class"] == name
            assert row["cumulative_share"] == pytest.approx(cumulative, rel=1e-9)


@given(values=with_losses, cuts=two_shares)
def test_shares_of_customers_are_what_one_gets_on_paper(
    values: list[float | None], cuts: tuple[float, ...]
) -> None:
    expected = slow_classes(values, cuts, "dgs", of_value=False)
    rule = tiers.rule(frame(values), method="customer_share", cuts=cuts, names=("d", "g", "s"))
    assert tier_of(values, rule) == [None if v is None else expected[v][0] for v in values]


@given(values=spends.filter(lambda values: sum(values) > 0))
def test_gini_is_the_mean_difference_between_two_customers(values: list[float]) -> None:
    n = len(values)
    differences = sum(abs(a - b) for a in values for b in values)
    expected = differences / (2 * n * sum(values))
    assert tiers.gini(frame(values)) == pytest.approx(expected, abs=1e-9)


@given(values=with_losses, percent=st.integers(1, 100))
def test_concentration_adds_up_the_best(values: list[float | None], percent: int) -> None:
    known = sorted((v for v in values if v is not None), reverse=True)
    n_best = -(-percent * len(known) // 100)
    (row,) = rows(tiers.concentration(frame(values), shares=[percent / 100]))
    assert row["n_customers"] == n_best
    assert row["value"] == pytest.approx(sum(known[:n_best]))


# Properties


@given(values=with_losses, method=by_share, cuts=two_shares)
def test_more_value_is_never_a_lower_tier_and_equal_value_never_another(
    values: list[float | None], method: Any, cuts: tuple[float, ...]
) -> None:
    rule = tiers.rule(frame(values), method=method, cuts=cuts)
    pairs = [
        (value, -rule.names.index(tier))
        for value, tier in zip(values, tier_of(values, rule), strict=True)
        if value is not None and tier is not None
    ]
    assert len(pairs) == sum(value is not None for value in values)
    ranks = [rank for _, rank in sorted(pairs)]
    assert ranks == sorted(ranks)
    assert len(set(pairs)) == len({value for value, _ in pairs})


@given(values=spends.filter(lambda values: sum(values) > 0), cuts=two_shares)
def test_a_holds_its_share_and_without_its_lowest_value_less(
    values: list[float], cuts: tuple[float, ...]
) -> None:
    classed = tiers.abc(frame(values), cuts=cuts)
    in_a = sorted(classed.filter(abc_class="A")["total_amount"].to_list())
    assert sum(in_a) >= (cuts[0] - 1e-9) * sum(values)
    assert sum(v for v in in_a if v > in_a[0]) < cuts[0] * sum(values)


@given(values=spends, seed=st.randoms(use_true_random=False), cuts=two_shares)
def test_row_order_changes_nothing(values: list[float], seed: Any, cuts: tuple[float, ...]) -> None:
    shuffled = list(values)
    seed.shuffle(shuffled)
    first, second = (
        tiers.rule(frame(each), method="customer_share", cuts=cuts) for each in (values, shuffled)
    )
    assert first == second


@given(
    values=spends.filter(lambda values: sum(values) > 0),
    method=by_share,
    cuts=two_shares,
    rate=st.sampled_from([100.0, 0.01, 1.0863, 7.5]),
)
def test_currency_changes_nothing(
    values: list[float], method: Any, cuts: tuple[float, ...], rate: float
) -> None:
    other = [value * rate for value in values]
    first, second = (
        tier_of(each, tiers.rule(frame(each), method=method, cuts=cuts)) for each in (values, other)
    )
    assert first == second


@given(data=st.data(), rate=st.sampled_from([100.0, 0.01, 1.0863, 7.5]))
def test_currency_changes_no_tier_by_several_measures(data: Any, rate: float) -> None:
    pairs = st.tuples(st.integers(0, 20), st.integers(1, 9))
    customers = data.draw(st.lists(pairs, min_size=1).filter(lambda each: sum(a for a, _ in each)))
    tables = [
        pl.DataFrame(
            {"total_amount": [a * unit for a, _ in customers], "orders": [n for _, n in customers]}
        )
        for unit in (1.0, rate)
    ]
    found = []
    for table in tables:
        rule = tiers.rule(
            table,
            method="customer_share",
            by={"total_amount": 0.7, "orders": 0.3},
            cuts=(0.2, 0.5),
        )
        found.append(tiers.assign(table, rule=rule)["tier"].to_list())
    assert found[0] == found[1]


@given(values=with_losses, method=by_share, cuts=two_shares)
def test_a_kept_rule_gives_the_same_tiers_again(
    values: list[float | None], method: Any, cuts: tuple[float, ...]
) -> None:
    rule = tiers.rule(frame(values), method=method, cuts=cuts)
    kept = TierRule.from_json(rule.to_json())
    assert kept == rule
    assert tier_of(values, kept) == tier_of(values, rule)


@given(values=with_losses, method=by_share, cuts=two_shares)
def test_shares_sum_to_one(
    values: list[float | None], method: Any, cuts: tuple[float, ...]
) -> None:
    rule = tiers.rule(frame(values), method=method, cuts=cuts)
    table = tiers.summary(tiers.assign(frame(values), rule=rule), rule=rule)
    assert table["n_customers"].sum() == len(values)
    assert table["customer_share"].sum() == pytest.approx(1)
    assert table["value_share"].sum() == pytest.approx(1)


@given(values=spends.filter(lambda values: sum(values) > 0))
def test_gini_is_between_nobody_and_everybody(values: list[float]) -> None:
    assert -1e-9 <= tiers.gini(frame(values)) <= 1 - 1 / len(values) + 1e-9


def test_a_sum_that_is_equal_but_for_rounding_reaches_the_cut() -> None:
    values = [0.1 + 0.2, 0.3, 0.1]
    rule = tiers.rule(frame(values), method="customer_share", cuts=(0.2,), names=("up", "down"))
    assert rule.cuts == (0.1 + 0.2,)
    assert tier_of(values, rule) == ["up", "up", "down"]


def test_a_share_that_is_full_but_for_rounding_is_full() -> None:
    values = [3.3, 1.5, 1.1, 0.1]  # the first is 55 % of all, 0.5499999999999999 in floats
    assert tiers.abc(frame(values), cuts=(0.55, 0.9))["abc_class"].to_list() == ["A", "B", "B", "C"]


def test_seven_percent_of_a_hundred_customers_are_seven() -> None:
    best = tiers.concentration(frame([1.0] * 100), shares=(0.07, 0.071))  # 0.07 x 100 > 7 in floats
    assert best["n_customers"].to_list() == [7, 8]


def test_a_rule_of_last_month_is_not_moved_by_this_months_customers() -> None:
    rule = tiers.rule(frame([100.0, 50.0, 10.0]), method="customer_share", cuts=(0.3, 0.6))
    assert tier_of([1000.0, 100.0, 99.99, 50.0, 0.0], rule) == [
        "diamond",
        "diamond",
        "gold",
        "gold",
        "silver",
    ]


def test_several_measures_are_one_for_the_average_customer() -> None:
    table = pl.DataFrame({"total_amount": [10.0, 10.0, 10.0, 50.0], "orders": [4, 2, 1, 1]})
    by = {"total_amount": 3.0, "orders": 1.0}
    rule = tiers.rule(table, method="thresholds", by=by, cuts=(1.1, 0.7))
    tiered = tiers.assign(table, rule=rule)
    assert (rule.weights, rule.scales) == ((3.0, 1.0), (20.0, 2.0))
    # 3/4 x 10/20 + 1/4 x 4/2, and so on
    assert tiered["tier_value"].to_list() == pytest.approx([0.875, 0.625, 0.5, 2.0])
    assert tiered["tier"].to_list() == ["gold", "silver", "silver", "diamond"]


@pytest.mark.parametrize("values", [[7.0], [7.0, 7.0, 7.0], [0.0, 0.0]])
def test_who_are_all_equal_are_all_in_one_tier(values: list[float]) -> None:
    rule = tiers.rule(frame(values), method="customer_share", cuts=(0.05, 0.2))
    assert tier_of(values, rule) == ["diamond"] * len(values)


# Shape


def test_every_engine_gives_the_same_rule(make_frame: MakeFrame) -> None:
    rule = tiers.rule(make_frame(CUSTOMERS), method="customer_share", cuts=(0.2, 0.4))
    assert rule == SHARES_RULE
    by = {"total_amount": 0.7, "orders": 0.3}
    both = tiers.rule(make_frame(CUSTOMERS), method="customer_share", by=by, cuts=(0.2, 0.4))
    assert both == tiers.rule(
        pl.DataFrame(CUSTOMERS), method="customer_share", by=by, cuts=(0.2, 0.4)
    )


def test_every_engine_assigns_tiers_and_what_to_do(make_frame: MakeFrame) -> None:
    customers = make_frame(CUSTOMERS)
    what_to_do = make_frame({"tier": ["silver", "gold", "diamond"], "visits": [0, None, 12]})
    found = tiers.assign(customers, rule=SHARES_RULE, policy=what_to_do)
    assert type(found) is type(customers)
    names = ["customer_id", "total_amount", "orders", "tier", "visits"]
    assert nw.from_native(found).collect_schema().names() == names
    assert [(row["customer_id"], row["tier"], row["visits"]) for row in rows(found)] == [
        ("ann", "silver", 0),
        ("ben", "diamond", 12),
        ("cid", None, None),
        ("dee", "silver", 0),
        ("eve", "gold", None),
        ("fay", "silver", 0),
    ]


def test_every_engine_sums_up_the_tiers(make_frame: MakeFrame) -> None:
    tiered = tiers.assign(make_frame(CUSTOMERS), rule=SHARES_RULE)
    found = tiers.summary(tiered, rule=SHARES_RULE)
    assert type(found) is type(tiered)
    expected = [
        ("diamond", 900.0, 1, 1 / 6, 900.0, 900 / 1220),
        ("gold", 300.0, 1, 1 / 6, 300.0, 300 / 1220),
        ("silver", None, 3, 1 / 2, 20.0, 20 / 1220),
        (None, None, 1, 1 / 6, None, None),
    ]
    names = ("tier", "cut", "n_customers", "customer_share", "value", "value_share")
    assert rows(found) == [dict(zip(names, row, strict=True)) for row in expected]


def test_every_engine_classes_abc(make_frame: MakeFrame) -> None:
    customers = make_frame(CUSTOMERS)
    found = tiers.abc(customers)
    assert type(found) is type(customers)
    names = ["customer_id", "total_amount", "orders", "abc_class", "abc_rank"]
    names += ["value_share", "cumulative_share"]
    assert nw.from_native(found).collect_schema().names() == names
    expected = {
        "ann": ("C", 1280 / 1220),
        "ben": ("A", 900 / 1220),
        "cid": (None, None),
        "dee": ("C", 1.0),
        "eve": ("A", 1200 / 1220),
        "fay": ("C", 1280 / 1220),
    }
    table = {row["customer_id"]: row for row in rows(found)}
    assert {k: v["abc_class"] for k, v in table.items()} == {k: v[0] for k, v in expected.items()}
    for name, (_, share) in expected.items():
        assert table[name]["cumulative_share"] == pytest.approx(share)


def test_every_engine_shows_concentration(make_frame: MakeFrame) -> None:
    customers = make_frame(CUSTOMERS)
    found = tiers.concentration(customers, shares=(0.2, 1.0))
    assert type(found) is type(customers)
    assert rows(found) == [
        {"customer_share": 0.2, "n_customers": 1, "value": 900.0, "value_share": 900 / 1220},
        {"customer_share": 1.0, "n_customers": 5, "value": 1220.0, "value_share": 1.0},
    ]
    assert rows(tiers.whale(customers, by="total_amount")) == [
        {
            "n_customers": 5,
            "n_at_peak": 4,
            "peak": 1280.0,
            "total": 1220.0,
            "eroded": 60.0,
            "peak_multiple": 1280 / 1220,
        }
    ]
    assert tiers.gini(customers) == tiers.gini(pl.DataFrame(CUSTOMERS))


@pytest.mark.parametrize("engine", ["polars-lazy", "polars", "pandas", "pyarrow"])
def test_abc_keeps_the_order_of_rows_at_every_run(engine: str) -> None:
    n = 10_000
    values = [None if i % 97 == 0 else float((i * 7919) % 4001) / 8 for i in range(n)]
    columns: dict[str, list[Any]] = {"customer_id": list(range(n)), "total_amount": values}
    expected = tiers.abc(pl.DataFrame(columns))
    assert expected["customer_id"].to_list() == columns["customer_id"]
    for _ in range(5):
        found = nw.from_native(tiers.abc(MAKERS[engine](columns))).lazy().collect("polars")
        assert found["customer_id"].to_list() == columns["customer_id"]
        assert found["abc_class"].to_list() == expected["abc_class"].to_list()
        shares = found.to_native()["cumulative_share"].fill_nan(None)
        assert shares.to_list() == expected["cumulative_share"].to_list()


def test_the_policy_is_a_pandas_table() -> None:
    assert isinstance(tiers.policy(), pd.DataFrame)


def test_nan_is_unknown_like_null() -> None:
    values = [40.0, 900.0, math.nan, -60.0, 300.0, 40.0]
    rule = tiers.rule(frame(values), method="customer_share", cuts=(0.2, 0.4))
    assert rule == SHARES_RULE
    assert tier_of(values, rule)[2] is None
    assert tiers.abc(frame(values))["abc_class"][2] is None
    assert tiers.concentration(frame(values))["n_customers"][-1] == 5


def test_rows_of_pandas_keep_their_order_and_index_and_the_input_is_not_changed() -> None:
    customers = pd.DataFrame(CUSTOMERS, index=[9, 3, 5, 5, 0, 1])
    before = customers.copy()
    tiered = tiers.assign(customers, rule=SHARES_RULE, policy=tiers.policy(backend="pyarrow"))
    classed = tiers.abc(customers)
    for result in (tiered, classed):
        pd.testing.assert_frame_equal(result[before.columns.to_list()], before)
    pd.testing.assert_frame_equal(customers, before)


@pytest.mark.parametrize("dtype", ["Float64", "double[pyarrow]"])
def test_other_types_of_pandas_are_taken(dtype: str) -> None:
    customers = pd.DataFrame({"total_amount": pd.array([3, None, 1, 10], dtype=dtype)})
    rule = tiers.rule(customers, method="value_share", cuts=(0.6, 0.9))
    assert rows(tiers.assign(customers, rule=rule).drop(columns="total_amount")) == [
        {"tier": "gold"},
        {"tier": None},
        {"tier": "silver"},
        {"tier": "diamond"},
    ]
    assert rows(tiers.abc(customers)[["abc_class"]]) == [
        {"abc_class": "A"},
        {"abc_class": None},
        {"abc_class": "B"},
        {"abc_class": "A"},
    ]


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_a_lazy_table_stays_lazy(engine: str) -> None:
    customers = MAKERS[engine](CUSTOMERS)
    tiered = tiers.assign(customers, rule=SHARES_RULE, policy=tiers.policy())
    assert isinstance(nw.from_native(tiered), nw.LazyFrame)


def test_no_customers_have_no_tiers(make_frame: MakeFrame) -> None:
    nobody = make_frame({"customer_id": [], "total_amount": []})
    nobody = (
        nw.from_native(nobody).with_columns(nw.col("total_amount").cast(nw.Float64)).to_native()
    )
    rule = tiers.rule(nobody, method="thresholds", cuts=(500, 100))
    tiered = tiers.assign(nobody, rule=rule)
    assert rows(tiered) == []
    summed = rows(tiers.summary(tiered, rule=rule))
    assert [(row["n_customers"], row["customer_share"]) for row in summed] == [(0, None)] * 3


def test_a_policy_column_without_a_value_is_null(make_frame: MakeFrame) -> None:
    what_to_do = pl.DataFrame(
        {"tier": ["diamond", "gold", "silver"], "calls": [None] * 3, "visits": [12, None, None]},
        {"tier": str, "calls": int, "visits": int},
    )
    tiered = tiers.assign(make_frame(CUSTOMERS), rule=SHARES_RULE, policy=what_to_do)
    assert {row["calls"] for row in rows(tiered)} == {None}
    assert {(row["tier"], row["visits"]) for row in rows(tiered)} == {
        ("diamond", 12),
        ("gold", None),
        ("silver", None),
        (None, None),
    }


def test_more_cuts_are_more_classes() -> None:
    values = [50.0, 30.0, 15.0, 5.0]
    classed = tiers.abc(frame(values), cuts=(0.5, 0.8, 0.95))
    assert classed["abc_class"].to_list() == ["A", "B", "C", "D"]


def test_where_the_total_is_a_loss_there_are_amounts_and_no_shares() -> None:
    table = pl.DataFrame({"profit": [10.0, -30.0]})
    curve = tiers.concentration(table, by="profit", shares=(0.5, 1.0))
    assert curve["value"].to_list() == [10.0, -20.0]
    assert curve["value_share"].to_list() == [None, None]
    assert tiers.whale(table)["peak_multiple"].to_list() == [None]


# Refusals


def refusal(call: Any, *args: Any, **options: Any) -> str:
    with pytest.raises((InvalidArgumentError, FitError, MissingColumnsError)) as caught:
        call(*args, **options)
    return str(caught.value)


MEASURES_OF: dict[str, Any] = {
    "rule": lambda customers, by: tiers.rule(customers, by=by, method="quantile"),
    "abc": lambda customers, by: tiers.abc(customers, by=by),
    "concentration": lambda customers, by: tiers.concentration(customers, by=by),
    "gini": lambda customers, by: tiers.gini(customers, by=by),
    "whale": lambda customers, by: tiers.whale(customers, by=by),
    "summary": lambda customers, by: tiers.summary(
        tiers.assign(customers, rule=SHARES_RULE), rule=SHARES_RULE, by=by
    ),
}


@pytest.mark.parametrize("function", list(MEASURES_OF))
@pytest.mark.parametrize(
    ("measure", "advice"),
    [
        ("profit", "Add `profit` to the table, or name another column."),
        ("clv", "Add `clv` with crmkit.clv.predict()."),
        ("visits", "Add `visits` to the table, or name another column."),
    ],
)
def test_the_advice_on_a_missing_measure_names_what_adds_it(
    make_frame: MakeFrame, function: str, measure: str, advice: str
) -> None:
    tier = ", `tier`" if function == "summary" else ""
    with pytest.raises(MissingColumnsError) as caught:
        MEASURES_OF[function](make_frame(CUSTOMERS), measure)
    assert str(caught.value) == (
        f"customers: no column `{measure}` among `customer_id`, `total_amount`, `orders`{tier}.\n"
        f"{advice}"
    )


def test_the_advice_on_a_missing_orders_column_names_the_summary() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        tiers.whale(frame([1.0]), by="orders")
    assert str(caught.value) == (
        "customers: no column `orders` among `customer_id`, `total_amount`.\n"
        "Build this table with crmkit.rfm.summarize()."
    )


def test_whale_without_a_profit_column_is_refused() -> None:
    assert refusal(tiers.whale, frame([1.0])) == (
        "customers: no column `profit` among `customer_id`, `total_amount`.\n"
        "Add `profit` to the table, or name another column."
    )


@pytest.mark.parametrize("function", list(MEASURES_OF))
@pytest.mark.parametrize(("by", "shown"), [(None, "None"), (5, "5"), (["orders"], "['orders']")])
def test_a_measure_that_is_not_a_name_is_refused(function: str, by: Any, shown: str) -> None:
    assert refusal(MEASURES_OF[function], pl.DataFrame(CUSTOMERS), by) == (
        f"`by` must be a column's name as text, got {shown}.\nName a column."
    )


@pytest.mark.parametrize("function", [tiers.assign, tiers.summary])
@pytest.mark.parametrize(
    ("rule", "shown"), [("x", "'x'"), (None, "None"), (5, "5"), ({"a": 1}, "{'a': 1}")]
)
def test_a_rule_of_another_type_is_refused(function: Any, rule: Any, shown: str) -> None:
    tiered = frame([1.0]).with_columns(tier=pl.lit("gold"))
    assert refusal(function, tiered, rule=rule) == (
        f"`rule` must be a TierRule or TierRules, got {shown}.\nMake one with crmkit.tiers.rule()."
    )


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"a": 1}, "be a list of numbers, got {'a': 1}"),
        ({0.5}, "be a list of numbers, got {0.5}"),
        ("0.5, 0.9", "be a list of numbers, got '0.5, 0.9'"),
        (5, "be a list of numbers, got 5"),
        ((0.5, "0.9"), "hold numbers only, got '0.9'"),
        ((0.5, None), "hold numbers only, got None"),
        ((0.5, True), "hold numbers only, got True"),
    ],
)
def test_cuts_and_shares_that_are_not_numbers_are_refused(values: Any, complaint: str) -> None:
    customers = frame([1.0])
    for method, example in (
        ("thresholds", "(500, 100)"),
        ("customer_share", "(0.05, 0.20)"),
        ("value_share", "(0.75, 0.95)"),
    ):
        assert refusal(tiers.rule, customers, method=method, cuts=values) == (
            f"`cuts` must {complaint}.\nWrite {example}."
        )
    assert refusal(tiers.abc, customers, cuts=values) == (
        f"`cuts` must {complaint}.\nWrite (0.75, 0.95)."
    )
    assert refusal(tiers.concentration, customers, shares=values) == (
        f"`shares` must {complaint}.\nWrite (0.01, 0.05, 0.20, 1)."
    )


def test_a_misspelt_backend_of_the_policy_is_refused() -> None:
    assert refusal(tiers.policy, backend="pola") == (
        "`backend` must be one of 'pandas', 'polars', 'pyarrow', got 'pola'.\n"
        "Did you mean 'polars'?"
    )


def test_a_policy_that_is_not_a_table_is_refused() -> None:
    message = refusal(tiers.assign, frame([1.0]), rule=SHARES_RULE, policy="x")
    assert message.startswith("tier policy: a str is not a table.\n")


def test_endless_value_is_refused_with_the_customer(make_eager: MakeFrame) -> None:
    customers = make_eager({"customer_id": ["ann", "ben"], "total_amount": [1.0, math.inf]})
    with pytest.raises(InvalidRowsError) as caught:
        tiers.abc(customers)
    assert str(caught.value) == (
        "customers: `total_amount` is not finite in 1 of 2 rows (customer_id 'ben').\n"
        "Build this table with crmkit.rfm.summarize()."
    )


def test_endless_value_is_refused_where_a_lazy_table_is_run() -> None:
    customers = frame([1.0, math.inf, math.inf, None]).lazy()
    with pytest.raises(InvalidRowsError) as caught:
        tiers.rule(customers, method="natural")
    assert str(caught.value) == (
        "customers: `total_amount` is not finite in 2 of 3 rows (total_amount inf).\n"
        "Build this table with crmkit.rfm.summarize()."
    )
    assert caught.value.n_rows == 2


@pytest.mark.parametrize("call", [tiers.gini, tiers.abc, tiers.concentration])
@pytest.mark.parametrize("values", [[], [None], [math.nan]])
def test_nobody_of_known_value_is_refused(call: Any, values: list[Any]) -> None:
    assert refusal(call, frame(values)) == (
        "customers: no customer has a known `total_amount`.\nGive at least one."
    )


@pytest.mark.parametrize(
    ("values", "total"), [([0.0, 0.0], "0"), ([5.0, -7.0], "-2"), ([0.1, 0.2, -0.3], "2.77556e-17")]
)
def test_shares_of_no_value_are_refused(values: list[float], total: str) -> None:
    expected = (
        f"customers: `total_amount` adds up to {total}; shares need a total above 0.\n"
        "Take a measure with a total above 0, or cut by thresholds or customer_share."
    )
    assert refusal(tiers.abc, frame(values)) == expected
    assert refusal(tiers.gini, frame(values)) == expected
    assert refusal(tiers.rule, frame(values), method="value_share", cuts=(0.5, 0.9)) == expected


@pytest.mark.parametrize("cuts", [(0.2, 0.05), (0.2, 0.2), (0.0, 0.2), (0.2, 1.0), (0.2, math.nan)])
def test_shares_that_do_not_rise_are_refused(cuts: tuple[float, ...]) -> None:
    assert refusal(tiers.rule, frame([1.0]), method="customer_share", cuts=cuts) == (
        "`cuts` of method 'customer_share' must be shares between 0 and 1 in rising order, "
        f"got {cuts!r}.\nBegin with the best tier, as in (0.05, 0.20)."
    )


@pytest.mark.parametrize("cuts", [(100, 500), (100, 100), (math.inf, 100), (math.nan, 1.0)])
def test_thresholds_that_do_not_fall_are_refused(cuts: tuple[float, ...]) -> None:
    assert refusal(tiers.rule, frame([1.0]), method="thresholds", cuts=cuts) == (
        f"`cuts` of method 'thresholds' must be values in falling order, got {cuts!r}.\n"
        "Begin with the best tier, as in (500, 100)."
    )


@pytest.mark.parametrize("cuts", [None, (500,), (500, 100, 50)])
def test_names_and_cuts_must_fit(cuts: Any) -> None:
    assert refusal(tiers.rule, frame([1.0]), method="thresholds", cuts=cuts) == (
        f"3 tiers need 2 `cuts` with method 'thresholds', got {cuts!r}.\n"
        "Give the cut below each tier but the last, best tier first."
    )


def test_cuts_that_a_method_finds_are_refused() -> None:
    assert refusal(tiers.rule, frame([1.0]), method="natural", cuts=(2, 1)) == (
        "Method 'natural' finds the cuts; got `cuts` (2, 1).\nLeave `cuts` out."
    )


def test_an_unknown_method_is_refused() -> None:
    methods = (
        "'thresholds', 'all_thresholds', 'customer_share', 'value_share', 'quantile', 'natural', "
        "'head_tail'"
    )
    assert refusal(tiers.rule, frame([1.0]), method="kmeans") == (
        f"`method` must be one of {methods}, got 'kmeans'."
    )
    assert refusal(tiers.rule, frame([1.0]), method="quantle") == (
        f"`method` must be one of {methods}, got 'quantle'.\nDid you mean 'quantile'?"
    )


@pytest.mark.parametrize("names", [("gold",), ("gold", "gold"), ("gold", ""), ("gold", 1)])
def test_names_must_differ(names: Any) -> None:
    assert refusal(tiers.rule, frame([1.0]), method="quantile", names=names) == (
        f"`names` must be two or more different names as text, got {names!r}.\n"
        "Begin with the best tier."
    )


@pytest.mark.parametrize("names", ["ab", 5, None])
def test_names_must_be_a_list(names: Any) -> None:
    assert refusal(tiers.rule, frame([1.0]), method="quantile", names=names) == (
        f'`names` must be a list, got {names!r}.\nWrite ("diamond", "gold", "silver").'
    )


@pytest.mark.parametrize(
    "by", [{}, {"total_amount": 0.0}, {"total_amount": math.nan}, {"total_amount": "x"}]
)
def test_weights_must_be_above_zero(by: Any) -> None:
    assert refusal(tiers.rule, frame([1.0]), method="quantile", by=by) == (
        f"`by` must give each measure a weight above 0, got {by!r}.\n"
        "Leave out measures that should not count."
    )


def test_fewer_values_than_natural_tiers_are_refused() -> None:
    assert refusal(tiers.rule, frame([1.0, 1.0, 2.0]), method="natural") == (
        "natural breaks: 3 classes need 3 distinct values or more, got 2.\n"
        "Ask for fewer classes, or give the cut points yourself."
    )


def test_values_without_a_heavy_tail_are_refused() -> None:
    assert refusal(tiers.rule, frame([1.0, 2.0, 3.0]), method="head_tail") == (
        "customers: head/tail breaks find 2 tiers, `names` has 3.\n"
        "Name fewer tiers, or use another method: the tail of the values is not heavy enough."
    )


def test_a_policy_without_a_tier_is_refused() -> None:
    usual = nw.from_native(tiers.policy(backend="pandas"))
    partial = usual.filter(nw.col("tier") != "diamond").to_native()
    assert refusal(tiers.assign, frame([1.0]), rule=SHARES_RULE, policy=partial) == (
        "tier policy: no row for tier `diamond`.\n"
        "The rule has the tiers `diamond`, `gold`, `silver`: give each of them one row."
    )


def test_a_policy_with_a_tier_twice_is_refused() -> None:
    twice = pl.DataFrame({"tier": ["gold", "diamond", "silver", "gold"], "visits": [1, 2, 3, 4]})
    assert refusal(tiers.assign, frame([1.0]), rule=SHARES_RULE, policy=twice) == (
        "tier policy: more than one row for tier `gold`.\n"
        "The rule has the tiers `diamond`, `gold`, `silver`: give each of them one row."
    )


def test_a_column_that_is_there_is_not_written_over() -> None:
    customers = frame([1.0]).with_columns(tier=pl.lit("mine"), goal=pl.lit("ours"))
    expected = "Drop or rename it; its values would be overwritten."
    assert refusal(tiers.assign, customers, rule=SHARES_RULE, policy=tiers.policy()) == (
        f"customers: column `tier`, `goal` exists already.\n{expected}"
    )
    assert refusal(tiers.abc, frame([1.0]).with_columns(abc_class=1)) == (
        f"customers: column `abc_class` exists already.\n{expected}"
    )


def test_tiers_of_another_rule_are_refused() -> None:
    tiered = frame([1.0]).with_columns(tier=pl.lit("bronze"))
    assert refusal(tiers.summary, tiered, rule=SHARES_RULE) == (
        "customers: tier `bronze` is not in the rule, which has `diamond`, `gold`, `silver`.\n"
        "Give the rule that assigned these tiers."
    )


@pytest.mark.parametrize("shares", [(), (0.0, 1.0), (0.5, 0.5), (0.5, 1.1), (math.nan,)])
def test_shares_of_concentration_must_rise(shares: tuple[float, ...]) -> None:
    assert refusal(tiers.concentration, frame([1.0]), shares=shares) == (
        f"`shares` must be in rising order, above 0 and at most 1, got {shares!r}.\n"
        "Write (0.01, 0.05, 0.20, 1)."
    )


def test_more_classes_than_letters_are_refused() -> None:
    cuts = [n / 100 for n in range(1, 27)]
    assert refusal(tiers.abc, frame([1.0]), cuts=cuts) == (
        "`cuts` make 27 classes, more than the 26 letters.\nGive fewer cuts."
    )


# Kept as text

OLD_TEXT = (
    '{"names": ["diamond", "gold", "silver"], "cuts": [900.0, 300.0], "measures": '
    '["total_amount"], "weights": [1.0], "scales": [1.0], "method": "customer_share"}'
)
ADVICE = "Give the text that to_json() wrote."


def test_text_of_crmkit_before_kinds_were_named_still_loads() -> None:
    assert TierRule.from_json(OLD_TEXT) == SHARES_RULE


def test_the_text_names_its_kind_and_format() -> None:
    kept = json.loads(SHARES_RULE.to_json())
    assert (kept["kind"], kept["format"]) == ("TierRule", 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kind": "Breakpoints"},
            ("TierRule: this text holds a Breakpoints.\nRead it with Breakpoints.from_json()."),
        ),
        (
            {"format": 2},
            (
                "TierRule: this text has format 2, this crmkit reads up to 1.\n"
                "Update crmkit, or make the value anew with this version."
            ),
        ),
        (
            {"cuts": [900, "300"]},
            f"TierRule: `cuts[1]` must be a finite number, got '300'.\n{ADVICE}",
        ),
        (
            {"cuts": [900, math.nan]},
            f"TierRule: `cuts[1]` must be a finite number, got nan.\n{ADVICE}",
        ),
        (
            {"cuts": [900, None]},
            f"TierRule: `cuts[1]` must be a finite number, got None.\n{ADVICE}",
        ),
        ({"cuts": 900}, f"TierRule: `cuts` must be a list, got 900.\n{ADVICE}"),
        ({"weights": [0]}, f"TierRule: `weights[0]` must be above 0, got 0.\n{ADVICE}"),
        ({"scales": [-1]}, f"TierRule: `scales[0]` must be above 0, got -1.\n{ADVICE}"),
        ({"names": [1, 2, 3]}, f"TierRule: `names[0]` must be text, got 1.\n{ADVICE}"),
        (
            {"method": "quantle"},
            (
                "TierRule: `method` must be one of 'thresholds', 'all_thresholds', "
                "'customer_share', 'value_share', 'quantile', 'natural', 'head_tail', got "
                "'quantle'.\n"
                f"Did you mean 'quantile'?\n{ADVICE}"
            ),
        ),
        ({"policy": 1}, f"TierRule: `policy` is unknown.\n{ADVICE}"),
    ],
)
def test_text_with_wrong_values_is_refused(changes: dict[str, Any], message: str) -> None:
    text = json.dumps(json.loads(SHARES_RULE.to_json()) | changes)
    assert refusal(TierRule.from_json, text) == message


@pytest.mark.parametrize("name", list(json.loads(OLD_TEXT)))
def test_text_with_a_field_missing_is_refused(name: str) -> None:
    fields = json.loads(SHARES_RULE.to_json())
    del fields[name]
    assert refusal(TierRule.from_json, json.dumps(fields)) == (
        f"TierRule: `{name}` is missing.\n{ADVICE}"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "this is not JSON text, got ''."),
        ("gold", "this is not JSON text, got 'gold'."),
        (None, "this is not JSON text, got None."),
        ("[1]", "this text holds [1], expected the fields of a TierRule."),
        ("{}", "`names` is missing."),
    ],
)
def test_other_text_is_refused(text: Any, complaint: str) -> None:
    assert refusal(TierRule.from_json, text) == f"TierRule: {complaint}\n{ADVICE}"


@pytest.mark.parametrize(
    "broken",
    [
        {"cuts": (300.0, 900.0)},
        {"cuts": (900.0,)},
        {"cuts": (math.inf, 1.0)},
        {"names": ("a", "a", "b")},
        {"weights": (0.0,)},
        {"scales": (1.0, 1.0)},
        {"measures": (), "weights": (), "scales": ()},
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(broken: dict[str, Any]) -> None:
    message = refusal(replace, SHARES_RULE, **broken)
    assert message.startswith(
        "TierRule: needs distinct names, one cut fewer than names in falling order, and a "
        "positive weight and scale for each measure; got TierRule("
    )
    assert message.endswith("Make it with crmkit.tiers.rule().")
