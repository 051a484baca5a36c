"""Tables written for people: with their types, and safe for a spreadsheet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

_RUN_BY_SPREADSHEETS: Final = r"^[=+\-@\t\r]"


def write_table(table: pl.DataFrame, stem: Path) -> None:
    """Write a table twice: `stem.parquet` with its types, `stem.csv` safe for a spreadsheet."""
    table.write_parquet(stem.with_suffix(".parquet"))
    safe_for_spreadsheets(table).write_csv(stem.with_suffix(".csv"))


def safe_for_spreadsheets(table: pl.DataFrame) -> pl.DataFrame:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({"customer_id": ["ann", "=cmd()"], "amount": [1.0, -2.0]})
    >>> safe_for_spreadsheets(table).to_dicts()
    [{'customer_id': 'ann', 'amount': 1.0}, {'customer_id': "'=cmd()", 'amount': -2.0}]
    """
    import polars as pl  # noqa: PLC0415 - loaded when files are, not with crmkit

    text = pl.col(pl.String, pl.Categorical).cast(pl.String)
    risky = text.str.contains(_RUN_BY_SPREADSHEETS)
    safe = table.with_columns(pl.when(risky).then(pl.lit("'") + text).otherwise(text).name.keep())
    return safe.rename({name: _safe_name(name) for name in safe.columns})


def _safe_name(name: str) -> str:
    return f"'{name}" if re.match(_RUN_BY_SPREADSHEETS, name) else name
