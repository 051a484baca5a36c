"""RFM scores: published values of the R package rfm, a slow twin, and properties."""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmkit import rfm
from crmkit.errors import (
    CrmkitWarning,
    FitError,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from crmkit.models.numerics import class_breaks
from tests.conftest import MAKERS, MakeFrame, columns, rows

pytestmark = pytest.mark.filterwarnings("ignore::crmkit.errors.CrmkitWarning")

SCORES = {"days_since_last": "r_score", "orders": "f_score", "total_amount": "m_score"}
MEASURES_ONLY = (
    "`{argument}` must be one of 'days_since_last', 'orders', 'total_amount', got '{name}'."
)
ORDERS = Path(__file__).parent / "reference" / "rfm_data_orders.csv.gz"

Customers = dict[str, list[Any]]


def table(days: list[int], orders: list[int], amounts: list[float]) -> Customers:
    return {
        "customer_id": list(range(len(days))),
        "days_since_last": days,
        "orders": orders,
        "total_amount": amounts,
    }


def scores(customers: Customers, measure: str, **how: Any) -> dict[float, int]:
    """Score customers by their own cut points, and give the score of each value of a measure."""
    frame = pl.DataFrame(customers)
    scored = rfm.score(frame, breakpoints=rfm.breakpoints(frame, **how))
    pairs = set(scored.select(measure, SCORES[measure]).iter_rows())
    assert len(pairs) == len({value for value, _ in pairs})  # equal values, equal scores
    return dict(sorted(pairs))


@st.composite
def summaries(draw: st.DrawFn, *, at_least: int = 1) -> Customers:
    """Customers with many ties, amounts in whole cents, returns among them."""
    customer = st.tuples(st.integers(0, 60), st.integers(1, 12), st.integers(-5_000, 2_000_000))
    people = draw(st.lists(customer, min_size=at_least, max_size=40))
    return table(
        [days for days, _, _ in people],
        [orders for _, orders, _ in people],
        [cents / 100 for _, _, cents in people],
    )


@pytest.fixture(scope="module")
def shop() -> pl.DataFrame:
    """The 995 customers of the R package rfm on the day that its documentation has."""
    orders = pl.read_csv(ORDERS, try_parse_dates=True)
    return rfm.summarize(orders, as_of=date(2006, 12, 31))


@pytest.fixture(scope="module")
def shop_scored(shop: pl.DataFrame) -> pl.DataFrame:
    return rfm.score(shop, breakpoints=rfm.breakpoints(shop, method="r_package"))


# Published: R package rfm 0.3.0, its documentation and snapshots


def test_orders_and_customers_are_counted_as_in_the_r_package(shop: pl.DataFrame) -> None:
    assert shop.height == 995
    assert shop["orders"].sum() == 4906


def test_the_r_packages_cut_points(shop: pl.DataFrame) -> None:
    kept = rfm.breakpoints(shop, method="r_package")
    assert kept.days_since_last == pytest.approx((115, 181, 297.4, 482), abs=1e-9)
    assert kept.orders == pytest.approx((4, 5, 6, 8), abs=1e-9)
    assert kept.total_amount == pytest.approx((255.8, 382, 506.4, 666), abs=1e-9)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("r_score", [197, 200, 199, 199, 200]),
        ("f_score", [268, 187, 176, 244, 120]),
        ("m_score", [200, 200, 198, 202, 195]),
    ],
)
def test_the_r_packages_customers_per_score(
    shop_scored: pl.DataFrame, score: str, expected: list[int]
) -> None:
    counts = Counter(shop_scored[score].to_list())
    assert [counts[number] for number in range(1, 6)] == expected


def test_the_r_packages_first_ten_customers(shop_scored: pl.DataFrame) -> None:
    printed = ("customer_id", "days_since_last", "orders", "total_amount", "rfm_code")
    assert shop_scored.head(10).select(printed).rows() == [
        ("Abbey O'Reilly", 205, 6, 472, "343"),
        ("Add Senger", 140, 3, 340, "412"),
        ("Aden Lesch", 194, 4, 405, "323"),
        ("Aden Murphy", 98, 7, 596, "544"),
        ("Admiral Senger", 132, 5, 448, "433"),
        ("Agness O'Keefe", 90, 9, 843, "555"),
        ("Aileen Barton", 84, 9, 763, "555"),
        ("Ailene Hermann", 281, 8, 699, "355"),
        ("Aiyanna Bruen", 246, 4, 157, "321"),
        ("Akeelah Walsh", 160, 7, 779, "445"),
    ]


