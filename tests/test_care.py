"""Contacts that should have been made, and who is touched by a change."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from crmkit import events
from crmkit.errors import CrmkitWarning, InvalidArgumentError, MissingColumnsError
from tests.conftest import rows

AS_OF = date(2024, 6, 30)


def ago(*days: int) -> list[date]:
    return [AS_OF - timedelta(days=day) for day in days]


def policy(*table: tuple[str, str, str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(table, schema=events.care_policy(backend="polars").schema, orient="row")


TIERED = pl.DataFrame({"customer_id": ["ann", "ben", "cid"], "tier": ["gold", "silver", None]})
CONTACTS = pl.DataFrame(
    {
        "customer_id": ["ann", "ann", "ann", "ben", "nobody"],
        "contact_date": ago(0, 90, 91, -1, 5),
        "channel": ["phone", "visit", "phone", "phone", "phone"],
        "contact_kind": ["order", None, "order", "order", "order"],
    }
)


# Care


def test_contacts_are_counted_within_the_days_of_the_policy() -> None:
    asked = policy(
        ("gold", "any", "any", 3, 91),
        ("gold", "phone", "order", 1, 92),
        ("silver", "any", "any", 1, 30),
    )
    found = rows(events.care_gaps(TIERED, CONTACTS, policy=asked, as_of=AS_OF))
    picked = ("customer_id", "channel", "n_due", "n_made", "n_missing", "days_since_contact")
    assert [tuple(row[name] for name in picked) for row in found] == [
        ("ann", "any", 3, 2, 1, 0),  # 91 days ago is a day too long ago
        ("ben", "any", 1, 0, 1, None),  # tomorrow's contact is not seen
        ("ann", "phone", 1, 2, 0, 0),
        ("cid", None, None, 0, None, None),
    ]
    assert [row["care_finding"] for row in found] == ["", "", "", "tier without a policy"]


def test_who_came_lately_has_less_coming() -> None:
    tiered = TIERED.with_columns(T=pl.Series([182, 364, None]))
    asked = policy(("gold", "any", "any", 4, 365), ("silver", "any", "any", 4, 364))
    found = {
        r["customer_id"]: r
        for r in rows(events.care_gaps(tiered, CONTACTS, policy=asked, as_of=AS_OF))
    }
    assert found["ann"]["n_due"] == 1  # 4 x 182 / 365 = 1.99
    assert found["ben"]["n_due"] == 4


def test_the_order_of_rows_changes_nothing() -> None:
    one = events.care_gaps(TIERED, CONTACTS, as_of=AS_OF)
    other = events.care_gaps(TIERED.reverse(), CONTACTS.reverse(), as_of=AS_OF)
    assert one.equals(other)


def test_no_contacts_leave_all_missing() -> None:
    found = rows(events.care_gaps(TIERED, CONTACTS.head(0), as_of=AS_OF))
    assert [(row["n_due"], row["n_missing"]) for row in found] == [(2, 2), (1, 1), (None, None)]


def test_a_policy_on_a_channel_needs_the_column() -> None:
    asked = policy(("gold", "phone", "any", 1, 30))
    with pytest.raises(MissingColumnsError) as caught:
        events.care_gaps(TIERED, CONTACTS.drop("channel"), policy=asked, as_of=AS_OF)
    assert str(caught.value) == (
        "contacts: no column `channel`, which the policy asks for ('phone').\n"
        'Make it with crmkit.contacts(), or write "any" in the policy.'
    )


def test_a_policy_says_each_thing_once() -> None:
    asked = policy(("gold", "any", "any", 1, 30), ("gold", "any", "any", 2, 60))
    with pytest.raises(InvalidArgumentError, match="gold / any / any is there twice"):
        events.care_gaps(TIERED, CONTACTS, policy=asked, as_of=AS_OF)


# Exposure

ORDERS = pl.DataFrame(
    {
        "customer_id": ["ann", "ann", "ann", "ben", "ben", "cid", "dee"],
        "date": ago(10, 20, 90, 0, 5, 91, 3),
        "product": ["A", "B", "A", "A", "A", "A", "B"],
        "amount": [100.0, 300.0, 50.0, 200.0, -40.0, 500.0, 80.0],
        "branch": ["web", "web", "shop", "shop", "shop", "web", "web"],
    }
)
CALL: dict[str, Any] = {"as_of": AS_OF, "days": 91}


def test_who_is_touched_how_much_and_by_which_channel() -> None:
    found = rows(events.exposed(ORDERS, products={"A": 0.1}, channel="branch", **CALL))
    assert found == [
        {
            "customer_id": "ben",
            "exposed_value": 160.0,
            "exposed_share": 1.0,
            "change_value": pytest.approx(16.0),
            "n_exposed": 2,
            "days_since_exposed": 0,
            "main_channel": "shop",
        },
        {
            "customer_id": "ann",
            "exposed_value": 150.0,
            "exposed_share": pytest.approx(1 / 3),
            "change_value": pytest.approx(15.0),
            "n_exposed": 2,
            "days_since_exposed": 10,
            "main_channel": "web",
        },
    ]


def test_a_list_of_products_has_no_change_of_value() -> None:
    found = events.exposed(ORDERS, products=["A", "B"], **CALL)
    assert "change_value" not in found.columns
    assert found["customer_id"].to_list() == ["ann", "ben", "dee"]
    assert found["exposed_share"].to_list() == [1.0] * 3


def test_another_value_can_be_added_up() -> None:
    table = ORDERS.with_columns(units=pl.Series([1, 2, 3, 4, 5, 6, 7]))
    found = events.exposed(table, products=["A"], value="units", **CALL)
    assert found.select("customer_id", "exposed_value").rows() == [("ben", 9.0), ("ann", 4.0)]


def test_a_product_that_nobody_bought_is_warned_of() -> None:
    with pytest.warns(CrmkitWarning, match=r"Nobody bought 1 of the products .*\('C'\)"):
        found = events.exposed(ORDERS, products=["C"], **CALL)
    assert len(found) == 0


def test_products_of_another_kind_are_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        events.exposed(ORDERS, products=[7], **CALL)
    assert str(caught.value) == (
        "`products` has 7, and `product` of the orders has type String.\n"
        "Write the products as the orders have them."
    )
