"""Errors about raw tables: unsuitable columns, and the rows that break a rule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import narwhals as nw

from crmkit._intake.raw_columns import AnyFrame
from crmkit._intake.sheet import RowRule, Sheet
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import Table

ROW: Final = "_crmkit_row"

_EXAMPLES_SHOWN: Final = 3
_VALUE_WIDTH: Final = 40


def require_readable(sheet: Sheet, table: Table) -> None:
    """Raise if a whole column cannot be read."""
    for refusal in sheet.refusals:
        msg = f"{table.name}: {refusal}"
        raise InvalidArgumentError(msg)


def require_good_rows(sheet: Sheet, table: Table, *, key: str) -> None:
    """Raise for the first rule of severity error that a row breaks; not for lazy tables."""
    if not isinstance(sheet.frame, nw.DataFrame):
        return
    rules = [rule for rule in sheet.rules if rule.severity == "error"]
    for rule, n_rows in zip(rules, counts(sheet.frame, rules), strict=True):
        if n_rows and rule.rows is not None:
            raise _invalid_rows(sheet.frame, table, rule, rule.rows, n_rows=n_rows, key=key)


def counts(frame: AnyFrame, rules: Sequence[RowRule]) -> list[int]:
    """Count the rows that each rule finds, all in one pass."""
    tallies = {str(i): rule.rows for i, rule in enumerate(rules) if rule.rows is not None}
    # Some engines cannot sum flags, and one cannot sum null flags.
    ones = {i: rows.fill_null(value=False).cast(nw.Int64) for i, rows in tallies.items()}
    sums = frame.lazy().select(*(rows.sum().alias(i) for i, rows in ones.items()))
    found = sums.collect().rows(named=True)[0]
    return [int(found.get(str(i)) or 0) for i in range(len(rules))]


def first_rows(frame: AnyFrame, rows: nw.Expr, columns: Sequence[str]) -> nw.DataFrame[Any]:
    """Collect the first few rows that an expression finds."""
    found = frame.lazy().filter(rows).select(*dict.fromkeys(columns))
    return found.head(_EXAMPLES_SHOWN).collect()


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
    found = first_rows(data.with_row_index(ROW), rows, [ROW, key, shows])
    examples, who = found[key].to_list(), key
    if any(map(is_missing, examples)):
        examples, who = found[ROW].to_list(), "row"
    such_as = f", such as {shown(found[shows].to_list()[0])}," if rule.shows else ""
    msg = (
        f"{table.name}: {rule.complaint}{such_as} in {n_rows:,} of {len(data):,} rows "
        f"({who} {', '.join(map(shown, examples))}).\n{rule.advice}"
    )
    return InvalidRowsError(msg, n_rows=n_rows, examples=tuple(examples))