def test_the_r_packages_heatmap_of_mean_amounts(shop_scored: pl.DataFrame) -> None:
    cells = shop_scored.group_by("f_score", "r_score").agg(pl.col("total_amount").mean())
    means = {(f, r): mean for f, r, mean in cells.iter_rows()}
    expected = [
        ["208.40", "246.98", "246.30", "213.42", "262.17"],
        ["380.50", "407.54", "355.08", "375.17", "370.03"],
        ["530.24", "516.65", "446.61", "451.88", "467.00"],
        ["575.41", "599.47", "603.79", "617.07", "564.51"],
        ["746.67", "873.11", "846.90", "866.43", "862.40"],
    ]
    found = [[f"{means[f, r]:.2f}" for r in range(1, 6)] for f in range(1, 6)]
    assert found == expected


def test_the_r_packages_distribution_of_orders(shop: pl.DataFrame) -> None:
    counts = Counter(shop["orders"].to_list())
    expected = [42, 83, 143, 187, 176, 150, 94, 51, 38, 20, 3, 5, 2, 1]
    assert [counts[number] for number in range(1, 15)] == expected


@pytest.mark.parametrize(
    ("measure", "sign", "differ"),
    [("days_since_last", -1, 1), ("orders", 1, 0), ("total_amount", 1, 2)],
)
def test_the_r_package_and_pandas_qcut_hardly_differ_without_ties(
    shop_scored: pl.DataFrame, measure: str, sign: int, differ: int
) -> None:
    classes = pd.qcut(shop_scored[measure].to_numpy(), 5, labels=False) + 1
    by_pandas = classes if sign > 0 else 6 - classes
    assert int(np.sum(by_pandas != shop_scored[SCORES[measure]].to_numpy())) == differ


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"ties": "max"}, {1: 3, 2: 4, 3: 5, 4: 5, 9: 5}),
        ({"ties": "average"}, {1: 2, 2: 4, 3: 5, 4: 5, 9: 5}),
        ({"ties": "min"}, {1: 1, 2: 4, 3: 5, 4: 5, 9: 5}),
        ({"method": "r_package"}, {1: 1, 2: 3, 3: 4, 4: 5, 9: 5}),
    ],
)
def test_skewed_orders_get_the_scores_of_each_rule(
    how: dict[str, Any], expected: dict[int, int]
) -> None:
    orders = [1] * 60 + [2] * 20 + [3] * 10 + [4] * 6 + [9] * 4
    customers = table(list(range(100)), orders, [float(i) for i in range(100)])
    assert scores(customers, "orders", **how) == expected


# What other libraries got wrong


def test_small_amounts_get_all_scores_but_in_the_r_package() -> None:
    amounts = np.random.default_rng(0).random(1000).tolist()
    customers = table(list(range(1000)), list(range(1, 1001)), amounts)
    assert set(scores(customers, "total_amount").values()) == {1, 2, 3, 4, 5}
    assert set(scores(customers, "total_amount", method="r_package").values()) == {1}


def test_customers_who_are_alike_get_one_score() -> None:
    customers = table([30] * 50, [3] * 50, [99.9] * 50)
    for measure, value in (("days_since_last", 30), ("orders", 3), ("total_amount", 99.9)):
        assert scores(customers, measure) == {value: 3}


def test_every_customer_gets_a_score_however_many_ties_there_are() -> None:
    customers = table([0] * 90 + [400] * 10, [1] * 95 + [7] * 5, [10.0] * 99 + [500.0])
    frame = pl.DataFrame(customers)
    for kept in (rfm.breakpoints(frame), rfm.breakpoints(frame, method="r_package")):
        scored = rfm.score(frame, breakpoints=kept)
        assert scored.select(*SCORES.values()).null_count().sum_horizontal().item() == 0


def test_few_regulars_still_get_the_best_score() -> None:
    # Quantiles of the orders of the UCI online shop: 1, 1, 2, 3, 6, 209.
    orders = [1] * 344 + [2] * 193 + [3] * 117 + [4] * 90 + [6] * 160 + [20] * 90 + [209] * 6
    n = len(orders)
    customers = table(list(range(n)), orders, [float(i) for i in range(n)])
    found = scores(customers, "orders")
    assert (found[1], found[209]) == (1, 5)


