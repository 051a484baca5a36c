"""Costs and people have the door that purchases have: check, clean, and the table itself."""

from __future__ import annotations

from typing import Any

import pytest

import crmkit
from crmkit import intake
from crmkit.errors import InvalidRowsError
from tests.conftest import MakeFrame, columns, rows

COSTS: dict[str, list[Any]] = {
    "What": ["visits", "sales", None, "calls", "post"],
    "Type": ["Cost", "revenue", "cost", "gift", "cost"],
    "Euro": ["1.300,50", "9.000,00", "1,00", "2,00", "much"],
}
NAMED: dict[str, Any] = {"item": "What", "kind": "Type", "amount": "Euro"}


def test_costs_are_checked_like_purchases(make_frame: MakeFrame) -> None:
    found = {row["rule"]: row for row in rows(intake.check_costs(make_frame(COSTS), **NAMED))}
    assert {rule: row["rows"] for rule, row in found.items() if row["rows"]} == {
        "missing item": 1,
        "unknown kind": 1,
        "unparsable amount": 1,
    }
    assert found["missing item"]["money"] == 1.0
    assert found["unknown kind"]["share"] == 0.2


def test_costs_are_cleaned_like_purchases(make_frame: MakeFrame) -> None:
    kept, set_aside = intake.clean_costs(make_frame(COSTS), **NAMED)
    assert columns(kept)["amount"] == [1300.5, 9000.0]
    assert columns(kept)["kind"] == ["cost", "revenue"]
    assert columns(set_aside) == {
        "What": [None, "calls", "post"],
        "Type": ["cost", "gift", "cost"],
        "Euro": ["1,00", "2,00", "much"],
        "reason": ["missing item", "unknown kind", "unparsable amount"],
    }


def test_clean_costs_go_through_the_door(make_frame: MakeFrame) -> None:
    kept = intake.clean_costs(make_frame(COSTS), **NAMED).kept
    again = crmkit.costs(kept, item="item", kind="kind", amount="amount")
    assert columns(again) == columns(kept)


PEOPLE: dict[str, list[Any]] = {
    "Code": ["ann", " ann", None, "ben", "N/A"],
    "Phone": ["01", "02", "03", None, "05"],
}


def test_people_are_checked_like_purchases(make_eager: MakeFrame) -> None:
    found = rows(intake.check_prospects(make_eager(PEOPLE), customer="Code"))
    assert {row["rule"]: row["rows"] for row in found if row["rows"]} == {
        "missing customer": 1,
        "white space in customer ids": 1,
        "customer ids that stand for none": 1,
    }


def test_one_row_per_person_is_kept(make_eager: MakeFrame) -> None:
    kept, set_aside = intake.clean_prospects(make_eager(PEOPLE), customer="Code", keep=["Phone"])
    assert columns(kept) == {"customer_id": ["ann", "ben"], "Phone": ["01", None]}
    assert columns(set_aside)["reason"] == [
        "person in two rows",
        "missing customer",
        "customer ids that stand for none",
    ]


def test_a_lazy_table_of_people_stays_lazy(make_frame: MakeFrame) -> None:
    raw = make_frame({"Code": ["ann", "ben"]})
    people = crmkit.prospects(raw, customer="Code")
    assert type(people) is type(raw)
    assert columns(people) == {"customer_id": ["ann", "ben"]}


def test_a_person_in_two_rows_is_refused(make_eager: MakeFrame) -> None:
    with pytest.raises(InvalidRowsError, match="has a person twice, such as 'ann', in 1 of 3 rows"):
        crmkit.prospects(make_eager({"Code": ["ann", "ben", "ann"]}), customer="Code")
