"""Columns that were computed on this machine, brought back to their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames


def with_found(
    frame: frames.Frame, found: Mapping[str, Any], *, ids: nw.Series[Any], like: IntoFrame
) -> frames.Frame:
    """Append columns that were computed on this machine: arrays, or lists of text.

    They are in the order of the rows. A lazy table has none, so there `ids` say whose they are,
    and they are joined back where the table lives.
    """
    if not frames.is_lazy(like):
        data = frame.collect()
        series = (_series(name, values, like=data) for name, values in found.items())
        return data.with_columns(*series).lazy()
    if not len(ids):  # the engines would guess types for a join
        blank = {
            name: nw.lit(values.dtype.type(0).item() if isinstance(values, np.ndarray) else "")
            for name, values in found.items()
        }
        return frames.with_columns(frame, **blank)
    small = frames.table_like({"customer_id": ids.to_list(), **found}, like=frame)
    return frames.join_left(frame, small, on="customer_id")


def _series(name: str, values: Any, *, like: nw.DataFrame[Any]) -> nw.Series[Any]:  # noqa: ANN401
    if isinstance(values, np.ndarray):
        return nw.Series.from_numpy(name, values, backend=like.implementation)
    return nw.new_series(name, values, nw.String, backend=like.implementation)