def test_fifty_orders_of_100_05_are_5002_50_and_two_equal_orders_are_two() -> None:
    orders = pd.DataFrame(
        {
            "customer_id": ["ann"] * 50 + ["ben"] * 2,
            "date": pd.Timestamp("2024-01-05"),
            "amount": [100.05] * 50 + [5.5] * 2,
        }
    )
    before = orders.copy()
    customers = rfm.summarize(orders, as_of=date(2024, 1, 31))
    assert customers["total_amount"].round(6).tolist() == [5002.5, 11.0]
    assert customers["orders"].tolist() == [50, 2]
    rfm.score(customers, breakpoints=rfm.breakpoints(customers))
    pd.testing.assert_frame_equal(orders, before)


def test_the_worst_customer_gets_ones_and_the_best_gets_fives() -> None:
    customers = table([500, 40, 30, 20, 1], [1, 2, 3, 4, 50], [5.0, 10.0, 20.0, 40.0, 900.0])
    frame = pl.DataFrame(customers)
    scored = rfm.score(frame, breakpoints=rfm.breakpoints(frame))
    assert scored["rfm_code"].to_list() == ["111", "222", "333", "444", "555"]
    assert scored["rfm_sum"].to_list() == [3, 6, 9, 12, 15]


# Twin


@given(
    customers=summaries(), n=st.integers(2, 9), ties=st.sampled_from(get_args(class_breaks.Ties))
)
def test_scores_are_percent_ranks_from_the_worst_customer_up(
    customers: Customers, n: int, ties: class_breaks.Ties
) -> None:
    for measure in SCORES:
        goodness = [-v if measure == "days_since_last" else v for v in customers[measure]]
        expected = {}
        for value, good in zip(customers[measure], goodness, strict=True):
            worse, same = sum(g < good for g in goodness), goodness.count(good)
            rank = {"min": worse + 1, "max": worse + same, "average": worse + (same + 1) / 2}
            share = Fraction(rank[ties]) / len(goodness)
            expected[value] = math.ceil(n * share)
        assert scores(customers, measure, n=n, ties=ties) == expected


@settings(max_examples=15)
@given(customers=summaries(at_least=3), n=st.integers(2, 5))
def test_nested_scores_are_scores_among_the_customers_of_one_cell(
    customers: Customers, n: int
) -> None:
    frame = pl.DataFrame(customers)
    nested = rfm.score(frame, breakpoints=rfm.breakpoints(frame, n=n, nested=True))
    for cell in nested.partition_by("r_score"):
        alone = rfm.score(cell, breakpoints=rfm.breakpoints(cell, n=n))
        assert cell["f_score"].to_list() == alone["f_score"].to_list()
        for inner in cell.partition_by("f_score"):
            alone = rfm.score(inner, breakpoints=rfm.breakpoints(inner, n=n))
            assert inner["m_score"].to_list() == alone["m_score"].to_list()


# Properties


@given(customers=summaries(), n=st.integers(2, 9))
def test_scores_lie_between_1_and_n_and_follow_the_values(customers: Customers, n: int) -> None:
    for measure in SCORES:
        found = list(scores(customers, measure, n=n).values())
        assert all(1 <= number <= n for number in found)
        assert found == sorted(found, reverse=measure == "days_since_last")


@given(customers=summaries(), n=st.integers(2, 9), sooner=st.integers(0, 60))
def test_coming_more_recently_never_lowers_r_score(
    customers: Customers, n: int, sooner: int
) -> None:
    frame = pl.DataFrame(customers)
    kept = rfm.breakpoints(frame, n=n)
    later = frame.with_columns((pl.col("days_since_last") - sooner).clip(0))
    before, after = rfm.score(frame, breakpoints=kept), rfm.score(later, breakpoints=kept)
    assert (after["r_score"] >= before["r_score"]).all()


@settings(max_examples=15)
@given(customers=summaries(), factor=st.sampled_from([0.01, 100.0]))
def test_the_currency_changes_no_score(customers: Customers, factor: float) -> None:
    other = {**customers, "total_amount": [a * factor for a in customers["total_amount"]]}
    for nested in (False, True):
        found = []
        for frame in (pl.DataFrame(customers), pl.DataFrame(other)):
            kept = rfm.breakpoints(frame, nested=nested)
            found.append(rfm.score(frame, breakpoints=kept)["rfm_code"].to_list())
        assert found[0] == found[1]


