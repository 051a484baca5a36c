"""Contacts at the door: columns found by name, and what is wrong with rows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

import polars as pl
import pytest

import crmkit
from crmkit import intake
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame, columns, rows

GERMAN: Final[dict[str, list[Any]]] = {
    "Kundennr.": ["7", "8"],
    "Kontaktdatum": ["05.01.2024", "09.01.2024"],
    "Kanal": ["Telefon", "Laden"],
    "Grund": ["Beschwerde", "Bestellung"],
    "Bearbeiter": ["kim", None],
    "Erledigt am": ["08.01.2024", None],
}
WRONG: Final[dict[str, list[Any]]] = {
    "who": ["ann", "ann", "ben", None, "cid", "dee", "eve"],
    "called": ["2024-01-05", "2024-01-05", "soon", "2024-01-06", None, "2024-02-01", "2024-02-02"],
    "channel": ["phone", "phone", "phone", "shop", "shop", "web", "web"],
    "complaint": ["yes", "yes", "no", "no", "no", "maybe", None],
    "answered": [None, None, None, None, None, "2024-02-03", "2024-01-30"],
}
NAMED: Final[dict[str, str]] = {"customer": "who", "date": "called"}


def test_columns_are_found_by_their_names(make_frame: MakeFrame) -> None:
    raw = make_frame(GERMAN)
    assert columns(crmkit.contacts(raw, date_format="%d.%m.%Y")) == {
        "customer_id": ["7", "8"],
        "contact_date": [date(2024, 1, 5), date(2024, 1, 9)],
        "channel": ["Telefon", "Laden"],
        "contact_kind": ["Beschwerde", "Bestellung"],
        "is_complaint": [True, False],
        "owner": ["kim", None],
        "answered_on": [date(2024, 1, 8), None],
    }


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["客户编号", "投诉日期", "渠道", "处理日期"], ["contact_date", "channel", "answered_on"]),
        (["client_id", "ticket date", "resolved_at", "assigned to"], ["owner", "answered_on"]),
        (["Customer ID", "Date", "complaint", "topic"], ["contact_kind", "is_complaint"]),
        (["Complaint date", "Customer"], ["contact_date"]),
    ],
)
def test_names_in_other_words(names: list[str], found: list[str]) -> None:
    values = {"投诉日期": "2024-01-05", "处理日期": "2024-01-06", "complaint": "no"}
    dates = ("date", "resolved")
    raw = pl.DataFrame(
        {
            name: [values.get(name, "2024-01-05" if any(d in name.lower() for d in dates) else "x")]
            for name in names
        }
    )
    made = crmkit.contacts(raw)
    assert set(found) <= set(made.columns)
    assert {"customer_id", "contact_date"} <= set(made.columns)


def test_what_is_wrong_is_counted() -> None:
    known = pl.DataFrame({"customer_id": ["ann", "ben", "cid", "dee"]})
    found = rows(intake.check_contacts(pl.DataFrame(WRONG), **NAMED, customers=known))
    assert {row["rule"]: row["rows"] for row in found if row["rows"]} == {
        "missing customer": 1,
        "missing contact date": 1,
        "unparsable contact date": 1,
        "answered before contact": 1,
        "unparsable complaint": 1,
        "missing complaint": 1,
        "duplicate contact": 1,
        "unknown customer": 1,
    }


def test_each_row_is_kept_or_set_aside_with_its_reason() -> None:
    kept, aside = intake.clean_contacts(pl.DataFrame(WRONG), **NAMED)
    assert columns(kept)["customer_id"] == ["ann"]
    assert columns(aside)["reason"] == [
        "duplicate contact",
        "unparsable contact date",
        "missing customer",
        "missing contact date",
        "unparsable complaint",
        "answered before contact",
    ]


def test_rows_that_are_there_twice_stay_at_the_door() -> None:
    twice = pl.DataFrame({"who": ["ann", "ann"], "when": ["2024-01-05"] * 2})
    assert len(crmkit.contacts(twice, customer="who", date="when")) == 2


def test_clean_contacts_go_through_the_door() -> None:
    kept = intake.clean_contacts(pl.DataFrame(WRONG), **NAMED).kept
    again = crmkit.contacts(
        kept, date="contact_date", complaint="is_complaint", answered="answered_on"
    )
    assert columns(again) == columns(kept)


@pytest.mark.parametrize(
    ("written", "is_complaint"),
    [
        ([True, False], [True, False]),
        ([1, 0], [True, False]),
        ([1.0, None], [True, False]),
        (["Yes", " no "], [True, False]),
        (["是", "否"], [True, False]),
        (["claim", ""], [True, False]),
    ],
)
def test_complaints_are_written_in_many_ways(
    make_frame: MakeFrame, written: list[Any], is_complaint: list[bool]
) -> None:
    raw = make_frame({"who": ["a", "b"], "date": [date(2024, 1, 5)] * 2, "complaint": written})
    assert columns(crmkit.contacts(raw, customer="who"))["is_complaint"] == is_complaint


def test_kinds_that_are_complaints_can_be_said() -> None:
    raw = pl.DataFrame({"who": ["a", "b"], "date": ["2024-01-05"] * 2, "kind": ["Gripe ", "claim"]})
    made = crmkit.contacts(raw, customer="who", complaint_kinds=["gripe"])
    assert columns(made)["is_complaint"] == [True, False]


def test_an_answer_on_the_same_day_is_in_time_whatever_the_hour() -> None:
    raw = pl.DataFrame(
        {
            "who": ["a"],
            "date": [datetime(2024, 1, 5, 15)],
            "closed": [date(2024, 1, 5)],
        }
    )
    assert len(crmkit.contacts(raw, customer="who")) == 1


def test_ids_are_compared_as_they_are_written() -> None:
    raw = pl.DataFrame({"who": [7, 9], "date": ["2024-01-05"] * 2})
    known = pl.DataFrame({"customer_id": ["7"]})
    found = rows(intake.check_contacts(raw, customer="who", customers=known))
    assert [r["example"] for r in found if r["rule"] == "unknown customer"] == ["row 1 (9)"]


# Refusals


def test_a_table_without_a_customer_is_refused() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        crmkit.contacts(pl.DataFrame({"date": ["2024-01-05"], "x": [1]}))
    assert str(caught.value) == (
        "contacts: no column looks like the customer among `date`, `x`.\nName it with customer=."
    )


def test_an_early_answer_is_refused() -> None:
    raw = pl.DataFrame({"who": ["a"], "date": ["2024-01-05"], "closed": ["2024-01-04"]})
    with pytest.raises(InvalidRowsError) as caught:
        crmkit.contacts(raw, customer="who")
    assert str(caught.value) == (
        "contacts: `closed` is before `date`, such as '2024-01-04', in 1 of 1 rows (who 'a').\n"
        "Correct them, or call crmkit.intake.clean(), which sets them aside with the reason."
    )


def test_a_kept_column_must_not_take_a_name_of_the_result() -> None:
    raw = pl.DataFrame({"who": ["a"], "date": ["2024-01-05"], "channel": ["x"]})
    with pytest.raises(InvalidArgumentError, match="`keep` has `channel`"):
        crmkit.contacts(raw, customer="who", keep=["channel"])
