"""Sections on the report itself: what is left out, data quality, notes, and all files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crmkit._report.html_tables import Cell, Head, HtmlTable, html_table
from crmkit._report.inputs import ReportInputs
from crmkit._report.sections import Section
from crmkit._words import formats

_CONTENTS: Final[Mapping[str, str]] = {
    "actions": "recommended actions, with number of customers and value at risk",
    "backtest": "forecast and actual purchases on held-out days, by model and baselines",
    "calibration": "the same by past purchase frequency",
    "call_list": "the customers with most value at risk",
    "cohorts": "customers of each cohort who bought in each month",
    "concentration": "share of the revenue from the best customers",
    "comparison": "the last months against as many before",
    "customers": "one row per customer: all results, and the recommended action",
    "drift": "shares and risk as the kept values were fitted, and now",
    "findings": "checks of the raw rows, with the number of rows found",
    "key_figures": "the figures at the top of this page",
    "models": "the fitted parameters with their standard errors",
    "reliability": "churn risk on held-out days: what was said and what happened",
    "retention": "retention rate of each cohort by month, with intervals",
    "retention_by_month": "the same for all cohorts together",
    "segments": "RFM segments",
    "stage_returns": "customers of each stage who came back in the last days of the log",
    "stages": "life-cycle stages",
    "tiers": "tiers by value",
    "trend": "orders and revenue by month, quarter or year",
}


def left_out(inputs: ReportInputs) -> Section | None:
    """Section: what the data do not tell, and why."""
    if not inputs.left_out:
        return None
    return Section(
        key="left-out",
        heading="Left out, and why",
        reading="What this page cannot show.",
        items=inputs.left_out,
        is_box=True,
    )


def data_quality(inputs: ReportInputs) -> Section:
    """Section: findings on the raw rows."""
    was_checked = "findings" in inputs.tables
    rows = inputs.rows.get("findings", [])
    found = [row for row in rows if row["rows"]]
    not_found = ", ".join(row["rule"] for row in rows if not row["rows"])
    reading = "This report was made without findings on the raw rows."
    if was_checked:
        reading = f"{formats.counted(len(found), 'check')} of {len(rows)} found something."
    names = ("rule", "severity", "rows", "share", "money", "example")
    others = [name for name in (rows[0] if rows else ()) if name not in names]
    table = html_table(
        found,
        *names,
        *others,
        table="findings",
        caption="Findings on the raw rows",
        currency=inputs.currency,
        as_text=others,
    )
    return Section(
        key="data-quality",
        heading="Data quality",
        reading=reading,
        remarks=(f"Checked and not found: {not_found}.",) if not_found else (),
        html_tables=(table,) if found else (),
        tables=inputs.there("findings"),
    )


def notes(inputs: ReportInputs) -> Section:
    """Section: notes on the results."""
    n = len(inputs.notes)
    reading = f"{formats.counted(n, 'note')} on the results."
    return Section(
        key="notes",
        heading="Notes",
        reading=reading if n else "No remarks on the results.",
        remarks=inputs.notes,
    )


def tables(inputs: ReportInputs) -> Section:
    """Section: the files of all tables."""
    rows = tuple(
        (
            Cell(inputs.link(name), detail=_CONTENTS.get(name, ""), link=inputs.link(name)),
            Cell(formats.whole(n_rows), sort=f"{n_rows}"),
        )
        for name, n_rows in inputs.sizes.items()
    )
    heads = (Head("File", is_number=False), Head("Rows", is_number=True))
    return Section(
        key="tables",
        heading="Files",
        reading=f"Every number on this page comes from one of {len(rows)} tables.",
        html_tables=(HtmlTable("The tables of this report", "", heads, rows),),
    )
