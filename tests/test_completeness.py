"""Known and valid rates of contact fields, by field, group and customer; contacts of many."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import polars as pl
import pytest

from crmkit import intake
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from tests.conftest import MakeFrame, columns, rows

PEOPLE: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d", "e"],
    "email": ["ann@mail.org", "n/a", "cid@mail", None, "none@shop.com"],
    "phone": ["089 1234567", "0000", "-", "+49 170 7654321", "123"],
    "name": ["Ann", " ", "Zo\u00eb", "none", "Eve"],
    "agent": ["x", "y", "x", "x", "y"],
}
FIELDS = ["email", "phone", "name"]


def test_rates_by_hand(make_frame: MakeFrame) -> None:
    # Known e-mails: a, c, e, of which a's is valid. Phones: a, d, e; e's is too short. Names:
    # a, c, e.
    found = columns(intake.completeness(make_frame(PEOPLE), fields=FIELDS))
    assert found == {
        "field": ["email", "phone", "name"],
        "kind": ["email", "phone", "text"],
        "n": [5, 5, 5],
        "n_known": [3, 3, 3],
        "n_valid": [1, 2, 3],
        "known_rate": [0.6, 0.6, 0.6],
        "valid_rate": [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0],
    }


def test_rates_by_agent(make_frame: MakeFrame) -> None:
    found = intake.completeness(make_frame(PEOPLE), fields={"email": "email"}, by="agent")
    assert [tuple(row.values()) for row in rows(found, by="agent")] == [
        ("x", "email", "email", 3, 2, 1, pytest.approx(2 / 3), 0.5),
        ("y", "email", "email", 2, 1, 0, 0.5, 0.0),
    ]


def test_each_customer_has_a_list_of_what_to_ask_for(make_frame: MakeFrame) -> None:
    found = rows(
        intake.completeness_of_customers(make_frame(PEOPLE), fields=FIELDS), by="customer_id"
    )
    names = ("n_known", "n_valid", "known_rate", "valid_rate", "not_valid")
    assert [tuple(row[name] for name in names) for row in found] == [
        (3, 3, 1.0, 1.0, ""),
        (0, 0, 0.0, None, "email, phone, name"),
        (2, 1, pytest.approx(2 / 3), 0.5, "email, phone"),
        (1, 1, pytest.approx(1 / 3), 1.0, "email, name"),
        (3, 1, 1.0, pytest.approx(1 / 3), "email, phone"),
    ]
    assert all(row["agent"] is not None for row in found)


@pytest.mark.parametrize(
    ("born", "known", "valid"),
    [
        ("1980-02-29", 1, 1),
        ("1900-01-01", 1, 0),
        ("1900-01-02", 1, 1),
        ("2024-06-30", 1, 1),
        ("2024-07-01", 1, 0),
        ("01.02.1980", 1, 0),
        ("1980-13-01", 1, 0),
        ("n/a", 0, 0),
        (None, 0, 0),
    ],
)
def test_a_birth_date_is_plausible_or_not(born: Any, known: int, valid: int) -> None:
    as_of = "2024-06-30"
    text = pl.DataFrame({"customer_id": [1], "born": pl.Series([born], dtype=pl.String)})
    (row,) = rows(intake.completeness(text, fields={"born": "birth_date"}, as_of=as_of))
    assert (row["n_known"], row["n_valid"]) == (known, valid)


def test_birth_dates_as_dates(make_frame: MakeFrame) -> None:
    born = [date(1980, 2, 29), date(1900, 1, 1), None, date(2030, 1, 1)]
    table = make_frame({"customer_id": [1, 2, 3, 4], "born": born})
    (row,) = rows(
        intake.completeness(table, fields={"born": "birth_date"}, as_of=date(2024, 6, 30))
    )
    assert (row["n"], row["n_known"], row["n_valid"]) == (4, 3, 1)


def test_zero_is_known_where_it_is_a_number() -> None:
    table = pd.DataFrame({"customer_id": [1, 2, 3], "children": [0.0, None, 2.0]})
    (row,) = rows(intake.completeness(table, fields=["children"]))
    assert (row["n_known"], row["n_valid"]) == (2, 2)


def test_nobody_is_neither_complete_nor_incomplete(make_eager: MakeFrame) -> None:
    one = make_eager(PEOPLE)
    empty = one.iloc[:0] if isinstance(one, pd.DataFrame) else one[:0]
    found = rows(intake.completeness(empty, fields=FIELDS))
    assert [(row["n"], row["known_rate"], row["valid_rate"]) for row in found] == [
        (0, None, None)
    ] * 3
    assert rows(intake.completeness(empty, fields=FIELDS, by="agent")) == []
    assert rows(intake.completeness_of_customers(empty, fields=FIELDS)) == []
    assert rows(intake.shared_contacts(empty)) == []


def test_one_phone_of_many_customers_is_a_finding(make_frame: MakeFrame) -> None:
    many: dict[str, list[Any]] = {
        "customer_id": [1, 2, 3, 4, 4, 5],
        "email": ["A@x.org", "a@x.org", "b@x.org", "n/a", "n/a", "n/a"],
        "phone": ["089 1234567", "+49 89 1234567", "089-1234567", "089/1234567", "0891234567", "0"],
    }
    found = intake.shared_contacts(make_frame(many), country_code="49", least=2)
    assert [tuple(row.values()) for row in rows(found)] == [
        ("phone", "+49891234567", 4, "1, 2, 3"),
        ("email", "a@x.org", 2, "1, 2"),
    ]
    assert len(rows(intake.shared_contacts(make_frame(many), country_code="49"))) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": []}, '`fields` is empty.\nName at least one column, such as "email".'),
        (
            {"fields": {"email": "mail"}},
            (
                "`fields['email']` must be one of 'text', 'email', 'phone', 'birth_date', got "
                "'mail'.\nDid you mean 'email'?"
            ),
        ),
        ({"by": 3}, "`by` must be a column's name as text, got 3.\nName a column."),
        (
            {"as_of": "today"},
            (
                "`as_of` must be a date, got 'today' (str).\n"
                'Write datetime.date(2024, 12, 31) or "2024-12-31".'
            ),
        ),
    ],
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"fields": FIELDS}
    with pytest.raises(InvalidArgumentError) as caught:
        intake.completeness(pl.DataFrame(PEOPLE), **usual | changes)
    assert str(caught.value) == message


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        intake.completeness(pl.DataFrame(PEOPLE), fields=FIELDS, by="region")
    assert str(caught.value) == (
        "people: no column `region` among `customer_id`, `email`, `phone`, `name`, `agent`.\n"
        "Name a column of the table in `by`."
    )
