"""Who is touched by a change of a price, a product or a fund, and how much."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._words.arguments import (
    is_number,
    require_column_name,
    require_list,
    require_whole,
    shown,
)
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.tables import LEDGER, Column, Table
from crmkit.tables.contracts import NOT_MADE

_CHANGE: Final = "crmkit_change"
_VALUE: Final = "crmkit_value"
_DAY: Final = "crmkit_day"
_CHANNEL: Final = "crmkit_channel"
_EXAMPLE: Final = '["fund A"], or {"fund A": 0.05} for 5 % more'


def exposed(
    orders: IntoFrameT,
    *,
    products: Sequence[Any] | Mapping[Any, float],
    as_of: date | str,
    days: int,
    value: str = "amount",
    channel: str | None = None,
) -> IntoFrameT:
    """Who is touched by a change of a price, product or fund, how much, and by which channel.

    The assumption that most often fails is that the next months are like the last: customers who
    stock up, or hold without buying, are touched more than their orders show.

    Parameters
    ----------
    orders
        One row per order line or return, as made by `crmkit.transactions`, with `product`. A lazy
        table is run once, to see that the products are known.
    products
        The products that change; or each with the change of its price as a fraction, such as 0.05
        for 5 % more and -1 for one that is taken away.
    as_of
        The day that the table describes, as a date or ISO text; later rows are not seen.
    days
        Days up to `as_of` in which purchases count.
    value
        The column that says how much, such as the amount, the quantity or the margin.
    channel
        A column of `orders` with the way that customers take. The one with most of the value of
        these products is named.

    Returns
    -------
    One row per customer with a row of these products, the most exposed first, then by customer (a
    lazy table is not sorted):

    ======================  =====  ===========================================================
    ``customer_id``         as in  who
    ``exposed_value``       float  value of these products in the days, less returns
    ``exposed_share``       float  its share of all the customer's value in the days; null
                                   where that is not above 0
    ``change_value``        float  where changes are given: the sum of value times change, if
                                   everybody buys as before
    ``n_exposed``           int    rows of these products
    ``days_since_exposed``  int    days from the last of them
    ``main_channel``        text   with `channel`: the one with most of the exposed value, the
                                   first by name of equals; null where it is unknown
    ======================  =====  ===========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or lacks `product`, `value` or `channel`.
    InvalidArgumentError
        If an argument is outside its range, or products are numbers here and text there.

    Warns
    -----
    CrmkitWarning
        If nobody bought one of the products in the days.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ann", "ben", "cid"],
    ...         "date": pd.to_datetime(["2024-05-01", "2024-06-01", "2024-06-10", "2024-06-20"]),
    ...         "product": ["fund A", "fund B", "fund A", "fund B"],
    ...         "amount": [100.0, 300.0, 250.0, 80.0],
    ...     }
    ... )
    >>> found = exposed(orders, products={"fund A": -0.1}, as_of="2024-06-30", days=91)
    >>> columns = ["customer_id", "exposed_value", "exposed_share", "change_value"]
    >>> print(found[columns].to_string(index=False))
    customer_id  exposed_value  exposed_share  change_value
            ben          250.0           1.00         -25.0
            ann          100.0           0.25         -10.0
    """
    as_of = time.as_day(as_of, argument="as_of")
    require_whole(days, argument="days", least=1, most=36_500, advice="Write 91 for a quarter.")
    changes = _changes(products)
    for argument, name in (("value", value), ("channel", channel)):
        if name is not None or argument == "value":
            require_column_name(name, argument=argument)
    ledger = frames.read(orders, _ledger(value, channel))
    _require_kind(ledger, changes)
    today = time.number_of(as_of)
    rows = ledger.with_columns(crmkit_day=time.day_number(ledger, "date"))
    rows = rows.filter((nw.col(_DAY) <= today) & (nw.col(_DAY) > today - int(days)))
    known = frames.known(value)
    picked = {_VALUE: nw.when(known.is_null()).then(nw.lit(0.0)).otherwise(known)}
    if channel is not None:
        picked[_CHANNEL] = nw.col(channel).cast(nw.String)
    rows = frames.with_columns(
        rows.select("customer_id", "product", _DAY, *_sources(value, channel)), **picked
    )
    named = {"product": list(changes), _CHANGE: [float(each) for each in changes.values()]}
    rows = rows.select("customer_id", "product", *picked, _DAY).join(
        frames.table_like(named, like=rows), on="product", how="left"
    )
    _warn_of_unknown(rows, changes)
    has_changes = isinstance(products, Mapping)
    step = partial(_of_customers, today=today, has_changes=has_changes)
    table = frames.by_customer(rows, step)
    if frames.is_lazy(orders):
        return frames.give(table, like=orders)
    ranked = table.sort("exposed_value", "customer_id", descending=[True, False])
    return frames.give_in_order(ranked, like=orders)


def _sources(value: str, channel: str | None) -> list[str]:
    return list(dict.fromkeys([value, *([channel] if channel else [])]))


def _changes(products: Sequence[Any] | Mapping[Any, float]) -> dict[Any, float]:
    if isinstance(products, Mapping):
        for product, change in products.items():
            if not (is_number(change) and math.isfinite(change) and change >= -1):
                msg = (
                    f"`products` has the change {shown(change)} of {shown(product)}.\n"
                    "Write 0.05 for 5 % more, and -1 for a product that is taken away."
                )
                raise InvalidArgumentError(msg)
        found = dict(products)
    else:
        listed = require_list(products, argument="products", example=_EXAMPLE)
        strange = [each for each in listed if not isinstance(each, str) and not is_number(each)]
        if strange:
            msg = f"`products` has {shown(strange[0])}, which is not an id.\nWrite {_EXAMPLE}."
            raise InvalidArgumentError(msg)
        found = dict.fromkeys(listed, 0.0)
    if not found:
        msg = f"`products` is empty.\nWrite {_EXAMPLE}."
        raise InvalidArgumentError(msg)
    return found


def _ledger(value: str, channel: str | None) -> Table:
    """Write what the orders must have: a product, the value and, where named, the channel."""
    mine = {
        value: Column(value, "number", "how much", nullable=True, made_by=NOT_MADE),
        "product": Column("product", "key", "what was bought", nullable=True),
    }
    if channel is not None and channel not in mine:
        mine[channel] = Column(channel, "key", "way", nullable=True, made_by=NOT_MADE)
    others = (column for column in LEDGER.columns if column.name in ("customer_id", "date"))
    unique = {column.name: column for column in (*others, *mine.values())}
    return replace(LEDGER, columns=tuple(unique.values()))


def _require_kind(ledger: frames.Frame, changes: Mapping[Any, float]) -> None:
    """Require products of one kind here and there: numbers never meet text."""
    kind = ledger.collect_schema()["product"]
    strange = [each for each in changes if is_number(each) != kind.is_numeric()]
    if strange:
        msg = (
            f"`products` has {shown(strange[0])}, and `product` of the orders has type {kind}.\n"
            "Write the products as the orders have them."
        )
        raise InvalidArgumentError(msg)


def _warn_of_unknown(rows: frames.Frame, changes: Mapping[Any, float]) -> None:
    seen = rows.filter(~nw.col(_CHANGE).is_null()).select("product").unique().collect()
    bought = set(seen["product"].to_list())
    missing = [each for each in changes if each not in bought]
    if missing:
        first = ", ".join(map(repr, missing[:3]))
        msg = f"Nobody bought {len(missing):,} of the products in these days ({first})."
        warnings.warn(msg, CrmkitWarning, stacklevel=3)


def _of_customers(rows: frames.Frame, *, today: int, has_changes: bool) -> frames.Frame:
    """Add up what each customer has of the products, and in all."""
    touched = ~nw.col(_CHANGE).is_null()
    rows = rows.with_columns(
        crmkit_mine=nw.when(touched).then(nw.col(_VALUE)).otherwise(nw.lit(0.0)),
        crmkit_changed=nw.when(touched)
        .then(nw.col(_VALUE) * nw.col(_CHANGE))
        .otherwise(nw.lit(0.0)),
        crmkit_on=nw.when(touched).then(nw.col(_DAY)).otherwise(nw.lit(-(10**8))),
    )
    sums = rows.group_by("customer_id").agg(
        exposed_value=nw.col("crmkit_mine").sum(),
        crmkit_all=nw.col(_VALUE).sum(),
        change_value=nw.col("crmkit_changed").sum(),
        n_exposed=nw.col(_CHANGE).count(),
        crmkit_last=nw.col("crmkit_on").max(),
    )
    found = sums.filter(nw.col("n_exposed") > 0).with_columns(
        exposed_share=nw.when(nw.col("crmkit_all") > 0).then(
            nw.col("exposed_value") / nw.col("crmkit_all")
        ),
        n_exposed=nw.col("n_exposed").cast(nw.Int64),
        days_since_exposed=(nw.lit(today) - nw.col("crmkit_last")).cast(nw.Int64),
    )
    also = ["change_value"] if has_changes else []
    columns = ["customer_id", "exposed_value", "exposed_share", *also]
    columns += ["n_exposed", "days_since_exposed"]
    if not frames.has(rows, _CHANNEL):
        return found.select(*columns)
    known = touched & ~nw.col(_CHANNEL).is_null()
    ways = rows.filter(known).group_by("customer_id", _CHANNEL).agg(nw.col(_VALUE).sum())
    ways = ways.with_columns(crmkit_most=nw.col(_VALUE).max().over("customer_id"))
    main = (
        ways.filter(nw.col(_VALUE) == nw.col("crmkit_most"))
        .group_by("customer_id")
        .agg(main_channel=nw.col(_CHANNEL).min())
    )
    return found.join(main, on="customer_id", how="left").select(*columns, "main_channel")
