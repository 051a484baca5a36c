"""Raw logs to invent, the nastier the better."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
from hypothesis import strategies as st

boxed_values = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.floats(),
    st.booleans(),
    st.text(max_size=3),
    st.dates(),
    st.datetimes(),
    st.lists(st.integers(), max_size=2),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.sampled_from([pd.NaT, pd.NA]),
)
"""Whatever a column of Python objects may hold."""


@st.composite
def boxed_logs(draw: st.DrawFn) -> pd.DataFrame:
    """Tables of pandas with anything in them."""
    columns = st.tuples(boxed_values, boxed_values, boxed_values)
    log = list(zip(*draw(st.lists(columns, min_size=1, max_size=6)), strict=True))
    names = ("who", "when", "paid")
    return pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in zip(names, log, strict=True)})


def typed(frame: pl.DataFrame) -> dict[str, Any]:
    """Columns that keep their types even if they are empty."""
    return dict(frame.to_dict())
