"""Check the rows of a table against its contract, and name the rows that break it.

The values are looked at one column at a time, and only for what its type does not rule out: a
whole number of 64 bits is finite.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import narwhals as nw

from crmkit.errors import InvalidRowsError
from crmkit.tables import Column, Rule, Table

_EXAMPLES_SHOWN: Final = 3


class _Complaint(NamedTuple):
    """A broken promise: its text, the rows, the columns that show it, and what to do."""

    text: str
    rows: nw.Series[Any]
    advice: str
    columns: tuple[str, ...] = ()


def require_rows(data: nw.DataFrame[Any], table: Table, *, counts: str | None = None) -> None:
    """Raise for the first promise of the contract that any row breaks.

    Where `counts` names a column, each row stands for that number of rows of the user's table.
    Then those are counted, and values are shown in place of rows.
    """
    _raise_first(_broken(data, table), data, table, counts=counts)
    if counts is None and table.one_row_each in data.columns:
        _require_one_row_each(data, table)


def require(
    data: nw.DataFrame[Any],
    table: Table,
    broken: Mapping[str, nw.Expr],
    *,
    advice: str | Mapping[str, str],
    counts: str | None = None,
) -> None:
    """Raise for the first complaint that applies to any row.

    The advice is one for all, or one for each complaint; `counts` is as in `require_rows`.
    """
    found = (
        _Complaint(
            text,
            data.select(rows.alias("broken"))["broken"],
            advice if isinstance(advice, str) else advice[text],
        )
        for text, rows in broken.items()
    )
    _raise_first(found, data, table, counts=counts)


def _require_one_row_each(data: nw.DataFrame[Any], table: Table) -> None:
    """Require that no key is in two rows.

    Every function that takes a table of customers asks this again: a table may have been joined
    or stacked since the last one, and nothing on it would tell. Tables that crmkit makes are sorted
    by customer, which costs a tenth of a search for duplicates.
    """
    keys = data[str(table.one_row_each)]
    if _rises(keys) or keys.drop_nulls().n_unique() == len(keys) - keys.null_count():
        return
    repeated = keys.is_duplicated() & ~keys.is_null()
    n_rows = int(repeated.sum())
    examples = keys.filter(repeated).unique(maintain_order=True).head(_EXAMPLES_SHOWN).to_list()
    name = table.one_row_each
    msg = (
        f"{table.name}: `{name}` is repeated in {n_rows:,} of {len(keys):,} rows "
        f"({name} {', '.join(map(repr, examples))}).\n"
        "One row is one customer: sum up or drop the others.\n"
        f"Build this table with {table.made_by}()."
    )
    raise InvalidRowsError(msg, n_rows=n_rows, examples=tuple(examples))


def _rises(keys: nw.Series[Any]) -> bool:
    """Whether each key is above the one before it; False where that is not quickly said."""
    if not (keys.dtype.is_integer() or keys.dtype == nw.String):
        return False
    return int((keys > keys.shift(1)).sum()) == len(keys) - 1


def _raise_first(
    complaints: Iterator[_Complaint],
    data: nw.DataFrame[Any],
    table: Table,
    *,
    counts: str | None,
) -> None:
    for complaint in complaints:
        if complaint.rows.any():
            raise _invalid(complaint, data, table, counts=counts)


def _invalid(
    complaint: _Complaint, data: nw.DataFrame[Any], table: Table, *, counts: str | None
) -> InvalidRowsError:
    rows = complaint.rows.fill_null(value=False)
    bad = data.filter(rows)
    if counts is None:
        n_rows, n_all = len(bad), len(data)
        examples, shown = _keys(complaint, bad, rows)
    else:
        n_rows, n_all = int(bad[counts].sum()), int(data[counts].sum())
        examples, shown = _values(bad, complaint.columns)
    msg = (
        f"{table.name}: {complaint.text} in {n_rows:,} of {n_all:,} rows"
        f"{f' ({shown})' if shown else ''}.\n{complaint.advice}"
    )
    return InvalidRowsError(msg, n_rows=n_rows, examples=examples)


def _keys(
    complaint: _Complaint, bad: nw.DataFrame[Any], rows: nw.Series[Any]
) -> tuple[tuple[Any, ...], str]:
    """First few customers, or the positions of the first few rows."""
    names_customers = "customer_id" in bad.columns and "customer_id" not in complaint.columns
    keys = bad["customer_id"] if names_customers else rows.arg_true()
    examples = tuple(keys.head(_EXAMPLES_SHOWN).to_list())
    key = "customer_id" if names_customers else "row"
    return examples, f"{key} {', '.join(map(repr, examples))}"


def _values(bad: nw.DataFrame[Any], columns: tuple[str, ...]) -> tuple[tuple[Any, ...], str]:
    """First few distinct values without nulls."""
    if not columns:
        return (), ""
    distinct = bad.select(*columns).unique(maintain_order=True).head(_EXAMPLES_SHOWN)
    found = [values for values in distinct.iter_rows() if values[0] is not None]
    if len(columns) == 1:
        alone = tuple(value for (value,) in found)
        return alone, f"{columns[0]} {', '.join(map(repr, alone))}" if alone else ""
    shown = (
        " with ".join(f"{name} {value!r}" for name, value in zip(columns, values, strict=True))
        for values in found
    )
    return tuple(found), "; ".join(shown)


def _broken(data: nw.DataFrame[Any], table: Table) -> Iterator[_Complaint]:
    present = set(data.columns)
    values = {name: data.get_column(name) for name in table.column_names if name in present}
    for column in table.columns:
        if column.name in present:
            for what, rows, first in _broken_by(column, values[column.name]):
                text = f"`{column.name}` {what}"
                yield _Complaint(text, rows, first + table.advice(column), (column.name,))
    together = [name for name in table.null_together if name in present]
    nulls = {name: _is_unknown(values[name]) for name in together}
    for name in together:
        others = [nulls[each] for each in together if each != name]
        if others:
            text, rows = f"`{name}` is null", nulls[name] & ~_all(others)
            advice = table.advice(_column(table, name))
            yield _Complaint(text, rows, advice, (name,))
    for rule in table.rules:
        if present.issuperset(rule.columns):
            text, rows = _against(rule, values[rule.lower], values[rule.upper])
            advice = _line(rule.advice) + f"Build this table with {table.made_by}()."
            yield _Complaint(text, rows, advice, rule.columns)


def _broken_by(column: Column, value: nw.Series[Any]) -> Iterator[tuple[str, nw.Series[Any], str]]:
    """Yield each complaint about a column with its rows and special advice."""
    is_float = value.dtype.is_float()
    is_number = column.kind in ("count", "number")
    null = _is_unknown(value) if column.nullable or column.kind == "key" else value.is_null()
    if not column.nullable:
        yield "is null", null, ""
    known = (
        ~null if column.nullable and is_number else None
    )  # some engines sort NaN above all numbers

    def rows(broken: nw.Series[Any]) -> nw.Series[Any]:
        return broken if known is None else known & broken

    if is_number and is_float:
        yield "is not finite", rows(~value.is_finite()), ""
    if column.kind == "count" and is_float:
        yield "is not a whole number", rows(value != value.floor()), _line(column.if_fractional)
    if column.minimum is not None:
        yield f"is below {column.minimum:g}", rows(value < column.minimum), ""
    if column.maximum is not None:
        yield f"is above {column.maximum:g}", rows(value > column.maximum), ""


def _is_unknown(value: nw.Series[Any]) -> nw.Series[Any]:
    null = value.is_null()
    return null | value.is_nan() if value.dtype.is_float() else null


def _all(flags: Sequence[nw.Series[Any]]) -> nw.Series[Any]:
    return functools.reduce(operator.and_, flags)


def _column(table: Table, name: str) -> Column:
    (column,) = (each for each in table.columns if each.name == name)
    return column


def _against(
    rule: Rule, lower: nw.Series[Any], upper: nw.Series[Any]
) -> tuple[str, nw.Series[Any]]:
    if rule.only_at_zero:
        text = f"`{rule.upper}` is 0 and `{rule.lower}` above 0, yet {rule.because},"
        return text, (upper == 0) & (lower > 0)
    return f"`{rule.lower}` exceeds `{rule.upper}`, yet {rule.because},", lower > upper


def _line(advice: str) -> str:
    return f"{advice}\n" if advice else ""
