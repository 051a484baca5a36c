"""The few figures that a person asks for first, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._actions.call_list import LATE
from crmkit._door import frames
from crmkit._pipeline.held_out_risk import split_of
from crmkit._pipeline.known import one_row
from crmkit._pipeline.result import Settings
from crmkit._words import formats
from crmkit.clv import Fit
from crmkit.models import PURCHASE_MODELS

_BEST: Final = 0.20
_MEASURES: Final = ("orders", "total_amount", "frequency", "expected_purchases", "clv")
_SUMMED: Final = (*_MEASURES, "value_at_risk")


Bounds: TypeAlias = Mapping[str, tuple[float, float]]
"""Lower and upper bound of a total, by the column that it sums."""


class _Figure(NamedTuple):
    figure: str
    value: float | None
    unit: str
    table: str
    meaning: str
    n_unknown: int = 0
    lower: float | None = None
    upper: float | None = None


_COLUMNS: Final = ("figure", "value", "lower", "upper", "unit", "table", "meaning", "n_unknown")
_NUMBERS: Final = ("value", "lower", "upper")


def key_figures(
    customers: IntoFrameT,
    *,
    concentration: IntoFrame | None,
    backtest: IntoFrame | None,
    calibration: IntoFrame | None,
    reliability: IntoFrame | None,
    settings: Settings,
    bounds: Bounds | None = None,
) -> IntoFrameT:
    """List the key figures that are known, each with its unit, its meaning and its table.

    A figure is of the customers whose value is known, and says of how many it is not.
    """
    sums = _sums(customers)
    figures = [
        *_of_the_past(sums),
        *_of_the_best(concentration),
        *_of_the_future(sums, settings, bounds or {}),
        *_of_late_customers(sums),
        *_of_prospects(sums),
        *_of_the_test(backtest, calibration, settings),
        *_of_the_risk(reliability, settings),
    ]
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


def _sums(customers: IntoFrame) -> Mapping[str, float | None]:
    """Add up what is known of each measure, and count by how many customers it is known."""
    frame = frames.reopen(customers)
    has = set(frame.collect_schema().names())
    sums = {"known": nw.len(), "customers": frames.known("days_since_last").count()}
    for name in _SUMMED:
        if name in has:
            sums |= {name: frames.known(name).sum(), f"n {name}": frames.known(name).count()}
    if "frequency" in has:
        sums["repeaters"] = _sum_of(1.0, where=nw.col("frequency") > 0)
    if {"orders", "total_amount"} <= has:
        paid = ~frames.known("total_amount").is_null()
        sums["paid orders"] = _sum_of(frames.known("orders"), where=paid)
    if "stage" in has:
        sums["late"] = _sum_of(1.0, where=nw.col("stage").is_in(LATE))
    return one_row(frame.select(**sums))


def _sum_of(value: float | nw.Expr, *, where: nw.Expr) -> nw.Expr:
    return nw.when(where).then(value).otherwise(0.0).sum()


def _of_the_past(sums: Mapping[str, float | None]) -> Iterator[_Figure]:
    n = sums["customers"] or 0.0
    yield _Figure("customers", n, "customers", "customers", "who bought at all")
    if "orders" in sums:
        yield _sum("orders", sums, of="orders", unit="orders", says="by the day of the report")
    if "total_amount" in sums:
        yield _sum(
            "revenue", sums, of="total_amount", unit="money", says="of all orders less returns"
        )
    if not n:
        return
    if "paid orders" in sums:
        average = _ratio(sums["total_amount"], sums["paid orders"])
        yield _Figure("average order", average, "money", "customers", "revenue per order")
    if "repeaters" in sums:
        yield _Figure(
            "repeat rate",
            _ratio(sums["repeaters"], n),
            "share",
            "customers",
            "customers who came back on another day",
        )


def _of_the_best(concentration: IntoFrame | None) -> Iterator[_Figure]:
    if concentration is None:
        return
    table = frames.reopen(concentration)
    best = table.filter((nw.col("customer_share") - _BEST).abs() < 1e-9)  # noqa: PLR2004 - rounding
    value: float | None = best.select("value_share").collect().row(0)[0]
    meaning = "part of the revenue that the best 20% of the customers brought"
    yield _Figure("share of the best fifth", value, "share", "concentration", meaning)


def _of_the_future(
    sums: Mapping[str, float | None], settings: Settings, bounds: Bounds
) -> Iterator[_Figure]:
    if "expected_purchases" in sums:
        days = f"of these customers in the next {settings.horizon_days:g} days"
        purchases = _sum(
            "expected purchases", sums, of="expected_purchases", unit="purchase days", says=days
        )
        yield _bounded(purchases, bounds.get("expected_purchases"))
        if "clv" in sums:
            says = f"discounted margin {days}"
            value = _sum("expected value", sums, of="clv", unit="money", says=says)
            yield _bounded(value, bounds.get("clv"))
    if "value_at_risk" in sums:
        says = (
            f"money of the last {settings.horizon_days:g} days, each customer's times the risk of "
            "no purchase in as many to come"
        )
        yield _sum("value at risk", sums, of="value_at_risk", unit="money", says=says)


def _bounded(figure: _Figure, bounds: tuple[float, float] | None) -> _Figure:
    """Add the bounds of a total, where all of it is known."""
    if bounds is None or figure.value is None or figure.n_unknown:
        return figure
    lower, upper = bounds
    return figure._replace(lower=lower, upper=upper)


def _of_late_customers(sums: Mapping[str, float | None]) -> Iterator[_Figure]:
    if "late" in sums:
        meaning = "in the stages at risk and lapsing: late by their own rhythm, not yet lost"
        yield _Figure("customers running late", sums["late"], "customers", "stages", meaning)


def _of_prospects(sums: Mapping[str, float | None]) -> Iterator[_Figure]:
    n = (sums["known"] or 0.0) - (sums["customers"] or 0.0)
    if n > 0:
        yield _Figure("prospects", n, "people", "customers", "known by name, never bought")


def _of_the_test(
    backtest: IntoFrame | None, calibration: IntoFrame | None, settings: Settings
) -> Iterator[_Figure]:
    meaning = f"of purchases after {settings.split}, forecast from the time before"
    if backtest is not None:
        of_model = frames.reopen(backtest).filter(nw.col("method").is_in(list(PURCHASE_MODELS)))
        columns = ("amount_error", "purchases_error")
        of_money, of_purchases = of_model.select(*columns).collect().row(0)
        says = meaning.replace("of purchases", "of money")
        yield _Figure("forecast error of money", of_money, "share", "backtest", says)
        yield _Figure("forecast error", of_purchases, "share", "backtest", meaning)
    elif calibration is not None:
        n = nw.col("n_customers")
        found = one_row(
            frames.reopen(calibration).select(
                actual=(n * nw.col("actual_purchases")).sum(),
                predicted=(n * nw.col("predicted_purchases")).sum(),
            )
        )
        ratio = _ratio(found["predicted"], found["actual"])
        error = None if ratio is None else ratio - 1
        yield _Figure("forecast error", error, "share", "calibration", meaning)


def _of_the_risk(reliability: IntoFrame | None, settings: Settings) -> Iterator[_Figure]:
    """How far stated risk was from what happened, in the mean over groups of like risk."""
    split = split_of(settings)
    if reliability is None or split is None:
        return
    n = nw.col("n_customers").cast(nw.Float64)
    off = n * (nw.col("said") - nw.col("happened")).abs()
    found = one_row(frames.reopen(reliability).select(off=off.sum(), n=n.sum()))
    meaning = (
        f"mean distance of the churn risk said on {split} from the share who bought nothing by "
        f"{settings.as_of}"
    )
    yield _Figure("risk error", _ratio(found["off"], found["n"]), "share", "reliability", meaning)


def _sum(
    figure: str, sums: Mapping[str, float | None], *, of: str, unit: str, says: str
) -> _Figure:
    """Add up a measure; unknown values are counted, and the sum of none is unknown."""
    n, n_known = int(sums["customers"] or 0), int(sums[f"n {of}"] or 0)
    n_unknown = n - n_known
    value = sums[of] if n_known or not n else None
    if n_unknown:
        says += f"; unknown for {formats.whole(n_unknown)} of {formats.counted(n, 'customer')}"
    return _Figure(figure, value, unit, "customers", says, n_unknown)


def _as_table(figures: Sequence[_Figure], *, like: IntoFrameT) -> IntoFrameT:
    columns: dict[str, list[Any]] = {
        name: [getattr(figure, name) for figure in figures] for name in _COLUMNS
    }
    for name in _NUMBERS:
        columns[name] = [None if value is None else float(value) for value in columns[name]]
    table = frames.table_like(columns, like=frames.reopen(like))
    return frames.give(table.with_columns(nw.col(*_NUMBERS).cast(nw.Float64)), like=like)


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole
