"""A file as it was read: its table, the lines it came from, and what is not a row of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import polars as pl

TITLE: Final = "title row above the header"
TOTAL: Final = "total row below the table"
BELOW: Final = "row below the table"
EMPTY: Final = "empty row"

NOT_LOST: Final = (TITLE, TOTAL, BELOW, EMPTY)
"""How the reasons begin that set aside no row of the log: all others lose one."""


@dataclass(frozen=True, eq=False)
class RawFile:
    """A file, or several of one form, as one table.

    Attributes
    ----------
    table
        All columns, names as written. Those of a text file are text, null for an empty cell;
        others keep their types.
    lines
        For each row the number of the line that an editor or a spreadsheet shows (the header in
        line 1, the first row in 2); of a database or a Parquet file, the row from 1.
    set_aside
        Rows of the file that are not rows of the table: `line`, `reason`, `content` as text.
    notes
        What was chosen, each a short phrase: "encoding cp1252", "separator ';'".
    source
        Name of the file or files, for titles.
    """

    table: pl.DataFrame
    lines: pl.Series
    set_aside: pl.DataFrame
    notes: tuple[str, ...]
    source: str

    def set_aside_as(self, *reasons: str) -> pl.DataFrame:
        """Take the lines set aside for some reasons, to which several files add their names."""
        return self.set_aside.filter(self._is_of(reasons))

    def set_aside_but(self, *reasons: str) -> pl.DataFrame:
        """Take the lines set aside for other reasons."""
        return self.set_aside.filter(~self._is_of(reasons))

    def _is_of(self, reasons: tuple[str, ...]) -> pl.Series:
        import polars as pl  # noqa: PLC0415 - loaded when files are, not with crmkit

        found = [reason.startswith(reasons) for reason in self.set_aside["reason"].to_list()]
        return pl.Series(found, dtype=pl.Boolean())


class Aside(NamedTuple):
    """A row of a file that is not a row of its table."""

    line: int
    reason: str
    content: str


def of_table(table: pl.DataFrame, *, source: str) -> RawFile:
    """Take a table that is there already as one that was read."""
    import polars as pl  # noqa: PLC0415 - loaded when files are, not with crmkit

    lines = pl.Series("line", range(1, table.height + 1), dtype=pl.UInt32())
    return RawFile(table, lines, set_aside_table([]), (), source)


def set_aside_table(rows: list[Aside]) -> pl.DataFrame:
    """Put rows set aside in the order of the file."""
    import polars as pl  # noqa: PLC0415 - loaded when files are, not with crmkit

    schema = {"line": pl.UInt32(), "reason": pl.String(), "content": pl.String()}
    return pl.DataFrame(sorted(rows), schema=schema, orient="row")
