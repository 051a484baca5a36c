"""First section of the report: how the business does, what changed, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from crmkit import plots
from crmkit._actions.call_list import STOP
from crmkit._door.frames import Row
from crmkit._report.html_tables import Cell, Head, HtmlTable
from crmkit._report.inputs import ReportInputs
from crmkit._report.overview import total_bounds
from crmkit._report.sections import Section
from crmkit._report.svg import draw_svg
from crmkit._words import formats

_STEADY: Final = 0.02
"""A change that is not worth a word."""
_A_YEAR: Final = 364
_DAYS_OF_A_MONTH: Final = 30.44
_SET_ASIDE: Final = "set aside"


def verdict(inputs: ReportInputs) -> Section | None:
    """Section: the last months against those before, revenue by month, and advice."""
    if not inputs.has("trend"):
        return None
    of = {row["figure"]: row for row in inputs.rows.get("comparison", [])}
    picture = draw_svg(
        "revenue", lambda: plots.revenue(inputs.tables["trend"], currency=inputs.currency)
    )
    return Section(
        key="verdict",
        heading="How it is going, and what to do",
        reading=" ".join(_going(of, inputs)),
        items=tuple(_advice(inputs)),
        remarks=(*_season(of), *(line for line in inputs.reading if _SET_ASIDE in line)),
        pictures=(picture,),
        html_tables=(_compared(of, inputs),) if of else (),
        tables=inputs.there("trend", "comparison"),
        is_split=True,
    )


# How it is going


def _going(of: Mapping[str, Row], inputs: ReportInputs) -> Iterator[str]:
    """Say how much was sold, how that compares, and what the change comes from."""
    if not of:
        yield "The log is too short to compare its last months with as many before."
        return
    main = of.get("revenue") or of["orders"]
    what = "Revenue" if "revenue" in of else "The number of orders"
    yield (
        f"{what} of the last {_length(main)}, to {main['ends']}, was "
        f"{_written(main, 'value', inputs)}, {_against(main, inputs)}."
    )
    yield from _driver(of, inputs)


def _length(row: Row) -> str:
    """Name the span that is compared, which is of whole months."""
    months = round((row["ends"] - row["starts"]).days / _DAYS_OF_A_MONTH)
    return "month" if months == 1 else f"{months} months"


def _against(row: Row, inputs: ReportInputs) -> str:
    before = _written(row, "value_before", inputs)
    earlier = f"in the {_length(row)} before"
    if row["growth"] is None:
        return f"after {before} {earlier}"
    if abs(row["growth"]) < _STEADY:
        return f"about as much as {earlier} ({before})"
    share = formats.percent(abs(row["growth"]))
    return f"{share} {'more' if row['growth'] > 0 else 'less'} than {earlier} ({before})"


def _season(of: Mapping[str, Row]) -> Iterator[str]:
    """Warn of a comparison of different seasons."""
    if of and (row := next(iter(of.values()))) and (row["ends"] - row["starts"]).days < _A_YEAR:
        yield (
            "The log holds less than two years, so the season is in this comparison: look at the "
            "same months of the year before, if you have them."
        )


def _driver(of: Mapping[str, Row], inputs: ReportInputs) -> Iterator[str]:
    """Name the factor of revenue that moved it most."""
    parts = [row for row in of.values() if row["contribution"] is not None]
    if not parts or abs(of["revenue"]["growth"] or 0) < _STEADY:
        return
    total = of["revenue"]["value"] - of["revenue"]["value_before"]
    most = max(parts, key=lambda row: row["contribution"] * (1 if total > 0 else -1))
    before, now = (_written(most, name, inputs) for name in ("value_before", "value"))
    less = "fewer" if most["figure"].startswith("customers") else "less"
    name = {
        "customers who bought": f"{'more' if total > 0 else less} customers bought",
        "orders per customer": f"customers ordered {'more' if total > 0 else 'less'} often",
        "revenue per order": f"an order brought {'more' if total > 0 else 'less'}",
    }[most["figure"]]
    amount = inputs.money(abs(most["contribution"]))
    yield f"Most of the change, {amount}, is that {name}: {now} after {before}."


def _compared(of: Mapping[str, Row], inputs: ReportInputs) -> HtmlTable:
    """Show the figures of both spans side by side."""
    first = next(iter(of.values()))
    heads = (
        Head("Figure", is_number=False),
        Head(f"{first['starts']} to {first['ends']}", is_number=True),
        Head(f"{first['starts_before']} to {first['ends_before']}", is_number=True),
        Head("Change", is_number=True),
    )
    rows = tuple(
        (
            Cell(row["figure"]),
            Cell(_written(row, "value", inputs)),
            Cell(_written(row, "value_before", inputs)),
            Cell(_signed(row["growth"])),
        )
        for row in of.values()
    )
    return HtmlTable(
        caption=f"The last {_length(first)} against those before",
        table="comparison",
        heads=heads,
        rows=rows,
    )


def _signed(share: float | None) -> str:
    sign = "+" if share is not None and share > 0 else ""
    return sign + formats.percent(share)


def _written(row: Row, name: str, inputs: ReportInputs) -> str:
    if row["unit"] == "money":
        return inputs.money(row[name])
    return (formats.decimal if row["unit"] == "number" else formats.whole)(row[name])


# What to do


def _advice(inputs: ReportInputs) -> Iterator[str]:
    """Give up to three sentences with what to do next, most urgent first."""
    yield from _calls(inputs)
    yield from _largest_group(inputs)
    yield from _plan(inputs)


def _calls(inputs: ReportInputs) -> Iterator[str]:
    rows = [row for row in inputs.rows.get("call_list", []) if row.get("value_at_risk")]
    total = inputs.figure("value at risk")
    if not rows or not total:
        return
    at_stake = sum(row["value_at_risk"] for row in rows)
    yield (
        f"Call first: the {formats.counted(len(rows), 'customer')} of the call list hold "
        f"{inputs.money(at_stake)} of the {inputs.money(total)} at risk; begin with "
        f"{formats.name(rows[0]['customer_id'])}."
    )


def _largest_group(inputs: ReportInputs) -> Iterator[str]:
    """Name the action that most money is waiting for, those of no contact left out."""
    rows = [
        row
        for row in inputs.rows.get("actions", [])
        if row.get("value_at_risk") and row["action"] not in STOP
    ]
    if not rows:
        return
    most = max(rows, key=lambda row: row["value_at_risk"])
    yield (
        f"Largest group to act on: {formats.name(most['action'])}, for "
        f"{formats.counted(most['n_customers'], 'customer')} with "
        f"{inputs.money(most['value_at_risk'])} at risk."
    )


def _plan(inputs: ReportInputs) -> Iterator[str]:
    """Say with what to plan, and how well the forecast did."""
    value = inputs.figure("expected value")
    if value is None:
        return
    days = f"{inputs.settings.horizon_days or 0:g} days"
    text = (
        f"Plan the next {days} with {inputs.money(value)}"
        f"{total_bounds('expected value', inputs)} from the customers of today; whoever comes new "
        "is not in it."
    )
    error = inputs.figure("forecast error of money")
    if error is not None:
        words = "too high" if error > 0 else "too low"
        text += f" Tested on held-out days, the forecast was {formats.percent(abs(error))} {words}."
    yield text
