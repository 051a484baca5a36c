"""Value matrix: four fields by value now and value to come."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import tiers
from crmkit.errors import FitError, InvalidArgumentError
from tests.conftest import MakeFrame, rows

CUSTOMERS: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "cid", "dee", "eve"],
    "margin": [900.0, 700.0, 100.0, 100.0, None],
    "headroom": [500.0, 0.0, 800.0, 100.0, 10.0],
}
amounts = st.none() | st.integers(-10_000, 100_000).map(lambda n: n / 100)


def matrix(table: Any, **options: Any) -> Any:
    return tiers.value_matrix(table, current="margin", potential="headroom", **options)


def test_the_four_fields_at_the_means() -> None:
    # Means of those known: 1800 / 4 = 450 and 1410 / 5 = 282.
    found = matrix(pl.DataFrame(CUSTOMERS))
    assert found["value_field"].to_list() == ["star", "mainstay", "promise", "occasional", None]
    assert set(found["current_cut"]) == {450.0}
    assert set(found["potential_cut"]) == {282.0}
    assert found["field_action"].to_list()[0].startswith("protect and grow")
    assert found["field_action"].to_list()[-1] is None


def test_kept_cuts_give_next_month_the_same_fields() -> None:
    first = matrix(pl.DataFrame(CUSTOMERS))
    cuts = first.select("current_cut", "potential_cut").row(0)
    richer = pl.DataFrame(CUSTOMERS).with_columns(pl.col("margin") * 10)
    again = matrix(richer, cuts=cuts)
    assert again["value_field"].to_list() == ["star", "mainstay", "star", "mainstay", None]
    assert again["current_cut"].to_list() == [450.0] * 5


@given(st.lists(st.tuples(amounts, amounts), min_size=1), st.tuples(amounts, amounts))
def test_each_customer_is_in_the_field_of_both_values(given: list[Any], cuts: Any) -> None:
    first, second = (each or 0.0 for each in cuts)
    schema = {"margin": pl.Float64, "headroom": pl.Float64}
    table = pl.DataFrame(given, schema=schema, orient="row")
    found = matrix(table, cuts=(first, second))
    for (now, to_come), field in zip(given, found["value_field"], strict=True):
        if now is None or to_come is None:
            assert field is None
            continue
        words = ("star", "mainstay") if now >= first else ("promise", "occasional")
        assert field == words[0 if to_come >= second else 1]


def test_where_all_are_equal_all_are_high() -> None:
    table = pl.DataFrame({"margin": [0.1] * 3, "headroom": [0.7] * 3})
    assert set(matrix(table)["value_field"]) == {"star"}


def test_every_engine_gives_the_same_fields(make_frame: MakeFrame) -> None:
    found = {row["customer_id"]: row["value_field"] for row in rows(matrix(make_frame(CUSTOMERS)))}
    assert [found[who] for who in ("ann", "ben", "cid", "dee")] == [
        *("star", "mainstay", "promise", "occasional")
    ]


def test_values_that_nobody_has_are_refused() -> None:
    table = pl.DataFrame({"margin": [1.0], "headroom": pl.Series([None], dtype=pl.Float64)})
    with pytest.raises(FitError, match="no customer has a known `headroom`"):
        matrix(table)
    assert matrix(table, cuts=(1, 1))["value_field"].to_list() == [None]


def test_one_measure_for_both_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="are both 'margin'"):
        tiers.value_matrix(pl.DataFrame(CUSTOMERS), current="margin", potential="margin")


@pytest.mark.parametrize("cuts", [(1,), (1, 2, 3), (1, float("inf"))])
def test_cuts_that_are_not_two_are_refused(cuts: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="`cuts` must be two finite numbers"):
        matrix(pl.DataFrame(CUSTOMERS), cuts=cuts)
