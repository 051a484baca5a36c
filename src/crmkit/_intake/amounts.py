"""Read numbers: money, prices and quantities."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import narwhals as nw

from crmkit._intake.number_form import (
    APOSTROPHES,
    FULL_WIDTH,
    MINUS,
    SPACES,
    WIDE_1,
    WIDE_9,
    NumberForm,
    Plain,
    Shape,
    Undecided,
    any_form,
    decide,
    number_pattern,
)
from crmkit._intake.raw_columns import Roles
from crmkit._intake.sheet import (
    TEXT_TYPES,
    WHITE_SPACE,
    RowRule,
    Sheet,
    as_text,
    from_list,
    role_column,
    sample,
)

_PLAIN: Final = r"^[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?$"
_MAY_BE_THOUSANDS: Final = r"^[+-]?[1-9][0-9]{0,2}[.][0-9]{3}$"
_LONG_WHOLE: Final = r"^[+-]?[1-9][0-9]{3,}$"
_ADVICE: Final = (
    "Correct these cells, or call crmkit.intake.clean(), which sets them aside with the reason."
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
    if dtype in TEXT_TYPES:
        sheet, value, missing, unparsable = _from_text(sheet, role, source, name)
    elif dtype.is_numeric():
        value, missing, unparsable = nw.col(name).cast(nw.Float64), nw.col(name).is_null(), None
    else:
        return sheet.with_unreadable(role, name, expected="a number", like=0.0)
    read = nw.col(role_column(role))
    form = dict(sheet.forms).get(role)
    others = f" in the form of the others ({form})" if form else ""
    rules = [
        RowRule(f"missing {role}", "error", f"`{name}` is missing", missing),
        RowRule(
            f"unparsable {role}",
            "error",
            f"`{name}` is not a number{others}",
            unparsable,
            name,
            _ADVICE,
        ),
        RowRule(
            f"non-finite {role}",
            "error",
            f"`{name}` is not finite",
            ~(read.is_finite() | read.is_null()),
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
    if sheet.options.negate:
        sheet = sheet.with_column(role_column("amount"), -nw.col(role_column("amount")))
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


# Numbers as text


def _from_text(
    sheet: Sheet, role: str, source: str, name: str
) -> tuple[Sheet, nw.Expr, nw.Expr, nw.Expr | None]:
    """Read numbers in text by the form of the column; note the form, or why there is none."""
    text, strict = as_text(sheet, source), sheet.options.strict
    bare = text.str.strip_chars(WHITE_SPACE)
    missing = text.is_null() | (bare == "")
    if (plain := _plain_numbers(sheet, source)) is not None:
        sheet = sheet.with_form(role, NumberForm(is_plain=True).words)
        return sheet, plain, text.is_null(), None
    form = _form(sheet, bare)
    if isinstance(form, Undecided):
        never = text.is_null() & ~text.is_null()
        refused = replace(sheet, refusals=(*sheet.refusals, _refusal(form, name)))
        return refused, nw.when(never).then(nw.lit(0.0)), missing, ~missing
    if form.is_plain:
        valid, number = bare.str.contains(_PLAIN), bare
    else:
        valid, number = _plainly(bare, form)
    sheet = sheet.with_form(role, form.words, currency=form.currency)
    if strict:  # what cannot be read stops the engine
        complaint = nw.concat_str(nw.lit("not a number: "), text)
        readable = nw.when(~valid).then(complaint).otherwise(number)
        return sheet, nw.when(~missing).then(readable).cast(nw.Float64), missing, None
    value = nw.when(valid & ~missing).then(number).cast(nw.Float64)
    return sheet, value, missing, nw.col(role_column(role)).is_null() & ~missing


def _plain_numbers(sheet: Sheet, source: str) -> nw.Expr | None:
    """Cast a long column of Polars at once, if a sample shows a point and no cell is odd.

    Polars casts no text with white space, and infinities in words are found.
    """
    data = sheet.if_long()
    if data is None or not data.implementation.is_polars() or sheet.options.decimal == ",":
        return None
    cells = sample(data, source)[source].cast(nw.String)
    has_point = cells.str.contains(_PLAIN) & cells.str.contains("[.]")
    may_be_thousands = cells.str.contains(_MAY_BE_THOUSANDS)
    if int(has_point.sum() or 0) <= int(may_be_thousands.sum() or 0):
        return None
    number = as_text(sheet, source).cast(nw.Float64)
    try:
        are_finite = data.select(number.is_finite().all()).item()
    except Exception:  # noqa: BLE001 - one odd cell, of which Polars has an error of its own
        return None
    return number if are_finite else None


def _form(sheet: Sheet, bare: nw.Expr) -> NumberForm | Undecided:
    """Decide how the numbers of a column are written, from all its values."""
    decimal = sheet.options.decimal
    if decimal is not None and not isinstance(sheet.frame, nw.DataFrame):
        return any_form(decimal)
    is_known = ~nw.col("bare").is_null() & (nw.col("bare") != "")
    rows = sheet.frame.lazy().select(bare=bare).filter(is_known)
    is_plain = nw.col("bare").str.contains(_PLAIN)
    has_point = nw.col("bare").str.contains(".", literal=True)
    flags = {
        "plain": is_plain,
        "with_point": is_plain & has_point,
        "may_be_thousands": nw.col("bare").str.contains(_MAY_BE_THOUSANDS),
    }
    ones = {flag: rows.cast(nw.Int64).sum() for flag, rows in flags.items()}
    n = rows.select(nw.len().alias("n"), **ones).collect().rows(named=True)[0]
    n_plain, with_point, unclear = (int(n[flag] or 0) for flag in flags)
    if decimal in {None, "."} and n_plain == n["n"] and with_point > unclear >= 0:
        return NumberForm(is_plain=True)
    long_whole = rows.filter(nw.col("bare").str.contains(_LONG_WHOLE)).select(nw.len()).collect()
    plain = Plain(n_plain, with_point, unclear, int(long_whole.item()))
    return decide(plain, _shapes(rows.filter(~is_plain)), decimal=decimal)


def _shapes(rows: nw.LazyFrame[Any]) -> list[Shape]:
    """Count the shapes of texts, in which each digit but 0 stands as 9."""
    digits = (
        nw.col("bare").str.replace_all("[1-9]", "9").str.replace_all(f"[{WIDE_1}-{WIDE_9}]", WIDE_9)
    )
    shapes = rows.with_columns(shape=digits).group_by("shape")
    found = shapes.agg(nw.len().alias("n"), nw.col("bare").min().alias("example")).collect()
    return [Shape(*row) for row in found.select("shape", "n", "example").rows()]


def _plainly(bare: nw.Expr, form: NumberForm) -> tuple[nw.Expr, nw.Expr]:
    """Say which texts are numbers of a form, and write these as -1234.50."""
    text = bare
    if form.is_full_width:
        for wide, narrow in FULL_WIDTH.items():
            text = text.str.replace_all(wide, narrow, literal=True)
    for written in sorted(form.written, key=len, reverse=True):
        text = text.str.replace_all(f"(?i){re.escape(written)}", "")
    for kind, plain in ((SPACES, " "), (APOSTROPHES, "'"), (MINUS, "-")):
        text = text.str.replace_all(f"[{kind}]", plain)
    text = text.str.strip_chars(" ")
    number = number_pattern(form.decimal, form.thousands)
    valid = text.str.contains(rf"^(?:\( ?{number} ?\)|[+-]? ?{number}|{number} ?[+-])$")
    digits = text.str.replace_all(f"[^0-9{form.decimal}]", "")
    if form.decimal == ",":
        digits = digits.str.replace_all(",", ".", literal=True)
    minus = nw.when(text.str.contains(r"[(-]")).then(nw.lit("-")).otherwise(nw.lit(""))
    return valid, nw.concat_str(minus, digits)


def _refusal(form: Undecided, name: str) -> str:
    if form.why == "currencies":
        return (
            f"`{name}` has amounts in several currencies ({', '.join(form.currencies)}).\n"
            "Convert them to one currency, or read the rows of each currency by themselves."
        )
    whole = re.sub("[.,]", "", form.example)
    mark = "." if "." in form.example else ","
    other = "," if mark == "." else "."
    cause = f"`{name}` may have {mark!r} as decimal mark or between thousands"
    return (
        f"{cause}, as in {form.example!r}.\n"
        f'Give decimal="{mark}" for a decimal mark, or decimal="{other}" '
        f"if {form.example} is {whole}."
    )


def _written(values: nw.Series[Any]) -> list[str | None]:
    is_null = values.is_null().to_list()
    pairs = zip(values.to_list(), is_null, strict=True)
    return [None if missing else _number_text(value) for value, missing in pairs]


def _number_text(value: object) -> str:
    """Write a value as text; 1.706 as 1.7060, since a number has no thousands separator."""
    text = str(value)
    is_decimal = isinstance(value, float | Decimal) and "." in text and "e" not in text.lower()
    return text + "0" if is_decimal else text
