"""What has moved since kept values were fitted, and whether to fit anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, Generic, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import churn, rfm
from crmkit._door import frames
from crmkit._pipeline.held_out_risk import serves
from crmkit._pipeline.kept import Counts, Kept
from crmkit._words import formats
from crmkit.models.numerics.stability import Change, change_of, movement

MEASURES: Final = ("r_score", "f_score", "m_score", "segment", "stage", "tier")
RISK: Final = "churn_risk"

_RISK_MODERATE, _RISK_LARGE = 0.05, 0.1
"""Bands of the distance of stated risk from the interval of what happened; ours."""

_FEWEST_IN_A_BIN: Final = 200
_MOST_BINS: Final = 10


class Drift(NamedTuple, Generic[IntoFrameT]):
    """What has moved, and in a sentence whether to fit anew; None without kept values."""

    table: IntoFrameT | None = None
    note: str | None = None


class _Row(NamedTuple):
    measure: str
    group: str
    n_customers: int
    expected: float
    actual: float
    change: Change
    psi: float | None = None
    low: float | None = None
    high: float | None = None


def counts(customers: IntoFrame) -> Counts:
    """Count the customers by each score, segment, stage and tier, in one pass."""
    frame = frames.reopen(customers)
    names = [name for name in MEASURES if frames.has(frame, name)]
    if not names:
        return {}
    grouped = frame.group_by(*names).agg(nw.len().alias("n_rows"))
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for row in frames.rows(grouped):
        for name in names:
            if row[name] is not None:
                value = row[name] if isinstance(row[name], str) else f"{row[name]:.0f}"
                found[name][value] = found[name].get(value, 0) + int(row["n_rows"])
    return {name: dict(sorted(each.items())) for name, each in found.items() if each}


def since(
    kept: Kept, now: Counts, *, days: IntoFrameT | None, as_of: date, like: IntoFrameT
) -> Drift[IntoFrameT]:
    """Compare customers and risk with those of the day that the values were fitted as of.

    `days` are the purchase days that the risk is tested on; None where it cannot be.
    """
    if kept.about is None:
        return Drift()
    rows = list(_of_counts(kept.about.counts, now))
    if days is not None:
        rows += _of_risk(kept, days, since=kept.about.as_of, as_of=as_of)
    if not rows:
        return Drift()
    return Drift(_as_table(rows, like=like), _advice(rows, since=kept.about.as_of))


def _of_counts(then: Counts, now: Counts) -> Iterator[_Row]:
    for measure in MEASURES:
        if measure in then and measure in now:
            yield from _of_measure(measure, then[measure], now[measure])


def _of_measure(measure: str, then: Mapping[str, int], now: Mapping[str, int]) -> Iterator[_Row]:
    """Compare the shares of all values; what no one has now or had then counts as none."""
    values = sorted({*then, *now})
    before, after = ([each.get(value, 0) for value in values] for each in (then, now))
    if not sum(before) or not sum(after):
        return
    psi, _, change = movement(before, after)
    n_before, n_after = sum(before), sum(after)
    for value, b, a in zip(values, before, after, strict=True):
        yield _Row(measure, value, a, b / n_before, a / n_after, change, psi)


def _of_risk(kept: Kept, days: IntoFrameT, *, since: date, as_of: date) -> Iterator[_Row]:
    """Compare what the kept model stated of the days since then with what has happened."""
    n_days = (as_of - since).days
    if kept.purchases is None or kept.purchases.covariates or n_days < 1:
        return
    held_out = frames.keep(rfm.holdout(days, split=since, as_of=as_of))
    calibration = kept.risk if kept.risk is not None and serves(kept.risk, n_days) else None
    rated = frames.keep(
        churn.risk(held_out, purchases=kept.purchases, horizon_days=n_days, calibration=calibration)
    )
    n = int(frames.reopen(rated).select(n=nw.len()).collect().item())
    if not n:
        return
    bins = max(min(n // _FEWEST_IN_A_BIN, _MOST_BINS), 1)
    groups = frames.rows(frames.reopen(churn.reliability(rated, bins=bins)))
    groups.sort(key=lambda row: int(row["bin"]))
    change = change_of(_beyond(groups), _RISK_MODERATE, _RISK_LARGE)
    for row in groups:
        yield _Row(
            RISK,
            f"group {row['bin']}",
            int(row["n_customers"]),
            row["said"],
            row["happened"],
            change,
            low=row["low"],
            high=row["high"],
        )


def _beyond(groups: Sequence[Mapping[str, Any]]) -> float:
    """Mean distance of the stated risk from the interval of what happened."""
    n = sum(row["n_customers"] for row in groups)
    off = (
        row["n_customers"] * max(row["low"] - row["said"], row["said"] - row["high"], 0.0)
        for row in groups
    )
    return float(sum(off) / n)


def _advice(rows: Sequence[_Row], *, since: date) -> str:
    """Say in one sentence whether to fit anew, and why."""
    large, moderate = (_moved(rows, change) for change in ("large", "moderate"))
    if large:
        return f"Since {since} {large.format(how=' far')}: fit anew, without the kept values."
    if moderate:
        return (
            f"Since {since} {moderate.format(how='')}, less than calls for a new fit: the kept "
            "values can stay, to be looked at again next month."
        )
    return f"Since {since} little has moved: the kept values can stay."


def _moved(rows: Sequence[_Row], change: str) -> str:
    """Name what has moved so far, the risk with what was said and what happened."""
    moved = [row for row in {row.measure: row for row in rows}.values() if row.change == change]
    of_shares = [f"{row.measure} (PSI {row.psi:.2f})" for row in moved if row.psi is not None]
    parts = [f"the shares of {_and(of_shares)} have moved{{how}}"] if of_shares else []
    if any(row.measure == RISK for row in moved):
        groups = [row for row in rows if row.measure == RISK]
        n = sum(row.n_customers for row in groups)
        said, happened = (
            formats.percent(sum(row.n_customers * getattr(row, name) for row in groups) / n)
            for name in ("expected", "actual")
        )
        parts.append(
            f"the kept model said that {said} would make no purchase and {happened} made none"
        )
    return _and(parts)


def _and(parts: Sequence[str]) -> str:
    *first, last = parts or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _as_table(rows: Sequence[_Row], *, like: IntoFrameT) -> IntoFrameT:
    numbers = ("expected", "actual", "psi", "low", "high")
    names = ("measure", "group", "n_customers", *numbers, "change")
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    table = frames.table_like(columns, like=frames.reopen(like))
    typed = table.with_columns(nw.col(*numbers).cast(nw.Float64))
    return frames.give_in_order(typed, like=like)
