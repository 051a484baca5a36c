"""Read the raw columns, and take the ledger's columns from them."""

from __future__ import annotations

from typing import Final, Literal, get_args

import narwhals as nw

from crmkit._intake.amounts import read_money, read_numbers, return_rows
from crmkit._intake.dates import read_dates
from crmkit._intake.ids import read_ids
from crmkit._intake.raw_columns import AnyFrame, Roles
from crmkit._intake.read_options import ReadOptions
from crmkit._intake.sheet import Sheet, role_column
from crmkit._words.arguments import require_choice
from crmkit.errors import InvalidArgumentError
from crmkit.tables import LEDGER

Returns = Literal["net", "drop", "keep"]

_IDS: Final = ("customer_id", "order_id", "product")


def checked_returns(returns: Returns, roles: Roles) -> Returns:
    """Require a known treatment of returns, and a column that shows them to drop them."""
    require_choice(returns, get_args(Returns), argument="returns")
    if returns == "drop" and return_rows(roles) is None:
        msg = (
            '`returns="drop"` needs `amount` or `quantity`.\n'
            "Name one of them: rows below 0 are returns."
        )
        raise InvalidArgumentError(msg)
    return returns


def read_sheet(frame: AnyFrame, roles: Roles, options: ReadOptions) -> Sheet:
    """Read every named column, and list the rules for its rows."""
    sheet = read_ids(Sheet(frame, options), "customer_id", roles.customer, required=True)
    sheet = read_dates(sheet, roles.date)
    if roles.order_id is not None:
        sheet = read_ids(sheet, "order_id", roles.order_id, required=True)
    if roles.product is not None:
        sheet = read_ids(sheet, "product", roles.product, required=False)
    if roles.cost is not None:
        sheet = read_numbers(sheet, "cost", roles.cost, required=False)
    return read_money(sheet, roles)


def to_ledger(sheet: Sheet, rows: AnyFrame, roles: Roles, returns: Returns) -> AnyFrame:
    """Select the ledger's columns of valid rows."""
    present = rows.collect_schema().names()
    names = [name for name in LEDGER.column_names if role_column(name) in present]
    columns = [
        _id(sheet, rows, name) if name in _IDS else nw.col(role_column(name)) for name in names
    ]
    flag = _is_purchase(roles, returns)
    if flag is not None:
        names, columns = [*names, "is_purchase"], [*columns, flag]
    names, columns = [*names, *roles.keep], [*columns, *map(nw.col, roles.keep)]
    pairs = zip(names, columns, strict=True)
    ledger = rows.select(*(column.alias(name) for name, column in pairs))
    return nw.maybe_reset_index(ledger) if isinstance(ledger, nw.DataFrame) else ledger


def without_returns(rows: AnyFrame, roles: Roles, returns: Returns) -> AnyFrame:
    """Leave out the returns with `returns="drop"`; a row of unknown amount is kept."""
    is_return = return_rows(roles)
    if returns != "drop" or is_return is None:
        return rows
    return rows.filter(~is_return.fill_null(value=False))


def _id(sheet: Sheet, rows: AnyFrame, name: str) -> nw.Expr:
    """Turn ids that nulls have made floats back into whole numbers."""
    column = nw.col(role_column(name))
    dtype = rows.collect_schema()[role_column(name)]
    is_whole = dtype.is_float() or dtype.is_decimal()
    # pandas keeps whole numbers among nulls as floats, and products may be null.
    unchanged = name == "product" and rows.implementation.is_pandas_like()
    return column if sheet.options.strict or unchanged or not is_whole else column.cast(nw.Int64)


def _is_purchase(roles: Roles, returns: Returns) -> nw.Expr | None:
    """Flag purchases where the sign of the amount does not show them."""
    if returns == "keep":
        return nw.lit(value=True)
    is_return = return_rows(roles)
    if roles.money is not None or is_return is None:
        return None
    return ~is_return.fill_null(value=False)
