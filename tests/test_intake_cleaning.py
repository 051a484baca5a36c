"""Rows are kept or set aside, and none is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from crmkit._door import frames
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.intake import Cleaned, clean, transactions
from crmkit.tables import LEDGER
from tests.conftest import EAGER, MAKERS, MakeFrame, columns, rows
from tests.raw_logs import boxed_logs, typed

JAN, FEB = date(2024, 1, 5), date(2024, 2, 5)
AS_OF = date(2024, 6, 30)
NAMES: dict[str, Any] = {"customer": "who", "date": "when", "amount": "paid"}

Row = tuple[int, str | None, str | None, str | None]

nasty = st.tuples(
    st.sampled_from([None, "", " ", "\xa0", "ann", " ann", "ben\t", "=cmd()", '"', "O'Neil"]),
    st.sampled_from(
        [None, "", "2024-01-05", " 2024-06-30", "2024-02-30", "2024-07-01", "1899-12-31", "soon"]
    ),
    st.sampled_from([None, "", " 12.50", "-3", "0", "1e3", "five", "NaN", "inf", "1e999", "1-2"]),
)


def text_rows(cells: Sequence[tuple[str | None, str | None, str | None]]) -> pl.DataFrame:
    numbered = [(i, *row) for i, row in enumerate(cells)]
    schema = {"n": pl.Int64, "who": pl.String, "when": pl.String, "paid": pl.String}
    return pl.DataFrame(numbered, schema=schema, orient="row")


# Twin


def verdict(row: Row) -> str | tuple[int, str, date, float]:
    """Judge one row at a time: the reason to set it aside, or its place in the ledger."""
    n, who, when, paid = ((cell or "").strip() if isinstance(cell, str) else cell for cell in row)
    if not who:
        return "missing customer"
    if not when:
        return "missing date"
    try:
        day = date.fromisoformat(str(when))
    except ValueError:
        return "unparsable date"
    if day < date(1900, 1, 1):
        return "absurdly old date"
    if day > AS_OF:
        return "date after as_of"
    return verdict_on_money(paid) or (int(n or 0), str(who), day, float(str(paid)))


def verdict_on_money(paid: object) -> str | None:
    if not paid:
        return "missing amount"
    try:
        money = float(str(paid))
    except ValueError:
        return "unparsable amount"
    if str(paid) in {"NaN", "inf"}:  # words, not numbers
        return "unparsable amount"
    return None if math.isfinite(money) else "non-finite amount"


@pytest.mark.parametrize("engine", sorted(MAKERS))
@given(cells=st.lists(nasty, max_size=12))
def test_each_row_is_judged_as_if_alone(
    engine: str, cells: list[tuple[str | None, str | None, str | None]]
) -> None:
    raw = text_rows(cells)
    native = MAKERS[engine](typed(raw))
    kept, set_aside = clean(native, **NAMES, product="n", as_of=AS_OF, date_format="%Y-%m-%d")
    verdicts = [verdict(row) for row in raw.rows()]
    in_ledger = [
        (row["product"], row["customer_id"], row["date"], row["amount"]) for row in rows(kept)
    ]
    assert in_ledger == [row for row in verdicts if isinstance(row, tuple)]
    reasons = [(row["n"], row["reason"]) for row in rows(set_aside)]
    assert reasons == [(n, why) for n, why in enumerate(verdicts) if isinstance(why, str)]


# Properties


@given(raw=boxed_logs())
def test_no_row_is_lost_whatever_a_pandas_table_holds(raw: pd.DataFrame) -> None:
    try:
        kept, set_aside = clean(raw, **NAMES, product="who", quantity="paid")
    except InvalidArgumentError:  # a column of one wrong type throughout
        reject()
    assert len(kept) + len(set_aside) == len(raw)
    assert list(set_aside.columns) == ["who", "when", "paid", "reason"]
    assert set_aside["reason"].notna().all()
    frames.read(kept, LEDGER)


@given(cells=st.lists(nasty, max_size=12), engine=st.sampled_from(EAGER))
def test_what_is_kept_is_a_ledger_and_stays_one(
    cells: list[tuple[str | None, str | None, str | None]], engine: str
) -> None:
    native = MAKERS[engine](typed(text_rows(cells)))
    kept = clean(native, **NAMES, as_of=AS_OF, date_format="%Y-%m-%d").kept
    frames.read(kept, LEDGER)
    again = transactions(kept, customer="customer_id", date="date", amount="amount", as_of=AS_OF)
    assert rows(again) == rows(kept)


# Shape


def test_what_is_set_aside_keeps_its_columns(make_frame: MakeFrame) -> None:
    raw = make_frame(
        {"paid": [1.5, None, 2.0], "Note": ["x", "y", None], "who": [1, 2, None], "when": [JAN] * 3}
    )
    assert rows(clean(raw, **NAMES).set_aside) == [
        {"paid": None, "Note": "y", "who": 2, "when": JAN, "reason": "missing amount"},
        {"paid": 2.0, "Note": None, "who": None, "when": JAN, "reason": "missing customer"},
    ]


def test_both_parts_come_back_as_the_table_came(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": [1, 2], "when": [JAN, FEB], "paid": [1.0, 2.0]})
    cleaned = clean(raw, **NAMES)
    assert isinstance(cleaned, Cleaned)
    assert [type(part) for part in cleaned] == [type(raw)] * 2


def test_the_raw_table_is_not_changed(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": [" ann", None], "when": [JAN, FEB], "paid": ["1", "x"]})
    before = rows(raw)
    clean(raw, **NAMES)
    assert rows(raw) == before


def test_odd_rows_are_kept(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": ["ann"] * 4, "when": [JAN] * 4, "paid": [5.0, 5.0, 0.0, -5.0]})
    kept, set_aside = clean(raw, **NAMES)
    assert columns(kept)["amount"] == [5.0, 5.0, 0.0, -5.0]
    assert rows(set_aside) == []


def test_returns_are_set_aside_when_they_are_dropped(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": ["ann"] * 2, "when": [JAN] * 2, "paid": [5.0, -5.0]})
    kept, set_aside = clean(raw, **NAMES, returns="drop")
    assert columns(kept)["amount"] == [5.0]
    assert columns(set_aside)["reason"] == ["return, left out as requested"]


def test_ids_of_mixed_type_become_text() -> None:
    who = pd.Series([17850, "17851 ", 17852.0, None], dtype=object)
    raw = pd.DataFrame({"who": who, "when": pd.to_datetime([JAN] * 4), "paid": [1, 2, 3, 4]})
    kept, set_aside = clean(raw, **NAMES)
    assert columns(kept)["customer_id"] == ["17850", "17851", "17852"]
    assert columns(set_aside)["paid"] == [4]


def test_whole_ids_among_nulls_are_whole_numbers(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": [1.0, None, 2.5], "when": [JAN] * 3, "paid": [1, 2, 3]})
    kept, set_aside = clean(raw, **NAMES)
    assert columns(kept)["customer_id"] == [1]
    assert not isinstance(columns(kept)["customer_id"][0], float)
    assert columns(set_aside)["reason"] == ["missing customer", "unparsable customer"]


def test_text_dates_are_read_where_they_can_be(make_eager: MakeFrame) -> None:
    when = ["05/01/2024", "31/01/2024", "31/31/24", "05/01/2024 10:00"]
    raw = make_eager({"who": [1, 2, 3, 4], "when": when, "paid": [1, 2, 3, 4]})
    kept, set_aside = clean(raw, **NAMES)
    assert columns(kept)["date"] == [JAN, date(2024, 1, 31), JAN]
    assert columns(set_aside)["when"] == ["31/31/24"]


@pytest.mark.parametrize(
    "index", [pd.Index([7, 7, 8], name="who"), pd.MultiIndex.from_tuples([(1, 1), (1, 1), (2, 2)])]
)
def test_the_index_of_pandas_is_ignored(index: Any) -> None:
    raw = pd.DataFrame({"who": [1, None, 2], "when": pd.to_datetime([JAN] * 3), "paid": [1, 2, 3]})
    kept, set_aside = clean(raw.set_index(index), **NAMES)
    assert kept.index.equals(pd.RangeIndex(2))
    assert set_aside.index.equals(pd.RangeIndex(1))


def test_an_empty_table_gives_two_empty_parts(make_frame: MakeFrame) -> None:
    kept, set_aside = clean(make_frame(typed(text_rows([]))), **NAMES, date_format="%Y%m%d")
    assert columns(kept) == {"customer_id": [], "date": [], "amount": []}
    assert columns(set_aside) == {"n": [], "who": [], "when": [], "paid": [], "reason": []}


def test_four_hundred_columns_are_set_aside_whole(make_eager: MakeFrame) -> None:
    wide = {f"column {i}": [i, i] for i in range(400)}
    raw = make_eager({**wide, "who": ["ann", None], "when": [JAN, FEB], "paid": [1, 2]})
    assert len(columns(clean(raw, **NAMES).set_aside)) == 404


def test_a_lazy_table_stays_a_plan_even_with_text_that_no_engine_can_read() -> None:
    raw: Any = duckdb.sql("select 'ann' as who, 'soon' as \"when\", 'x' as paid")
    kept, set_aside = clean(raw, **NAMES, date_format="%Y-%m-%d")
    assert kept.fetchall() == []
    assert set_aside.fetchall() == [("ann", "soon", "x", "unparsable date")]


# Refusals


def test_a_column_called_reason_is_not_overwritten(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": [1], "when": [JAN], "paid": [1], "reason": ["late"]})
    with pytest.raises(InvalidArgumentError) as caught:
        clean(raw, **NAMES)
    assert str(caught.value) == (
        "transactions: column `reason` exists already, and `set_aside` adds one.\nRename it."
    )


def test_a_misspelt_treatment_of_returns_is_refused(make_frame: MakeFrame) -> None:
    returns: Any = "dropp"
    with pytest.raises(InvalidArgumentError) as caught:
        clean(make_frame({"who": [1], "when": [JAN], "paid": [1]}), **NAMES, returns=returns)
    assert str(caught.value) == (
        "`returns` must be one of 'net', 'drop', 'keep', got 'dropp'.\nDid you mean 'drop'?"
    )


def test_dates_that_read_both_ways_are_not_guessed(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": [1, 2], "when": ["01/02/2024", "soon"], "paid": [1, 2]})
    with pytest.raises(InvalidArgumentError) as caught:
        clean(raw, **NAMES)
    assert str(caught.value) == (
        "transactions: `when` is valid both day first and month first.\n"
        'Choose date_format="%d/%m/%Y" or date_format="%m/%d/%Y".'
    )


def test_the_error_on_a_missing_column_names_it(make_frame: MakeFrame) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        clean(make_frame({"who": [1], "When": [JAN], "paid": [1]}), **NAMES)
    assert str(caught.value) == (
        "transactions: no column `when` among `who`, `When`, `paid`.\nDid you mean `When`?"
    )
