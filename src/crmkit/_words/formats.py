"""Numbers, money, percentages and names as text for messages, plots and reports."""

from __future__ import annotations

import math
from typing import Final

_MINUS: Final = "\N{MINUS SIGN}"
_UNKNOWN: Final = "\N{EN DASH}"
_THOUSAND: Final = 1000
_TENTH: Final = 0.0995  # shares that round to 10 % or more have no decimals


def whole(value: float | None) -> str:
    """Write a number without decimals, such as 23,570.

    Examples
    --------
    >>> whole(23570.4)
    '23,570'
    """
    return _number(value, 0)


def decimal(value: float | None, *, digits: int = 2) -> str:
    """Write a number with its decimals, such as 35.89."""
    return _number(value, digits)


def money(value: float | None, *, currency: str = "", digits: int | None = None) -> str:
    """Write an amount of money, with cents below a thousand: a sign before it, a code after.

    Examples
    --------
    >>> money(2500315.63, currency="$"), money(35.894), money(1200, currency="EUR")
    ('$2,500,316', '35.89', '1,200 EUR')
    """
    if value is None:
        return _UNKNOWN
    small = abs(value) < _THOUSAND
    number = _number(abs(value), (2 if small else 0) if digits is None else digits)
    minus = _MINUS if value < 0 and number.strip("0.,") else ""
    code = currency.strip()
    if code.isalpha():  # EUR, kr: a word rather than a sign
        return f"{minus}{number} {code}"
    return f"{minus}{currency}{number}"


def percent(value: float | None, *, digits: int | None = None) -> str:
    """Write a share in percent, with one decimal below 10 %.

    Examples
    --------
    >>> percent(0.6778), percent(0.0651), percent(0)
    ('68%', '6.5%', '0%')
    """
    if value is None:
        return _UNKNOWN
    if digits is None:
        digits = 0 if value == 0 or abs(value) >= _TENTH else 1
    return f"{_number(100 * value, digits)}%"


def between(lower: str, upper: str, *, level: float) -> str:
    """Write the bounds of an interval.

    Examples
    --------
    >>> between("9,800", "15,200", level=0.9)
    '90%: 9,800 to 15,200'
    """
    return f"{percent(level)}: {lower} to {upper}"


def counted(n: float, thing: str, *, plural: str | None = None) -> str:
    """Write a number with its noun, such as "1 customer" or "98 customers"."""
    return f"{whole(n)} {thing if n == 1 else plural or thing + 's'}"


def name(value: object, *, longest: int = 40) -> str:
    r"""Write a name from the data on one line, cut to a maximum length.

    Examples
    --------
    >>> name("two\nlines"), name("a very long name", longest=8)
    ('two lines', 'a very …')
    """
    if value is None:
        return _UNKNOWN
    text = "".join(each if each.isprintable() else " " for each in str(value))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _number(value: float | None, digits: int) -> str:
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    steady = float(f"{abs(value):.12g}")  # sums differ in their last digits between engines
    text = f"{steady:,.{digits}f}"
    return f"{_MINUS}{text}" if value < 0 and text.strip("0.,") else text
