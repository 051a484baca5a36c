"""Customers by value now and value to come: four fields, and what to do in each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.assign import require_free
from crmkit._words.arguments import require_column_name, require_numbers, shown
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.tables import customers_with

_MADE: Final = ("value_field", "field_action", "current_cut", "potential_cut")
_FIELDS: Final = {
    (True, True): ("star", "protect and grow: personal service, first offer of what is new"),
    (True, False): ("mainstay", "retain: keep the service good, spend nothing on growth"),
    (False, True): ("promise", "develop: cross-sell, win a larger share of what they spend"),
    (False, False): ("occasional", "serve cheaply: self-service and automated contact"),
}
"""Name and action by whether the current value and the potential reach their cuts."""
_EXAMPLE: Final = "(1000, 500)"
_TWO: Final = 2


def value_matrix(
    customers: IntoFrameT,
    *,
    current: str,
    potential: str,
    cuts: Sequence[float] | None = None,
) -> IntoFrameT:
    """Value matrix: four fields by current value and potential, with what to do in each.

    Spending of the past says who was good, not who could be: a customer who brings little and could
    bring much is worth more effort than one who brings much and all that there is. The assumption
    that most often fails is that the potential is known apart from the current value; where it is
    made of it, nearly everybody is a star or occasional.

    Parameters
    ----------
    customers
        One row per customer. A lazy table is run, for the means, unless `cuts` are given.
    current
        The measure of value now, such as the margin of the last year.
    potential
        The measure of value that could come, such as the head-room of the wallet, or expected value
        (`crmkit.clv.predict`).
    cuts
        From which current value, and from which potential on, a customer counts as high, in the
        units of the two. By default the means of these customers. Give next month those of this
        month, which stand in the result, so that a field means the same.

    Returns
    -------
    The same rows in the same order, with more columns:

    =================  =====  ==============================================================
    ``value_field``    text   star (both high), mainstay (high now), promise (high potential),
                              or occasional; null where one of the two is unknown
    ``field_action``   text   what to do in the field
    ``current_cut``    float  current value from which on it is high
    ``potential_cut``  float  potential from which on it is high
    =================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a measure, or it is not finite.
    InvalidArgumentError
        If `cuts` are not two finite numbers, both measures are the same, or the table already has
        one of the new columns.
    FitError
        If a mean is asked for and nobody's value is known.

    Notes
    -----
    A value at the cut is high, so that all are high where all are equal.

    References
    ----------
    Marcus, C. (1998). A practical yet meaningful approach to customer segmentation. *Journal of
    Consumer Marketing* 15(5), 494-504. The customer value matrix: four fields, cut at the means.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "margin": [900.0, 700.0, 100.0, 100.0],
    ...         "headroom": [500.0, 0.0, 800.0, 100.0],
    ...     }
    ... )
    >>> found = value_matrix(customers, current="margin", potential="headroom")
    >>> columns = ["customer_id", "value_field", "current_cut", "potential_cut"]
    >>> print(found[columns].to_string(index=False))
    customer_id value_field  current_cut  potential_cut
            ann        star        450.0          350.0
            ben    mainstay        450.0          350.0
            cid     promise        450.0          350.0
            dee  occasional        450.0          350.0
    """
    measures = (current, potential)
    for name, argument in zip(measures, ("current", "potential"), strict=True):
        require_column_name(name, argument=argument)
    if current == potential:
        msg = f"`current` and `potential` are both {current!r}.\nName two different measures."
        raise InvalidArgumentError(msg)
    given = None if cuts is None else _checked(cuts)
    frame = frames.read(customers, customers_with(*measures))
    require_free(frame, _MADE)
    first, second = given or _means(frame, measures)
    values = [frames.known(name) for name in measures]
    is_known = ~values[0].is_null() & ~values[1].is_null()
    high = [
        value >= cut - reach.ROUNDING * abs(cut)
        for value, cut in zip(values, (first, second), strict=True)
    ]
    made: dict[str, nw.Expr] = {
        name: nw.when(is_known).then(_field(high, i)) for i, name in enumerate(_MADE[:2])
    }
    made |= {"current_cut": nw.lit(first), "potential_cut": nw.lit(second)}
    return frames.give(frames.with_columns(frame, **made), like=customers)


def _field(high: Sequence[nw.Expr], i: int) -> nw.Expr:
    """Choose the name (0) or the action (1) of the field."""
    words = {key: nw.lit(texts[i]) for key, texts in _FIELDS.items()}
    up = nw.when(high[1]).then(words[True, True]).otherwise(words[True, False])
    down = nw.when(high[1]).then(words[False, True]).otherwise(words[False, False])
    return nw.when(high[0]).then(up).otherwise(down)


def _means(frame: frames.Frame, measures: Sequence[str]) -> tuple[float, float]:
    keys = {f"crmkit_{i}": frames.known(name).mean() for i, name in enumerate(measures)}
    (row,) = frames.rows(frame.select(**keys))
    unknown = [name for name, key in zip(measures, keys, strict=True) if row[key] is None]
    if unknown:
        msg = f"customers: no customer has a known `{unknown[0]}`.\nGive at least one, or `cuts`."
        raise FitError(msg)
    first, second = (float(row[key]) for key in keys)
    return first, second


def _checked(cuts: Any) -> tuple[float, float]:  # noqa: ANN401 - whatever is given
    given = require_numbers(cuts, argument="cuts", example=_EXAMPLE)
    if len(given) != _TWO or not all(map(math.isfinite, given)):
        msg = (
            "`cuts` must be two finite numbers, the cut of the current value and that of the "
            f"potential, got {shown(cuts)}.\nWrite {_EXAMPLE}."
        )
        raise InvalidArgumentError(msg)
    first, second = given
    return first, second
