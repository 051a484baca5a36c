"""The door: every table comes in and goes out here.

Inside, all is a narwhals LazyFrame, so one spelling runs on pandas, Polars, PyArrow, DuckDB,
Dask and Spark alike. A PyArrow table travels on Polars, without a copy. Eager tables are held to
their contract in full; lazy ones by their schema, since a look at the values would run them, and
by value where their distinct rows are collected anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoDataFrame, IntoFrame, IntoFrameT

from crmkit._door import checks, engines, in_order, partitions
from crmkit._door.computed import where_known
from crmkit._words.arguments import require_backend
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import Kind, Table
from crmkit.typing import Backend

Frame: TypeAlias = nw.LazyFrame[Any]
Row: TypeAlias = dict[str, Any]
Floats: TypeAlias = npt.NDArray[np.float64]


table_like = engines.table_like
spread_least = engines.spread_least
first_value = engines.first_value
join_full = engines.join_full
join_left = engines.join_left
whole_or_null = engines.whole_or_null
kept = engines.kept
by_customer = partitions.by_customer
row_by_row = partitions.row_by_row
with_columns = partitions.with_columns
in_one_piece = partitions.in_one_piece
keep_with_previous = in_order.keep_with_previous
sort_again = in_order.sort_again
maybe_repeated = engines.maybe_repeated
with_readable_names = engines.with_readable_names
with_short_plan = engines.with_short_plan
require = checks.require


# Input


def read(native: IntoFrameT, table: Table) -> Frame:
    """Wrap a native table and check it against its contract.

    Everything downstream relies on the contract and checks nothing again.
    """
    frame = open_table(native, table, only=table.column_names if table.is_summed_up else None)
    _require_columns(frame, table)
    _require_kinds(frame, table)
    frame = _with_plain_numbers(frame, table)
    if isinstance(frame, nw.LazyFrame):
        return _without_nan(frame, table)
    checks.require_rows(frame, table)
    return _on_its_engine(frame)


def open_table(
    native: IntoFrame, table: Table, *, only: Collection[str] | None = None
) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    """Wrap a native table, whatever it holds.

    A column that its engine cannot take is refused. Where `only` names all that is wanted, the
    others are left out instead.
    """
    _require_unique_names(native, table)
    frame = _wrapped(native, name=table.name)
    if not engines.is_known(frame):
        engine = frame.implementation.value
        msg = f"{table.name}: tables of {engine} are not supported.\n{engines.ACCEPTED}"
        raise InvalidArgumentError(msg)
    unreadable = engines.unreadable(frame)
    if only is not None and unreadable:
        frame = engines.without(frame, unreadable.keys() - set(only))
        unreadable = {name: why for name, why in unreadable.items() if name in only}
    if unreadable:
        name, why = next(iter(unreadable.items()))
        msg = (
            f"{table.name}: column {quoted([name])} cannot be read: {why}.\n"
            "Rename or cast such columns, or leave them out."
        )
        raise InvalidArgumentError(msg)
    return frame


def _wrapped(native: IntoFrame, *, name: str = "table") -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    try:
        return engines.wrap(native)
    except TypeError:
        msg = f"{name}: a {type(native).__name__} is not a table.\n{engines.ACCEPTED}"
        raise InvalidArgumentError(msg) from None


def reopen(native: IntoFrame) -> Frame:
    """Wrap a table that crmkit made itself, without checks."""
    frame = engines.wrap(native)
    return frame if isinstance(frame, nw.LazyFrame) else _on_its_engine(frame)


def is_lazy(native: IntoFrame) -> bool:
    """Whether a native table is a plan rather than values."""
    return isinstance(engines.wrap(native), nw.LazyFrame)


def has(frame: Frame, column: str) -> bool:
    """Whether the table has the column."""
    return column in frame.collect_schema().names()


def as_number(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """Give a flag as 1 and 0, and a number as it is; null where it is unknown."""
    return nw.col(name).cast(nw.Int64).cast(nw.Float64) if dtype == nw.Boolean else known(name)


def without_prospects(frame: Frame, table: Table) -> Frame:
    """Leave out the rows of prospects, in which all that a customer has is null."""
    names = [name for name in table.null_together if has(frame, name)]
    return frame.filter(~nw.all_horizontal(*(known(n).is_null() for n in names), ignore_nulls=True))


def known(column: str) -> nw.Expr:
    """Cast a number to float, null where it is unknown: pandas writes NaN for null."""
    number = nw.col(column).cast(nw.Float64)
    return nw.when(~number.is_nan()).then(number)


# Output


def give(frame: Frame, *, like: IntoFrameT, order_by: Sequence[str] = ()) -> IntoFrameT:
    """Hand a result back in the form in which the input came.

    Eager results are put in order; a lazy one has none until it is run.
    """
    if is_lazy(like):
        result_of_plan = frame.to_native()
        _require_names_apart(result_of_plan)
        return cast("IntoFrameT", result_of_plan)
    if order_by:
        frame = frame.sort(*order_by)
    is_arrow = nw.dependencies.is_pyarrow_table(like)
    result = frame.collect("pyarrow") if is_arrow else frame.collect()
    if order_by:
        result = nw.maybe_reset_index(result)
    return cast("IntoFrameT", result.to_native())


def give_in_order(frame: Frame, *, like: IntoFrameT) -> IntoFrameT:
    """Hand a sorted result back: eager tables keep the order, with a fresh index in pandas."""
    native: IntoFrame = give(frame, like=like)
    return cast("IntoFrameT", nw.maybe_reset_index(nw.from_native(native)).to_native())


def new_table(columns: Mapping[str, Sequence[Any]], *, backend: Backend) -> Any:  # noqa: ANN401 - the library decides
    """Make a native table of a library, for functions that do not start from a table."""
    require_backend(backend)
    return nw.from_dict(dict(columns), backend=backend).to_native()


# Collect


def collect(frame: Frame, *columns: str) -> dict[str, npt.NDArray[Any]]:
    """Collect columns as numpy arrays; a null number is NaN."""
    data = frame.select(*columns).collect()
    return {name: data[name].to_numpy() for name in columns}


def read_rows(native: IntoFrame, table: Table) -> list[Row]:
    """Check a small table against its contract, and collect it row by row."""
    return rows(read(native, table))


def rows(frame: Frame) -> list[Row]:
    """Collect a small table, one dictionary per row; unknown is None, a time becomes its day."""
    return [
        {name: plain(value) for name, value in row.items()}
        for row in frame.collect().iter_rows(named=True)
    ]


def plain(value: Any) -> Any:  # noqa: ANN401 - a cell of any table
    """Take a cell as Python has it; unknown is None, a time becomes its day."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if type(value).__name__ == "NAType":  # of which pandas does not know whether it is itself
        return None
    if value != value:  # noqa: PLR0124 - pandas' missing times differ from themselves
        return None
    return value.date() if isinstance(value, datetime) else value


