"""What happened to each customer: left or stayed, as 1 and 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.errors import InvalidArgumentError, InvalidRowsError


def as_number(name: str, dtype: Any, *, table: str) -> nw.Expr:  # noqa: ANN401 - a type of narwhals
    """Give a column of flags, or of 1 and 0, as numbers."""
    if dtype == nw.Boolean or dtype.is_numeric():
        return frames.as_number(name, dtype)
    msg = (
        f"{table}: `{name}` has type {dtype}; expected true and false, or 1 and 0.\n"
        "Write 1 for those who left."
    )
    raise InvalidArgumentError(msg)


def require_known(outcome: Floats, ids: Sequence[Any], *, name: str, table: str) -> None:
    """Require outcomes of 0 and 1."""
    odd = ~np.isin(outcome, (0.0, 1.0))
    if not odd.any():
        return
    places = np.flatnonzero(odd)[:3]
    examples = tuple(ids[int(i)] for i in places)
    what = "is null" if np.isnan(outcome[odd]).all() else "is not 0 or 1"
    msg = (
        f"{table}: `{name}` {what} in {int(odd.sum()):,} of {len(outcome):,} rows "
        f"(customer_id {', '.join(map(repr, examples))}).\n"
        "Leave out customers whose outcome is not known yet."
    )
    raise InvalidRowsError(msg, n_rows=int(odd.sum()), examples=examples)
