"""Engines: the few things that narwhals does not have in common for all of them.

Known engines are pandas, Polars, PyArrow, DuckDB, Dask and PySpark. Part of the door: nothing
but `_frames` and `_dates` look in here.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final, TypeAlias

import narwhals as nw
import numpy as np
import numpy.typing as npt

Frame: TypeAlias = nw.LazyFrame[Any]

ACCEPTED: Final = (
    "Give a pandas or Polars DataFrame, a Polars LazyFrame, a PyArrow table, a DuckDB relation, "
    "or a Dask or Spark DataFrame."
)
_ODD_ON_SPARK: Final = frozenset(".`")
_NOT_IN_POLARS: Final = (
    "decimal256",
    "month_day_nano_interval",
    "run_end_encoded",
    "sparse_union",
    "dense_union",
    "list_view",
    "large_list_view",
)
_THEIRS: Final = "crmkit_theirs"
_NEVER: Final = date(9999, 12, 31)
_MOST_ROWS_TO_SEND_ALONG: Final = 200_000
"""Tables up to this size are broadcast to Spark's workers instead of moving the large one."""


def wrap(native: Any) -> nw.DataFrame[Any] | Frame:  # noqa: ANN401 - any library
    """Wrap a native table.

    At each Dask table narwhals warns that its support will move to a package of its own. That
    is for us to follow, and nothing that a caller could act on. An index is left out: Dask
    takes its name for that of a column.
    """
    native = _with_days_of_one_type(native)
    if not nw.dependencies.is_dask_dataframe(native):
        frame: nw.DataFrame[Any] | Frame = nw.from_native(native)
        return frame
    if native.index.name is not None:
        native = native.reset_index(drop=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Dask support is moving out", FutureWarning)
        plan: Frame = nw.from_native(native)
    return plan


def _with_days_of_one_type(native: Any) -> Any:  # noqa: ANN401 - any library
    """Cast dates that Arrow stores in milliseconds to ordinary dates."""
    known = nw.dependencies
    if known.is_pyarrow_table(native):
        types = {field.name: str(field.type) for field in native.schema}
        odd = [name for name, kind in types.items() if kind == "date64[ms]"]
        for name in odd:
            days = native[name].cast("date32")
            native = native.set_column(native.schema.get_field_index(name), name, days)
        return native
    if not (known.is_pandas_dataframe(native) or known.is_dask_dataframe(native)):
        return native
    kinds = {name: str(kind) for name, kind in native.dtypes.items()}
    odd = [name for name, kind in kinds.items() if kind == "date64[ms][pyarrow]"]
    return native.astype(dict.fromkeys(odd, "date32[day][pyarrow]")) if odd else native


def is_known(frame: nw.DataFrame[Any] | Frame) -> bool:
    """Whether crmkit is tested on the engine of a table."""
    engine = frame.implementation
    return (
        engine.is_pandas_like()
        or engine.is_polars()
        or engine.is_pyarrow()
        or engine.is_duckdb()
        or engine.is_dask()
        or engine.is_pyspark()
        or engine.is_pyspark_connect()
    )


def unreadable(frame: nw.DataFrame[Any] | Frame) -> dict[str, str]:
    """Columns that an engine cannot take, and why.

    Spark reads some names as something else. PyArrow tables travel on Polars, which lacks some
    of their types.
    """
    if frame.implementation.is_spark_like():
        why = "Spark takes a dot or backtick in a name for part of its own language"
        return {name: why for name in frame.collect_schema().names() if _ODD_ON_SPARK & set(name)}
    if not frame.implementation.is_pyarrow():
        return {}
    kinds = {field.name: str(field.type) for field in frame.to_native().schema}
    return {
        name: f"the type {kind} of PyArrow is not supported"
        for name, kind in kinds.items()
        if kind.startswith(_NOT_IN_POLARS)
    }


def without(frame: nw.DataFrame[Any] | Frame, names: Collection[str]) -> Any:  # noqa: ANN401 - as `frame`
    """Leave columns out, also such as narwhals could not name on Spark."""
    kept = [name for name in frame.collect_schema().names() if name not in names]
    return frame.select(*kept)


def with_readable_names(native: Any, wanted: Sequence[str]) -> tuple[Any, dict[str, str]]:  # noqa: ANN401 - any library
    """Rename the wanted columns that Spark would take for something else, and return all names.

    A dot or a backtick becomes an underscore.
    """
    same = {name: name for name in wanted}
    known = nw.dependencies
    if not (known.is_pyspark_dataframe(native) or known.is_pyspark_connect_dataframe(native)):
        return native, same
    present = list(native.columns)
    odd = [name for name in same if name in present and _ODD_ON_SPARK & set(name)]
    if not odd or len(set(present)) < len(present):
        return native, same
    new: dict[str, str] = {}
    for name in odd:
        plain = "".join("_" if letter in _ODD_ON_SPARK else letter for letter in name)
        while plain in {*present, *new.values()}:
            plain += "_"
        new[name] = plain
    column = nw.get_native_namespace(native).functions.col
    picked = [column(backticked(name)).alias(new.get(name, name)) for name in present]
    return native.select(*picked), same | new


def backticked(name: str) -> str:
    """Write a name so that Spark takes it as it is."""
    return "`" + name.replace("`", "``") + "`"


def in_quotes(name: str) -> str:
    """Write a name so that DuckDB takes it as it is."""
    return '"' + name.replace('"', '""') + '"'


def column_names(native: Any) -> Sequence[str]:  # noqa: ANN401 - any library
    """Column names of a library in which two columns may have the same name."""
    known = nw.dependencies
    if known.is_pyarrow_table(native):
        return list(native.column_names)
    may_repeat = (
        known.is_pandas_dataframe(native)
        or known.is_duckdb_relation(native)
        or known.is_dask_dataframe(native)
        or known.is_pyspark_dataframe(native)
        or known.is_pyspark_connect_dataframe(native)
    )
    return list(native.columns) if may_repeat else ()


def same_names(native: Any) -> list[str]:  # noqa: ANN401 - any library
    """List the columns of one name; DuckDB and Spark take names without regard to case."""
    names = [str(name) for name in column_names(native)]
    known = nw.dependencies
    ignores_case = (
        known.is_duckdb_relation(native)
        or known.is_pyspark_dataframe(native)
        or known.is_pyspark_connect_dataframe(native)
    )
    keys = [name.lower() if ignores_case else name for name in names]
    n_of = Counter(keys)
    return sorted({name for name, key in zip(names, keys, strict=True) if n_of[key] > 1})


def maybe_repeated(data: nw.DataFrame[Any], names: Sequence[str]) -> nw.DataFrame[Any]:
    """Leave out rows that surely differ from all others in some columns: in Polars, by a hash."""
    if not data.implementation.is_polars():
        return data
    native = data.to_native()
    try:
        hashes = native.select(*names).hash_rows()
    except Exception:  # noqa: BLE001 - not every type has a hash, and none is needed
        return data
    apart: nw.DataFrame[Any] = nw.from_native(native.filter(hashes.is_duplicated()))
    return apart


def with_plain_text(data: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """Cast Arrow dictionaries in a pandas frame to text: pandas cannot group by them."""
    if not data.implementation.is_pandas_like():
        return data
    native = data.to_native()
    coded = [
        name
        for name, dtype in data.schema.items()
        if dtype in (nw.Categorical, nw.Enum) and hasattr(native[name].dtype, "pyarrow_dtype")
    ]
    return data.with_columns(nw.col(*coded).cast(nw.String)) if coded else data


def table_like(columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]], *, like: Frame) -> Frame:
    """Make a small table on the engine of another, so that the two can be joined."""
    engine = like.implementation
    if engine.is_duckdb():
        rows = nw.from_dict(dict(columns), backend="pyarrow").to_native()
        return _relation_of(rows, like=like.to_native())
    if engine.is_spark_like():
        return _table_on_spark(columns, like=like)
    if engine.is_dask():
        typed = {name: _with_a_type(values) for name, values in columns.items()}
        return _table_on_dask(typed)
    return nw.from_dict(dict(columns), backend=engine).lazy()


