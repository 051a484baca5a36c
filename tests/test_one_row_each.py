"""One row is one customer: every function that takes a table of customers is held to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from crmkit import churn, rfm, tiers
from crmkit import tables as contracts
from crmkit.errors import InvalidRowsError
from tests.conftest import MAKERS
from tests.engine_cases import CASES, tables

HELD = {
    name: case
    for name, case in CASES.items()
    if case.tables
    and not name.startswith("intake.")  # doors find such rows, and say so in their own words
    and name != "churn.drift"  # it compares any two tables
    and case.tables[0]
    in (
        *("customers", "known", "segmented", "rhythm", "staged", "tiered", "signals"),
        *("recommended", "opportunities"),
    )
}
"""Every function that takes a table of customers first."""

FEW: dict[str, list[Any]] = {
    "customer_id": ["ann", "ben", "ann", "cid", "ben", "dee"],
    "frequency": [1, 0, 1, 0, 0, 2],
    "recency": [10, 0, 10, 0, 0, 20],
    "T": [30, 30, 30, 30, 30, 30],
}


@pytest.mark.filterwarnings("ignore:bg_bb")  # the fit that a case takes is of few data
@pytest.mark.parametrize("name", HELD)
def test_a_customer_in_two_rows_is_refused_by_every_function(name: str) -> None:
    case = HELD[name]
    first, *others = (tables()[each] for each in case.tables)
    twice = pl.concat([first, first.head(2)])
    shown = ", ".join(map(repr, first["customer_id"].head(2).to_list()))
    with pytest.raises(InvalidRowsError) as caught:
        case.call(twice, *others)
    head, *advice = str(caught.value).split("\n")
    assert head.partition(": ")[2] == (
        f"`customer_id` is repeated in 4 of {len(twice):,} rows (customer_id {shown})."
    )
    assert advice[0] == "One row is one customer: sum up or drop the others."
    assert (caught.value.n_rows, len(caught.value.examples)) == (4, 2)


@pytest.mark.parametrize("engine", ["pandas", "polars", "pyarrow"])
def test_the_rows_are_counted_and_the_first_three_named(engine: str) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        churn.p_active(MAKERS[engine](FEW))
    assert str(caught.value) == (
        "customer summary: `customer_id` is repeated in 4 of 6 rows (customer_id 'ann', 'ben').\n"
        "One row is one customer: sum up or drop the others.\n"
        "Build this table with crmkit.rfm.summarize()."
    )


@pytest.mark.parametrize(
    ("ids", "unique"),
    [
        ([3, 1, 2], True),
        ([1, 2, 3], True),
        ([1, 1, 2], False),
        ([2, 1, 2], False),
        (["b", "a", "c"], True),
        (["a", "b", "b"], False),
        (["a", "A", "a "], True),  # three spellings are three customers here; the door finds them
        ([2**53, 2**53 + 1, 2**53 + 2], True),
        ([2**53 + 1, 2**53 + 1, 5], False),
        ([1.5, 2.5, 1.5], False),
        ([7], True),
        ([], True),
    ],
)
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda d: pl.DataFrame(d).to_arrow()])
def test_ids_of_every_kind(make: Callable[[Any], Any], ids: list[Any], *, unique: bool) -> None:
    columns = {name: FEW[name][: len(ids)] for name in FEW if name != "customer_id"}
    table = make({"customer_id": ids, **columns})
    if not ids:
        table = nw.from_native(make({"customer_id": [1], **{n: [1] for n in columns}}))
        table = table.head(0).to_native()
    if unique:
        churn.p_active(table)
    else:
        with pytest.raises(InvalidRowsError, match="is repeated in"):
            churn.p_active(table)


def test_a_categorical_id_is_looked_at_too() -> None:
    ids = pd.Categorical(FEW["customer_id"])
    table = pd.DataFrame({"customer_id": ids, "days_since_last": 3, "orders": 2})
    with pytest.raises(InvalidRowsError, match="is repeated in"):
        rfm.breakpoints(table)


def test_a_table_without_ids_has_nothing_to_repeat() -> None:
    assert tiers.gini(pd.DataFrame({"total_amount": [1.0, 1.0]})) == 0


def test_a_plan_is_not_looked_at() -> None:
    # It would have to run for it; what reads it with a pass of its own counts histories, not ids.
    assert len(churn.p_active(pl.LazyFrame(FEW)).collect()) == 6


def test_every_contract_of_customers_is_held_to_it() -> None:
    # A row that is one customer says so; rows of orders, contracts and people do not.
    free = {"CALL_LIST", "SCORES"}  # what a plot is drawn from
    for name, table in inspect.getmembers(contracts, lambda it: isinstance(it, contracts.Table)):
        is_customers = table.row.startswith("one customer") and name not in free
        assert (table.one_row_each == "customer_id") == is_customers, name
    assert contracts.customers_with("clv").one_row_each == "customer_id"
