"""HTML tables of the report: readable headings, numbers formatted by kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from crmkit._door.frames import Row
from crmkit._words import formats

Kind = Literal["text", "whole", "tenths", "decimal", "money", "percent"]

COLUMNS: Final[Mapping[str, tuple[str, Kind]]] = {
    "action": ("Action", "text"),
    "change": ("Change", "text"),
    "measure": ("Measure", "text"),
    "psi": ("PSI", "decimal"),
    "bin": ("Group", "whole"),
    "happened": ("Happened", "percent"),
    "high": ("To", "percent"),
    "low": ("From", "percent"),
    "past_amount": ("Money of the last horizon", "money"),
    "said": ("Said", "percent"),
    "actual_amount": ("Actual amount", "money"),
    "actual_purchases": ("Actual purchases", "whole"),
    "amount": ("Their money then", "money"),
    "amount_error": ("Error", "percent"),
    "amount_share": ("Share of money", "percent"),
    "average_order_value": ("Per order", "money"),
    "churn_risk": ("Churn risk", "percent"),
    "clv": ("Expected value", "money"),
    "customer_id": ("Customer", "text"),
    "customer_share": ("Share of customers", "percent"),
    "cut": ("From", "money"),
    "days_since_last": ("Days since last purchase", "whole"),
    "estimate": ("Estimate", "decimal"),
    "example": ("Example", "text"),
    "expected_purchases": ("Expected purchases", "tenths"),
    "frequency": ("Repeat purchase days", "whole"),
    "last_date": ("Last purchase", "text"),
    "lower": ("From", "percent"),
    "mean_amount": ("Per customer", "money"),
    "mean_days_since_last": ("Days since last order", "whole"),
    "mean_orders": ("Orders each", "tenths"),
    "method": ("Method", "text"),
    "model": ("Model", "text"),
    "money": ("Money", "money"),
    "n_customers": ("Customers", "whole"),
    "n_eligible": ("Eligible customers", "whole"),
    "n_retained": ("Retained customers", "whole"),
    "n_returned": ("Came back", "whole"),
    "n_unknown": ("Value unknown", "whole"),
    "orders": ("Orders", "whole"),
    "parameter": ("Parameter", "text"),
    "period": ("Months since first purchase", "whole"),
    "predicted_amount": ("Forecast amount", "money"),
    "predicted_purchases": ("Forecast purchases", "whole"),
    "purchases_error": ("Error", "percent"),
    "retention_rate": ("Retention rate", "percent"),
    "return_rate": ("Share who came back", "percent"),
    "rows": ("Rows", "whole"),
    "rule": ("Rule", "text"),
    "segment": ("Segment", "text"),
    "severity": ("Severity", "text"),
    "share": ("Share of rows", "percent"),
    "stage": ("Stage", "text"),
    "standard_error": ("Standard error", "decimal"),
    "tier": ("Tier", "text"),
    "top_tenth_share": ("Share of the predicted top tenth", "percent"),
    "total_amount": ("Total amount", "money"),
    "upper": ("To", "percent"),
    "value": ("Value", "money"),
    "value_at_risk": ("Value at risk", "money"),
    "value_share": ("Share of value", "percent"),
}
"""Heading and number format of each column; any other is text under its own name."""

_CENTS_BELOW: Final = 1000


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, a second line below it, the number to sort by, and a link."""

    text: str
    detail: str = ""
    sort: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The heading of a column, and whether it holds numbers."""

    text: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class HtmlTable:
    """One table: caption, file, headings and rows; folded if it is long."""

    caption: str
    table: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    is_folded: bool = False


def html_table(
    rows: Sequence[Row],
    *names: str,
    table: str,
    caption: str,
    details: Mapping[str, str] | None = None,
    currency: str = "",
    as_text: Collection[str] = (),
    is_folded: bool = False,
) -> HtmlTable:
    """Format the named columns that there are, those of the user's own `as_text`.

    `details` maps a column to the one in small type below it.
    """
    names = tuple(name for name in names if not rows or name in rows[0])
    kinds = {name: _kind("" if name in as_text else name, otherwise=name) for name in names}
    columns = [
        _column(rows, name, kinds[name][1], below=(details or {}).get(name, ""), currency=currency)
        for name in names
    ]
    heads = tuple(Head(text, is_number=kind != "text") for text, kind in kinds.values())
    cells = tuple(zip(*columns, strict=True))
    return HtmlTable(caption=caption, table=table, heads=heads, rows=cells, is_folded=is_folded)


def _kind(name: str, *, otherwise: str) -> tuple[str, Kind]:
    """Heading and kind of a column: of one that is not known, its own name and text."""
    return COLUMNS.get(name, (otherwise, "text"))


def _column(rows: Sequence[Row], name: str, kind: Kind, *, below: str, currency: str) -> list[Cell]:
    values = [row[name] for row in rows]
    details = [_text(row[below]) if below in row else "" for row in rows]
    if kind == "text":
        return [Cell(_text(value), detail) for value, detail in zip(values, details, strict=True)]
    known = [abs(value) for value in values if value is not None]
    cents = 2 if max(known, default=0) < _CENTS_BELOW else 0
    return [
        Cell(
            _number(value, kind, cents=cents, currency=currency),
            detail,
            "" if value is None else f"{value:.9g}",
        )
        for value, detail in zip(values, details, strict=True)
    ]


def _text(value: Any) -> str:  # noqa: ANN401 - a cell of any table
    if value is None:
        return formats.name(None)
    return value.isoformat() if isinstance(value, date) else str(value)


def _number(value: float | None, kind: Kind, *, cents: int, currency: str) -> str:
    if kind == "money":
        return formats.money(value, currency=currency, digits=cents)
    if kind == "percent":
        return formats.percent(value, digits=1)
    return formats.decimal(value, digits={"whole": 0, "tenths": 1}.get(kind, 3))
