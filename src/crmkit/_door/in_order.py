"""Rows put in order where that saves an engine work. Part of the door, as `engines` is."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from crmkit._door.engines import Frame, kept


def keep_with_previous(frame: Frame, key: str, *, of: str, into: str) -> Frame:
    """Append to each row the next lower value of a column within its group, run, and keep all.

    No value occurs twice in a group, but for null, to which null is appended. The rows of a group
    come to stand together, so that they are summed up several times as fast afterwards: Polars is
    told to, DuckDB's window does it anyway.
    """
    if frame.implementation.is_polars():
        native = frame.to_native().collect().sort(of).sort(key, maintain_order=True)
        rows: nw.DataFrame[Any] = nw.from_native(native)
        same = nw.col(key) == nw.col(key).shift(1)
        return rows.with_columns(nw.when(same).then(nw.col(of).shift(1)).alias(into)).lazy()
    previous = nw.col(of).shift(1).over(key, order_by=of)
    known = nw.when(~nw.col(of).is_null()).then(previous)
    appended = frame.with_columns(known.alias(into))
    return appended if frame.implementation.is_pandas_like() else kept(appended)


def sort_again(frame: Frame, key: str, *, then: str) -> Frame:
    """Sort by two columns rows that are in the order of the second one already."""
    if frame.implementation.is_polars():  # a stable sort by one column takes a quarter of the time
        in_order: Frame = nw.from_native(frame.to_native().sort(key, maintain_order=True))
        return in_order
    return frame.sort(key, then)
