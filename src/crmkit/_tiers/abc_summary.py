"""Summary of an ABC analysis: customers and value of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._tiers.given import checked_within
from crmkit._tiers.within import with_groups
from crmkit._words.arguments import require_column_name
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column, customers_with

_FLOATS: Final = ("customer_share", "value", "value_share")
_MADE: Final = ("abc_class", "n_customers", *_FLOATS, "finding")
_GROUP: Final = "crmkit_group_"


def abc_summary(
    classed: IntoFrameT,
    *,
    by: str = "total_amount",
    within: str | Sequence[str] | None = None,
) -> IntoFrameT:
    """Summarize ABC classes: customers and value of each, in the whole or within groups.

    Parameters
    ----------
    classed
        One row per customer, as made by `crmkit.tiers.abc`. A lazy table is run, to sum up.
    by
        The measure of value that was classed.
    within
        The columns that it was classed within.

    Returns
    -------
    One row per class that has customers, A first, group by group; a null class is that of unknown
    values and of groups whose total is not above 0:

    ==================  =====  ============================================================
    *within*                   the group
    ``abc_class``       text   class
    ``n_customers``     int    customers
    ``customer_share``  float  share of the customers of the group
    ``value``           float  sum of `by`; null where it is unknown for all
    ``value_share``     float  share of the total of the group; null where that is not above 0
    ``finding``         text   why the class is null: "value unknown" or "total not above 0"
    ==================  =====  ============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `classed` lacks `abc_class`, `by` or a column of `within`, or `by` is not finite.
    InvalidArgumentError
        If `within` names a column that is made here.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> customers = pd.DataFrame({"total_amount": [500.0, 300.0, 160.0, 40.0]})
    >>> print(abc_summary(tiers.abc(customers)).to_string(index=False))
    abc_class  n_customers  customer_share  value  value_share finding
            A            2            0.50  800.0         0.80     NaN
            B            1            0.25  160.0         0.16     NaN
            C            1            0.25   40.0         0.04     NaN
    """
    require_column_name(by, argument="by")
    columns = () if within is None else checked_within(within)
    taken = [name for name in columns if name in _MADE]
    if taken:
        msg = f"`within` names {frames.quoted(taken)}, which is made here.\nRename the column."
        raise InvalidArgumentError(msg)
    table = with_groups(customers_with(by), columns)
    letter = Column("abc_class", "text", "class", nullable=True, made_by="crmkit.tiers.abc")
    frame = frames.read(classed, replace(table, columns=(*table.columns, letter)))
    groups = {name: f"{_GROUP}{i}" for i, name in enumerate(columns)}
    grouped = (
        frame.select(
            *(nw.col(name).alias(group) for name, group in groups.items()),
            nw.col("abc_class").cast(nw.String),
            value=frames.known(by),
        )
        .group_by(*groups.values(), "abc_class")
        .agg(n=nw.len(), n_known=nw.col("value").count(), value=nw.col("value").sum())
    )
    rows = _summed(frames.rows(grouped), tuple(groups.values()))
    made: dict[str, list[Any]] = {
        name: [row[group] for row in rows] for name, group in groups.items()
    }
    made |= {name: [row[name] for row in rows] for name in _MADE}
    small = frames.table_like(made, like=frame)
    texts, floats = nw.col("abc_class", "finding"), nw.col(*_FLOATS)
    typed = small.with_columns(texts.cast(nw.String), floats.cast(nw.Float64))
    return frames.give(typed, like=classed)


def _summed(found: Sequence[dict[str, Any]], groups: tuple[str, ...]) -> list[dict[str, Any]]:
    def place(row: dict[str, Any]) -> tuple[Any, ...]:
        cells = [(row[name] is None, str(row[name])) for name in (*groups, "abc_class")]
        return tuple(cells)

    totals: dict[Any, list[float]] = {}
    has_classes = {
        tuple(row[name] for name in groups) for row in found if row["abc_class"] is not None
    }
    for row in found:
        total = totals.setdefault(tuple(row[name] for name in groups), [0.0, 0.0])
        total[0] += row["n"]
        total[1] += row["value"] or 0.0
    summed = []
    for row in sorted(found, key=place):
        group = tuple(row[name] for name in groups)
        n, worth = totals[group]
        value = float(row["value"]) if row["n_known"] else None
        is_unknown = group in has_classes or value is None
        why = "value unknown" if is_unknown else "total not above 0"
        summed.append(
            {
                **row,
                "n_customers": int(row["n"]),
                "customer_share": row["n"] / n,
                "value": value,
                "value_share": value / worth if value is not None and worth > 0 else None,
                "finding": why if row["abc_class"] is None else None,
            }
        )
    return summed
