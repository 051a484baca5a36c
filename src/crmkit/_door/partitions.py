"""Steps that Dask takes in pandas, partition by partition; other engines take them at once.

Dask has no windows; its group-by puts all groups in one partition; and its optimizer walks every
way through a plan, of which there are billions where columns are made of columns that are made of
columns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import narwhals as nw

from crmkit._door import engines

Frame: TypeAlias = nw.LazyFrame[Any]
Step: TypeAlias = Callable[[Frame], Frame]


def by_customer(frame: Frame, step: Step, *, may_be_null: Collection[str] = ()) -> Frame:
    """Apply a step that needs all rows of a customer together.

    Of whole numbers that may be null, Dask is told that they are floats, as pandas writes them.
    """
    if not frame.implementation.is_dask():
        return step(frame)
    rows = frame.to_native()
    moved = rows if rows.npartitions == 1 else rows.shuffle("customer_id")
    return in_partitions(moved, step, may_be_null=may_be_null)


def row_by_row(frame: Frame, step: Step) -> Frame:
    """Apply a step that takes each row by itself."""
    return in_partitions(frame.to_native(), step) if frame.implementation.is_dask() else step(frame)


def with_columns(frame: Frame, *unnamed: nw.Expr, **named: nw.Expr) -> Frame:
    """Append columns computed row by row."""
    return row_by_row(frame, partial(_appended, unnamed=unnamed, named=named))


def _appended(frame: Frame, *, unnamed: Sequence[nw.Expr], named: Mapping[str, nw.Expr]) -> Frame:
    return frame.with_columns(*unnamed, **named)


def in_one_piece(frame: Frame, step: Step, *, example: Mapping[str, Sequence[Any]]) -> Frame:
    """Apply a step that needs all rows together, to a table that has become small.

    From the example, rows of the columns that matter, Dask learns the types to come.
    """
    if not frame.implementation.is_dask():
        return step(frame)
    piece = frame.to_native().repartition(npartitions=1)
    of_kind = getattr(piece, "_meta_nonempty").iloc[[0] * len(next(iter(example.values())))]  # noqa: B009
    rows = of_kind.assign(**example).astype(of_kind.dtypes)
    return in_partitions(piece, step, example=rows)


def in_partitions(
    native: Any,  # noqa: ANN401 - Dask has no types
    step: Step,
    *,
    example: Any = None,  # noqa: ANN401 - a pandas frame
    may_be_null: Collection[str] = (),
) -> Frame:
    if example is None:
        example = getattr(native, "_meta_nonempty")  # noqa: B009 - what Dask itself learns from
    like = _in_pandas(example, step=step).iloc[:0]
    like = like.astype({name: float for name in may_be_null if like.dtypes[name] == "int64"})
    taken = partial(_in_planned_types, step=step, like=like)
    return engines.wrap(native.map_partitions(taken, meta=like).clear_divisions()).lazy()


def _in_pandas(rows: Any, *, step: Step) -> Any:  # noqa: ANN401 - a pandas frame
    return step(engines.with_plain_text(nw.from_native(rows)).lazy()).collect().to_native()


def _in_planned_types(rows: Any, *, step: Step, like: Any) -> Any:  # noqa: ANN401 - a pandas frame
    """Apply a step and keep the planned types, also where no row or no null is left."""
    made = _in_pandas(rows, step=step)
    if made.empty:
        return like
    floats = {name: dtype for name, dtype in like.dtypes.items() if dtype.kind == "f"}
    return made.astype(floats).reset_index(drop=True)
