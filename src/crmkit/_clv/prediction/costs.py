"""Cost of customers within a horizon, as one number or a column."""

from __future__ import annotations

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit._clv.fitting.fitted import Fit
from crmkit._door import frames
from crmkit._words.arguments import require_zero_or_more
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import SUMMARY


def cost_of(
    frame: frames.Frame, *, like: IntoFrame, cost: float | str | None, spend: Fit | None
) -> nw.Expr:
    """Give the cost of each row as an expression."""
    if cost is None:
        return nw.lit(0.0)
    if spend is None:
        msg = (
            "`cost` is subtracted from `clv`, which needs `spend`.\n"
            "Give `spend`, or leave `cost` out."
        )
        raise InvalidArgumentError(msg)
    if isinstance(cost, str):
        return _column(frame, like=like, name=cost)
    require_zero_or_more(cost, argument="cost", advice="Write 12.5 for 12.50 a customer.")
    return nw.lit(float(cost))


def _column(frame: frames.Frame, *, like: IntoFrame, name: str) -> nw.Expr:
    schema = frame.collect_schema()
    if name not in schema:
        names = [each for each in schema.names() if not each.startswith("crmkit_")]
        msg = (
            f"{SUMMARY.name}: no column `{name}` among {frames.quoted(names)}.\n"
            "Give `cost` as a number, or as the name of a column."
        )
        raise MissingColumnsError(msg)
    if not schema[name].is_numeric():
        msg = (
            f"{SUMMARY.name}: `{name}` has type {schema[name]}; expected a number.\n"
            "Give `cost` as a number, or as the name of a column of numbers."
        )
        raise InvalidArgumentError(msg)
    known = frames.known(name)
    if not frames.is_lazy(like):
        broken = {
            f"`{name}` is below 0": known < 0,
            f"`{name}` is not finite": ~known.is_null() & ~known.is_finite(),
        }
        advice = "A cost is 0 or more; leave it null where it is unknown."
        frames.require(frame.collect(), SUMMARY, broken, advice=advice)
    return known
