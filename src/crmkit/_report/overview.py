"""Top of the report: the assumptions and the key figures."""

from __future__ import annotations

from collections.abc import Iterator

from crmkit._door.frames import Row
from crmkit._pipeline.forecast import LEVEL
from crmkit._report.inputs import ReportInputs
from crmkit._report.sections import Card, Section
from crmkit._words import formats


def assumptions(inputs: ReportInputs) -> tuple[tuple[str, str], ...]:
    """List the assumptions of the report, those of a forecast where there is one."""
    settings = inputs.settings
    source = (("Source", inputs.source),) if inputs.source else ()
    forecast = tuple(_of_the_forecast(inputs)) if "models" in inputs.tables else ()
    return (("As of", settings.as_of.isoformat()), *source, *forecast)


def cards(inputs: ReportInputs) -> Section:
    """Section: key figures, each with its meaning and its table."""
    return Section(
        key="key-figures",
        heading="Key figures",
        reading=_in_short(inputs),
        cards=tuple(_card(row, inputs) for row in inputs.rows["key_figures"]),
        tables=("key_figures",),
    )


def _of_the_forecast(inputs: ReportInputs) -> Iterator[tuple[str, str]]:
    settings = inputs.settings
    yield "Horizon", f"{settings.horizon_days:g} days"
    if inputs.has_figure("expected value"):
        of_revenue = f"{formats.percent(settings.margin)} of revenue"
        yield "Margin", of_revenue + (" (value is revenue)" if settings.margin == 1 else "")
        yield "Discount rate", f"{formats.percent(settings.annual_discount_rate)} a year"
    tested = f"fitted up to {settings.split}, tested on the days after"
    is_tested = inputs.has("backtest") or inputs.has("calibration")
    yield "Forecast", tested if is_tested else "not tested on held-out days"


def _in_short(inputs: ReportInputs) -> str:
    """Put the figures that are known in a sentence."""
    n = inputs.figure("customers") or 0
    if not n:
        return "Nobody has bought yet."
    text = formats.counted(n, "customer")
    if (orders := inputs.figure("orders")) is not None:
        text += f" placed {formats.counted(orders, 'order')}"
    if (revenue := inputs.figure("revenue")) is not None:
        verb = "worth" if orders is not None else "brought"
        text += f" {verb} {inputs.money(revenue)}"
    days = f"the next {inputs.settings.horizon_days or 0:g} days"
    value, purchases = inputs.figure("expected value"), inputs.figure("expected purchases")
    if value is not None:
        ahead = inputs.money(value) + total_bounds("expected value", inputs)
        return f"{text}; the expected value of {days} is {ahead}."
    if purchases is not None:
        ahead = formats.whole(purchases) + total_bounds("expected purchases", inputs)
        return f"{text}; {ahead} purchases are expected of them in {days}."
    return f"{text}."


def total_bounds(figure: str, inputs: ReportInputs) -> str:
    """Write the bounds of a key figure in brackets, with a space before; nothing without."""
    rows = (row for row in inputs.rows["key_figures"] if row["figure"] == figure)
    bounds = _bounds(next(rows, None), inputs)
    return f" ({bounds})" if bounds else ""


def _card(row: Row, inputs: ReportInputs) -> Card:
    bounds = _bounds(row, inputs)
    meaning = f"{bounds}; {row['meaning']}" if bounds else row["meaning"]
    return Card(row["figure"], _written(row["value"], row["unit"], inputs), meaning, row["table"])


def _bounds(row: Row | None, inputs: ReportInputs) -> str:
    """Write the bounds of a total, where it has some."""
    if row is None or row["lower"] is None or row["upper"] is None:
        return ""
    lower, upper = (_written(row[name], row["unit"], inputs) for name in ("lower", "upper"))
    return formats.between(lower, upper, level=LEVEL)


def _written(value: float | None, unit: str, inputs: ReportInputs) -> str:
    if unit == "share":
        return formats.percent(value, digits=1)
    return inputs.money(value) if unit == "money" else formats.whole(value)
