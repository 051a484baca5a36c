"""Read numbers: money, prices and quantities."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw

from crmkit._intake.raw_columns import Roles
from crmkit._intake.sheet import (
    TEXT_TYPES,
    WHITE_SPACE,
    RowRule,
    Sheet,
    as_text,
    from_list,
    role_column,
)

_NUMBER: Final = r"^[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?$"
_PLAIN: Final = (
    "Write numbers as 1234.50, without currency signs or thousands separators, "
    "or call crmkit.intake.clean(), which sets the other rows aside with the reason."
)


def read_numbers(sheet: Sheet, role: str, name: str, *, required: bool = True) -> Sheet:
    """Read numbers, also those written as text."""
    dtype, values, source = sheet.dtype(name), sheet.values(name), name
    is_plain = dtype.is_numeric() or dtype in TEXT_TYPES
    if not is_plain and values is not None and (dtype == nw.Object or values.is_null().all()):
        source = f"{role_column(role)}_text"
        plain = from_list(_written(values), nw.String(), like=values)
        sheet = sheet.with_column(source, plain)
        dtype = nw.String()
    unparsable: nw.Expr | None = None
    if dtype in TEXT_TYPES:
        value, missing, unparsable = _parsed(sheet, source)
    elif dtype.is_numeric():
        value, missing = nw.col(name).cast(nw.Float64), nw.col(name).is_null()
    else:
        return sheet.with_unreadable(role, name, expected="a number", like=0.0)
    rules = [
        RowRule(f"missing {role}", "error", f"`{name}` is missing", missing),
        RowRule(
            f"unparsable {role}", "error", f"`{name}` is not a number", unparsable, name, _PLAIN
        ),
        RowRule(
            f"non-finite {role}",
            "error",
            f"`{name}` is not finite",
            ~(nw.col(role_column(role)).is_finite() | nw.col(role_column(role)).is_null()),
            name,
        ),
    ]
    return sheet.with_role(role, value, rules if required else rules[1:])


def read_money(sheet: Sheet, roles: Roles) -> Sheet:
    """Read the amount of each row and the quantity; a price is multiplied by the quantity."""
    if roles.quantity is not None:
        priced = roles.price is not None
        sheet = read_numbers(sheet, "quantity", roles.quantity, required=priced)
    if roles.price is not None:
        sheet = read_numbers(sheet, "price", roles.price)
        product = nw.col(role_column("quantity")) * nw.col(role_column("price"))
        sheet = sheet.with_role("amount", product)
    elif roles.amount is not None:
        sheet = read_numbers(sheet, "amount", roles.amount)
    if roles.quantity is not None:
        sheet = sheet.with_rules(_negative("quantity", roles.quantity))
    if roles.money is None:
        return sheet
    is_zero = nw.col(role_column("amount")) == 0
    zero = RowRule("zero amount", "info", f"`{roles.money}` is 0", is_zero)
    return sheet.with_rules(_negative("amount", roles.money), zero)


def _negative(role: str, name: str) -> RowRule:
    value = role_column(role)
    return RowRule(f"negative {role}", "info", f"`{name}` is below 0", nw.col(value) < 0, value)


def return_rows(roles: Roles) -> nw.Expr | None:
    """Flag returns: rows with an amount below 0, or without amounts a quantity below 0."""
    if roles.money is not None:
        return nw.col(role_column("amount")) < 0
    return None if roles.quantity is None else nw.col(role_column("quantity")) < 0


def _parsed(sheet: Sheet, source: str) -> tuple[nw.Expr, nw.Expr, nw.Expr | None]:
    text = as_text(sheet, source)
    if sheet.options.strict:
        return text.cast(nw.Float64), text.is_null(), None
    bare = text.str.strip_chars(WHITE_SPACE)
    missing = text.is_null() | (bare == "")
    plain = bare.str.contains(_NUMBER) & ~missing
    return nw.when(plain).then(bare).cast(nw.Float64), missing, ~plain & ~missing


def _written(values: nw.Series[Any]) -> list[str | None]:
    is_null = values.is_null().to_list()
    pairs = zip(values.to_list(), is_null, strict=True)
    return [None if missing else str(value) for value, missing in pairs]
