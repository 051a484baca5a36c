"""Orders read for sales, added up by dimensions and periods, and results laid out again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final, NamedTuple

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._door import frames, time
from crmkit._summary import purchase_days
from crmkit._words.arguments import did_you_mean, listed, require_list
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from crmkit.tables import Column, Table
from crmkit.tables.churn import FEATURE_ORDERS
from crmkit.tables.contracts import NOT_MADE
from crmkit.typing import Period

Numbers = npt.NDArray[Any]
Key = tuple[Any, ...]

NUMBER: Final = "crmkit_number"
_BOUGHT: Final = "crmkit_bought"
_ORDER: Final = "crmkit_order"
_UNITS: Final = "crmkit_units"
_NOT_DIMENSIONS: Final = ("date", "amount")


class Cells(NamedTuple):
    """Sums by dimension and period: the key and the number of the period of each."""

    keys: list[Key]
    number: Numbers
    amount: Numbers
    orders: Numbers
    customers: Numbers


def require_by(by: object, *, made: Collection[str], argument: str = "by") -> tuple[str, ...]:
    """Require one column or several to group by, none of which the result makes itself."""
    names = (by,) if isinstance(by, str) else require_list(by, argument=argument)
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        msg = f'`{argument}` must name different columns.\nWrite ["region", "product"].'
        raise InvalidArgumentError(msg)
    if not names:
        msg = f'`{argument}` names no column.\nWrite ["region", "product"].'
        raise InvalidArgumentError(msg)
    taken = [name for name in names if name in {*made, *_NOT_DIMENSIONS}]
    if taken:
        msg = (
            f"`{argument}` names {frames.quoted(taken)}, which is a column of the result.\n"
            "Group by another column, or rename it."
        )
        raise InvalidArgumentError(msg)
    return names


def read(orders: IntoFrameT, by: Sequence[str], *, needed: Sequence[str] = ()) -> frames.Frame:
    """Read orders with their dimensions; `needed` are further columns that must be there."""
    required = {"amount", *needed}
    columns = tuple(
        replace(column, required=column.required or column.name in required)
        for column in FEATURE_ORDERS.columns
    )
    others = [name for name in by if name not in FEATURE_ORDERS.column_names]
    found = tuple(Column(n, "key", "a dimension", nullable=True, required=False) for n in others)
    frame = frames.read(orders, replace(FEATURE_ORDERS, columns=(*columns, *found)))
    require_dimensions(frame, by, table="transactions")
    return _as_text(frame, by)


def read_groups(
    native: IntoFrameT, by: Sequence[str], *, value: str, name: str, least: float | None = None
) -> frames.Frame:
    """Read any table with dimensions and a column of numbers."""
    columns = (
        *(Column(each, "key", "a dimension", nullable=True, required=False) for each in by),
        Column(value, "number", "the number of the group", least, made_by=NOT_MADE),
    )
    table = Table(name, "one row of a group", NOT_MADE, columns, is_summed_up=True)
    frame = frames.read(native, table)
    require_dimensions(frame, by, table=name)
    return _as_text(frame, by)


def require_dimensions(frame: frames.Frame, by: Sequence[str], *, table: str) -> None:
    """Require the columns to group by; a misspelt one is answered with the nearest."""
    present = frame.collect_schema().names()
    missing = [name for name in by if name not in present]
    if missing:
        msg = f"{table}: no column {frames.quoted(missing)} among {frames.quoted(present)}."
        near = did_you_mean(missing[0], present) or "\nName a column of the table."
        raise MissingColumnsError(msg + near)


def require_known(keys: Sequence[Key], by: Sequence[str], *, table: str) -> None:
    """Require that each dimension has a value somewhere."""
    for place, name in enumerate(by):
        if keys and all(key[place] is None for key in keys):
            msg = f"{table}: `{name}` is null in all rows.\nName a column that has values."
            raise InvalidRowsError(msg, n_rows=len(keys), examples=())


def numbered(ledger: frames.Frame, *, today: date, every: Period) -> frames.Frame:
    """Keep the rows up to today, and count the periods."""
    rows = ledger.filter(time.until(ledger, today))
    number = time.period_number(rows, "date", every=every).cast(nw.Int64)
    return rows.with_columns(number.alias(NUMBER))


def first_day(ledger: frames.Frame, *, today: date) -> date | None:
    """Find the first day of the data; None where nothing has happened."""
    rows = ledger.filter(time.until(ledger, today))
    (row,) = frames.rows(rows.select(first=time.day_number(rows, "date").min()))
    return None if row["first"] is None else time.day_of(int(row["first"]))


def cells(rows: frames.Frame, by: Sequence[str]) -> Cells:
    """Add up numbered rows by dimensions and period.

    An order counts in each group in which a row of it is a purchase, and a customer likewise. Two
    steps are quicker than one that counts both: the first has the orders of each customer.
    """
    keys = [*by, NUMBER]
    marked = rows.with_columns(crmkit_bought=purchase_days.is_purchase(rows).cast(nw.Int64))
    bought = nw.col(_BOUGHT)
    sums = [nw.col("amount").sum()]
    if frames.has(marked, "n_orders_of_day"):
        marked = marked.with_columns(nw.col("n_orders_of_day").alias(_ORDER))
        sums.append(nw.col(_ORDER).sum())
    elif frames.has(marked, "order_id"):
        order = nw.when(bought > 0).then(nw.col("order_id"))
        marked = marked.with_columns(order.alias(_ORDER))
        sums += [nw.col(_ORDER).n_unique(), bought.min()]
    else:
        marked = marked.with_columns(bought.alias(_ORDER))
        sums.append(nw.col(_ORDER).sum())
    each = marked.group_by(*dict.fromkeys([*keys, "customer_id"])).agg(*sums)
    if frames.has(each, _BOUGHT):  # a null counts as one more order
        each = each.with_columns(nw.col(_ORDER).cast(nw.Int64) - (1 - nw.col(_BOUGHT)))
    each = each.with_columns(crmkit_bought=(nw.col(_ORDER) > 0).cast(nw.Int64))
    summed = each.group_by(*keys).agg(nw.col("amount", _ORDER, _BOUGHT).sum())
    data = summed.collect()
    return Cells(
        keys=keys_of(data, by),
        number=whole(data, NUMBER),
        amount=number(data, "amount"),
        orders=whole(data, _ORDER),
        customers=whole(data, _BOUGHT),
    )


def keys_of(data: nw.DataFrame[Any], by: Sequence[str]) -> list[Key]:
    """Take the dimensions of each row; unknown is None."""
    columns = [[frames.plain(value) for value in data[name].to_list()] for name in by]
    return list(zip(*columns, strict=True)) if columns else [()] * len(data)


def number(data: nw.DataFrame[Any], name: str) -> npt.NDArray[np.float64]:
    """Take a column of numbers; a null is NaN."""
    return data[name].cast(nw.Float64).to_numpy().astype(float)


def whole(data: nw.DataFrame[Any], name: str) -> npt.NDArray[np.int64]:
    """Take a column of whole numbers without nulls."""
    return number(data, name).astype(np.int64)


def sort_key(key: Key) -> tuple[Any, ...]:
    """Put keys in order, unknown last; numbers as numbers."""
    return tuple((v is None, isinstance(v, str), v if _is_number(v) else str(v)) for v in key)


def laid_out(
    columns: Mapping[str, Any], *, like: frames.Frame, keys: Sequence[str] = ()
) -> frames.Frame:
    """Make a small table on the engine of another; `keys` have the types that they have there."""
    schema = like.collect_schema()
    table = frames.table_like(dict(columns), like=like)
    casts = []
    for name, values in columns.items():
        if isinstance(values, np.ndarray):
            if values.dtype.kind == "f":
                casts.append(nw.col(name).fill_nan(None))
        elif name in keys and name in schema:
            has_null = any(value is None for value in values)
            loses = schema[name].is_integer() or schema[name] == nw.Boolean
            if not (has_null and loses and _is_in_pandas(like)):
                casts.append(nw.col(name).cast(schema[name]))
        else:
            casts.append(nw.col(name).cast(nw.String))
    return frames.with_columns(table, *casts)


def shown(keys: Sequence[Key]) -> str:
    """Write the first few keys as they stand in messages."""
    return listed([" / ".join(map(str, key)) for key in keys[:3]])


def _is_in_pandas(frame: frames.Frame) -> bool:
    engine = frame.implementation
    return engine.is_pandas_like() or engine.is_dask()


def _as_text(frame: frames.Frame, by: Sequence[str]) -> frames.Frame:
    """Cast categories to text, which all engines group by alike."""
    schema = frame.collect_schema()
    coded = [name for name in by if schema[name] in (nw.Categorical, nw.Enum)]
    return frame.with_columns(nw.col(*coded).cast(nw.String)) if coded else frame


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
