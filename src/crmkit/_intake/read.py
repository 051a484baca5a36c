"""From a raw table to the ledger's columns, and the rows that stand in the way."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal, get_args

import narwhals as nw

from crmkit._door import dates, time
from crmkit._intake.amounts import read_money, returned
from crmkit._intake.dates import read_dates
from crmkit._intake.ids import read_ids
from crmkit._intake.raw_columns import AnyFrame, Roles
from crmkit._intake.sheet import Manner, Sheet, read_as
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER

Returns = Literal["net", "drop", "keep"]

_IDS: Final = ("customer_id", "order_id", "product")


def as_manner(
    *, date_format: str | None, as_of: date | None, strict: bool = False, mend: bool = False
) -> Manner:
    """Hold the options of reading to their ranges."""
    if date_format is not None:
        date_format = dates.known_format(date_format)
    if as_of is not None:
        as_of = time.as_day(as_of, argument="as_of")
    return Manner(date_format=date_format, as_of=as_of, strict=strict, mend=mend)


def as_returns(returns: Returns, roles: Roles) -> Returns:
    """Hold `returns` to what it may be."""
    if returns not in get_args(Returns):
        known = ", ".join(f'"{name}"' for name in get_args(Returns))
        msg = f"`returns` must be one of {known}, got {returns!r}.\nUse one of these."
        raise InvalidArgumentError(msg)
    if returns == "drop" and returned(roles) is None:
        msg = (
            '`returns="drop"` needs to know the returns.\n'
            "Name `amount` or `quantity`: what is below zero is a return."
        )
        raise InvalidArgumentError(msg)
    return returns


def read_sheet(frame: AnyFrame, roles: Roles, manner: Manner) -> Sheet:
    """Read every named column, and list what may be wrong with its rows."""
    sheet = read_ids(Sheet(frame, manner), "customer_id", roles.customer, required=True)
    sheet = read_dates(sheet, roles.date)
    if roles.order_id is not None:
        sheet = read_ids(sheet, "order_id", roles.order_id, required=True)
    if roles.product is not None:
        sheet = read_ids(sheet, "product", roles.product, required=False)
    return read_money(sheet, roles)


def to_ledger(sheet: Sheet, rows: AnyFrame, roles: Roles, returns: Returns) -> AnyFrame:
    """Take the canonical columns of rows that nothing is wrong with."""
    present = rows.collect_schema().names()
    names = [name for name in LEDGER.column_names if read_as(name) in present]
    columns = [_id(sheet, rows, name) if name in _IDS else nw.col(read_as(name)) for name in names]
    flag = _is_purchase(roles, returns)
    if flag is not None:
        names, columns = [*names, "is_purchase"], [*columns, flag]
    pairs = zip(names, columns, strict=True)
    ledger = rows.select(*(column.alias(name) for name, column in pairs))
    return nw.maybe_reset_index(ledger) if isinstance(ledger, nw.DataFrame) else ledger


def without_returns(rows: AnyFrame, roles: Roles, returns: Returns) -> AnyFrame:
    """Leave out the returns, if that is asked for; a row of unknown money is none."""
    is_return = returned(roles)
    if returns != "drop" or is_return is None:
        return rows
    return rows.filter(~is_return.fill_null(value=False))


def _id(sheet: Sheet, rows: AnyFrame, name: str) -> nw.Expr:
    """Turn ids that nulls had made floats back into whole numbers."""
    column = nw.col(read_as(name))
    dtype = rows.collect_schema()[read_as(name)]
    is_whole = dtype.is_float() or dtype.is_decimal()
    # pandas keeps whole numbers among nulls as floats, and products may be null.
    as_it_is = name == "product" and rows.implementation.is_pandas_like()
    return column if sheet.manner.strict or as_it_is or not is_whole else column.cast(nw.Int64)


def _is_purchase(roles: Roles, returns: Returns) -> nw.Expr | None:
    """Flag purchases where the amount alone would not tell them."""
    if returns == "keep":
        return nw.lit(value=True)
    is_return = returned(roles)
    if roles.money is not None or is_return is None:
        return None
    return ~is_return.fill_null(value=False)
