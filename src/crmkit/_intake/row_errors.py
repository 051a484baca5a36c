"""Errors about raw tables: unsuitable columns, and the rows that break a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

import narwhals as nw

from crmkit._intake.raw_columns import AnyFrame
from crmkit._intake.sheet import ROW, RowRule, Sheet
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import Table

_EXAMPLES_SHOWN: Final = 3
_VALUE_WIDTH: Final = 40


def with_row(frame: AnyFrame) -> AnyFrame:
    """Append the position of each row to a table that is not lazy."""
    return frame.with_row_index(ROW) if isinstance(frame, nw.DataFrame) else frame


def require_readable(sheet: Sheet, table: Table) -> None:
    """Raise if a whole column cannot be read."""
    for refusal in sheet.refusals:
        msg = f"{table.name}: {refusal}"
        raise InvalidArgumentError(msg)


def require_good_rows(sheet: Sheet, table: Table, *, key: str) -> None:
    """Raise for the first rule that a row breaks and that refuses it; not for lazy tables."""
    if not isinstance(sheet.frame, nw.DataFrame):
        return
    rules = [rule for rule in sheet.rules if rule.refuses]
    for rule, n_rows in zip(rules, counts(sheet.frame, rules), strict=True):
        if n_rows and rule.rows is not None:
            raise _invalid_rows(sheet.frame, table, rule, rule.rows, n_rows=n_rows, key=key)


class Totals(NamedTuple):
    """Rows of a table, the rows and the known money of each rule, and the span of all money."""

    n_rows: int
    found: Sequence[tuple[int, float | None]]
    n_known: int = 0
    least: float | None = None
    most: float | None = None
    money: float | None = None


def counts(frame: AnyFrame, rules: Sequence[RowRule]) -> list[int]:
    """Count the rows that each rule finds, all in one pass."""
    return [n_rows for n_rows, _ in totals(frame, rules).found]


def totals(frame: AnyFrame, rules: Sequence[RowRule], *, money: str | None = None) -> Totals:
    """Count the rows that each rule finds, and add up the known money of those that find any."""
    flags = {
        i: rule.rows.fill_null(value=False)  # some engines cannot sum null flags
        for i, rule in enumerate(rules)
        if rule.rows is not None
    }
    tallies = [nw.len().alias("n")]
    tallies += [flag.cast(nw.Int64).sum().alias(f"n {i}") for i, flag in flags.items()]
    known = None if money is None else nw.when(nw.col(money).is_finite()).then(nw.col(money))
    if known is not None:
        columns = {"known": known.count(), "least": known.min(), "most": known.max()}
        tallies += [value.alias(name) for name, value in columns.items()]
        tallies.append(known.sum().alias("money"))
    row = frame.lazy().select(*tallies).collect().rows(named=True)[0]
    n_found = [int(row.get(f"n {i}") or 0) for i in range(len(rules))]
    if known is None:
        return Totals(int(row["n"]), [(n, None) for n in n_found])
    sums = [nw.when(flags[i]).then(known).sum().alias(str(i)) for i, n in enumerate(n_found) if n]
    of_found = frame.lazy().select(*sums).collect().rows(named=True)[0] if sums else {}
    found = [(n, float(of_found.get(str(i)) or 0)) for i, n in enumerate(n_found)]
    if not row["known"]:
        return Totals(int(row["n"]), found)
    span = (float(row[name]) for name in ("least", "most", "money"))
    return Totals(int(row["n"]), found, int(row["known"]), *span)


def found_only(sheet: Sheet, sums: Totals) -> Sheet:
    """Leave out the rules that find no row, so that they are not asked again."""
    pairs = zip(sheet.rules, sums.found, strict=True)
    return replace(sheet, rules=tuple(rule for rule, (n_rows, _) in pairs if n_rows))


def first_rows(frame: AnyFrame, rows: nw.Expr, columns: Sequence[str]) -> nw.DataFrame[Any]:
    """Collect the first few rows that an expression finds."""
    found = frame.lazy().filter(rows).select(*dict.fromkeys(columns))
    return found.head(_EXAMPLES_SHOWN).collect()


def cells(found: nw.DataFrame[Any], column: str) -> list[Any]:
    """Take the values of a column; days beyond the calendar of Python as text."""
    try:
        return found[column].to_list()
    except (ValueError, OverflowError):
        return found[column].cast(nw.String).to_list()


def is_missing(value: Any) -> bool:  # noqa: ANN401 - any cell of a table
    """Whether a cell is missing."""
    return value is None or (not isinstance(value, str) and str(value) in {"nan", "NaN", "<NA>"})


def shown(value: object) -> str:
    """Write a value for a message, short and unambiguous."""
    text = repr(value)
    if isinstance(value, date | Decimal):
        text = str(value).removesuffix(" 00:00:00")
    elif isinstance(value, float):
        text = f"{value:.12g}"
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 3] + "..."


def _invalid_rows(
    data: nw.DataFrame[Any], table: Table, rule: RowRule, rows: nw.Expr, *, n_rows: int, key: str
) -> InvalidRowsError:
    shows = rule.shows or key
    numbered = data if ROW in data.columns else data.with_row_index(ROW)
    found = first_rows(numbered, rows, [ROW, key, shows])
    examples, who = cells(found, key), key
    if any(map(is_missing, examples)):
        examples, who = found[ROW].to_list(), "row"
    such_as = f", such as {shown(cells(found, shows)[0])}," if rule.shows else ""
    msg = (
        f"{table.name}: {rule.complaint}{such_as} in {n_rows:,} of {len(data):,} rows "
        f"({who} {', '.join(map(shown, examples))}).\n{rule.advice}"
    )
    return InvalidRowsError(msg, n_rows=n_rows, examples=tuple(examples))
