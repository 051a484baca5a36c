"""Contacts with customers: what was said, and what should have been."""

from __future__ import annotations

from typing import Final

from crmkit.tables.contracts import NOT_MADE, Column, Table

CONTACTS: Final = Table(
    name="contacts",
    row="one contact with a customer: a call, a visit, an e-mail, a complaint",
    made_by="crmkit.contacts",
    columns=(
        Column("customer_id", "key", "who"),
        Column("contact_date", "date", "day, or time without a zone, of the contact"),
        Column(
            "channel", "key", "the way it took: phone, shop, web", nullable=True, required=False
        ),
        Column("contact_kind", "key", "what it was about", nullable=True, required=False),
        Column("is_complaint", "flag", "whether it is a complaint or a claim", required=False),
        Column("owner", "key", "who is responsible", nullable=True, required=False),
        Column(
            "answered_on",
            "date",
            "day of the answer; null while open",
            nullable=True,
            required=False,
        ),
    ),
)

CARE_POLICY: Final = Table(
    name="care policy",
    row="one kind of contact that customers of a tier should have",
    made_by="crmkit.events.care_policy",
    columns=(
        Column("tier", "text", "tier that the row is for"),
        Column("channel", "text", "the way it must take; null for any", nullable=True),
        Column("contact_kind", "text", "what it must be about; null for any", nullable=True),
        Column("contacts_due", "count", "contacts within the days", 1),
        Column("every_days", "count", "days within which they must be made", 1, 36_500),
    ),
)

CARED_FOR: Final = Table(
    name="customers with tiers",
    row="one customer",
    made_by="crmkit.tiers.assign",
    columns=(
        Column("customer_id", "key", "who"),
        Column("tier", "text", "tier by value; null where it is unknown", nullable=True),
        Column(
            "T",
            "number",
            "days from the first purchase to as_of",
            0,
            nullable=True,
            required=False,
            made_by="crmkit.rfm.summarize",
        ),
    ),
    one_row_each="customer_id",
)

REFERRALS: Final = Table(
    name="referrals",
    row="one referral: who came, and by whom",
    made_by=NOT_MADE,
    columns=(
        Column("customer_id", "key", "who was referred", made_by=NOT_MADE),
        Column("referred_by", "key", "who referred them", made_by=NOT_MADE),
    ),
)
