"""Parquet and Arrow files: typed already."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from crmkit._door.files.raw_file import RawFile, set_aside_table
from crmkit.errors import InvalidArgumentError

_MOST_BYTES: Final = 4 << 30
_RATIO: Final = 1_000
_WIDTH: Final = 8
_STREAM: Final = b"\xff\xff\xff\xff"


def read_parquet(path: Path, *, name: str) -> RawFile:
    """Read a Parquet file."""
    try:
        plan = pl.scan_parquet(path, glob=False)
        n_cells = plan.select(pl.len()).collect().item() * len(plan.collect_schema())
        if _WIDTH * n_cells > max(_MOST_BYTES, _RATIO * path.stat().st_size):
            msg = f"{name} holds {n_cells:,} cells, more than fit into memory; select rows first."
            raise InvalidArgumentError(msg)
        return of_table(plan.collect(), name=name)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        raise _damaged(name, "a Parquet file") from None


def read_arrow(path: Path, *, name: str) -> RawFile:
    """Read an Arrow or Feather file, or a stream of Arrow."""
    with path.open("rb") as file:
        is_stream = file.read(len(_STREAM)) == _STREAM
    try:
        table = pl.read_ipc_stream(path) if is_stream else pl.read_ipc(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, EOFError):
        raise _damaged(name, "an Arrow file") from None
    return of_table(table, name=name)


def of_table(table: pl.DataFrame, *, name: str, notes: tuple[str, ...] = ()) -> RawFile:
    """Give a table that came with its types; fields of structs become columns with dots."""
    for column, dtype in table.schema.items():
        if isinstance(dtype, pl.Struct):
            fields = [f"{column}.{field.name}" for field in dtype.fields]
            if set(fields).isdisjoint(table.columns):
                table = table.with_columns(pl.col(column).struct.rename_fields(fields))
                table = table.unnest(column)
    if table.is_empty() or not table.width:
        msg = f"{name} has no rows."
        raise InvalidArgumentError(msg)
    lines = pl.int_range(1, table.height + 1, dtype=pl.UInt32, eager=True).rename("line")
    return RawFile(
        table=table, lines=lines, set_aside=set_aside_table([]), notes=notes, source=name
    )


def _damaged(name: str, what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{name} is {what}, but damaged or cut off; get it anew.")
