"""Acquisition by source: what a lead, a customer and their later value cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_column_name
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.models.numerics.proportions import wilson
from crmkit.tables import SOURCE_COSTS, Column, Table
from crmkit.tables.contracts import NOT_MADE

_ALL: Final = "all"
_SOURCE: Final = "crmkit_source"


def sources(
    leads: IntoFrameT,
    *,
    source: str,
    converted: str,
    costs: IntoFrame | None = None,
    value: str | None = None,
    level: float = 0.95,
) -> IntoFrameT:
    """Acquisition by source: leads, conversion, cost and later value.

    The cheapest customers are seldom the best: compare what a source cost with what its customers
    are worth. It describes the source that a lead is booked under; who would have come without it
    is a question for `crmkit.campaigns.result`.

    Parameters
    ----------
    leads
        One row per lead, whether or not they became customers.
    source
        The column that says where the lead came from. A null is a source of its own.
    converted
        The column that says who became a customer: a flag, or 0 and 1.
    costs
        A table with `source` and `cost`, what each source cost in all. A source that brought
        nobody is listed too; one without a cost has costs that are not known.
    value
        The column with the later value of each customer, such as the margin of the first year, or
        the `clv` of a model. It counts for those who converted.
    level
        Level of the interval of the conversion.

    Returns
    -------
    A row for all sources, then one per source, the most profit first (without a value the most
    customers):

    ========================  =====  =======================================================
    source                    text   "all" or the source, under the name of `source`
    ``leads``                 int    leads
    ``customers``             int    of whom became customers
    ``conversion_rate``       float  share of the leads; null without leads
    ``conversion_lower``      float  lower bound of the share (Wilson)
    ``conversion_upper``      float  upper bound of the share
    ``cost``                  float  what the source cost; null where it is not known
    ``cost_per_lead``         float  cost of one lead
    ``cost_per_customer``     float  cost of one customer: what a customer must be worth for
                                     the source to pay; null without customers
    ``value``                 float  value of the customers that is known
    ``customers_unvalued``    int    customers whose value is not known
    ``value_per_customer``    float  mean of the known values
    ``profit``                float  value less cost
    ``profit_per_lead``       float  the same for one lead: what a prospect is worth
    ========================  =====  =======================================================

    The columns of costs are there with `costs` only, those of value with `value` only, profit with
    both.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, `converted` is not 0 or 1, a cost is negative or a source is in
        `costs` twice.
    InvalidArgumentError
        If a column has the name of one that is made here, or `level` is outside 0 to 1.

    References
    ----------
    Farris, P. W. et al. (2010). *Marketing Metrics*, 2nd ed., section 5.4: prospect lifetime value
    is the conversion rate times the value of a customer, less the cost of a lead.

    Examples
    --------
    >>> import pandas as pd
    >>> leads = pd.DataFrame(
    ...     {"came_by": ["fair"] * 4 + ["web"] * 4, "customer": [1, 1, 0, 0, 1, 0, 0, 0]}
    ... )
    >>> leads["margin"] = [300, 100, None, None, 150, None, None, None]
    >>> spent = pd.DataFrame({"source": ["fair", "web"], "cost": [240, 20]})
    >>> table = sources(leads, source="came_by", converted="customer", costs=spent, value="margin")
    >>> columns = [
    ...     "came_by",
    ...     "conversion_rate",
    ...     "cost_per_customer",
    ...     "value_per_customer",
    ...     "profit",
    ... ]
    >>> print(table[columns].round(2).to_string(index=False))
    came_by  conversion_rate  cost_per_customer  value_per_customer  profit
        all             0.38              86.67              183.33   290.0
       fair             0.50             120.00              200.00   160.0
        web             0.25              20.00              150.00   130.0
    """
    require_level(level)
    require_column_name(source, argument="source")
    require_column_name(converted, argument="converted")
    if value is not None:
        require_column_name(value, argument="value")
    frame = _read(leads, source, converted, value)
    _require_apart(source)
    counts = _counts(frame, source, converted, value)
    spent = None if costs is None else _costs(costs)
    found = [_sums(name, row, spent) for name, row in _listed(counts, spent).items()]
    order = sorted(found, key=lambda row: _place(row, by_profit=costs is not None and bool(value)))
    rows = [_total(found), *order]
    columns = _columns(rows, level=level, has_costs=costs is not None, has_value=value is not None)
    table = frames.table_like({source: [row["name"] for row in rows], **columns}, like=frame)
    floats = [name for name, values in columns.items() if isinstance(values[0], float)]
    known = (nw.col(name).cast(nw.Float64).fill_nan(None).alias(name) for name in floats)
    return frames.give(frames.with_columns(table, *known), like=leads)


def _read(leads: IntoFrame, source: str, converted: str, value: str | None) -> frames.Frame:
    columns = {
        source: Column(source, "key", "source", nullable=True, made_by=NOT_MADE),
        converted: Column(converted, "key", "whether they became a customer", made_by=NOT_MADE),
    }
    if value is not None:
        columns[value] = Column(value, "number", "value", nullable=True, made_by=NOT_MADE)
    table = Table(name="leads", row="one lead", made_by=NOT_MADE, columns=tuple(columns.values()))
    frame = frames.read(leads, table)
    dtype = frame.collect_schema()[converted]
    if not (dtype == nw.Boolean or dtype.is_numeric()):
        msg = (
            f"leads: `{converted}` has type {dtype}; expected a flag, or 0 and 1.\n"
            "Give 1 for those who became customers and 0 for the others."
        )
        raise InvalidArgumentError(msg)
    return frame


def _require_apart(source: str) -> None:
    made = ("leads", "customers", "conversion_rate", "cost", "value", "profit")
    if source in made:
        msg = f"`source` is '{source}', which is made here.\nRename the column."
        raise InvalidArgumentError(msg)


def _counts(
    frame: frames.Frame, source: str, converted: str, value: str | None
) -> dict[str | None, dict[str, float]]:
    """Count the leads of each source by whether they converted, where the table lives."""
    worth = nw.lit(0.0) if value is None else frames.known(value)
    marked = frame.select(
        nw.col(source).alias(_SOURCE),
        crmkit_did=frames.as_number(converted, frame.collect_schema()[converted]),
        crmkit_value=worth,
    )
    grouped = marked.group_by(_SOURCE, "crmkit_did").agg(
        n=nw.len(), valued=nw.col("crmkit_value").count(), value=nw.col("crmkit_value").sum()
    )
    found: dict[str | None, dict[str, float]] = {}
    wrong = total = 0
    for row in frames.rows(grouped):
        total += row["n"]
        if row["crmkit_did"] not in (0, 1):
            wrong += row["n"]
            continue
        mine = found.setdefault(_text(row[_SOURCE]), dict.fromkeys(_COUNTED, 0.0))
        mine["leads"] += row["n"]
        if row["crmkit_did"] == 1:
            mine["customers"] += row["n"]
            mine["value"] += row["value"] or 0.0
            mine["unvalued"] += row["n"] - row["valued"]
    if wrong:
        msg = (
            f"leads: `{converted}` is not 0 or 1 in {wrong:,} of {total:,} rows.\n"
            "Give 1 for those who became customers and 0 for the others."
        )
        raise InvalidRowsError(msg, n_rows=wrong, examples=())
    return found


_COUNTED: Final = ("leads", "customers", "value", "unvalued")


def _costs(costs: IntoFrame) -> dict[str | None, float]:
    spent: dict[str | None, float] = {}
    for row in frames.read_rows(costs, SOURCE_COSTS):
        name = _text(row["source"])
        if name in spent or row["cost"] is None or row["cost"] < 0:
            what = "is listed twice" if name in spent else "has a cost that is not 0 or more"
            msg = f"costs of sources: {name!r} {what}.\nGive one cost of each source."
            raise InvalidRowsError(msg, n_rows=1, examples=(name,))
        spent[name] = float(row["cost"])
    return spent


def _listed(
    counts: Mapping[str | None, dict[str, float]], spent: Mapping[str | None, float] | None
) -> dict[str | None, dict[str, float]]:
    """Add the sources that cost money and brought nobody."""
    silent = [name for name in spent or {} if name not in counts]
    return {**counts, **{name: dict.fromkeys(_COUNTED, 0.0) for name in silent}}


def _sums(
    name: str | None, row: Mapping[str, float], spent: Mapping[str | None, float] | None
) -> dict[str, Any]:
    return {"name": name, **row, "cost": (spent or {}).get(name, math.nan)}


def _total(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = (*_COUNTED, "cost")
    return {"name": _ALL, **{name: sum((row[name] for row in found), 0.0) for name in names}}


def _place(row: Mapping[str, Any], *, by_profit: bool) -> tuple[float, str]:
    gain = row["value"] - row["cost"] if by_profit else row["customers"]
    return (math.inf if math.isnan(gain) else -gain, str(row["name"]))


def _columns(
    rows: Sequence[Mapping[str, Any]], *, level: float, has_costs: bool, has_value: bool
) -> dict[str, list[Any]]:
    data: dict[str, Floats] = {
        name: np.array([row[name] for row in rows], dtype=float) for name in (*_COUNTED, "cost")
    }
    leads, customers, cost, value = (data[k] for k in ("leads", "customers", "cost", "value"))
    lower, upper = wilson(customers, leads, level=level)
    valued = customers - data["unvalued"]
    with np.errstate(divide="ignore", invalid="ignore"):
        columns: dict[str, Floats] = {
            "conversion_rate": customers / leads,
            "conversion_lower": lower,
            "conversion_upper": upper,
        }
        if has_costs:
            columns |= {
                "cost": cost,
                "cost_per_lead": cost / leads,
                "cost_per_customer": cost / customers,
            }
        if has_value:
            columns |= {"value": value, "value_per_customer": value / valued}
        if has_costs and has_value:
            columns |= {"profit": value - cost, "profit_per_lead": (value - cost) / leads}
    numbers = {name: np.where(np.isfinite(c), c, np.nan).tolist() for name, c in columns.items()}
    counts = {"leads": leads, "customers": customers}
    if has_value:
        counts["customers_unvalued"] = data["unvalued"]
    whole = {name: np.rint(values).astype(np.int64).tolist() for name, values in counts.items()}
    return {**whole, **numbers}


def _text(value: Any) -> str | None:  # noqa: ANN401 - a cell
    return None if value is None else str(value)