@settings(max_examples=15)
@given(customers=summaries(), data=st.data())
def test_the_order_of_rows_changes_no_score(customers: Customers, data: st.DataObject) -> None:
    frame = pl.DataFrame(customers)
    order = data.draw(st.permutations(range(frame.height)))
    shuffled = frame[list(order)]
    for nested in (False, True):
        kept = rfm.breakpoints(frame, nested=nested)
        assert rfm.breakpoints(shuffled, nested=nested) == kept
        scored = rfm.score(shuffled, breakpoints=kept)
        assert scored["customer_id"].to_list() == shuffled["customer_id"].to_list()
        assert rows(scored, by="customer_id") == rows(rfm.score(frame, breakpoints=kept))


@pytest.mark.full
@settings(max_examples=8)
@given(customers=summaries(), nested=st.booleans())
def test_the_engine_changes_no_score(customers: Customers, nested: bool) -> None:  # noqa: FBT001
    results = []
    for make in MAKERS.values():
        frame = make(customers)
        kept = rfm.breakpoints(frame, nested=nested)
        results.append((kept, rows(rfm.score(frame, breakpoints=kept), by="customer_id")))
    assert all(result == results[0] for result in results)


@given(customers=summaries(), n=st.integers(2, 9), nested=st.booleans())
def test_cut_points_survive_being_kept_as_text(
    customers: Customers,
    n: int,
    nested: bool,  # noqa: FBT001
) -> None:
    kept = rfm.breakpoints(pl.DataFrame(customers), n=n, nested=nested)
    assert rfm.Breakpoints.from_json(kept.to_json()) == kept


@given(customers=summaries(), more=summaries())
def test_next_month_equal_values_get_the_scores_of_this_month(
    customers: Customers, more: Customers
) -> None:
    frame = pl.DataFrame(customers)
    kept = rfm.breakpoints(frame)
    now = rfm.score(frame, breakpoints=kept)
    others = pl.DataFrame(more).with_columns(pl.col("customer_id") + len(frame))
    later = rfm.score(pl.concat([frame, others]), breakpoints=kept)
    assert later.head(frame.height).equals(now)


def test_the_same_amounts_summed_in_another_order_are_one_amount() -> None:
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    amounts = [0.3 + 0.2 + 0.1, 0.1 + 0.2 + 0.3]
    frame = pl.DataFrame(table([1, 1], [1, 1], amounts))
    assert rfm.score(frame, breakpoints=rfm.breakpoints(frame, n=2))["m_score"].n_unique() == 1


# Shape


def test_own_cuts_say_where_each_score_begins() -> None:
    cuts = {"orders": (2, 3, 5, 10), "days_since_last": (30, 90, 180, 365)}
    customers = table([0, 29, 30, 364, 365], [1, 2, 4, 10, 99], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert scores(customers, "orders", cuts=cuts) == {1: 1, 2: 2, 4: 3, 10: 5, 99: 5}
    expected = {0: 5, 29: 5, 30: 4, 364: 2, 365: 1}
    assert scores(customers, "days_since_last", cuts=cuts) == expected
    assert scores(customers, "total_amount", cuts=cuts) == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}


def test_each_measure_can_be_cut_its_own_way() -> None:
    amounts = [1.0, 2.0, 3.0, 500.0, 510.0, 9000.0]
    customers = table([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], amounts)
    how: dict[str, Any] = {"n": 3, "method": {"total_amount": "natural"}}
    assert scores(customers, "total_amount", **how) == dict(
        zip(amounts, [1, 1, 1, 2, 2, 3], strict=True)
    )
    assert list(scores(customers, "orders", **how).values()) == [1, 1, 2, 2, 3, 3]