def kept(frame: Frame) -> Frame:
    """Run a plan once and keep the result where its engine keeps tables.

    Spark keeps it when it is first run, in memory and on disk. Where it may keep nothing, as on
    serverless machines, the plan stays as it is and is run anew each time.
    """
    engine, native = frame.implementation, frame.to_native()
    if engine.is_polars():
        return frame.collect().lazy()
    if engine.is_duckdb():
        return _relation_of(frame.collect("pyarrow").to_native(), like=native)
    if engine.is_dask():
        return wrap(native.persist()).lazy()
    from pyspark.errors import PySparkException  # noqa: PLC0415 - it is there where its tables are

    try:
        return wrap(native.cache()).lazy()
    except PySparkException:
        return frame


def _relation_of(arrow_rows: Any, *, like: Any) -> Frame:  # noqa: ANN401, ARG001 - DuckDB finds the rows by their name
    relation: Frame = nw.from_native(like.query("_", "select * from arrow_rows"))
    return relation


def spread_least(frame: Frame, key: str | Sequence[str], *, of: str, into: str) -> Frame:
    """Append to each row the least value of a column within its group.

    This is a window: with a join, the engines would build the rows twice. DuckDB makes a join
    even of a window, unless it has an order.
    """
    keys = [key] if isinstance(key, str) else list(key)
    if frame.implementation.is_duckdb():
        group = ", ".join(map(in_quotes, keys))
        window = f"partition by {group} order by {in_quotes(keys[0])}"
        least = f"min({in_quotes(of)}) over ({window}) as {in_quotes(into)}"
        windowed: Frame = nw.from_native(frame.to_native().project(f"*, {least}"))
        return windowed
    return frame.with_columns(nw.col(of).min().over(*keys).alias(into))


