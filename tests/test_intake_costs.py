"""Lists of costs and revenues become the items of a statement."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from crmkit._door import frames
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from crmkit.intake import costs
from crmkit.tables import COSTS
from tests.conftest import MAKERS, MakeFrame, columns, rows

RAW: dict[str, list[Any]] = {
    "What": ["visits", "=cmd()", "sales"],
    "Type": ["Cost", " cost", "REVENUE "],
    "Euro": [300, -20, 950],
    "Year": [2023, 2024, 2024],
}
NAMES: dict[str, Any] = {"item": "What", "kind": "Type", "amount": "Euro"}
ADVICE = 'Every row needs an item, a kind of "cost" or "revenue", and an amount as 1234.50.'


def complaint(error: type[Exception], raw: Any, **replaced: str) -> str:
    with pytest.raises(error) as caught:
        costs(raw, **{**NAMES, **replaced})
    return str(caught.value)


# Shape


def test_kinds_are_read_in_any_case(make_frame: MakeFrame) -> None:
    items = costs(make_frame(RAW), **NAMES)
    assert columns(items) == {
        "item": ["visits", "=cmd()", "sales"],
        "kind": ["cost", "cost", "revenue"],
        "amount": [300.0, -20.0, 950.0],
    }
    frames.read(items, COSTS)


def test_groups_are_text(make_frame: MakeFrame) -> None:
    items = costs(make_frame(RAW), **NAMES, group="Year")
    assert columns(items)["group"] == ["2023", "2024", "2024"]
    frames.read(items, COSTS)


def test_whole_numbers_among_nulls_have_no_point() -> None:
    raw = pd.DataFrame({**RAW, "Year": [2023, None, 2024]})
    assert columns(costs(raw, **NAMES, group="Year"))["group"] == ["2023", None, "2024"]


def test_amounts_in_text_are_read(make_frame: MakeFrame) -> None:
    raw = make_frame({**RAW, "Euro": ["300.50", "-20", "1e3"]})
    assert columns(costs(raw, **NAMES))["amount"] == [300.5, -20.0, 1000.0]


def test_items_come_back_as_the_table_came(make_frame: MakeFrame) -> None:
    raw = make_frame(RAW)
    assert type(costs(raw, **NAMES)) is type(raw)


def test_a_single_item_is_a_list(make_frame: MakeFrame) -> None:
    raw = make_frame({name: values[:1] for name, values in RAW.items()})
    assert rows(costs(raw, **NAMES)) == [{"item": "visits", "kind": "cost", "amount": 300.0}]


def test_an_empty_list_is_a_list() -> None:
    items = costs(pd.DataFrame({"What": [], "Type": [], "Euro": []}), **NAMES)
    assert columns(items) == {"item": [], "kind": [], "amount": []}


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_a_lazy_table_stays_a_plan(engine: str) -> None:
    raw = MAKERS[engine]({**RAW, "Type": ["Cost", "Loss", None]})
    assert columns(costs(raw, **NAMES))["kind"] == ["cost", "loss", None]


# Refusals


def test_another_kind_is_refused(make_eager: MakeFrame) -> None:
    raw = make_eager({**RAW, "Type": ["Cost", "Benefit", "revenues"]})
    assert complaint(InvalidRowsError, raw) == (
        'costs: `Type` is neither "cost" nor "revenue", such as \'Benefit\', in 2 of 3 rows '
        f"(What '=cmd()', 'sales').\n{ADVICE}"
    )


def test_what_is_missing_is_refused(make_eager: MakeFrame) -> None:
    assert complaint(InvalidRowsError, make_eager({**RAW, "What": ["visits", None, " "]})) == (
        f"costs: `What` is missing in 2 of 3 rows (row 1, 2).\n{ADVICE}"
    )
    assert complaint(InvalidRowsError, make_eager({**RAW, "Type": ["cost", None, "cost"]})) == (
        f"costs: `Type` is missing in 1 of 3 rows (What '=cmd()').\n{ADVICE}"
    )
    assert complaint(InvalidRowsError, make_eager({**RAW, "Euro": [1, None, 3]})) == (
        f"costs: `Euro` is missing in 1 of 3 rows (What '=cmd()').\n{ADVICE}"
    )


def test_amounts_that_are_no_numbers_are_refused(make_eager: MakeFrame) -> None:
    assert complaint(InvalidRowsError, make_eager({**RAW, "Euro": ["1", "two", "3,50"]})) == (
        "costs: `Euro` is not a number in the form of the others (decimal comma), such as 'two', "
        f"in 1 of 3 rows (What '=cmd()').\n{ADVICE}"
    )
    assert complaint(InvalidArgumentError, make_eager({**RAW, "Euro": [True, False, True]})) == (
        "costs: `Euro` has type Boolean; expected a number.\nName another column, or cast this one."
    )


def test_the_error_on_a_missing_column_names_it(make_frame: MakeFrame) -> None:
    assert complaint(MissingColumnsError, make_frame(RAW), amount="euro") == (
        "costs: no column `euro` among `What`, `Type`, `Euro`, `Year`.\nDid you mean `Euro`?"
    )
