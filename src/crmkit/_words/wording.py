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


def _rounded(value: nw.Expr) -> nw.Expr:
    """Round half up, where the engines' own rounding differs; unknown becomes 0."""
    number = value.cast(nw.Float64)
    known = nw.when(number.is_finite()).then(number).otherwise(nw.lit(0.0))
    return (known + 0.5).floor().cast(nw.Int64)
