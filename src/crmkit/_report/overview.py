"""Top of the report: the assumptions and the key figures."""

from __future__ import annotations

from crmkit._door.frames import Row
from crmkit._report.inputs import ReportInputs
from crmkit._report.sections import Card, Section
from crmkit._words import formats


def assumptions(inputs: ReportInputs) -> tuple[tuple[str, str], ...]:
    """List the assumptions of the report."""
    settings = inputs.settings
    source = (("Source", inputs.source),) if inputs.source else ()
    margin = formats.percent(settings.margin)
    tested = f"fitted up to {settings.split}, tested on the days after"
    return (
        ("As of", settings.as_of.isoformat()),
        *source,
        ("Horizon", f"{settings.horizon_days:g} days"),
        (
            "Margin",
            f"{margin} of revenue" + (" (value is revenue)" if settings.margin == 1 else ""),
        ),
        ("Discount rate", f"{formats.percent(settings.annual_discount_rate)} a year"),
        ("Forecast", tested if inputs.has("backtest") else "not tested; see the notes"),
    )


def cards(inputs: ReportInputs) -> Section:
    """Section: key figures, each with its meaning and its table."""
    customers, orders, revenue, value = (
        inputs.figure(name) for name in ("customers", "orders", "revenue", "expected value")
    )
    reading = (
        f"{formats.counted(customers or 0, 'customer')} placed "
        f"{formats.counted(orders or 0, 'order')} worth {inputs.money(revenue)}; the expected "
        f"value of the next {inputs.settings.horizon_days:g} days is {inputs.money(value)}."
    )
    return Section(
        key="key-figures",
        heading="Key figures",
        reading=reading,
        cards=tuple(_card(row, inputs) for row in inputs.rows["key_figures"]),
        tables=("key_figures",),
    )


def _card(row: Row, inputs: ReportInputs) -> Card:
    value, unit = row["value"], row["unit"]
    written = {"share": formats.percent(value, digits=1), "money": inputs.money(value)}
    return Card(
        row["figure"], written.get(unit, formats.whole(value)), row["meaning"], row["table"]
    )