def distribution(frame: Frame, column: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Collect the distinct values of a column, in order, and how often each occurs."""
    counted = frame.group_by(column).agg(nw.len().alias("n_rows")).collect().sort(column)
    return counted[column].to_numpy(), counted["n_rows"].to_numpy().astype(np.int64)


def run_once(native: IntoFrame) -> IntoDataFrame:
    """Run a plan, so that later reads see the same rows in the same order."""
    frame = _wrapped(native)
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return cast("IntoDataFrame", eager.to_native())


def keep(native: IntoFrameT) -> IntoFrameT:
    """Run a plan once and keep its result on the same engine."""
    if not is_lazy(native):
        return native
    return cast("IntoFrameT", engines.kept(reopen(native)).to_native())


def counted(
    frame: Frame, table: Table, *, columns: Sequence[str] | None = None
) -> nw.DataFrame[Any]:
    """Collect the distinct rows of some columns and `n_rows`, how often each occurs.

    The columns are those of the contract unless named. The values of a lazy table have not been
    seen before, so they are held to the contract here.
    """
    names = columns or table.column_names
    data = frame.group_by(*names).agg(nw.len().alias("n_rows")).collect().sort(*names)
    checks.require_rows(data, table, counts="n_rows")
    return data


def with_computed(
    frame: Frame,
    *,
    like: IntoFrame,
    table: Table,
    inputs: Sequence[str],
    compute: Callable[..., Mapping[str, Floats]],
) -> Frame:
    """Append columns that numpy computes from others, in place of older ones of their names.

    `compute` takes each input as an array of its name and gives the new columns, NaN where a
    value is unknown. On a lazy table it sees the distinct input rows only, held to the contract,
    and its results are joined back where the table lives. Inputs must be whole numbers without
    nulls: a sum of floats may differ in its last digit each time a plan runs, and would then find
    no partner. A row with an unknown input, such as a prospect's, has unknown results.
    """
    if not is_lazy(like):
        data = frame.collect()
        arrays = {name: data[name].to_numpy().astype(float) for name in inputs}
        new = where_known(compute, arrays)
        made = (
            nw.Series.from_numpy(name, values, backend=data.implementation)
            for name, values in new.items()
        )
        appended = data.drop(*new, strict=False).with_columns(*made).lazy()
    else:
        seen = counted(frame, table, columns=inputs).drop_nulls()
        distinct = {name: seen[name].to_numpy() for name in inputs}
        new = where_known(compute, {name: each.astype(float) for name, each in distinct.items()})
        computed = table_like({**distinct, **new}, like=frame)
        appended = frame.drop(*new, strict=False).join(computed, on=list(inputs), how="left")
    return with_columns(appended, *(nw.col(name).fill_nan(None) for name in new))


# Contracts


def quoted(names: Sequence[str]) -> str:
    """Write column names as they stand in messages."""
    return ", ".join(f"`{name}`" for name in names)


def _require_unique_names(native: Any, table: Table) -> None:  # noqa: ANN401 - any library
    """Require that no two columns have the same name."""
    twice = engines.same_names(native)
    if twice:
        msg = f"{table.name}: more than one column {quoted(twice)}.\nRename or drop the others."
        raise InvalidArgumentError(msg)


def _require_names_apart(native: Any) -> None:  # noqa: ANN401 - any library
    """Require names that the engine tells apart, in a result with the user's own columns."""
    twice = engines.same_names(native)
    if twice:
        msg = (
            f"The result has the columns {quoted(twice)}, which its engine takes for one.\n"
            "Rename your own column."
        )
        raise InvalidArgumentError(msg)


def _require_columns(frame: nw.DataFrame[Any] | Frame, table: Table) -> None:
    present = frame.collect_schema().names()
    missing = [c for c in table.columns if c.required and c.name not in present]
    if missing:
        names = [column.name for column in missing]
        advice = dict.fromkeys(map(table.advice, missing))
        msg = (
            f"{table.name}: no column {quoted(names)} among {quoted(present)}.\n{' '.join(advice)}"
        )
        raise MissingColumnsError(msg)


def _require_kinds(frame: nw.DataFrame[Any] | Frame, table: Table) -> None:
    schema = frame.collect_schema()
    for column in table.columns:
        if column.name in schema and not _KIND_TESTS[column.kind](schema[column.name]):
            msg = (
                f"{table.name}: `{column.name}` has type {schema[column.name]}; "
                f"expected {_KIND_NAMES[column.kind]}.\n{table.advice(column)}"
            )
            raise InvalidArgumentError(msg)


def _on_its_engine(data: nw.DataFrame[Any]) -> Frame:
    """Make an eager table lazy; PyArrow tables go to Polars, since PyArrow lacks windows."""
    if data.implementation.is_pyarrow():
        return data.lazy("polars")
    return engines.with_plain_text(data).lazy()


def _with_plain_numbers(
    frame: nw.DataFrame[Any] | Frame, table: Table
) -> nw.DataFrame[Any] | Frame:
    """Cast decimals to floats, and whole counts of any width to Int64.

    Decimals overflow in sums and know no infinity; what is counted without a sign wraps around
    where something is taken off.
    """
    schema = frame.collect_schema()
    casts = []
    for column in table.columns:
        dtype = schema.get(column.name)
        if dtype is None or column.kind not in ("count", "number"):
            continue
        if column.kind == "count" and dtype.is_integer() and dtype != nw.Int64:
            casts.append(nw.col(column.name).cast(nw.Int64))
        elif (
            dtype.is_decimal()
            or dtype.is_unsigned_integer()
            or dtype == nw.Int128
            or (column.kind == "number" and table.is_summed_up and dtype in _NARROW)
        ):
            casts.append(nw.col(column.name).cast(nw.Float64))
    return frame.with_columns(*casts) if casts else frame


def _without_nan(frame: Frame, table: Table) -> Frame:
    """Make NaN null in a lazy table: some engines count it as above zero, others as null."""
    schema = frame.collect_schema()
    numbers = [
        column.name
        for column in table.columns
        if column.kind == "number" and column.name in schema and schema[column.name].is_float()
    ]
    return frame.with_columns(nw.col(*numbers).fill_nan(None)) if numbers else frame


_NARROW: Final = (nw.Int8, nw.Int16, nw.Int32, nw.Float32)
"""Numbers that some engines add up in their own width, where sums wrap around or lose digits."""

_KIND_TESTS: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    "key": lambda dtype: dtype != nw.Object and not dtype.is_nested(),
    "date": lambda dtype: dtype == nw.Date or (dtype == nw.Datetime and dtype.time_zone is None),
    "count": lambda dtype: dtype.is_numeric(),
    "number": lambda dtype: dtype.is_numeric(),
    "text": lambda dtype: dtype in (nw.String, nw.Categorical, nw.Enum),
    "flag": lambda dtype: dtype == nw.Boolean,
}
_KIND_NAMES: Final[Mapping[Kind, str]] = {
    "key": "an identifier of one type",
    "date": "a date or a time without a zone",
    "count": "a whole number",
    "number": "a number",
    "text": "text",
    "flag": "true or false",
}
