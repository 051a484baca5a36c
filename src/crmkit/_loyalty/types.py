"""Types of loyalty: what customers think against what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._loyalty.given import require_free
from crmkit._words.arguments import require_column_name, require_numbers, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

FLAGGED: Final = ("monopoly", "convenience", "price", "incentive")
CLASSES: Final = ("monopoly", "inertia", "latent", "convenience", "price", "incentive", "premium")
_MADE: Final = ("dick_basu", "loyalty_class", "other_classes")
_PROFIT_TYPES: Final = ("true friend", "butterfly", "barnacle", "stranger")


def types(
    customers: IntoFrameT,
    *,
    attitude: str,
    repeat: str,
    flags: Mapping[str, str] | None = None,
    cuts: tuple[float, float] | None = None,
) -> IntoFrameT:
    """Types of loyalty: attitude by repeat patronage (Dick-Basu), and seven classes.

    The assumption that most often fails is that attitude was asked. A stand-in from behaviour, such
    as share of wallet, is repeat patronage once more, and the types then say nothing new: see
    `crmkit.loyalty.type_summary` for the test.

    Parameters
    ----------
    customers
        One row per customer. Without `cuts`, a lazy table is run.
    attitude
        The column of what the customer thinks, such as the mean answer of a survey.
    repeat
        The column of what the customer does, such as `repeat_share` of
        `crmkit.loyalty.behaviour`.
    flags
        Columns of flags, or of 1 and 0, that say why somebody comes back: by "monopoly" (without a
        choice), "convenience" (near or easy), "price" (the cheapest) and "incentive" (points,
        gifts). Unknown counts as no.
    cuts
        From which attitude and which repeat patronage on they count as high; a value on the cut is
        high. By default the medians of the known values.

    Returns
    -------
    The same rows in the same order, with more columns, null where attitude or repeat is unknown:

    =================  ====  ===============================================================
    ``dick_basu``      text  "loyal" (both high), "latent" (attitude only), "spurious" (repeat
                             only) or "none"
    ``loyalty_class``  text  the first that fits of monopoly, inertia, latent, convenience,
                             price, incentive and premium; or "none"
    ``other_classes``  text  the others that fit, such as "price, incentive"; may be empty
    =================  ====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a column, or a customer is there twice.
    InvalidArgumentError
        If `flags` names a class that has none, `cuts` are not two numbers, nobody's scores are
        known, or the table already has one of the new columns.

    Notes
    -----
    Premium is high in both, latent in attitude only. The other five are high in repeat only:
    monopoly, convenience, price and incentive with their flag, inertia without any.

    References
    ----------
    Dick, A. S. & Basu, K. (1994). Customer loyalty: toward an integrated conceptual framework.
    *Journal of the Academy of Marketing Science* 22(2), 99-113, figure 2.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "liking": [5, 5, 2, 2],
    ...         "repeat_share": [0.8, 0.1, 0.8, 0.9],
    ...         "cheapest": [False, False, True, False],
    ...         "points": [True, False, True, False],
    ...     }
    ... )
    >>> found = types(
    ...     customers,
    ...     attitude="liking",
    ...     repeat="repeat_share",
    ...     flags={"price": "cheapest", "incentive": "points"},
    ...     cuts=(4, 0.5),
    ... )
    >>> print(found[["customer_id", "dick_basu", "loyalty_class"]].to_string(index=False))
    customer_id dick_basu loyalty_class
            ann     loyal       premium
            ben    latent        latent
            cid  spurious         price
            dee  spurious       inertia
    >>> found["other_classes"].tolist()
    ['', '', 'incentive', '']
    """
    given = _flags(flags)
    frame = _read(customers, {"attitude": attitude, "repeat": repeat}, given)
    require_free(frame, _MADE)
    high, often = (
        frames.known(name) >= cut
        for name, cut in zip(
            (attitude, repeat), _cuts(frame, (attitude, repeat), cuts), strict=True
        )
    )
    fits = _fits(high, often, {name: _is_set(frame, column) for name, column in given.items()})
    first, unset = nw.lit("none"), nw.lit(None).cast(nw.String)
    for name in CLASSES[::-1]:
        first = nw.when(fits[name]).then(nw.lit(name)).otherwise(first)
    known = ~frames.known(attitude).is_null() & ~frames.known(repeat).is_null()
    kind = _of_two(high, often, ("loyal", "latent", "spurious", "none"))
    made = {
        "dick_basu": nw.when(known).then(kind).otherwise(unset),
        "loyalty_class": nw.when(known).then(first).otherwise(unset),
    }
    frame = frames.with_columns(frame, **made)
    pieces = [
        nw.when((fits[name] & (nw.col("loyalty_class") != name)).fill_null(value=False))
        .then(nw.lit(f", {name}"))
        .otherwise(nw.lit(""))
        for name in CLASSES
    ]
    others = nw.concat_str(*pieces).str.strip_chars(", ")
    other = {"other_classes": nw.when(known).then(others).otherwise(unset)}
    return frames.give(frames.with_columns(frame, **other), like=customers)


def profit_types(
    customers: IntoFrameT,
    *,
    profit: str,
    duration: str,
    cuts: tuple[float, float] | None = None,
) -> IntoFrameT:
    """Types by profit and expected duration (Reinartz-Kumar).

    Long customers need not be good ones: in four firms the correlation of longevity with profit was
    .45, .30, .29 and .20. The assumption that most often fails is that the duration is one to come:
    the years that somebody has been a customer are another thing.

    Parameters
    ----------
    customers
        One row per customer. Without `cuts`, a lazy table is run.
    profit
        The column of profit.
    duration
        The column of how long the customer is expected to stay, in any unit.
    cuts
        From which profit and which duration on they count as high; a value on the cut is high. By
        default the medians of the known values.

    Returns
    -------
    The same rows in the same order, with one more column:

    ===============  ====  ================================================================
    ``profit_type``  text  "true friend" (profit high, long), "butterfly" (high, short),
                           "barnacle" (low, long) or "stranger"; null where one is unknown
    ===============  ====  ================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a column, or a customer is there twice.
    InvalidArgumentError
        If `cuts` are not two numbers, nobody's are known, or the table already has the column.

    References
    ----------
    Reinartz, W. & Kumar, V. (2002). The mismanagement of customer loyalty. *Harvard Business
    Review* 80(7), 86-94.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {"customer_id": ["a", "b", "c"], "profit": [120, 60, 20], "months": [30, 11, 12]}
    ... )
    >>> found = profit_types(customers, profit="profit", duration="months", cuts=(60, 12))
    >>> found["profit_type"].tolist()
    ['true friend', 'butterfly', 'barnacle']
    """
    frame = _read(customers, {"profit": profit, "duration": duration}, {})
    require_free(frame, ("profit_type",))
    high, long_ = (
        frames.known(name) >= cut
        for name, cut in zip(
            (profit, duration), _cuts(frame, (profit, duration), cuts), strict=True
        )
    )
    known = ~frames.known(profit).is_null() & ~frames.known(duration).is_null()
    kind = nw.when(known).then(_of_two(high, long_, _PROFIT_TYPES))
    return frames.give(frames.with_columns(frame, profit_type=kind), like=customers)


def _flags(flags: Mapping[str, str] | None) -> dict[str, str]:
    if flags is None:
        return {}
    if not isinstance(flags, Mapping) or not set(flags) <= set(FLAGGED):
        msg = (
            f"`flags` must give columns by {', '.join(map(repr, FLAGGED))}, got {shown(flags)}.\n"
            'Write {"price": "only_at_discount"}.'
        )
        raise InvalidArgumentError(msg)
    for column in flags.values():
        require_column_name(column, argument="flags")
    return dict(flags)


def _read(
    customers: IntoFrameT, numbers: Mapping[str, str], flags: Mapping[str, str]
) -> frames.Frame:
    for argument, column in numbers.items():
        require_column_name(column, argument=argument)
    columns = {
        "customer_id": Column("customer_id", "key", "who", made_by=NOT_MADE),
        **{n: Column(n, "key", f, nullable=True, made_by=NOT_MADE) for f, n in flags.items()},
        **{n: Column(n, "number", a, nullable=True, made_by=NOT_MADE) for a, n in numbers.items()},
    }
    table = Table(
        name="customers",
        row="one customer",
        made_by=NOT_MADE,
        columns=tuple(columns.values()),
        one_row_each="customer_id",
    )
    frame = frames.read(customers, table)
    schema = frame.collect_schema()
    for name in flags.values():
        if schema[name] != nw.Boolean and not schema[name].is_numeric():
            msg = (
                f"customers: `{name}` has type {schema[name]}; expected flags, or 1 and 0.\n"
                "Say no with False or 0."
            )
            raise InvalidArgumentError(msg)
    return frame


def _cuts(
    frame: frames.Frame, columns: tuple[str, str], cuts: tuple[float, float] | None
) -> tuple[float, ...]:
    if cuts is not None:
        numbers = require_numbers(cuts, argument="cuts", example="(4, 0.5)")
        if len(numbers) != len(columns) or not np.isfinite(numbers).all():
            msg = f"`cuts` must be two numbers, got {shown(cuts)}.\nWrite (4, 0.5)."
            raise InvalidArgumentError(msg)
        return numbers
    values = frames.collect(
        frame.select(a=frames.known(columns[0]), b=frames.known(columns[1])), "a", "b"
    )
    found = []
    for name, column in zip(("a", "b"), columns, strict=True):
        numbers_ = values[name].astype(float)
        numbers_ = numbers_[np.isfinite(numbers_)]
        if not len(numbers_):
            msg = (
                f"customers: `{column}` is known of nobody, so that it has no median.\nGive `cuts`."
            )
            raise InvalidArgumentError(msg)
        found.append(float(np.median(numbers_)))
    return tuple(found)


def _is_set(frame: frames.Frame, column: str) -> nw.Expr:
    number = frames.as_number(column, frame.collect_schema()[column])
    return (number > 0).fill_null(value=False)


def _fits(high: nw.Expr, often: nw.Expr, flags: Mapping[str, nw.Expr]) -> dict[str, nw.Expr]:
    """Say who fits each class; those of the flags are high in repeat patronage only."""
    only_often, never = often & ~high, nw.lit(value=False)
    fits = {name: only_often & flags.get(name, never) for name in FLAGGED}
    said = never
    for flag in flags.values():
        said = said | flag
    return fits | {
        "inertia": only_often & ~said,
        "latent": high & ~often,
        "premium": high & often,
    }


def _of_two(first: nw.Expr, second: nw.Expr, names: tuple[str, str, str, str]) -> nw.Expr:
    """Name the four fields: both, the first only, the second only, none."""
    both, one, other, none = map(nw.lit, names)
    low = nw.when(second).then(other).otherwise(none)
    return nw.when(first & second).then(both).otherwise(nw.when(first).then(one).otherwise(low))
