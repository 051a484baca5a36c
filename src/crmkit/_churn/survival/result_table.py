"""Results of each group, one below the other, on the engine of the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit.errors import InvalidArgumentError

Columns = Mapping[str, npt.NDArray[Any]]


def give(
    parts: Sequence[tuple[str, Columns]], *, by: str | None, frame: frames.Frame, like: IntoFrameT
) -> IntoFrameT:
    """Stack the columns of each group; NaN becomes null."""
    columns = {name: np.concatenate([part[name] for _, part in parts]) for name in parts[0][1]}
    floats = [name for name, values in columns.items() if values.dtype == float]
    if by is not None:
        if by in columns:
            msg = f"`by` is '{by}', which is a column of the result.\nRename the column."
            raise InvalidArgumentError(msg)
        names = [group for group, part in parts for _ in range(len(next(iter(part.values()))))]
        columns = {by: np.array(names, dtype=object), **columns}
    plain = {name: values.tolist() for name, values in columns.items()}
    table = frames.table_like(plain, like=frame)
    known = (nw.col(name).cast(nw.Float64).fill_nan(None).alias(name) for name in floats)
    return frames.give(frames.with_columns(table, *known), like=like)


def whole(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Make counts whole numbers."""
    counts: npt.NDArray[np.int64] = np.rint(values).astype(np.int64)
    return counts
