"""What `check` finds in raw tables, and that it never stops at it."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit._door import frames
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.intake import check, clean
from crmkit.tables import FINDINGS
from tests.conftest import EAGER, MAKERS, MakeFrame, columns, rows
from tests.raw_logs import boxed_logs, typed

JAN, FEB = date(2024, 1, 5), date(2024, 2, 5)
NAMES: dict[str, Any] = {"customer": "who", "date": "when", "amount": "paid"}


def found(native: Any, **options: Any) -> dict[str, tuple[int, str]]:
    """Rules that find something, with their rows and example."""
    table = rows(check(native, **{**NAMES, **options}))
    return {row["rule"]: (row["rows"], row["example"]) for row in table if row["rows"]}


# Twin


@given(
    engine=st.sampled_from(sorted(MAKERS)),
    cells=st.lists(
        st.tuples(
            st.sampled_from([None, "ann", " ann", "ben"]),
            st.sampled_from([None, JAN, date(1066, 10, 14), date(2030, 1, 1)]),
            st.sampled_from([None, 1.0, -1.0, 0.0, float("inf")]),
        ),
        max_size=12,
    ),
)
def test_rows_are_counted_as_by_hand(engine: str, cells: list[tuple[Any, Any, Any]]) -> None:
    schema = {"who": pl.String, "when": pl.Date, "paid": pl.Float64}
    raw = pl.DataFrame(cells, schema=schema, orient="row")
    by_hand = {
        "missing customer": sum(who is None for who, _, _ in cells),
        "white space in customer ids": sum(who == " ann" for who, _, _ in cells),
        "missing date": sum(day is None for _, day, _ in cells),
        "absurdly old date": sum(day == date(1066, 10, 14) for _, day, _ in cells),
        "date after as_of": sum(day == date(2030, 1, 1) for _, day, _ in cells),
        "missing amount": sum(paid is None for _, _, paid in cells),
        "non-finite amount": sum(paid == float("inf") for _, _, paid in cells),
        "negative amount": sum(paid == -1.0 for _, _, paid in cells),
        "zero amount": sum(paid == 0.0 for _, _, paid in cells),
        "exact duplicate rows": sum(n - 1 for n in Counter(cells).values()),
        "returns without any purchase": returns_only(cells),
        "all amounts below zero": all_negative([paid for _, _, paid in cells]),
        "spellings of one customer": spellings([who for who, _, _ in cells]),
    }
    counted = found(MAKERS[engine](typed(raw)), as_of=FEB)
    assert {rule: n for rule, (n, _) in counted.items()} == {r: n for r, n in by_hand.items() if n}


def returns_only(cells: list[tuple[Any, Any, Any]]) -> int:
    known = [(who, paid) for who, _, paid in cells if who is not None and paid is not None]
    buyers = {who for who, paid in known if paid >= 0}
    return sum(who not in buyers for who, _ in known)


def all_negative(cells: list[float | None]) -> int:
    known = [paid for paid in cells if paid is not None and math.isfinite(paid)]
    return len(known) if len(known) >= 3 and max(known) < 0 else 0


def spellings(cells: list[str | None]) -> int:
    return min(cells.count("ann"), cells.count(" ann"))


# Properties


@given(raw=boxed_logs())
def test_no_value_of_a_pandas_table_stops_it(raw: pd.DataFrame) -> None:
    findings = check(raw, **NAMES, order_id="who", product="paid")
    frames.read(findings, FINDINGS)
    assert (findings["rows"] <= len(raw)).all()


@given(
    cells=st.lists(st.sampled_from(["ann", None, " "]), max_size=6), engine=st.sampled_from(EAGER)
)
def test_errors_found_are_rows_set_aside(cells: list[str | None], engine: str) -> None:
    schema = {"who": pl.String, "when": pl.Date}
    raw = pl.DataFrame({"who": cells, "when": [JAN] * len(cells)}, schema=schema)
    native = MAKERS[engine](typed(raw))
    named: dict[str, Any] = {"customer": "who", "date": "when"}
    findings = rows(check(native, **named))
    set_aside = columns(clean(native, **named).set_aside)["reason"]
    assert Counter(set_aside) == Counter(
        {
            row["rule"]: row["rows"]
            for row in findings
            if row["rows"] and (row["severity"] == "error" or row["rule"] == "missing customer")
        }
    )


# Shape


def test_every_rule_has_a_row_errors_first(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": ["ann", None], "when": [JAN, FEB], "paid": [-1.0, 2.0]})
    findings = check(raw, **NAMES, as_of=FEB)
    frames.read(findings, FINDINGS)
    table = columns(findings)
    assert list(table) == ["rule", "severity", "rows", "share", "money", "example"]
    assert list(zip(table["severity"], table["rule"], table["rows"], strict=True)) == [
        ("error", "customer ids of mixed type", 0),
        ("error", "unparsable customer", 0),
        ("error", "missing date", 0),
        ("error", "unparsable date", 0),
        ("error", "ambiguous date", 0),
        ("error", "absurdly old date", 0),
        ("error", "date after as_of", 0),
        ("error", "missing amount", 0),
        ("error", "unparsable amount", 0),
        ("error", "non-finite amount", 0),
        ("warning", "missing customer", 1),
        ("warning", "returns without any purchase", 1),
        ("warning", "white space in customer ids", 0),
        ("warning", "mixed time zones", 0),
        ("warning", "exact duplicate rows", 0),
        ("info", "negative amount", 1),
        ("info", "zero amount", 0),
    ]
    shares = dict(zip(table["rule"], table["share"], strict=True))
    money = dict(zip(table["rule"], table["money"], strict=True))
    assert shares["missing customer"] == 0.5
    assert (money["missing customer"], money["negative amount"]) == (2.0, -1.0)
    assert money["mixed time zones"] is None


def test_findings_come_back_as_the_table_came(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": [1], "when": [JAN], "paid": [1.0]})
    assert type(check(raw, **NAMES)) is type(raw)


def test_examples_tell_row_customer_and_value(make_eager: MakeFrame) -> None:
    raw = make_eager(
        {
            "who": ["ann", None, " ben", "'cy'"],
            "when": ["2024-01-05", "2024-01-32", "2024-01-05", "1850-01-05"],
            "paid": ["1", "2", "x" * 100, "-.1"],
        }
    )
    assert found(raw) == {
        "missing customer": (1, "row 1"),
        "unparsable date": (1, "row 1: '2024-01-32'"),
        "absurdly old date": (1, """row 3 ("'cy'"): 1850-01-05"""),
        "unparsable amount": (1, "row 2 (' ben'): '" + "x" * 36 + "..."),
        "white space in customer ids": (1, "row 2 (' ben')"),
        "returns without any purchase": (1, '''"'cy'"'''),
        "negative amount": (1, """row 3 ("'cy'"): -0.1"""),
    }


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_examples_of_a_lazy_table_have_no_row(engine: str) -> None:
    raw = MAKERS[engine]({"who": ["ann", None], "when": ["2024-01-05", "x"], "paid": ["y", "1"]})
    assert found(raw, date_format="%Y-%m-%d") == {
        "missing customer": (1, ""),
        "unparsable date": (1, "'x'"),
        "unparsable amount": (1, "'ann': 'y'"),
    }


def test_examples_are_cut_to_a_line(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": ["x" * 35] * 3, "when": [None] * 3, "paid": [1, 2, 3]})
    (n_rows, example), *_ = found(raw).values()
    assert (n_rows, len(example), example[-3:]) == (3, 80, "...")


def test_repeated_rows_are_counted_over_all_columns(make_frame: MakeFrame) -> None:
    same: dict[str, list[Any]] = {"who": ["ann"] * 3, "when": [JAN] * 3, "paid": [None] * 3}
    counted = {**same, "paid": [1.0] * 3}
    assert found(make_frame(counted))["exact duplicate rows"][0] == 2
    assert "exact duplicate rows" not in found(make_frame({**counted, "line": [1, 2, 3]}))


def test_repeated_rows_are_counted_whatever_other_columns_hold() -> None:
    raw = pd.DataFrame({"who": [1, 1], "when": pd.to_datetime([JAN] * 2), "paid": [1, 1]})
    assert found(raw.assign(tags=[["a"], ["a"]]))["exact duplicate rows"] == (1, "row 1 (1)")
    assert "exact duplicate rows" not in found(raw.assign(tags=[["a"], {"b": 1}]))


def test_dates_that_read_both_ways_are_a_finding(make_eager: MakeFrame) -> None:
    raw = make_eager({"who": [1, 2], "when": ["01/02/2024", None], "paid": [1, 2]})
    assert found(raw) == {
        "missing date": (1, "row 1 (2)"),
        "ambiguous date": (1, "row 0 (1): '01/02/2024'"),
    }


def test_mixed_offsets_are_a_finding(make_eager: MakeFrame) -> None:
    when = ["2024-01-05T10:00:00+01:00", "2024-07-05T10:00:00+02:00", "2024-07-06T10:00:00+02:00"]
    raw = make_eager({"who": [1, 2, 3], "when": when, "paid": [1, 2, 3]})
    assert found(raw) == {"mixed time zones": (1, "+02:00, +01:00")}


def test_times_of_several_zones_are_a_finding() -> None:
    when = [pd.Timestamp("2024-01-05", tz="UTC"), pd.Timestamp("2024-01-05", tz="Asia/Tokyo")]
    raw = pd.DataFrame({"who": [1, 2], "when": pd.Series(when, dtype=object), "paid": [1, 2]})
    assert found(raw) == {"mixed time zones": (1, "+09:00, +00:00")}


def test_ids_of_mixed_type_are_a_finding() -> None:
    when = pd.to_datetime([JAN] * 3)
    raw = pd.DataFrame({"who": pd.Series([1, "2", 3], dtype=object), "when": when, "paid": 1.0})
    assert found(raw) == {"customer ids of mixed type": (1, "row 1 ('2')")}


def test_a_column_of_another_kind_is_a_finding(make_frame: MakeFrame) -> None:
    raw = make_frame({"who": [True, False], "when": [1.5, 2.5], "paid": [True, True]})
    assert {rule: n for rule, (n, _) in found(raw).items()} == {
        "unparsable customer": 2,
        "unparsable date": 2,
        "unparsable amount": 2,
    }


def test_price_and_quantity_are_looked_at_too(make_frame: MakeFrame) -> None:
    raw = make_frame(
        {"who": [1, 2, 3], "when": [JAN] * 3, "n": ["2", "x", "-1"], "each": [None, 1.5, 2.0]}
    )
    counted = found(raw, amount=None, quantity="n", price="each")
    assert {rule: n for rule, (n, _) in counted.items()} == {
        "unparsable quantity": 1,
        "missing price": 1,
        "returns without any purchase": 1,
        "negative quantity": 1,
        "negative amount": 1,
    }


def test_an_empty_table_has_no_shares(make_frame: MakeFrame) -> None:
    schema = {"who": pl.String, "when": pl.Datetime, "paid": pl.Float64}
    findings = columns(check(make_frame(typed(pl.DataFrame(schema=schema))), **NAMES))
    assert set(findings["rows"]) == {0}
    assert set(findings["share"]) == {None}


def test_four_hundred_columns_are_looked_through(make_eager: MakeFrame) -> None:
    wide = {f"column {i}": [i, i] for i in range(400)}
    raw = make_eager({**wide, "who": [1, 1], "when": [datetime(2024, 1, 5)] * 2, "paid": [1, 1]})
    assert found(raw) == {"exact duplicate rows": (1, "row 1 (1)")}


# Refusals


def test_the_error_on_a_missing_column_names_it(make_frame: MakeFrame) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        check(make_frame({"Who": [1], "when": [JAN], "paid": [1]}), **NAMES)
    assert str(caught.value) == (
        "transactions: no column `who` among `Who`, `when`, `paid`.\nDid you mean `Who`?"
    )


def test_what_is_no_table_is_refused() -> None:
    not_a_table: Any = {"who": [1]}
    with pytest.raises(InvalidArgumentError) as caught:
        check(not_a_table, **NAMES)
    assert str(caught.value).startswith("transactions: a dict is not a table.\n")
