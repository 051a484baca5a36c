"""Last sections: data quality, notes, and the files of all tables."""

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
    "customers": "one row per customer: all results, and the recommended action",
    "findings": "checks of the raw rows, with the number of rows found",
    "key_figures": "the figures at the top of this page",
    "models": "the fitted parameters with their standard errors",
    "retention": "retention rate of each cohort by month, with intervals",
    "retention_by_month": "the same for all cohorts together",
    "segments": "RFM segments",
    "set_aside": "rows of the raw log that could not be used, each with the reason",
    "stages": "life-cycle stages",
    "tiers": "tiers by value",
}


def data_quality(inputs: ReportInputs) -> Section:
    """Section: findings on the raw rows."""
    rows = inputs.rows.get("findings", [])
    found = [row for row in rows if row["rows"]]
    not_found = ", ".join(row["rule"] for row in rows if not row["rows"])
    was_checked = "findings" in inputs.tables
    remarks = [f"Checked and not found: {not_found}."] if not_found else []
    if not was_checked:
        remarks = ["This report was made without findings on the raw rows."]
    table = html_table(
        found,
        *("rule", "severity", "rows", "share", "example"),
        table="findings",
        caption="Findings on the raw rows",
    )
    names = (("findings", was_checked), ("set_aside", inputs.n_set_aside is not None))
    return Section(
        key="data-quality",
        heading="Data quality",
        reading=_set_aside(inputs.n_set_aside),
        remarks=tuple(remarks),
        html_tables=(table,) if found else (),
        tables=tuple(name for name, is_there in names if is_there),
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
    sizes = dict(inputs.sizes)
    if inputs.n_set_aside is not None:
        sizes["set_aside"] = inputs.n_set_aside
    rows = tuple(
        (
            Cell(inputs.link(name), detail=_CONTENTS.get(name, ""), link=inputs.link(name)),
            Cell(formats.whole(n_rows), sort=f"{n_rows}"),
        )
        for name, n_rows in sizes.items()
    )
    heads = (Head("File", is_number=False), Head("Rows", is_number=True))
    return Section(
        key="tables",
        heading="Files",
        reading=f"Every number on this page comes from one of {len(rows)} tables.",
        html_tables=(HtmlTable("The tables of this report", "", heads, rows),),
    )


def _set_aside(n_rows: int | None) -> str:
    if n_rows is None:
        return "This report was made without the number of rows set aside."
    if n_rows == 0:
        return "No rows were set aside: every row of the log is in the tables."
    were = "was" if n_rows == 1 else "were"
    return f"{formats.counted(n_rows, 'row')} of the log could not be used and {were} set aside."
