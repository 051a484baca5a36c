"""What each engine calls it: the few things that narwhals has no common word for.

Known engines are pandas, Polars, PyArrow, DuckDB, Dask and PySpark. Part of the door: nothing
but `_frames` and `_dates` look in here.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import narwhals as nw
import numpy as np
import numpy.typing as npt

Frame: TypeAlias = nw.LazyFrame[Any]

ACCEPTED: Final = (
    "Give a pandas or Polars DataFrame, a Polars LazyFrame, a PyArrow table, a DuckDB relation, "
    "or a Dask or Spark DataFrame."
)
_MOST_ROWS_TO_SEND_ALONG: Final = 200_000
"""Spark sends tables of up to so many rows to every worker, instead of moving the large one."""


def wrap(native: Any) -> nw.DataFrame[Any] | Frame:  # noqa: ANN401 - any library
    """Wrap a native table.

    At each Dask table narwhals warns that its support will move to a package of its own. That
    is for us to follow, and nothing that a caller could act on.
    """
    if not nw.dependencies.is_dask_dataframe(native):
        frame: nw.DataFrame[Any] | Frame = nw.from_native(native)
        return frame
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Dask support is moving out", FutureWarning)
        plan: Frame = nw.from_native(native)
    return plan


def is_known(frame: nw.DataFrame[Any] | Frame) -> bool:
    """Tell whether crmkit is tested on the engine of a table."""
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


def unreadable_names(frame: nw.DataFrame[Any] | Frame) -> list[str]:
    """List the names that Spark reads as something else."""
    if not frame.implementation.is_spark_like():
        return []
    return [name for name in frame.collect_schema().names() if {".", "`"} & set(name)]


def column_names(native: Any) -> Sequence[str]:  # noqa: ANN401 - any library
    """Tell the column names where a library lets two columns have the same one."""
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


def with_plain_text(data: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """Turn the dictionaries of Arrow in a pandas frame to text: pandas cannot group by them."""
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
        arrow_rows = nw.from_dict(dict(columns), backend="pyarrow").to_native()
        relation = like.to_native().query("_", "select * from arrow_rows")  # finds the local name
        del arrow_rows
        joined: Frame = nw.from_native(relation)
        return joined
    if engine.is_spark_like():
        return _table_on_spark(columns, like=like)
    if engine.is_dask():
        typed = {name: _with_a_type(values) for name, values in columns.items()}
        return _table_on_dask(typed)
    return nw.from_dict(dict(columns), backend=engine).lazy()


def spread(frame: Frame, key: str, *, value: nw.Expr, into: str) -> Frame:
    """Append to each row what its group comes to.

    Dask has no windows: there the groups are joined back, which moves the rows twice.
    """
    if not frame.implementation.is_dask():
        return frame.with_columns(value.over(key).alias(into))
    groups = frame.group_by(key).agg(value.alias(into))
    return frame.join(groups, on=key, how="left")


def _with_a_type(
    values: Sequence[Any] | npt.NDArray[Any],
) -> Sequence[Any] | npt.NDArray[Any]:
    """Take a column of nothing but nulls as numbers; Dask would take it as text for good."""
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
    made = like.to_native().sparkSession.createDataFrame(rows)
    if len(rows) <= _MOST_ROWS_TO_SEND_ALONG:
        made = made.hint("broadcast")
    table: Frame = nw.from_native(made)
    return table
