"""A panel as a matrix: features, outcomes and dates, held to what a learner needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._churn import outcome
from crmkit._door import draw, feature_matrix, frames, time
from crmkit._door.feature_matrix import Features
from crmkit._door.frames import Floats, quoted
from crmkit.errors import FitError, InvalidArgumentError, InvalidRowsError
from crmkit.tables import Column, Table

NOT_FEATURES: Final = ("customer_id", "date", "churned", "horizon_days")
MOST_ROWS: Final = 500_000
"""Rows of a panel that come to one machine, at the most about."""

_DAY: Final = "crmkit_day"
_CHURNED: Final = "crmkit_churned"
_FEWEST: Final = 20
_ENOUGH_TO_BE_SURE: Final = 20

PANEL: Final = Table(
    name="panel",
    row="one customer on one date",
    made_by="crmkit.churn.panel",
    columns=(
        Column("customer_id", "key", "who"),
        Column("date", "date", "the day that the features describe", required=False),
        Column("churned", "key", "1 for those who left afterwards, 0 for others"),
        Column("horizon_days", "number", "days after it that were looked at", required=False),
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Features and outcomes, in the order of the customers' hash and the date."""

    features: Features
    matrix: Floats
    churned: Floats
    day: npt.NDArray[np.int64] | None
    hash: npt.NDArray[np.int64]
    horizon_days: float | None
    notes: tuple[str, ...]

    @property
    def dates(self) -> list[date]:
        """The dates of the panel, rising."""
        return [] if self.day is None else [time.day_of(int(each)) for each in np.unique(self.day)]


