"""What is empty: cells without text, and rows without a cell that has any."""

from __future__ import annotations

import polars as pl

from crmkit._door.files.raw_file import EMPTY, Aside


def without_empty_text(table: pl.DataFrame) -> pl.DataFrame:
    """Make text of no length null, as a cell written as two quotes is."""
    texts = table.select(pl.col(pl.String)).columns
    empty = [name for name in texts if (table[name] == "").any()]
    return table.with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in empty
    )


def without_empty_rows(
    table: pl.DataFrame, lines: pl.Series, *, separator: str = ","
) -> tuple[pl.DataFrame, pl.Series, list[Aside]]:
    """Set aside the rows all of whose cells are empty."""
    if not table.width or not table.to_series(0).null_count():
        return table, lines, []
    empty = table.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if not empty.any():
        return table, lines, []
    content = separator * (table.width - 1)
    aside = [Aside(line, EMPTY, content) for line in lines.filter(empty)]
    return table.filter(~empty), lines.filter(~empty), aside
