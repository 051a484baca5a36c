"""Data quality checks of a raw transaction log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import dates, frames
from crmkit._intake.number_form import Decimal
from crmkit._intake.order_rules import (
    ALL_NEGATIVE,
    ORDER_TOTALS,
    SPELLINGS,
    Finding,
    all_negative,
    order_totals,
    returns_only,
    spellings,
)
from crmkit._intake.plausible_dates import (
    DEFAULT_DATE,
    FAR_AFTER,
    FAR_BEFORE,
    with_plausible_dates,
)
from crmkit._intake.raw_columns import AnyFrame, Roles, open_raw
from crmkit._intake.read import read_sheet
from crmkit._intake.read_options import checked_options
from crmkit._intake.row_errors import (
    Totals,
    cells,
    first_rows,
    is_missing,
    shown,
    totals,
    with_row,
)
from crmkit._intake.sheet import ROW, Severity, Sheet, from_list, role_column
from crmkit.tables import FINDINGS, LEDGER

_EXAMPLE_WIDTH: Final = 80
_RANKS: Final[dict[Severity, int]] = {"error": 0, "warning": 1, "info": 2}
_ONLY_WHERE_FOUND: Final = {
    *(DEFAULT_DATE, FAR_AFTER, FAR_BEFORE, ORDER_TOTALS, ALL_NEGATIVE, SPELLINGS),
    *(f"{role} ids that stand for none" for role in ("customer", "order", "product")),
}
"""Rules that hardly any table breaks."""

_N: Final = "_crmkit_n"


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
    cost: str | None = None,
    as_of: dt.date | str | None = None,
    date_format: str | None = None,
    decimal: Decimal | None = None,
) -> IntoFrameT:
    """Check the data quality of a raw transaction log.

    Lists errors, warnings and remarks with the rows and the money of each, where
    `crmkit.transactions` stops at the first error. Without findings the rows can be read, but
    they may still be wrong: dates of import instead of purchase, or two customers under one id,
    are not detected.

    Parameters
    ----------
    raw
        One row per order, order line or return. A lazy table is run, once for the counts and
        once for the examples of each rule that finds something.
    customer, date, amount, price, order_id, product, quantity, cost, as_of, date_format, decimal
        As in `crmkit.transactions`.

    Returns
    -------
    One row per rule, also for those without a finding, but for some that hardly any table breaks
    (dates that stand out, spellings of one customer, ids that stand for none, the total of an
    order on each of its lines, all amounts below zero); errors first, then by rows found:

    ============  =====  =====================================================================
    ``rule``      text   what was checked
    ``severity``  text   ``"error"``: `crmkit.transactions` refuses such rows; ``"warning"``:
                         look at these rows before you go on; ``"info"``: valid, for information
    ``rows``      int    number of rows found
    ``share``     float  share of all rows; null for an empty table
    ``money``     float  sum of their amounts as far as these are known; null without amounts,
                         or where a rule is about orders or customers
    ``example``   text   the first few: row (from 0; not for a lazy table), customer and value
    ============  =====  =====================================================================

    Raises
    ------
    MissingColumnsError
        If a named column is missing.
    InvalidArgumentError
        If `raw` is not a table, or arguments contradict each other.

    Notes
    -----
    Exact duplicates are rows equal to an earlier one in all columns, also those not named. They
    are always kept: two equal orders can be real.

    Rows without a customer are a warning, not an error, since guests may buy; they have no place
    in a ledger, so `crmkit.transactions` refuses them, and `crmkit.intake.clean` sets them aside.

    Dates stand out when they are a system's default (1970-01-01, 1900-01-01, ...) more than a
    year from all others, or when at most one row in a hundred lies beyond a gap of more than a
    year and of half the time that all others span.

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
    >>> print(findings[findings["rows"] > 0].drop(columns="share").to_string(index=False))
                rule severity  rows  money                     example
     unparsable date    error     1   15.0 row 2 ('ben'): '2024-02-30'
    missing customer  warning     1   10.0                       row 1
     negative amount     info     1   -5.0           row 3 ('ben'): -5
    """
    roles = Roles(customer, date, amount, price, order_id, product, quantity, cost)
    options = checked_options(date_format=date_format, as_of=as_of, decimal=decimal)
    frame = open_raw(raw, roles.columns, LEDGER)
    names = frame.collect_schema().names()
    sheet = read_sheet(with_row(frame), roles, options)
    sheet = with_plausible_dates(sheet, roles.date)
    return frames.give(findings(sheet, sums_of(sheet, roles), roles, names), like=raw)


def sums_of(sheet: Sheet, roles: Roles) -> Totals:
    """Count rows and add up money of each rule for rows."""
    money = role_column("amount") if roles.money is not None else None
    return totals(sheet.frame, sheet.rules, money=money)


def findings(sheet: Sheet, sums: Totals, roles: Roles, names: list[str]) -> nw.LazyFrame[Any]:
    """List the findings of all rules, errors first, then by rows found."""
    found = [
        *by_row(sheet, sums, roles.customer),
        _mixed_zones(sheet),
        _duplicates(sheet, names, roles),
        *returns_only(sheet, sums, roles),
        *order_totals(sheet, roles),
        *spellings(sheet, roles),
        *([all_negative(sums)] if roles.money is not None else []),
    ]
    listed = [each for each in found if each.rows or each.rule not in _ONLY_WHERE_FOUND]
    return as_table(listed, sums.n_rows, like=sheet.frame)


def by_row(sheet: Sheet, sums: Totals, key: str) -> Iterable[Finding]:
    """List what the rules for rows find; `key` names the rows in the examples."""
    for rule, (n_rows, money) in zip(sheet.rules, sums.found, strict=True):
        example = ""
        if n_rows and rule.rows is not None:
            example = _example(sheet, rule.rows, key, rule.shows)
        yield Finding(rule.name, rule.severity, n_rows, money, example)


def _mixed_zones(sheet: Sheet) -> Finding:
    """Count the text dates whose offset from UTC is not the commonest one.

    A zone gives two offsets a year, in summer and in winter, so this is a warning only.
    """
    name = "mixed time zones"
    if sheet.date_text is None or "%z" not in dict(sheet.forms).get("date", ""):
        return Finding(name, "warning", 0, None, "")
    dated = sheet.frame.lazy().filter(~nw.col(role_column("date")).is_null())
    offset = dates.utc_offset(sheet.date_text).alias("offset")
    found = dated.select(offset).group_by("offset").agg(nw.len().alias(_N)).collect()
    tally = sorted(zip(found[_N].to_list(), found["offset"].to_list(), strict=True), reverse=True)
    rarer = sum(int(n) for n, _ in tally[1:])
    example = ", ".join(offset or "none" for _, offset in tally) if rarer else ""
    return Finding(name, "warning", rarer, None, _cut(example))


def _duplicates(sheet: Sheet, names: list[str], roles: Roles) -> Finding:
    """Count the rows that repeat an earlier one in all columns, and their money."""
    amount = role_column("amount") if roles.money is not None else None
    frame: AnyFrame = sheet.frame
    if isinstance(frame, nw.DataFrame):
        read = [role_column(role) for role in ("customer_id", "date")]
        frame = frames.maybe_repeated(frame, [*read, *([amount] if amount else [])])
    frame = _comparable(frame, names, [sheet.number, *([amount] if amount else [])])
    found: nw.DataFrame[Any]
    if isinstance(frame, nw.DataFrame):
        first = frame.unique(names, keep="first")
        shown_columns = dict.fromkeys(
            [ROW, sheet.number, roles.customer, *([amount] if amount else [])]
        )
        repeats = frame.select(*shown_columns).join(first.select(ROW), on=ROW, how="anti")
        rows, money = len(repeats), repeats[amount].sum() if amount else None
        found = repeats.sort(ROW).head(3)
    else:
        n = nw.col(_N).cast(nw.Int64) - 1
        total = [(nw.col(amount) * n).sum().alias("money")] if amount else []
        keys = [*names, *([amount] if amount else [])]
        groups = frame.group_by(*keys).agg(nw.len().alias(_N)).filter(nw.col(_N) > 1)
        sum_up = groups.select(n.sum().alias(_N), *total).collect().rows(named=True)[0]
        rows, money = int(sum_up[_N] or 0), sum_up.get("money")
        found = groups.sort(roles.customer).select(roles.customer).head(3).collect()
    example = _examples(found, sheet, roles.customer, None) if rows else ""
    known = None if amount is None else float(money or 0)
    return Finding("exact duplicate rows", "warning", rows, known, example)


def _comparable(frame: AnyFrame, names: list[str], others: list[str]) -> AnyFrame:
    """Take the columns to compare, and others; Python objects, which may not compare, as text."""
    if not isinstance(frame, nw.DataFrame):
        return frame
    objects = {name: frame[name] for name in names if frame.schema[name] == nw.Object}
    texts = {
        name: from_list(list(map(str, values.to_list())), nw.String(), like=values).alias(name)
        for name, values in objects.items()
    }
    wanted = dict.fromkeys([ROW, *names, *others])
    return frame.select(*(texts.get(name, frame[name]) for name in wanted))


def _example(sheet: Sheet, rows: nw.Expr, customer: str, shows: str | None) -> str:
    numbers = [sheet.number] if isinstance(sheet.frame, nw.DataFrame) else []
    wanted = [*numbers, customer, *([shows] if shows is not None else [])]
    return _examples(first_rows(sheet.frame, rows, wanted), sheet, customer, shows)


def _examples(found: nw.DataFrame[Any], sheet: Sheet, customer: str, shows: str | None) -> str:
    """Describe rows as "row 2 ('ben'): 'x'", cut to a maximum width."""
    numbers = found[sheet.number].to_list() if sheet.number in found.columns else []
    places = [f"{sheet.place} {number}" for number in numbers]
    who = ["" if is_missing(value) else shown(value) for value in found[customer].to_list()]
    if places:
        names = [f" ({name})" if name else "" for name in who]
        who = [where + name for where, name in zip(places, names, strict=True)]
    if shows is not None and shows != customer:
        values = map(shown, cells(found, shows))
        who = [f"{name}: {value}".lstrip(": ") for name, value in zip(who, values, strict=True)]
    return _cut("; ".join(filter(None, who)))


def _cut(text: str) -> str:
    return text if len(text) <= _EXAMPLE_WIDTH else text[: _EXAMPLE_WIDTH - 3] + "..."


def as_table(found: Iterable[Finding], n_rows: int, *, like: AnyFrame) -> nw.LazyFrame[Any]:
    """Write findings as a table: errors first, then by rows found."""
    ordered = sorted(found, key=lambda finding: (_RANKS[finding.severity], -finding.rows))
    columns = {name: [getattr(each, name) for each in ordered] for name in Finding._fields}
    columns["money"] = [float("nan") if money is None else money for money in columns["money"]]
    table = frames.table_like(columns, like=like.lazy())
    share = nw.when(nw.lit(n_rows) > 0).then(nw.col("rows") / max(n_rows, 1))
    money = nw.when(~nw.col("money").is_nan()).then(nw.col("money"))
    return table.with_columns(share=share.cast(nw.Float64), money=money).select(
        *FINDINGS.column_names
    )
