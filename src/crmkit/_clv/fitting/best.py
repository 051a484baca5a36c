"""Which model a fit is of, where it was not named."""

from __future__ import annotations

from typing import Final

from narwhals.typing import IntoFrame

from crmkit._clv.fitting.choice import DEFAULT_MODEL, Choice
from crmkit._clv.fitting.choose import choose
from crmkit._door import frames
from crmkit._summary.described_day import described_day
from crmkit.errors import InvalidArgumentError
from crmkit.tables import SUMMARY

BEST: Final = "best"

_NO_ORDERS: Final = "Days can only be held out of `orders`, which were not given."
_NOBODY: Final = "Nobody has bought."
_DATED: Final = SUMMARY.only("last_date", "days_since_last")


def chosen_by(
    customers: IntoFrame, *, model: str | Choice, orders: IntoFrame | None
) -> Choice | None:
    """Find the model, unless it was named."""
    if isinstance(model, Choice):
        return model
    if not (isinstance(model, str) and model == BEST):
        if orders is not None:
            msg = f"`orders` is for `model` {BEST!r}, got {model!r}.\nLeave one of the two out."
            raise InvalidArgumentError(msg)
        return None
    if orders is None:
        return Choice(DEFAULT_MODEL, left_out=(_NO_ORDERS,))
    as_of = described_day(frames.read(customers, _DATED))
    if as_of is None:
        return Choice(DEFAULT_MODEL, left_out=(_NOBODY,))
    return choose(orders, as_of=as_of)
