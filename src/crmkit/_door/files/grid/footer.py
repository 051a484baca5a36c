"""Where the table ends: totals and remarks below its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from crmkit._door.files.grid.header import looks_like_values
from crmkit._door.files.raw_file import BELOW, TOTAL, Aside

_SEARCHED: Final = 50
_FEW_COLUMNS: Final = 2
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


def without_footer(
    table: pl.DataFrame, lines: pl.Series, *, separator: str = ","
) -> tuple[pl.DataFrame, pl.Series, list[Aside]]:
    """Set aside totals and remarks at the end of a table of text without empty rows.

    A total lacks cells that nearly all rows have; a remark lacks half of them, and stands beside
    a total or below a gap in the lines; a lone number at the very end is a total without a word.
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
        lone = at == len(last) - 1 and len(usual) > _FEW_COLUMNS and _is_one_number(row)
        if not (total or 2 * lacking >= len(usual) > 1):
            break
        above = last[at - 1]
        gap = line - above[1] > 1 + sum(str(cell).count("\n") for cell in above[0])
        content = separator.join("" if cell is None else str(cell) for cell in row)
        found.append(
            (Aside(line, TOTAL if total or lone else BELOW, content), total or gap or lone)
        )
    while found and not found[-1][1]:  # the uppermost says what the others are
        found.pop()
    kept = table.height - len(found)
    return table.head(kept), lines.head(kept), [aside for aside, _ in found]


def _is_one_number(row: Sequence[object]) -> bool:
    """Whether all cells but one, not the first, are empty, and it holds a number."""
    filled = [str(cell) for cell in row if cell is not None]
    return len(filled) == 1 and row[0] is None and looks_like_values(filled)


def _usual_columns(table: pl.DataFrame) -> list[int]:
    half = -(-table.height // 2)  # a short table may be half footer
    first = table.head(min(_COMPARED, max(table.height - _SEARCHED, half)))
    most = (1 - _USUAL) * first.height
    return [at for at, column in enumerate(first.iter_columns()) if column.null_count() <= most]
