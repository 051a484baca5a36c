"""Types that the signatures of public functions show."""

from __future__ import annotations

from typing import Literal, TypeAlias

from narwhals.typing import IntoDataFrame, IntoFrame, IntoFrameT

__all__ = ["Backend", "IntoDataFrame", "IntoFrame", "IntoFrameT", "Period"]

Backend: TypeAlias = Literal["pandas", "polars", "pyarrow"]
"""The library that makes a table where a function starts from none."""

Period: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
"""A span of the calendar; weeks begin on Monday, as in ISO 8601."""
