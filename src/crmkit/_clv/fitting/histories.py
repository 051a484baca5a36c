"""The distinct histories in a table of customers, as models read them."""

from __future__ import annotations

from typing import Final, NamedTuple

from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.models.numerics.distinct import distinct_rows
from crmkit.tables import SUMMARY, Table

_PURCHASES: Final = SUMMARY.only("frequency", "recency", "T")
_SPEND: Final = SUMMARY.only("frequency", "monetary_value")


class Histories(NamedTuple):
    """Distinct histories, a column for each variable, and the number of customers with each."""

    columns: tuple[Floats, ...]
    weights: Floats
    n_left_out: int
    """Customers that a model of this kind cannot use."""


def purchase_histories(customers: IntoFrame) -> Histories:
    """Collect `frequency`, `recency` and `T`, held to their contract."""
    frame = frames.without_prospects(frames.read(customers, _PURCHASES), _PURCHASES)
    columns, weights = _distinct(customers, frame, _PURCHASES)
    return Histories(columns, weights, 0)


def spend_histories(customers: IntoFrame) -> Histories:
    """Collect `frequency` and `monetary_value` of those with repeat spend above 0."""
    frame = frames.without_prospects(frames.read(customers, _SPEND), _SPEND)
    (x, z), weights = _distinct(customers, frame, _SPEND)
    usable = (x > 0) & (z > 0)  # not for NaN: spend is unknown there
    n_left_out = round(float(weights[~usable].sum()))
    return Histories((x[usable], z[usable]), weights[usable], n_left_out)


def _distinct(
    customers: IntoFrame, frame: frames.Frame, table: Table
) -> tuple[tuple[Floats, ...], Floats]:
    """Collect the distinct rows and their counts; a lazy table counts them on its engine."""
    if not frames.is_lazy(customers):
        seen = frames.collect(frame, *table.column_names)
        # Whole numbers stay what they are: they are sorted in half the time.
        numbers = (c if c.dtype.kind == "i" else c.astype(float) for c in seen.values())
        return distinct_rows(*numbers)
    rows = frames.counted(frame, table)
    *columns, weights = (rows[name].to_numpy().astype(float) for name in rows.columns)
    return tuple(columns), weights
