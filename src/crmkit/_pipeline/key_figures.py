"""The few figures that a person asks for first, and where each comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames
from crmkit._pipeline.result import Settings
from crmkit.clv import Fit
from crmkit.models import PURCHASE_MODELS

_LATE: Final = ("at risk", "lapsing")
_BEST: Final = 0.20


class _Figure(NamedTuple):
    figure: str
    value: float | None
    unit: str
    table: str
    meaning: str


def key_figures(
    customers: IntoFrameT,
    *,
    concentration: IntoFrame,
    backtest: IntoFrame | None,
    settings: Settings,
) -> IntoFrameT:
    """List the key figures, each with its unit, its meaning and the table behind it."""
    frame = frames.reopen(customers)
    late = nw.when(nw.col("stage").is_in(_LATE))
    sums = _one_row(
        frame.select(
            nw.len().alias("known"),
            nw.col("orders").count().alias("customers"),
            nw.col("orders").sum().alias("orders"),
            nw.col("total_amount").sum().alias("revenue"),
            nw.when(nw.col("frequency") > 0).then(1.0).otherwise(0.0).sum().alias("repeaters"),
            nw.col("expected_purchases").sum().alias("purchases"),
            nw.col("clv").sum(),
            nw.col("value_at_risk").sum(),
            late.then(1.0).otherwise(0.0).sum().alias("n_late"),
        )
    )
    days = f"{settings.horizon_days:g} days"
    figures = [
        _Figure("customers", sums["customers"], "customers", "customers", "who bought at all"),
        _Figure("orders", sums["orders"], "orders", "customers", "by the day of the report"),
        _Figure("revenue", sums["revenue"], "money", "customers", "of all orders less returns"),
        _Figure(
            "average order",
            _ratio(sums["revenue"], sums["orders"]),
            "money",
            "customers",
            "revenue per order",
        ),
        _Figure(
            "repeat rate",
            _ratio(sums["repeaters"], sums["customers"]),
            "share",
            "customers",
            "customers who came back on another day",
        ),
        _Figure(
            "share of the best fifth",
            _best_share(concentration),
            "share",
            "concentration",
            "part of the revenue that the best 20% of the customers brought",
        ),
        _Figure(
            "expected purchases",
            sums["purchases"],
            "purchase days",
            "customers",
            f"of these customers in the next {days}",
        ),
        _Figure(
            "expected value",
            sums["clv"],
            "money",
            "customers",
            f"discounted margin of these customers in the next {days}",
        ),
        _Figure(
            "value at risk",
            sums["value_at_risk"],
            "money",
            "customers",
            "part of the expected value that silence puts in doubt",
        ),
        _Figure(
            "customers running late",
            sums["n_late"],
            "customers",
            "stages",
            "in the stages at risk and lapsing: late by their own rhythm, not yet lost",
        ),
    ]
    n_prospects = sums["known"] - sums["customers"]
    if n_prospects > 0:
        meaning = "known by name, never bought"
        figures.append(_Figure("prospects", n_prospects, "people", "customers", meaning))
    if backtest is not None:
        meaning = f"of purchases after {settings.split}, forecast from the time before"
        of_model = frames.reopen(backtest).filter(nw.col("method").is_in(list(PURCHASE_MODELS)))
        error = of_model.select("purchases_error").collect().row(0)[0]
        figures.append(_Figure("forecast error", error, "share", "backtest", meaning))
    return _as_table(figures, like=customers)


def parameters(fits: Sequence[Fit], *, like: IntoFrameT) -> IntoFrameT:
    """List the parameters of fitted models with their standard errors."""
    lines = [
        (fit.name, name, estimate, fit.standard_errors[name])
        for fit in fits
        for name, estimate in fit.estimates.items()
    ]
    names = ("model", "parameter", "estimate", "standard_error")
    columns = dict(zip(names, map(list, zip(*lines, strict=True)), strict=True))
    table = frames.table_like(columns, like=frames.reopen(like))
    typed = table.with_columns(nw.col("estimate", "standard_error").cast(nw.Float64))
    return frames.give(typed, like=like)


def _as_table(figures: Sequence[_Figure], *, like: IntoFrameT) -> IntoFrameT:
    columns: dict[str, list[Any]] = {
        name: [getattr(figure, name) for figure in figures] for name in _Figure._fields
    }
    columns["value"] = [None if value is None else float(value) for value in columns["value"]]
    table = frames.table_like(columns, like=frames.reopen(like))
    return frames.give(table.with_columns(nw.col("value").cast(nw.Float64)), like=like)


def _best_share(concentration: IntoFrame) -> float | None:
    table = frames.reopen(concentration)
    best = table.filter((nw.col("customer_share") - _BEST).abs() < 1e-9)  # noqa: PLR2004 - rounding
    value: float | None = best.select("value_share").collect().row(0)[0]
    return value


def _one_row(frame: frames.Frame) -> dict[str, float]:
    numbers = frame.select(nw.all().cast(nw.Float64))  # one engine sums whole numbers as decimals
    return next(iter(numbers.collect().iter_rows(named=True)))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
