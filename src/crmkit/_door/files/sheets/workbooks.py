"""Workbooks (.xlsx, .xls, .ods): one sheet, its header found, its cells with their types."""

from __future__ import annotations

import logging
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from crmkit._door.files.grid.empty import without_empty_rows, without_empty_text
from crmkit._door.files.grid.footer import without_footer
from crmkit._door.files.grid.header import SEARCHED, find_header
from crmkit._door.files.grid.names import distinct_names
from crmkit._door.files.raw_file import EMPTY, TITLE, Aside, RawFile, set_aside_table
from crmkit._door.files.sheets.extent import require_readable
from crmkit._words.arguments import did_you_mean, listed, shown
from crmkit.errors import InvalidArgumentError

if TYPE_CHECKING:
    from fastexcel import ExcelReader

_SHOWN: Final = 12
_EXACT: Final = 2.0**53


def read_workbook(path: Path, *, name: str, sheet: str | None) -> RawFile:
    """Read one sheet of a workbook: the one named, the only one, or the only one with a table."""
    engine = _engine(name)
    n_errors = require_readable(path, name=name)
    try:
        reader = engine.read_excel(path.read_bytes())  # of a path it believes the suffix
        chosen, text, note = _sheet(reader, name=name, sheet=sheet)
        return _raw_file(reader, chosen, text, name=name, notes=[*note, *_errors(n_errors)])
    except (engine.FastExcelError, pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(name, error) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of a damaged workbook
            raise
        raise _unreadable(name, error) from None


def _engine(name: str) -> ModuleType:
    try:
        import fastexcel  # noqa: PLC0415 - an extra
    except ImportError:
        msg = f'{name} is a workbook; to read it, pip install "crmkit[excel]", or save it as CSV.'
        raise InvalidArgumentError(msg) from None
    # Its warnings, such as of a column without values, are for those who listen to its log.
    logging.getLogger(fastexcel.__name__).addHandler(logging.NullHandler())
    return fastexcel


def _sheet(
    reader: ExcelReader, *, name: str, sheet: str | None
) -> tuple[str, pl.DataFrame, list[str]]:
    """Choose a sheet, and read it as text."""
    names = reader.sheet_names
    if sheet is not None:
        if sheet not in names:
            msg = f"{name} has no sheet {shown(sheet)}, only {_some(names)}."
            raise InvalidArgumentError(msg + did_you_mean(sheet, names))
        return sheet, _text(reader, sheet), [f"sheet {sheet!r} of {len(names)}"]
    filled = {each: text for each in names if _has_table(text := _text(reader, each))}
    if not filled:
        msg = f"{name} has no sheet with a table in it."
        raise InvalidArgumentError(msg)
    longest = max(filled, key=lambda each: filled[each].height)
    alike = [each for each, text in filled.items() if _header(text) == _header(filled[longest])]
    if len(alike) > 1:
        msg = (
            f"{name} has {len(alike)} sheets with the same columns ({_some(alike)}); name one with "
            "sheet=, or put them into one."
        )
        raise InvalidArgumentError(msg)
    note = [f"sheet {longest!r} of {len(names)}"] if len(names) > 1 else []
    return longest, filled[longest], note


def _text(reader: ExcelReader, sheet: str) -> pl.DataFrame:
    loaded = reader.load_sheet(
        sheet, header_row=None, skip_rows=0, dtypes="string", whitespace_as_null=False
    )
    return without_empty_text(loaded.to_polars())


def _has_table(text: pl.DataFrame) -> bool:
    return text.width > 1 and text.height > 1


def _header(text: pl.DataFrame) -> list[str]:
    rows = _rows(text)
    return rows[find_header(rows)]


def _rows(text: pl.DataFrame) -> list[list[str]]:
    head = text.head(5 * SEARCHED).fill_null("")
    return [list(row) for row in head.iter_rows()]


def _raw_file(
    reader: ExcelReader, sheet: str, text: pl.DataFrame, *, name: str, notes: list[str]
) -> RawFile:
    if not _has_table(text):
        what = "is empty" if text.is_empty() else "has one row or column only"
        msg = f"Sheet {sheet!r} of {name} {what}; name the one that holds the log with sheet=."
        raise InvalidArgumentError(msg)
    rows = _rows(text)
    at = find_header(rows)
    line = at + 1
    titles = [
        Aside(number, TITLE if any(row) else EMPTY, ",".join(row))
        for number, row in enumerate(rows[:at], start=1)
    ]
    body = text.slice(line)
    lines = pl.int_range(line + 1, line + 1 + body.height, dtype=pl.UInt32, eager=True)
    lines = lines.rename("line")
    body, lines, empty = without_empty_rows(body, lines)
    _, lines, footer = without_footer(body, lines)
    if not len(lines):
        msg = f"{name} has no rows below its header."
        raise InvalidArgumentError(msg)
    names, said = distinct_names(rows[at])
    table = _typed(reader, sheet, first=line, last=int(lines[-1]), names=names)
    table = table[(lines - (line + 1)).cast(pl.UInt32)]
    void = [
        own
        for own, written in zip(names, rows[at], strict=True)
        if not written.strip() and table[own].null_count() == table.height
    ]
    said = [note for note in said if note not in {f"{each} has no name" for each in void}]
    where = [f"header in line {line}"] if line > 1 else []
    return RawFile(
        table=table.drop(void),
        lines=lines,
        set_aside=set_aside_table([*titles, *empty, *footer]),
        notes=(
            *notes,
            *where,
            *said,
            *(f"{each} without name and values left out" for each in void),
        ),
        source=name,
    )


def _typed(
    reader: ExcelReader, sheet: str, *, first: int, last: int, names: list[str]
) -> pl.DataFrame:
    """Read the rows between two lines with types; a column of several types is text."""
    loaded = reader.load_sheet(
        sheet,
        header_row=None,
        skip_rows=first,
        n_rows=last - first,
        schema_sample_rows=None,
        dtype_coercion="coerce",
    )
    table = without_empty_text(loaded.to_polars())
    table.columns = names
    whole = [
        name
        for name, dtype in table.schema.items()
        if dtype == pl.Float64 and _is_whole(table[name])
    ]
    return table.with_columns(pl.col(whole).cast(pl.Int64))


def _is_whole(column: pl.Series) -> bool:
    """Whether all numbers are whole, as ids and counts are: a workbook has one type of number."""
    values = column.drop_nulls()
    return bool(((values == values.floor()) & (values.abs() < _EXACT)).all()) and len(values) > 0


def _errors(n_errors: int) -> list[str]:
    cells = "cell" if n_errors == 1 else "cells"
    return [f"{n_errors:,} {cells} with an error such as #N/A read as empty"] if n_errors else []


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return listed(names[:_SHOWN]) + more


def _unreadable(name: str, error: Any) -> InvalidArgumentError:  # noqa: ANN401 - a panic too
    reason = str(error).strip().partition("\n")[0][:200]
    msg = f"{name} does not read as a workbook ({reason}); save it anew as .xlsx or CSV."
    return InvalidArgumentError(msg)