def test_natural_breaks_put_the_most_recent_first() -> None:
    days = [1, 2, 3, 50, 51, 400]
    customers = table(days, [1, 2, 3, 4, 5, 6], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    found = scores(customers, "days_since_last", n=3, method={"days_since_last": "natural"})
    assert found == dict(zip(days, [3, 3, 3, 2, 2, 1], strict=True))


def test_nested_codes_hold_about_as_many_customers_each(shop: pl.DataFrame) -> None:
    nested = rfm.score(shop, breakpoints=rfm.breakpoints(shop, nested=True))
    flat = rfm.score(shop, breakpoints=rfm.breakpoints(shop))
    sizes = nested["rfm_code"].value_counts()["count"]
    assert len(sizes) == 125
    assert (sizes.min(), sizes.max()) == (5, 12)  # regression value; 995 / 125 = 8
    assert flat["rfm_code"].n_unique() < 125


@pytest.mark.full_for("polars", "polars-lazy", "pyarrow")
def test_nine_nested_scores_work_on_every_engine(make_frame: MakeFrame) -> None:
    n = 200
    customers = table(
        list(range(n)), [1 + i % 17 for i in range(n)], [float(i % 41) for i in range(n)]
    )
    kept = rfm.breakpoints(make_frame(customers), n=9, nested=True)
    scored = rfm.score(make_frame(customers), breakpoints=kept)
    assert {row["r_score"] for row in rows(scored)} == set(range(1, 10))


def test_a_cell_that_nobody_is_in_is_cut_as_all_customers_are() -> None:
    frame = pl.DataFrame(table([5] * 9, list(range(1, 10)), [float(i) for i in range(9)]))
    kept = rfm.breakpoints(frame, n=3, nested=True)
    assert kept.orders == (4, 7)
    assert kept.orders_within == ((4, 7), (4, 7), (4, 7))
    assert len(kept.total_amount_within) == 9
    assert kept.total_amount_within[0] == kept.total_amount


def test_scores_come_as_integers_and_the_code_as_text(make_frame: MakeFrame) -> None:
    customers = table([3, 40, 200], [9, 4, 1], [900.0, 310.0, 20.0])
    frame = make_frame(customers)
    scored = nw.from_native(rfm.score(frame, breakpoints=rfm.breakpoints(frame, n=3)))
    schema = scored.collect_schema()
    assert schema.names() == [*customers, "r_score", "f_score", "m_score", "rfm_code", "rfm_sum"]
    assert [schema[name] for name in ("r_score", "f_score", "m_score", "rfm_sum")] == [nw.Int64] * 4
    assert schema["rfm_code"] == nw.String
    assert type(scored.to_native()) is type(frame)


def test_row_order_and_index_of_pandas_stay() -> None:
    frame = pd.DataFrame(table([9, 1, 5], [1, 3, 2], [1.0, 9.0, 5.0]), index=[7, 7, 2])
    scored = rfm.score(frame, breakpoints=rfm.breakpoints(frame, n=3))
    assert scored.index.tolist() == [7, 7, 2]
    assert scored["rfm_code"].tolist() == ["111", "333", "222"]
    assert frame.columns.tolist() == ["customer_id", "days_since_last", "orders", "total_amount"]


def test_without_amounts_customers_get_two_scores(make_frame: MakeFrame) -> None:
    customers = table([3, 40, 200], [9, 4, 1], [0.0, 0.0, 0.0])
    del customers["total_amount"]
    frame = make_frame(customers)
    for nested in (False, True):
        kept = rfm.breakpoints(frame, n=3, nested=nested)
        assert kept.total_amount is None
        assert rfm.Breakpoints.from_json(kept.to_json()) == kept
        scored = columns(rfm.score(frame, breakpoints=kept))
        assert list(scored) == [*customers, "r_score", "f_score"]
        assert scored["r_score"] == [3, 2, 1]


def test_own_cuts_score_an_empty_table(make_eager: MakeFrame) -> None:
    kept = rfm.Breakpoints(n=2, days_since_last=(30,), orders=(2,), total_amount=(100,))
    few = make_eager(table([3], [9], [900.0]))
    empty = nw.from_native(few, eager_only=True).head(0).to_native()
    assert rows(rfm.score(empty, breakpoints=kept)) == []
    assert rows(rfm.score(few, breakpoints=kept))[0]["rfm_code"] == "222"


def test_one_customer_is_both_best_and_worst_and_scores_by_the_rank_rule() -> None:
    customers = table([3], [9], [900.0])
    for ties in get_args(class_breaks.Ties):
        assert scores(customers, "orders", ties=ties) == {9: 5}


def test_cut_points_print_without_needless_decimals() -> None:
    kept = rfm.Breakpoints(n=3, days_since_last=(30.0, 90.0), orders=(2.0, math.inf))
    assert repr(kept) == (
        "Breakpoints(n=3, days_since_last=(30, 90), orders=(2, inf), total_amount=None)"
    )
    nested = replace(kept, orders_within=((2, 3),) * 3)
    assert repr(nested).endswith("total_amount=None, nested)")
    assert "Infinity" not in kept.to_json()


def test_last_months_cuts_score_new_customers(shop: pl.DataFrame) -> None:
    orders = pl.read_csv(ORDERS, try_parse_dates=True)
    kept = rfm.breakpoints(shop)
    later = rfm.summarize(orders, as_of=date(2006, 12, 31) + timedelta(days=90))
    scored = rfm.score(later, breakpoints=kept)
    before = rfm.score(shop, breakpoints=kept)
    assert scored["f_score"].to_list() == before["f_score"].to_list()
    assert (scored["r_score"] <= before["r_score"]).all()
    assert sum(scored["r_score"]) < sum(before["r_score"])


# Warnings


def test_the_warning_of_a_large_tie_has_measure_value_share_and_meaning() -> None:
    customers = table(
        list(range(100)), [1] * 60 + list(range(2, 42)), [float(i) for i in range(100)]
    )
    with pytest.warns(CrmkitWarning) as caught:
        rfm.breakpoints(pl.DataFrame(customers))
    assert [str(each.message) for each in caught] == [
        (
            "customer summary: `orders` is 1 for 60.0% of the customers, while each of 5 scores "
            "is meant for 20.0%.\n"
            "Equal values get equal scores: all of them get f_score 2, and other scores hold "
            "fewer customers or none."
        )
    ]
    assert caught[0].filename == __file__


def test_the_warning_of_a_large_tie_of_days_has_its_score() -> None:
    customers = table([7] * 3 + [1, 90], [1, 2, 3, 4, 5], [1.0, 2.0, 3.0, 4.0, 5.0])
    with pytest.warns(CrmkitWarning, match="`days_since_last` is 7 for 60.0%.*\n.* get r_score 3"):
        found = scores(customers, "days_since_last")
    assert found == {1: 5, 7: 3, 90: 1}


def test_small_tables_and_small_ties_are_nothing_to_warn_of() -> None:
    three = table([1, 2, 3], [1, 2, 3], [1.0, 2.0, 3.0])
    fifths = table(
        [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], list(range(1, 11)), [float(i) for i in range(10)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(scores(three, "orders").values()) == [2, 4, 5]
        assert list(scores(fifths, "days_since_last").values()) == [5, 4, 3, 2, 1]


def test_own_cuts_and_natural_breaks_do_not_warn_of_ties() -> None:
    customers = table([1] * 8 + [2, 3], [1] * 8 + [2, 3], [1.0] * 8 + [2.0, 3.0])
    cuts = {"days_since_last": (2, 3), "orders": (2, 3)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scores(customers, "total_amount", n=3, cuts=cuts, method="natural")
    assert list(found.values()) == [1, 2, 3]


# Refusals


@pytest.mark.parametrize("n", [1, 10, 2.5])
def test_scores_that_no_code_can_show_are_refused(n: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.breakpoints(pl.DataFrame(table([1], [1], [1.0])), n=n)
    assert str(caught.value) == (
        f"`n` must be a whole number from 2 to 9, got {n!r}.\n"
        "Scores run from 1 to n, and each is one digit of the code."
    )


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((2, 3, 5), "(2, 3, 5)"),
        ((2, 3, 3, 10), "(2, 3, 3, 10)"),
        ((10, 5, 3, 2), "(10, 5, 3, 2)"),
        ((2, 3, 5, math.inf), "(2, 3, 5, inf)"),
    ],
)
def test_cuts_that_do_not_rise_are_refused(values: tuple[float, ...], shown: str) -> None:
    frame = pl.DataFrame(table([1], [1], [1.0]))
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.breakpoints(frame, cuts={"orders": values})
    assert str(caught.value) == (
        f"`cuts['orders']` must be 4 finite numbers in rising order for 5 scores, got {shown}.\n"
        "Give the lowest value of each class but the first."
    )


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"method": "qcut"},
            "`method` must be one of 'quantile', 'natural', 'r_package', got 'qcut'.",
        ),
        (
            {"method": {"orders": "quantiles"}},
            (
                "`method` must be one of 'quantile', 'natural', 'r_package', got 'quantiles'.\n"
                "Did you mean 'quantile'?"
            ),
        ),
        (
            {"method": {"frequency": "natural"}},
            MEASURES_ONLY.format(argument="method", name="frequency"),
        ),
        (
            {"cuts": {"recency": (1, 2, 3, 4)}},
            MEASURES_ONLY.format(argument="cuts", name="recency"),
        ),
        (
            {"cuts": {"order": (1, 2, 3, 4)}},
            MEASURES_ONLY.format(argument="cuts", name="order") + "\nDid you mean 'orders'?",
        ),
        ({"ties": "first"}, "`ties` must be one of 'average', 'min', 'max', got 'first'."),
        (
            {"ties": "averge"},
            "`ties` must be one of 'average', 'min', 'max', got 'averge'.\nDid you mean 'average'?",
        ),
        (
            {"cuts": "orders"},
            (
                "`cuts` must give the cuts of each measure, got 'orders'.\n"
                'Write {"orders": (2, 3, 5, 10)}.'
            ),
        ),
        (
            {"cuts": {"orders": 3}},
            "`cuts['orders']` must be a list of numbers, got 3.\nWrite (2, 3, 5, 10).",
        ),
        (
            {"cuts": {"orders": "2, 3"}},
            "`cuts['orders']` must be a list of numbers, got '2, 3'.\nWrite (2, 3, 5, 10).",
        ),
        (
            {"cuts": {"orders": (2, "3", 5, 10)}},
            "`cuts['orders']` must hold numbers only, got '3'.\nWrite (2, 3, 5, 10).",
        ),
    ],
)
def test_unknown_options_are_refused_by_name(how: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.breakpoints(pl.DataFrame(table([1], [1], [1.0])), **how)
    assert str(caught.value) == message


def test_cut_points_need_customers(make_frame: MakeFrame) -> None:
    frame = nw.from_native(make_frame(table([1], [1], [1.0]))).filter(nw.col("orders") > 1)
    with pytest.raises(FitError) as caught:
        rfm.breakpoints(frame.to_native())
    assert str(caught.value) == (
        "customer summary: no customers to find cut points from.\n"
        "Check whether all transactions are after `as_of`."
    )


def test_unknown_amounts_on_a_lazy_table_are_counted() -> None:
    customers = pl.LazyFrame(table([1, 2, 3], [1, 2, 3], [1.0, math.nan, math.inf]))
    with pytest.raises(InvalidRowsError) as caught:
        rfm.breakpoints(customers)
    assert str(caught.value) == (
        "customer summary: `total_amount` is null or not finite in 2 of 3 rows.\n"
        "Build this table with crmkit.rfm.summarize()."
    )
    assert caught.value.n_rows == 2


def test_a_ledger_is_refused(make_frame: MakeFrame) -> None:
    ledger = make_frame({"customer_id": ["ann"], "amount": [1.0]})
    with pytest.raises(MissingColumnsError) as caught:
        rfm.breakpoints(ledger)
    assert str(caught.value) == (
        "customer summary: no column `days_since_last`, `orders` among `customer_id`, `amount`.\n"
        "Build this table with crmkit.rfm.summarize()."
    )


def test_cut_points_with_amounts_need_amounts(make_frame: MakeFrame) -> None:
    kept = rfm.Breakpoints(n=2, days_since_last=(30,), orders=(2,), total_amount=(100,))
    customers = table([1], [1], [1.0])
    del customers["total_amount"]
    with pytest.raises(MissingColumnsError) as caught:
        rfm.score(make_frame(customers), breakpoints=kept)
    assert str(caught.value) == (
        "customer summary: no column `total_amount`, and the cut points score it.\n"
        "Summarize transactions with amounts, or find cut points without them."
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [({"orders": (2, 3)}, "{'orders': (2, 3)}"), (None, "None"), ("x", "'x'"), (5, "5")],
)
def test_breakpoints_of_another_type_are_refused(value: Any, shown: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.score(pl.DataFrame(table([1], [1], [1.0])), breakpoints=value)
    assert str(caught.value) == (
        f"`breakpoints` must be a Breakpoints, got {shown}.\n"
        "Make one with crmkit.rfm.breakpoints()."
    )


# Kept as text

CUTS = rfm.Breakpoints(n=3, days_since_last=(30, 90), orders=(2, math.inf), total_amount=(10, 50))
OLD_TEXT = (
    '{"n": 3, "days_since_last": [30, 90], "orders": [2, null], "total_amount": [10, 50], '
    '"orders_within": [], "total_amount_within": []}'
)
ADVICE = "Give the text that to_json() wrote."


def test_text_of_crmkit_before_kinds_were_named_still_loads() -> None:
    assert rfm.Breakpoints.from_json(OLD_TEXT) == CUTS
    nested = replace(CUTS, total_amount=None, orders_within=((2, 3),) * 3)
    old = json.dumps(
        {
            "n": 3,
            "days_since_last": [30.0, 90.0],
            "orders": [2.0, None],
            "total_amount": None,
            "orders_within": [[2.0, 3.0]] * 3,
            "total_amount_within": [],
        }
    )
    assert rfm.Breakpoints.from_json(old) == nested


def test_the_text_names_its_kind_and_format() -> None:
    kept = json.loads(CUTS.to_json())
    assert (kept["kind"], kept["format"]) == ("Breakpoints", 1)
    assert kept["orders"] == [2, None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kind": "TierRule"},
            "Breakpoints: this text holds a TierRule.\nRead it with TierRule.from_json().",
        ),
        (
            {"format": 2},
            (
                "Breakpoints: this text has format 2, this crmkit reads up to 1.\n"
                "Update crmkit, or make the value anew with this version."
            ),
        ),
        (
            {"orders": [2, "3"]},
            f"Breakpoints: `orders[1]` must be a finite number, got '3'.\n{ADVICE}",
        ),
        (
            {"orders": [2, math.nan]},
            f"Breakpoints: `orders[1]` must be a finite number, got nan.\n{ADVICE}",
        ),
        (
            {"total_amount": [10, math.inf]},
            f"Breakpoints: `total_amount[1]` must be a finite number, got inf.\n{ADVICE}",
        ),
        ({"orders": 3}, f"Breakpoints: `orders` must be a list, got 3.\n{ADVICE}"),
        (
            {"n": "3"},
            f"Breakpoints: `n` must be a whole number of 0 or more, got '3'.\n{ADVICE}",
        ),
        (
            {"orders_within": [[1, 2], [1, 2], 5]},
            f"Breakpoints: `orders_within[2]` must be a list, got 5.\n{ADVICE}",
        ),
        ({"cuts": [1]}, f"Breakpoints: `cuts` is unknown.\n{ADVICE}"),
        (
            {"orders": [2]},
            (
                "Breakpoints: 3 scores need 2 cuts in rising order for `orders`, got (2).\n"
                "Make them with crmkit.rfm.breakpoints()."
            ),
        ),
    ],
)
def test_text_with_wrong_values_is_refused(changes: dict[str, Any], message: str) -> None:
    text = json.dumps(json.loads(CUTS.to_json()) | changes)
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.Breakpoints.from_json(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", list(json.loads(OLD_TEXT)))
def test_text_with_a_field_missing_is_refused(name: str) -> None:
    fields = json.loads(CUTS.to_json())
    del fields[name]
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.Breakpoints.from_json(json.dumps(fields))
    assert str(caught.value) == f"Breakpoints: `{name}` is missing.\n{ADVICE}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "this is not JSON text, got ''."),
        ("n = 5", "this is not JSON text, got 'n = 5'."),
        (None, "this is not JSON text, got None."),
        ("[]", "this text holds [], expected the fields of a Breakpoints."),
        ("3", "this text holds 3, expected the fields of a Breakpoints."),
        ("{}", "`n` is missing."),
    ],
)
def test_other_text_is_refused(text: Any, complaint: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.Breakpoints.from_json(text)
    assert str(caught.value) == f"Breakpoints: {complaint}\n{ADVICE}"


def test_cut_points_that_fall_or_miss_cells_are_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.Breakpoints(n=3, days_since_last=(30, 90), orders=(3, 2))
    assert str(caught.value) == (
        "Breakpoints: 3 scores need 2 cuts in rising order for `orders`, got (3, 2).\n"
        "Make them with crmkit.rfm.breakpoints()."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.Breakpoints(n=2, days_since_last=(30,), orders=(2,), orders_within=((2,),) * 3)
    assert str(caught.value) == (
        "Breakpoints: `orders_within` must have the cuts of 2 cells, got 3.\n"
        "Make them with crmkit.rfm.breakpoints()."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"n": 2, "days_since_last": (math.nan,), "orders": (2,)},
            (
                "Breakpoints: 2 scores need 1 cut in rising order for `days_since_last`, "
                "got (nan).\n"
                "Make them with crmkit.rfm.breakpoints()."
            ),
        ),
        (
            {"n": 2, "days_since_last": 30, "orders": (2,)},
            "`days_since_last` must be a list of numbers, got 30.\nWrite (30, 90, 180, 365).",
        ),
        (
            {"n": 2, "days_since_last": ("30",), "orders": (2,)},
            "`days_since_last` must hold numbers only, got '30'.\nWrite (30, 90, 180, 365).",
        ),
    ],
)
def test_cut_points_that_are_not_numbers_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.Breakpoints(**fields)
    assert str(caught.value) == message
