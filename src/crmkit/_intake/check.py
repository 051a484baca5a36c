"""Data quality checks of a raw transaction log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import dates, frames
from crmkit._intake.amounts import return_rows
from crmkit._intake.raw_columns import AnyFrame, Roles, open_raw
from crmkit._intake.read import read_sheet
from crmkit._intake.read_options import checked_options
from crmkit._intake.row_errors import ROW, counts, first_rows, is_missing, shown
from crmkit._intake.sheet import Severity, Sheet, from_list, role_column
from crmkit.tables import FINDINGS, LEDGER

_EXAMPLE_WIDTH: Final = 80
_RANKS: Final[dict[Severity, int]] = {"error": 0, "warning": 1, "info": 2}
_N: Final = "_crmkit_n"


class _Finding(NamedTuple):
    rule: str
    severity: Severity
    rows: int
    example: str


def check(
    raw: IntoFrameT,
    *,
    customer: str,
    date: str,
    amount: str | None = None,
    price: str | None = None,
    order_id: str | None = None,
    product: str | None = None,
    quantity: str | None = None,
    as_of: dt.date | None = None,
    date_format: str | None = None,
) -> IntoFrameT:
    """Check the data quality of a raw transaction log.

    Lists errors, warnings and remarks with the number of rows of each, where
    `crmkit.transactions` stops at the first error. Without findings the rows can be read, but
    they may still be wrong: dates of import instead of purchase, or two customers under one id,
    are not detected.

    Parameters
    ----------
    raw
        One row per order, order line or return. A lazy table is run, once for the counts and
        once for the examples of each rule that finds something.
    customer, date, amount, price, order_id, product, quantity, as_of, date_format
        As in `crmkit.transactions`.

    Returns
    -------
    One row per rule, also for rules without a finding; errors first, then by rows found:

    ============  =====  =====================================================================
    ``rule``      text   what was checked
    ``severity``  text   ``"error"``: `crmkit.transactions` refuses such rows; ``"warning"``:
                         look at these rows before you go on; ``"info"``: valid, for information
    ``rows``      int    number of rows found
    ``share``     float  share of all rows; null for an empty table
    ``example``   text   the first few: row (from 0; not for a lazy table), customer and value
    ============  =====  =====================================================================

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidArgumentError
        If `raw` is not a table, a lazy table has dates as text and `date_format` is not given,
        or arguments contradict each other.

    Notes
    -----
    Exact duplicates are rows equal to an earlier one in all columns, also those not named. They
    are always kept: two equal orders can be real.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {
    ...         "who": ["ann", None, "ben", "ben"],
    ...         "when": ["2024-01-31", "2024-02-05", "2024-02-30", "2024-03-01"],
    ...         "paid": [20.0, 10.0, 15.0, -5.0],
    ...     }
    ... )
    >>> findings = check(raw, customer="who", date="when", amount="paid")
    >>> print(findings[findings["rows"] > 0].to_string(index=False))
                rule severity  rows  share                     example
    missing customer    error     1   0.25                       row 1
     unparsable date    error     1   0.25 row 2 ('ben'): '2024-02-30'
     negative amount     info     1   0.25           row 3 ('ben'): -5
    """
    roles = Roles(customer, date, amount, price, order_id, product, quantity)
    options = checked_options(date_format=date_format, as_of=as_of)
    frame = open_raw(raw, roles.columns, LEDGER)
    names = frame.collect_schema().names()
    if isinstance(frame, nw.DataFrame):
        frame = frame.with_row_index(ROW)
    sheet = read_sheet(frame, roles, options)
    findings = [
        *_by_row(sheet, customer),
        _mixed_zones(sheet),
        _duplicates(sheet, names, customer),
        *_returns_only(sheet, roles),
    ]
    n_rows = int(sheet.frame.lazy().select(nw.len().alias(_N)).collect().item())
    findings.sort(key=lambda finding: (_RANKS[finding.severity], -finding.rows))
    return frames.give(_table(findings, n_rows, like=sheet.frame), like=raw)


def _by_row(sheet: Sheet, customer: str) -> Iterable[_Finding]:
    for rule, n_rows in zip(sheet.rules, counts(sheet.frame, sheet.rules), strict=True):
        example = ""
        if n_rows and rule.rows is not None:
            example = _example(sheet.frame, rule.rows, customer, rule.shows)
        yield _Finding(rule.name, rule.severity, n_rows, example)


def _mixed_zones(sheet: Sheet) -> _Finding:
    """Count the text dates whose offset from UTC is not the commonest one.

    A zone gives two offsets a year, in summer and in winter, so this is a warning only.
    """
    name = "mixed time zones"
    if sheet.date_text is None:
        return _Finding(name, "warning", 0, "")
    dated = sheet.frame.lazy().filter(~nw.col(role_column("date")).is_null())
    offset = dates.utc_offset(sheet.date_text).alias("offset")
    found = dated.select(offset).group_by("offset").agg(nw.len().alias(_N)).collect()
    tally = sorted(zip(found[_N].to_list(), found["offset"].to_list(), strict=True), reverse=True)
    rarer = sum(int(n) for n, _ in tally[1:])
    example = ", ".join(offset or "none" for _, offset in tally) if rarer else ""
    return _Finding(name, "warning", rarer, _cut(example))


def _duplicates(sheet: Sheet, names: list[str], customer: str) -> _Finding:
    """Count the rows that repeat an earlier one in all columns."""
    frame = _comparable(sheet.frame, names)
    if isinstance(frame, nw.DataFrame):
        first = frame.unique(names, keep="first")
        rows = len(frame) - len(first)
        repeats = frame.select(ROW, customer).join(first.select(ROW), on=ROW, how="anti")
        found = repeats.sort(ROW).head(3)
    else:
        groups = frame.group_by(*names).agg(nw.len().alias(_N)).filter(nw.col(_N) > 1)
        repeats_each = nw.col(_N).cast(nw.Int64) - 1
        rows = int(groups.select(repeats_each.sum().alias(_N)).collect().item() or 0)
        found = groups.sort(customer).select(customer).head(3).collect()
    example = _examples(found, customer, None) if rows else ""
    return _Finding("exact duplicate rows", "warning", rows, example)


def _comparable(frame: AnyFrame, names: list[str]) -> AnyFrame:
    """Convert Python objects to text, since not all of them can be compared."""
    if not isinstance(frame, nw.DataFrame):
        return frame
    objects = {name: frame[name] for name in names if frame.schema[name] == nw.Object}
    texts = {
        name: from_list(list(map(str, values.to_list())), nw.String(), like=values).alias(name)
        for name, values in objects.items()
    }
    return frame.select(ROW, *(texts.get(name, frame[name]) for name in names))


def _returns_only(sheet: Sheet, roles: Roles) -> Iterable[_Finding]:
    """Count the rows of customers with returns only: a customer summary leaves them out."""
    is_return = return_rows(roles)
    if is_return is None:
        return
    key, value = (
        role_column("customer_id"),
        role_column("quantity" if roles.money is None else "amount"),
    )
    rows = sheet.frame.lazy().filter(~nw.col(key).is_null() & ~nw.col(value).is_null())
    purchases = (~is_return).cast(nw.Int64)
    customers = (
        rows.with_columns(purchases.alias("_crmkit_purchases"))
        .group_by(key)
        .agg(nw.col("_crmkit_purchases").max(), nw.len().alias(_N))
        .filter(nw.col("_crmkit_purchases") == 0)
    )
    n_rows = int(customers.select(nw.col(_N).sum()).collect().item() or 0)
    first = customers.sort(key).select(key).head(3).collect()
    example = ", ".join(map(shown, first[key].to_list()))
    yield _Finding("returns without any purchase", "warning", n_rows, _cut(example))


def _example(frame: AnyFrame, rows: nw.Expr, customer: str, shows: str | None) -> str:
    numbered = [ROW] if isinstance(frame, nw.DataFrame) else []
    wanted = [*numbered, customer, *([shows] if shows is not None else [])]
    return _examples(first_rows(frame, rows, wanted), customer, shows)


def _examples(found: nw.DataFrame[Any], customer: str, shows: str | None) -> str:
    """Describe rows as "row 2 ('ben'): 'x'", cut to a maximum width."""
    places = [f"row {row}" for row in found[ROW].to_list()] if ROW in found.columns else []
    who = ["" if is_missing(value) else shown(value) for value in found[customer].to_list()]
    if places:
        names = [f" ({name})" if name else "" for name in who]
        who = [place + name for place, name in zip(places, names, strict=True)]
    if shows is not None and shows != customer:
        values = map(shown, found[shows].to_list())
        who = [f"{name}: {value}".lstrip(": ") for name, value in zip(who, values, strict=True)]
    return _cut("; ".join(filter(None, who)))


def _cut(text: str) -> str:
    return text if len(text) <= _EXAMPLE_WIDTH else text[: _EXAMPLE_WIDTH - 3] + "..."


def _table(findings: list[_Finding], n_rows: int, *, like: AnyFrame) -> nw.LazyFrame[Any]:
    columns = {name: [getattr(f, name) for f in findings] for name in _Finding._fields}
    table = frames.table_like(columns, like=like.lazy())
    share = nw.col("rows") / n_rows if n_rows else nw.lit(None)
    return table.with_columns(share=share.cast(nw.Float64)).select(*FINDINGS.column_names)