def read(native: IntoFrame) -> Panel:
    """Read a panel to learn from."""
    frame = frames.read(native, PANEL)
    schema = frame.collect_schema()
    names = [name for name in schema.names() if name not in NOT_FEATURES]
    dates = [name for name in names if isinstance(schema[name], nw.Date | nw.Datetime)]
    names = [name for name in names if name not in dates]
    if not names:
        msg = "panel: no features beside `customer_id`, `date` and `churned`.\nAdd some columns."
        raise InvalidArgumentError(msg)
    frame = frames.read(
        frames.give(frame, like=native),
        feature_matrix.contract("panel", names, others=PANEL.columns),
    )
    frame, notes = _drawn(frame)
    rows = rows_of(frame, names)
    _require_enough(rows.churned)
    churned, numbers, day, data = rows.churned, rows.hash, rows.day, rows.data
    features = feature_matrix.learned(frame, data, names)
    matrix = features.matrix(data)
    features, matrix, constant = _without_constant(features, matrix)
    _refuse_labels(features, matrix, churned)
    return Panel(
        features=features,
        matrix=matrix,
        churned=churned,
        day=day,
        hash=numbers,
        horizon_days=_horizon(data.get("horizon_days")),
        notes=(*notes, *_left_out(dates), *constant),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Columns of a panel as arrays, in the order of the customers' hash and the date."""

    data: dict[str, Any]
    churned: Floats
    day: npt.NDArray[np.int64] | None
    hash: npt.NDArray[np.int64]


def rows_of(frame: frames.Frame, names: Sequence[str]) -> Rows:
    """Collect a panel that was read."""
    frame, steps = _prepared(frame)
    rows = frame.select(*dict.fromkeys(["customer_id", *names, *steps])).collect()
    ids = rows["customer_id"].to_list()
    data = feature_matrix.arrays(rows.drop("customer_id"))
    churned = data.pop(_CHURNED)
    outcome.require_known(churned, ids, name="churned", table="panel")
    numbers = draw.hash_of(ids)
    day = data.pop(_DAY).astype(np.int64) if _DAY in data else None
    order = np.lexsort((np.zeros(len(numbers)) if day is None else day, numbers))
    churned, numbers = churned[order], numbers[order]
    day = None if day is None else day[order]
    _refuse_repeated(numbers, day, [ids[i] for i in order])
    return Rows({name: values[order] for name, values in data.items()}, churned, day, numbers)


def _prepared(frame: frames.Frame) -> tuple[frames.Frame, list[str]]:
    schema = frame.collect_schema()
    steps: dict[str, nw.Expr] = {
        _CHURNED: outcome.as_number("churned", schema["churned"], table="panel")
    }
    if "date" in schema:
        steps[_DAY] = time.day_number(frame, "date")
    also = ["horizon_days"] if "horizon_days" in schema else []
    return frames.with_columns(frame, **steps), [*steps, *also]


def _drawn(frame: frames.Frame) -> tuple[frames.Frame, list[str]]:
    """Keep about as many rows as one machine should hold, and say so."""
    kept, n = draw.about(frame, most=MOST_ROWS)
    if n <= MOST_ROWS:
        return kept, []
    return kept, [f"Of {n:,} rows about {MOST_ROWS:,} were used, drawn by a hash of the customer."]


def _require_enough(churned: Floats) -> None:
    """Require some rows, and customers of either outcome."""
    if len(churned) < _FEWEST:
        msg = f"panel: {len(churned)} rows; at least {_FEWEST} are needed.\nAdd customers or dates."
        raise FitError(msg)
    if churned.min() == churned.max():
        which = "left" if churned[0] else "stayed"
        msg = (
            f"panel: all {len(churned):,} rows {which}, so nothing can be learned.\n"
            "Choose a horizon in which some leave and some stay."
        )
        raise FitError(msg)


def _refuse_repeated(numbers: Any, day: Any, ids: list[Any]) -> None:  # noqa: ANN401 - arrays
    """Refuse a customer who is there twice on one date."""
    same = numbers[1:] == numbers[:-1]
    if day is not None:
        same &= day[1:] == day[:-1]
    # Two customers may have the same hash.
    found = [ids[i] for i in np.flatnonzero(same) if ids[i] == ids[i + 1]]
    if not found:
        return
    examples = tuple(dict.fromkeys(found))[:3]
    where = "" if day is None else " on one `date`"
    msg = (
        f"panel: `customer_id` is repeated{where} in {len(found):,} of {len(ids):,} rows "
        f"(customer_id {', '.join(map(repr, examples))}).\n"
        "One row is one customer on one date: drop the others."
    )
    raise InvalidRowsError(msg, n_rows=len(found), examples=examples)


def _horizon(values: Any) -> float | None:  # noqa: ANN401 - an array or nothing
    if values is None:
        return None
    found = np.unique(np.asarray(values, dtype=float))
    if len(found) != 1 or not found[0] > 0:
        shown = ", ".join(f"{each:g}" for each in found[:3])
        msg = (
            f"panel: `horizon_days` must be the same in all rows and above 0, got {shown}.\n"
            "Fit one model for each horizon."
        )
        raise InvalidArgumentError(msg)
    return float(found[0])


def _without_constant(features: Features, matrix: Floats) -> tuple[Features, Floats, list[str]]:
    varies = [_varies(column) for column in matrix.T]
    if not any(varies):
        msg = "panel: all features are constant, so nothing can be learned.\nAdd other columns."
        raise FitError(msg)
    left_out = [name for name, each in zip(features.names, varies, strict=True) if not each]
    columns = tuple(each for each, is_kept in zip(features.columns, varies, strict=True) if is_kept)
    notes = [f"Constant, so left out: {quoted(left_out)}."] if left_out else []
    return Features(columns), matrix[:, varies], notes


def _left_out(dates: Sequence[str]) -> list[str]:
    """Say which dates were left out; their distance in days would be a feature."""
    return [f"Dates, so left out: {quoted(dates)}."] if dates else []


def _varies(column: Floats) -> bool:
    known = column[~np.isnan(column)]
    return bool(len(known) and (len(known) < len(column) or known.min() < known.max()))


def _refuse_labels(features: Features, matrix: Floats, churned: Floats) -> None:
    """Refuse a feature that knows the outcome: one side of a limit all left, on the other none."""
    leaked = [
        feature.name
        for feature, column in zip(features.columns, matrix.T, strict=True)
        if _parts_exactly(column, churned, is_category=feature.kind == "text")
    ]
    if leaked:
        msg = (
            f"panel: {quoted(leaked)} alone says exactly who left, as only the outcome itself can."
            "\nLeave it out of the features."
        )
        raise InvalidArgumentError(msg)


def _parts_exactly(column: Floats, churned: Floats, *, is_category: bool) -> bool:
    known = ~np.isnan(column)
    left, stayed = column[known & (churned > 0)], column[known & (churned == 0)]
    if known.sum() < _ENOUGH_TO_BE_SURE or not (len(left) and len(stayed)) or not known.all():
        return False
    if is_category:
        few = len(np.unique(column)) <= len(column) / _ENOUGH_TO_BE_SURE
        return few and not np.intersect1d(left, stayed).size
    return bool(left.min() > stayed.max() or left.max() < stayed.min())
