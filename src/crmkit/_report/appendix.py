"""What the raw rows looked like, what to keep in mind, and where every table is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crmkit._report.book import Book
from crmkit._report.grids import Cell, Grid, Head, make_grid
from crmkit._report.sections import Section
from crmkit._words import formats

_IN_WORDS: Final[Mapping[str, str]] = {
    "actions": "what to do, with how many customers, and what is at stake",
    "backtest": "forecasts of held-out days against what came, by the model and by plain rules",
    "calibration": "the same by how often customers had bought before",
    "call_list": "the customers with most value at risk",
    "cohorts": "customers of each cohort who bought in each month",
    "concentration": "what part of the revenue the best customers bring",
    "customers": "one row per customer: all that is known, and what to do",
    "findings": "what was looked for in the raw rows, and how many were found",
    "key_figures": "the figures at the top of this page",
    "models": "the fitted parameters with their standard errors",
    "retention": "share of each cohort that bought in each month, with intervals",
    "retention_by_month": "the same, all cohorts together",
    "segments": "segments by behaviour",
    "set_aside": "rows of the raw log that could not be used, each with the reason",
    "stages": "stages of life",
    "tiers": "tiers by value",
}


def data_quality(book: Book) -> Section:
    """Say what the raw rows looked like."""
    rows = book.rows.get("findings", [])
    found = [row for row in rows if row["rows"]]
    not_found = ", ".join(row["rule"] for row in rows if not row["rows"])
    was_checked = "findings" in book.tables
    remarks = [f"Looked for and not found: {not_found}."] if not_found else []
    if not was_checked:
        remarks = ["The findings on the raw rows were not handed to this report."]
    grid = make_grid(
        found,
        *("rule", "severity", "rows", "share", "example"),
        table="findings",
        caption="What was found in the raw rows",
    )
    names = (("findings", was_checked), ("set_aside", book.n_set_aside is not None))
    return Section(
        key="data-quality",
        heading="Data quality",
        reading=_set_aside(book.n_set_aside),
        remarks=tuple(remarks),
        grids=(grid,) if found else (),
        tables=tuple(name for name, is_there in names if is_there),
    )


def notes(book: Book) -> Section:
    """Say what to keep in mind."""
    n = len(book.notes)
    reading = f"{formats.counted(n, 'thing')} to keep in mind when reading the tables."
    return Section(
        key="notes",
        heading="Notes",
        reading=reading if n else "Nothing out of the ordinary came up.",
        remarks=book.notes,
    )


def tables(book: Book) -> Section:
    """Say what is in which file."""
    sizes = dict(book.sizes)
    if book.n_set_aside is not None:
        sizes["set_aside"] = book.n_set_aside
    rows = tuple(
        (
            Cell(book.link(name), detail=_IN_WORDS.get(name, ""), link=book.link(name)),
            Cell(formats.whole(n_rows), sort=f"{n_rows}"),
        )
        for name, n_rows in sizes.items()
    )
    heads = (Head("File", is_number=False), Head("Rows", is_number=True))
    return Section(
        key="tables",
        heading="What is in which file",
        reading=f"Every number on this page comes from one of {len(rows)} tables.",
        grids=(Grid("The tables of this report", "", heads, rows),),
    )


def _set_aside(n_rows: int | None) -> str:
    if n_rows is None:
        return "How many rows of the log were set aside is not known to this report."
    if n_rows == 0:
        return "No row had to be set aside: every row of the log is in the tables."
    were = "was" if n_rows == 1 else "were"
    return f"{formats.counted(n_rows, 'row')} of the log could not be used and {were} set aside."