def with_short_plan(frame: Frame) -> Frame:
    """Run a long plan of Dask, which would walk every way through it, and keep its rows."""
    return kept(frame) if frame.implementation.is_dask() else frame


def join_left(frame: Frame, other: Frame, *, on: str) -> Frame:
    """Append the columns of another table, and keep the order of rows where there is one."""
    if frame.implementation.is_polars():
        joined = frame.to_native().join(other.to_native(), on=on, how="left", maintain_order="left")
        in_order: Frame = nw.from_native(joined)
        return in_order
    return frame.join(other, on=on, how="left")


def whole_or_null(frame: Frame, value: nw.Expr) -> nw.Expr:
    """Say to Dask that a whole number may be unknown: in the rows of pandas it is a float then."""
    return value.cast(nw.Float64) if frame.implementation.is_dask() else value


def join_full(frame: Frame, other: Frame, *, on: str) -> Frame:
    """Put the rows of two tables beside each other, also those without a partner, with one key."""
    if frame.implementation.is_polars():
        joined = frame.to_native().join(other.to_native(), on=on, how="full", coalesce=True)
        whole: Frame = nw.from_native(joined)
        return whole
    theirs = other.rename({on: _THEIRS})
    joined = frame.join(theirs, left_on=on, right_on=_THEIRS, how="full")
    return joined.with_columns(nw.coalesce(nw.col(on), nw.col(_THEIRS)).alias(on)).drop(_THEIRS)


def first_value(frame: Frame, key: str, *, value: str, by: str) -> tuple[Frame, nw.Expr]:
    """Prepare the aggregate of each group that picks `value` where the date `by` is least.

    `by` is null in rows that do not count, and no date occurs twice in a group. pandas takes the
    first by sorting all rows, which costs twice what a window does there; elsewhere the window
    costs half as much again. Spark can take the first only as the least pair of both.
    """
    engine = frame.implementation
    if engine.is_pandas_like():
        spread = spread_least(frame, key, of=by, into="first_by")
        on_first = nw.when(nw.col(by) == nw.col("first_by")).then(nw.col(value))
        return spread.with_columns(on_first=on_first), nw.col("on_first").sum()
    turn = nw.when(~nw.col(by).is_null()).then(nw.col(by)).otherwise(nw.lit(_NEVER))
    frame = frame.with_columns(turn=turn)
    if engine.is_spark_like():
        return frame.with_columns(pair=nw.struct("turn", value)), nw.col("pair").min().struct.field(
            value
        )
    return frame, nw.col(value).first(order_by="turn")


def _with_a_type(
    values: Sequence[Any] | npt.NDArray[Any],
) -> Sequence[Any] | npt.NDArray[Any]:
    """Make a column of nulls numeric; Dask would take it as text for good."""
    if isinstance(values, np.ndarray) or any(value is not None for value in values):
        return values
    return np.full(len(values), np.nan)


def _table_on_dask(columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]) -> Frame:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Dask support is moving out", FutureWarning)
        return nw.from_dict(dict(columns), backend="pandas").lazy("dask")


def _table_on_spark(
    columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]], *, like: Frame
) -> Frame:
    rows = nw.from_dict(dict(columns), backend="pyarrow").to_native()
    session = like.to_native().sparkSession
    if len(rows):
        made = session.createDataFrame(rows)
    else:  # Spark Connect cannot make an empty table
        made = session.createDataFrame(rows.from_pylist([{}], schema=rows.schema)).limit(0)
    if len(rows) <= _MOST_ROWS_TO_SEND_ALONG:
        made = made.hint("broadcast")
    table: Frame = nw.from_native(made)
    return table
