"""How far a year's targets are attained, and where the year will end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames, time
from crmkit._sales import ledger
from crmkit._sales.composition import absence
from crmkit._sales.season_value import SEASONS, Season, SeasonalIndex, require_index
from crmkit._words.rates import require_level
from crmkit.errors import CrmkitWarning, InvalidArgumentError, InvalidRowsError
from crmkit.tables import ATTAINMENT

_FEWEST: Final = 3
"""Whole periods from which the scatter of the year can be seen."""
_NO_TARGET: Final = "no target"
_NO_SALES: Final = "no sales"
_OWN: Final = (*ATTAINMENT.column_names, "naive_projection", "attainment_finding")


class _Year(NamedTuple):
    """The year so far: the number of its first period, and the part of each that has passed."""

    start: int
    elapsed: frames.Floats


class _Row(NamedTuple):
    amount: float
    attained_share: float
    expected_amount: float
    pace: float
    projection: float
    lower: float
    upper: float
    naive: float


def attainment(
    actual: IntoFrameT,
    target: IntoFrame,
    *,
    by: str | Sequence[str],
    as_of: date | str,
    season: SeasonalIndex | None = None,
    level: float = 0.9,
) -> IntoFrameT:
    """Attainment of targets: share attained, expected by now, and projection of the year.

    With a season, half of a target by June may be ahead or behind; without one, each month counts
    alike, and a shop that lives on December looks behind until then. The assumption that most often
    fails is that the rest of the year is like its start but for the season.

    Parameters
    ----------
    actual
        One row per order, order line or return, as made by `crmkit.transactions`, with the columns
        of `by`. A lazy table is run.
    target
        One row per group: the columns of `by` and ``target_amount``, the target of the calendar
        year of `as_of`. A lazy table is run.
    by
        Who or what has a target: owner, agent, region, product.
    as_of
        The last day that is seen, as a date or ISO text.
    season
        The seasonal index of `crmkit.sales.seasonal_index`. Where it has groups, their columns
        must be among those of `by`.
    level
        The level of the interval, as a fraction.

    Returns
    -------
    One row per group with a target or with sales in the year, the lowest pace first, without a
    target last (a lazy table is not sorted):

    ======================  =====  ==========================================================
    the columns of `by`     as in  the group
    ``amount``              float  money of the year so far, less returns
    ``target_amount``       float  target of the year; null where there is none
    ``attained_share``      float  amount / target; null where that is 0
    ``expected_amount``     float  target times the share of the year that has passed, by the
                                   season
    ``pace``                float  amount / expected amount: 1 is on target
    ``projection``          float  amount divided by that share of the year
    ``projection_lower``    float  lower bound of it, never below what has been sold; null where
                                   the year is too young to say
    ``projection_upper``    float  upper bound of it
    ``naive_projection``    float  the same with months that count alike
    ``attainment_finding``  text   "no target", "no sales" in the year, or empty
    ======================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table lacks a column, a target is unknown or below 0, or a group has two.
    InvalidArgumentError
        If an argument is outside its range.

    Warns
    -----
    CrmkitWarning
        If a group has a target and no row in all of `actual`: its name may be misspelt.

    Notes
    -----
    ``L = amount / w``, with ``w`` the share of the year that has passed, is the projection. The
    scatter ``s`` of a period is the standard deviation of what it sold over what it should have
    with ``L``, from the whole periods of the group in the year; with fewer than three of them, the
    `noise` of the index. Then with the weights ``w_i`` of the periods that have passed and ``v_i``
    of those to come, the standard error is ``L s sqrt(sum(v)^2 sum(w^2) / sum(w)^2 + sum(v^2))``,
    and the bounds are those of Student's t. It holds the scatter from month to month, and no turn
    of the market.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": "ann",
    ...         "date": pd.to_datetime(["2024-01-10", "2024-02-10", "2024-03-10"] * 2),
    ...         "amount": [100.0, 110.0, 90.0, 60.0, 50.0, 70.0],
    ...         "owner": ["eve"] * 3 + ["max"] * 3,
    ...     }
    ... )
    >>> target = pd.DataFrame({"owner": ["eve", "max"], "target_amount": [1200.0, 1000.0]})
    >>> found = attainment(orders, target, by="owner", as_of="2024-03-31")
    >>> columns = ["owner", "attained_share", "expected_amount", "pace", "projection"]
    >>> print(found[columns].to_string(index=False))
    owner  attained_share  expected_amount  pace  projection
      max            0.18            250.0  0.72       720.0
      eve            0.25            300.0  1.00      1200.0
    """
    names = ledger.require_by(by, made=_OWN)
    today = time.as_last_day(as_of, argument="as_of")
    require_level(level)
    if season is not None:
        require_index(season, argument="season")
        _require_groups(season, names)
    every: Season = "month" if season is None else season.every
    frame = ledger.read(actual, names)
    targets = _targets(target, names)
    found = ledger.cells(ledger.numbered(frame, today=today, every=every), names)
    ledger.require_known(found.keys, names, table="transactions")
    known = dict.fromkeys(found.keys)
    absent = [key for key in targets if key not in known]
    if absent:
        others = [key for key in known if key not in targets]
        warnings.warn(absence(absent, others), CrmkitWarning, stacklevel=2)
    year = _year(today, every=every)
    sold = _sold(found, year)
    keys = list(dict.fromkeys([*targets, *sold]))
    rows = {
        key: _row(
            sold.get(key, np.zeros(len(year.elapsed))),
            target=targets.get(key, float("nan")),
            weights=_weights(season, today.year, key, names),
            elapsed=year.elapsed,
            season=season,
            level=level,
        )
        for key in keys
    }
    columns = _laid_out(rows, targets, names=names, sold=set(sold))
    return frames.give(ledger.laid_out(columns, like=frame, keys=names), like=actual)


def _targets(target: IntoFrame, names: Sequence[str]) -> dict[ledger.Key, float]:
    frame = ledger.read_groups(target, names, value="target_amount", name="targets", least=0)
    data = frame.select(*names, "target_amount").collect()
    keys, amounts = ledger.keys_of(data, names), ledger.number(data, "target_amount")
    if len(set(keys)) < len(keys):
        twice = [key for key in dict.fromkeys(keys) if keys.count(key) > 1]
        msg = (
            f"targets: {ledger.shown(twice)} has more than one target.\nKeep one row of each group."
        )
        raise InvalidRowsError(msg, n_rows=len(keys) - len(set(keys)), examples=tuple(twice[:3]))
    return dict(zip(keys, amounts.tolist(), strict=True))


def _require_groups(season: SeasonalIndex, names: Sequence[str]) -> None:
    lacking = [name for name in season.within if name not in names]
    if lacking:
        msg = (
            f"`season` has groups of {frames.quoted(lacking)}, which `by` does not name.\n"
            "Name them in `by`, or make the index without `within`."
        )
        raise InvalidArgumentError(msg)


def _year(today: date, *, every: Season) -> _Year:
    """Give the part of each period of the year that has passed by the end of today."""
    n = SEASONS[every]
    start = (today.year - 1) * n
    calendar = time.calendar(every=every, last=start + n)
    starts = calendar["starts"][start : start + n + 1].astype("datetime64[D]").astype(np.int64)
    tomorrow = time.number_of(today) + 1
    passed = (tomorrow - starts[:-1]) / np.diff(starts)
    return _Year(start, np.clip(passed, 0.0, 1.0))


def _sold(found: ledger.Cells, year: _Year) -> dict[ledger.Key, frames.Floats]:
    """Lay out each group's money by period of the year."""
    n = len(year.elapsed)
    sold: dict[ledger.Key, frames.Floats] = {}
    for key, number, amount in zip(found.keys, found.number, found.amount, strict=True):
        if year.start <= number < year.start + n:
            sold.setdefault(key, np.zeros(n))[number - year.start] += amount
    return sold


