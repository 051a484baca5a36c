"""Numbers in sentences, as expressions that every engine evaluates alike."""

from __future__ import annotations

import narwhals as nw


def days(value: nw.Expr) -> nw.Expr:
    """Write a number of days, as "1 day" or "60 days"."""
    unit = nw.when(_rounded(value) == 1).then(nw.lit(" day")).otherwise(nw.lit(" days"))
    return nw.concat_str(whole(value), unit)


def whole(value: nw.Expr) -> nw.Expr:
    """Write a number without decimals."""
    return _rounded(value).cast(nw.String)


def tenths(value: nw.Expr) -> nw.Expr:
    """Write a number of zero or more with one decimal."""
    n_tenths = _rounded(value * 10)
    before = n_tenths // 10
    after = n_tenths - before * 10  # pandas lacks % for Arrow's numbers
    return nw.concat_str(before.cast(nw.String), nw.lit("."), after.cast(nw.String))


def hundredths(value: nw.Expr) -> nw.Expr:
    """Write a number with two decimals, null where it is unknown."""
    size = nw.when(value < 0).then(-value).otherwise(value)
    n = _rounded(size * 100)
    whole_part = n // 100
    part = n - whole_part * 100
    tens = part // 10
    sign = nw.when((value < 0) & (n > 0)).then(nw.lit("-")).otherwise(nw.lit(""))
    digits = (whole_part.cast(nw.String), nw.lit("."), tens.cast(nw.String))
    text = nw.concat_str(sign, *digits, (part - tens * 10).cast(nw.String))
    return nw.when(~value.is_null()).then(text)


def _rounded(value: nw.Expr) -> nw.Expr:
    """Round half up, where the engines' own rounding differs; unknown becomes 0."""
    number = value.cast(nw.Float64)
    known = nw.when(number.is_finite()).then(number).otherwise(nw.lit(0.0))
    return (known + 0.5).floor().cast(nw.Int64)
