"""Where the table ends: totals and remarks below its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from crmkit._door.files.raw_file import BELOW, EMPTY, TOTAL, Aside

_SEARCHED: Final = 50
_USUAL: Final = 0.9
_COMPARED: Final = 1_000

# A word for a total, and behind it no more than a currency, a number or a sign.
_WORDS: Final = (
    r"(?:grand |sub-?|over-?all )?totals?(?: general| amount| sales| revenue)?",
    r"(?:end|zwischen|gesamt)?summen?|gesamt(?:betrag|ergebnis|umsatz)?|insgesamt|summe gesamt",
    r"(?:sous-?)?tota(?:l|ux)(?: g[eé]n[eé]ral| hors taxes?| ht| ttc)?|somme|montant total",
    r"(?:sub)?total(?:es)?(?: general)?|suma(?: total)?|importe total",
    r"totale(?: generale)?|somma|soma|totaal|razem|suma",
    r"sum|overall|all customers",
    r"合计|总计|小计|累计|共计|总额|总和|总金额|合计金额",
    r"[合總小累共総]計|總額|總和|総額|総合計|合計金[額额]|計",
)
_IS_TOTAL: Final = re.compile(
    rf"\s*(?:{'|'.join(_WORDS)})(?:[^\w]|\d|\b[a-z]{{3}}\b)*", flags=re.IGNORECASE
)


def is_total(cells: Sequence[str | None]) -> bool:
    """Whether the first filled cell is a word for a total.

    Examples
    --------
    >>> is_total(["Total", None, "1,706.18"]), is_total(["", "Summe (EUR):"]), is_total(["合计"])
    (True, True, True)
    >>> is_total(["Total Energies", "2024-01-01"]), is_total(["Anna", "Total"])
    (False, False)
    """
    first = next((cell for cell in cells if cell and cell.strip()), "")
    return _IS_TOTAL.fullmatch(first) is not None


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


def without_footer(
    table: pl.DataFrame, lines: pl.Series, *, separator: str = ","
) -> tuple[pl.DataFrame, pl.Series, list[Aside]]:
    """Set aside totals and remarks at the end of a table of text without empty rows.

    A total lacks cells that nearly all rows have; a remark lacks half of them, and stands beside
    a total or below a gap in the lines; a lone cell at the very end is taken for one.
    """
    usual = _usual_columns(table)
    if not usual:
        return table, lines, []
    last = list(
        zip(table.tail(_SEARCHED).iter_rows(), lines.tail(_SEARCHED).to_list(), strict=True)
    )
    found: list[tuple[Aside, bool]] = []
    for at in range(len(last) - 1, 0, -1):
        row, line = last[at]
        lacking = sum(row[column] is None for column in usual)
        total = lacking > 0 and is_total(row)
        lone = at == len(last) - 1 and lacking >= max(len(usual) - 1, 2)
        if not (total or 2 * lacking >= len(usual) > 1):
            break
        above = last[at - 1]
        gap = line - above[1] > 1 + sum(str(cell).count("\n") for cell in above[0])
        content = separator.join("" if cell is None else str(cell) for cell in row)
        found.append((Aside(line, TOTAL if total else BELOW, content), total or gap or lone))
    while found and not found[-1][1]:  # the uppermost says what the others are
        found.pop()
    kept = table.height - len(found)
    return table.head(kept), lines.head(kept), [aside for aside, _ in found]


def _usual_columns(table: pl.DataFrame) -> list[int]:
    first = table.head(min(_COMPARED, max(table.height - 1, 0)))
    most = (1 - _USUAL) * first.height
    return [at for at, column in enumerate(first.iter_columns()) if column.null_count() <= most]