def _weights(
    season: SeasonalIndex | None, year: int, key: ledger.Key, names: Sequence[str]
) -> frames.Floats:
    if season is None:
        return np.full(SEASONS["month"], 1 / SEASONS["month"])
    values: Mapping[str, Any] = dict(zip(names, key, strict=True))
    group = [values[name] for name in season.within] or None
    return np.array(season.weights(year=year, group=group))


def _row(
    sold: frames.Floats,
    *,
    target: float,
    weights: frames.Floats,
    elapsed: frames.Floats,
    season: SeasonalIndex | None,
    level: float,
) -> _Row:
    amount = float(sold.sum())
    past, ahead = weights * elapsed, weights * (1 - elapsed)
    share = float(past.sum())
    projection = amount / share if share > 0 else float("nan")
    expected = target * share
    lower, upper = _bounds(
        sold,
        projection=projection,
        past=past,
        ahead=ahead,
        weights=weights,
        level=level,
        whole=elapsed >= 1,
        season=season,
    )
    return _Row(
        amount=amount,
        attained_share=_ratio(amount, target),
        expected_amount=expected,
        pace=_ratio(amount, expected),
        projection=projection,
        lower=max(lower, amount) if lower == lower else lower,  # noqa: PLR0124 - NaN
        upper=max(upper, amount) if upper == upper else upper,  # noqa: PLR0124 - NaN
        naive=_ratio(amount, float(elapsed.mean())),
    )


