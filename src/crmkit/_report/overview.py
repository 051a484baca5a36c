"""What the report was asked, and the figures that a person asks for first."""

from __future__ import annotations

from crmkit._door.frames import Row
from crmkit._report.book import Book
from crmkit._report.sections import Card, Section
from crmkit._words import formats


def assumptions(book: Book) -> tuple[tuple[str, str], ...]:
    """List what the numbers rest on."""
    asked = book.settings
    source = (("Source", book.source),) if book.source else ()
    margin = formats.percent(asked.margin)
    tested = f"learned up to {asked.split}, tested on the days after"
    return (
        ("As of", asked.as_of.isoformat()),
        *source,
        ("Looking ahead", f"{asked.horizon_days:g} days"),
        ("Margin", f"{margin} of an amount" + (" (value is revenue)" if asked.margin == 1 else "")),
        ("Discount", f"{formats.percent(asked.annual_discount_rate)} a year"),
        ("Forecast", tested if book.has("backtest") else "not tested; see the notes"),
    )


def cards(book: Book) -> Section:
    """Show the key figures, each with its meaning and the table that it is in."""
    customers, orders, revenue, value = (
        book.figure(name) for name in ("customers", "orders", "revenue", "expected value")
    )
    reading = (
        f"{formats.counted(customers or 0, 'customer')} placed "
        f"{formats.counted(orders or 0, 'order')} worth {book.money(revenue)}; what they are "
        f"expected to bring in the next {book.settings.horizon_days:g} days is worth "
        f"{book.money(value)}."
    )
    return Section(
        key="key-figures",
        heading="Key figures",
        reading=reading,
        cards=tuple(_card(row, book) for row in book.rows["key_figures"]),
        tables=("key_figures",),
    )


def _card(row: Row, book: Book) -> Card:
    value, unit = row["value"], row["unit"]
    written = {"share": formats.percent(value, digits=1), "money": book.money(value)}
    return Card(
        row["figure"], written.get(unit, formats.whole(value)), row["meaning"], row["table"]
    )
