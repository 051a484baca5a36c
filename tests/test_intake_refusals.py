"""Error messages of `transactions` for tables that are not valid ledgers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from crmkit.intake import transactions
from tests.conftest import MAKERS, MakeFrame

JAN, FEB, MAR = date(2024, 1, 5), date(2024, 2, 5), date(2024, 3, 5)
SET_ASIDE = "Correct them, or call crmkit.intake.clean(), which sets them aside with the reason."


def pandas_raw(**replaced: Any) -> pd.DataFrame:
    raw = {"who": ["ann", "ben", "ann"], "when": pd.to_datetime([JAN, FEB, MAR]), "paid": [2, 1, 3]}
    return pd.DataFrame({**raw, **replaced})


def complaint(error: type[Exception], raw: Any, **options: Any) -> str:
    named = {"customer": "who", "date": "when", "amount": "paid"} | options
    with pytest.raises(error) as caught:
        transactions(raw, **named)
    return str(caught.value)


def test_the_error_on_missing_values_names_row_and_customer(make_eager: MakeFrame) -> None:
    raw: dict[str, list[Any]]
    raw = {"who": ["ann", None, "ben", " "], "when": [JAN, FEB, None, MAR], "paid": [1, 2, None, 4]}
    assert complaint(InvalidRowsError, make_eager(raw)) == (
        f"transactions: `who` is missing in 2 of 4 rows (row 1, 3).\n{SET_ASIDE}"
    )
    raw["who"] = ["ann", "ann", "ben", "cid"]
    assert complaint(InvalidRowsError, make_eager(raw)) == (
        f"transactions: `when` is missing in 1 of 4 rows (who 'ben').\n{SET_ASIDE}"
    )
    raw["when"] = [JAN, FEB, MAR, MAR]
    assert complaint(InvalidRowsError, make_eager(raw)) == (
        f"transactions: `paid` is missing in 1 of 4 rows (who 'ben').\n{SET_ASIDE}"
    )
    raw |= {"paid": [1, 2, 3, 4], "no": [1, None, None, 4]}
    assert complaint(InvalidRowsError, make_eager(raw), order_id="no") == (
        f"transactions: `no` is missing in 2 of 4 rows (who 'ann', 'ben').\n{SET_ASIDE}"
    )


def test_the_error_carries_the_count_and_the_first_customers(make_eager: MakeFrame) -> None:
    raw: dict[str, list[Any]] = {"who": list("abcde"), "when": [None] * 4 + [JAN]}
    with pytest.raises(InvalidRowsError) as caught:
        transactions(make_eager(raw), customer="who", date="when")
    assert (caught.value.n_rows, caught.value.examples) == (4, ("a", "b", "c"))


def test_text_that_is_not_a_date_is_refused(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": ["ann", "ben"], "when": ["2024-01-05", "2024-02-30"], "paid": [1, 2]})
    assert complaint(InvalidRowsError, raw) == (
        "transactions: `when` is not a date in the form of the others, such as '2024-02-30', "
        "in 1 of 2 rows (who 'ben').\n"
        'If one format fits all, give date_format="%d/%m/%y". Otherwise correct them, or call '
        "crmkit.intake.clean(), which sets them aside with the reason."
    )
    assert complaint(InvalidRowsError, raw, date_format="%d/%m/%Y") == (
        "transactions: `when` does not follow date_format=\"%d/%m/%Y\", such as '2024-01-05', "
        f"in 2 of 2 rows (who 'ann', 'ben').\n{SET_ASIDE}"
    )


def test_dates_that_read_both_ways_are_refused(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": ["ann", "ben"], "when": ["01/02/2024", "12/02/2024"], "paid": [1, 2]})
    assert complaint(InvalidArgumentError, raw) == (
        "transactions: `when` is valid both day first and month first.\n"
        'Choose date_format="%d/%m/%Y" or date_format="%m/%d/%Y".'
    )


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_a_lazy_table_without_dates_is_refused(engine: str) -> None:
    raw = MAKERS[engine]({"who": ["ann"], "when": ["soon"], "paid": [1]})
    assert complaint(InvalidArgumentError, raw) == (
        "transactions: `when` has no dates of a known form, such as 'soon'.\n"
        'If one format fits all, give date_format="%d/%m/%y".'
    )


def test_dates_that_cannot_be_are_refused(make_eager: MakeFrame) -> None:
    raw = make_eager(
        {"who": ["ann", "ben"], "when": [date(1899, 12, 31), date(1900, 1, 1)], "paid": [1, 2]}
    )
    assert complaint(InvalidRowsError, raw) == (
        "transactions: `when` is before 1900-01-01, such as 1899-12-31, in 1 of 2 rows "
        f"(who 'ann').\n{SET_ASIDE}"
    )
    late = make_eager({"who": ["ann", "ben"], "when": [FEB, MAR], "paid": [1, 2]})
    assert complaint(InvalidRowsError, late, as_of=FEB) == (
        "transactions: `when` is after as_of (2024-02-05), such as 2024-03-05, in 1 of 2 rows "
        "(who 'ben').\nGive a later as_of. If these dates are wrong, correct them, or call "
        "crmkit.intake.clean(), which sets them aside with the reason."
    )


def test_a_time_on_the_day_of_as_of_is_in_time() -> None:
    raw = pl.DataFrame({"who": [1], "when": [datetime(2024, 1, 5, 23, 59, 59, tzinfo=UTC)]})
    assert len(transactions(raw, customer="who", date="when", as_of=JAN)) == 1


def test_amounts_that_are_not_numbers_are_refused(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": ["ann", "ben"], "when": [JAN, FEB], "paid": ["1,234.50", "two"]})
    assert complaint(InvalidRowsError, raw) == (
        "transactions: `paid` is not a number in the form of the others (decimal point, thousands "
        "','), such as 'two', in 1 of 2 rows (who 'ben').\n"
        "Correct these cells, or call crmkit.intake.clean(), which sets them aside with the reason."
    )
    infinite = make_eager({"who": ["ann", "ben"], "when": [JAN, FEB], "paid": [1.0, float("-inf")]})
    assert complaint(InvalidRowsError, infinite) == (
        "transactions: `paid` is not finite, such as -inf, in 1 of 2 rows (who 'ben').\n"
        f"{SET_ASIDE}"
    )
    flags = make_eager({"who": ["ann", "ben"], "when": [JAN, FEB], "paid": [True, False]})
    assert complaint(InvalidArgumentError, flags) == (
        "transactions: `paid` has type Boolean; expected a number.\n"
        "Name another column, or cast this one."
    )


def test_nan_amounts_are_refused(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": ["ann", "ben"], "when": [JAN, FEB], "paid": [1.0, float("nan")]})
    is_null = make_eager is MAKERS["pandas"]  # there NaN is the null
    cause = "is missing" if is_null else "is not finite, such as nan,"
    assert complaint(InvalidRowsError, raw) == (
        f"transactions: `paid` {cause} in 1 of 2 rows (who 'ben').\n{SET_ASIDE}"
    )


def test_ids_of_mixed_type_are_refused() -> None:
    assert complaint(
        InvalidRowsError, pandas_raw(who=pd.Series([17850, "17851", 17852], dtype=object))
    ) == (
        "transactions: `who` has ids of a different type from the others, such as '17851', "
        "in 1 of 3 rows (who '17851').\n"
        "Cast the column to text, or call crmkit.intake.clean(), which does."
    )


def test_ids_that_a_float_has_rounded_are_refused(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": [1.5, 2.0, 1e17], "when": [JAN, FEB, MAR], "paid": [1, 2, 3]})
    assert complaint(InvalidRowsError, raw) == (
        "transactions: `who` is not a whole number that a float represents exactly, such as 1.5, "
        f"in 2 of 3 rows (who 1.5, 1e+17).\n{SET_ASIDE}"
    )


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            {"who": [True, False, True]},
            "`who` has type Boolean; expected an id in text or whole numbers",
        ),
        (
            {"when": [1.5, 2.5, 3.5]},
            (
                "`when` has type Float64; expected a date, or numbers such as 20241231, serial "
                "numbers of a spreadsheet, or seconds or milliseconds since 1970 (all in one form),"
            ),
        ),
    ],
)
def test_a_column_of_another_kind_is_refused(
    make_frame: MakeFrame, replaced: dict[str, list[Any]], message: str
) -> None:
    raw: dict[str, list[Any]]
    raw = {"who": ["ann", "ben", "ann"], "when": [JAN, FEB, MAR], "paid": [1, 2, 3]}
    assert complaint(InvalidArgumentError, make_frame(raw | replaced)) == (
        f"transactions: {message}.\nName another column, or cast this one."
    )


def test_the_error_on_a_missing_column_lists_the_columns(make_frame: MakeFrame) -> None:
    raw = make_frame({"CustomerID": [1], "InvoiceDate": [JAN], "x": [1]})
    assert complaint(MissingColumnsError, raw, customer="customer_id", date="InvoiceDate") == (
        "transactions: no column `customer_id`, `paid` among `CustomerID`, `InvoiceDate`, `x`.\n"
        "Did you mean `CustomerID`?"
    )
    assert complaint(MissingColumnsError, raw, customer="q", date="z", amount="x") == (
        "transactions: no column `q`, `z` among `CustomerID`, `InvoiceDate`, `x`.\n"
        "Name columns of this table."
    )


def test_of_many_columns_the_error_lists_the_first() -> None:
    raw = pl.DataFrame({f"c{i}": [1] for i in range(25)})
    among = ", ".join(f"`c{i}`" for i in range(20))
    assert complaint(MissingColumnsError, raw, customer="c0", date="when", amount=None) == (
        f"transactions: no column `when` among {among} and 5 more.\nName columns of this table."
    )


def test_columns_of_one_name_are_refused() -> None:
    arrays = [pa.array([1]), pa.array([2])]
    for raw in (
        pd.DataFrame([[1, 2]], columns=["who", "who"]),
        pa.Table.from_arrays(arrays, names=["who", "who"]),
        duckdb.sql("select 1 as who, 2 as who"),
    ):
        assert complaint(InvalidArgumentError, raw) == (
            "transactions: more than one column `who`.\nRename or drop the others."
        )


def test_a_value_that_is_not_a_table_is_refused() -> None:
    assert complaint(InvalidArgumentError, [1, 2]) == (
        "transactions: a list is not a table.\n"
        "Give a pandas or Polars DataFrame, a Polars LazyFrame, a PyArrow table, a DuckDB "
        "relation, or a Dask or Spark DataFrame."
    )


def test_a_column_is_named_in_text() -> None:
    assert complaint(InvalidArgumentError, pd.DataFrame([[1, 2]]), customer=0, date=1) == (
        "`customer` must be a column's name as text, got 0.\nName a column."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"price": "paid"},
            (
                "`price` and `amount` cannot be given together.\n"
                "Give `amount`, or `price` and `quantity`: the amount is then their product."
            ),
        ),
        (
            {"price": "paid", "amount": None},
            "`price` needs `quantity`.\nThe amount is quantity times price.",
        ),
        (
            {"returns": "drop", "amount": None},
            (
                '`returns="drop"` needs `amount` or `quantity`.\n'
                "Name one of them: rows below 0 are returns."
            ),
        ),
        (
            {"returns": "ignore"},
            "`returns` must be one of 'net', 'drop', 'keep', got 'ignore'.",
        ),
        (
            {"returns": "dropp"},
            "`returns` must be one of 'net', 'drop', 'keep', got 'dropp'.\nDid you mean 'drop'?",
        ),
        (
            {"date_format": 5},
            '`date_format` must be text, got 5.\nWrite "%d/%m/%Y".',
        ),
        (
            {"as_of": "today"},
            (
                "`as_of` must be a date, got 'today' (str).\n"
                'Write datetime.date(2024, 12, 31) or "2024-12-31".'
            ),
        ),
    ],
)
def test_arguments_that_contradict_are_refused(options: dict[str, Any], message: str) -> None:
    assert complaint(InvalidArgumentError, pandas_raw(), **options) == message