def _bounds(
    sold: frames.Floats,
    *,
    projection: float,
    past: frames.Floats,
    ahead: frames.Floats,
    weights: frames.Floats,
    whole: Any,  # noqa: ANN401 - an array of flags
    season: SeasonalIndex | None,
    level: float,
) -> tuple[float, float]:
    """Give the bounds of a projection, NaN where its scatter is unknown."""
    unknown = (float("nan"), float("nan"))
    if not ahead.any() and np.isfinite(projection):
        return projection, projection
    usable = whole & (weights > 0)
    done = float(sold[usable].sum())
    if not projection > 0:
        return unknown
    if usable.sum() >= _FEWEST and done > 0:
        level_of_year = done / float(weights[usable].sum())
        off = sold[usable] / (level_of_year * weights[usable]) - 1
        degrees = int(usable.sum()) - 1
        scatter = float(np.sqrt((off**2).sum() / degrees))
    elif season is not None and season.noise is not None:
        scatter = season.noise
        degrees = max(season.n_periods - SEASONS[season.every], 1)
    else:
        return unknown
    from scipy.special import stdtrit  # noqa: PLC0415 - heavy

    share, rest = float(past.sum()), float(ahead.sum())
    of_level = rest**2 * float((past**2).sum()) / share**2
    error = projection * scatter * float(np.sqrt(of_level + (ahead**2).sum()))
    reach = float(stdtrit(degrees, (1 + level) / 2)) * error
    return projection - reach, projection + reach


def _laid_out(
    rows: Mapping[ledger.Key, _Row],
    targets: Mapping[ledger.Key, float],
    *,
    names: Sequence[str],
    sold: set[ledger.Key],
) -> dict[str, Any]:
    def place(key: ledger.Key) -> tuple[Any, ...]:
        pace = rows[key].pace
        is_known = np.isfinite(pace)
        return (key not in targets, not is_known, pace if is_known else 0.0, ledger.sort_key(key))

    rank = sorted(rows, key=place)
    columns: dict[str, Any] = {name: [key[i] for key in rank] for i, name in enumerate(names)}
    numbers = {name: [getattr(rows[key], name) for key in rank] for name in _Row._fields}
    columns["amount"] = np.array(numbers.pop("amount"), dtype=float)
    columns["target_amount"] = np.array([targets.get(key, np.nan) for key in rank], dtype=float)
    new = {"lower": "projection_lower", "upper": "projection_upper", "naive": "naive_projection"}
    columns |= {new.get(name, name): np.array(v, dtype=float) for name, v in numbers.items()}
    columns["attainment_finding"] = [
        _NO_TARGET if key not in targets else "" if key in sold else _NO_SALES for key in rank
    ]
    return columns


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else float("nan")
