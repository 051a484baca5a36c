"""A table that was read, in the library that the user works with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmkit.typing import Backend

if TYPE_CHECKING:
    import polars as pl


def as_backend(table: pl.DataFrame, backend: Backend) -> Any:  # noqa: ANN401 - native to `backend`
    """Give a Polars table as one of pandas, Polars or PyArrow."""
    if backend == "polars":
        return table
    if backend == "pyarrow":
        return table.to_arrow()
    import pandas as pd  # noqa: PLC0415 - loaded where it is asked for

    return pd.DataFrame({column.name: _pandas_values(column) for column in table.iter_columns()})


def _pandas_values(column: pl.Series) -> Any:  # noqa: ANN401 - an array or a list
    """Give a column as pandas holds it: whole numbers stay whole beside a null."""
    import pandas as pd  # noqa: PLC0415 - as above

    dtype = column.dtype
    if dtype.is_integer() and column.null_count():
        values, missing = column.fill_null(0).to_numpy(), column.is_null().to_numpy()
        return pd.arrays.IntegerArray(values, missing)
    if dtype.is_numeric() and not dtype.is_decimal():
        return column.to_numpy()
    if dtype.is_temporal() and not dtype.is_nested() and str(dtype) != "Time":
        return pd.Series(column.to_list()) if _has_zone(column) else column.to_numpy()
    return pd.Series(column.to_list(), dtype="str" if str(dtype) == "String" else None)


def _has_zone(column: pl.Series) -> bool:
    return getattr(column.dtype, "time_zone", None) is not None
