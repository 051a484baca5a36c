"""Season and trend in recent weeks, against the expectation of a stationary model."""

from __future__ import annotations

import math
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.evaluation.tracking import tracking
from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.prediction.pattern_value import Pattern
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.rates import require_horizon

_WEEK: Final = 7
_YEAR: Final = 52
_FEWEST_WEEKS: Final = 26
_FEWEST_LAST: Final = 4
_QUARTER: Final = 4
_VISIBLE: Final = 2.0
_LARGEST_CORRELATION: Final = 0.9


def pattern(
    orders: IntoFrame, *, purchases: Fit, as_of: date | str, horizon_days: float
) -> Pattern:
    """Estimate season and trend from recent weeks, to scale a forecast.

    Models assume that the weeks ahead are like those seen. A visible trend is assumed to last
    through the horizon, which fails more often the longer that is: customers who buy more for a
    month may well buy as usual over the year.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`; rows after
        `as_of` are not seen.
    purchases
        The purchase model, fitted as of `as_of`.
    as_of
        The day that the forecast starts from, as a date or ISO text.
    horizon_days
        Length of the forecast, in days.

    Returns
    -------
    A frozen `Pattern`, for `predict(..., calibrate=...)`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract.
    InvalidArgumentError
        If the horizon is not above 0 and finite, `purchases` is not a purchase model, or the
        first purchase came after `as_of`.

    Notes
    -----
    Weeks are counted back from `as_of`; expected purchases are those of `tracking`. A ratio of
    actual to expected enters the factor shrunk towards 1: of its distance d from 1 with a standard
    error e, the share d ** 2 / (d ** 2 + e ** 2) is left, a half at one error and four fifths at
    two. `kind` names those more than two errors from 1. The error includes the scatter of other
    weeks and their autocorrelation.

    The trend is the ratio of the last weeks: as many as the horizon has, a quarter of the history
    at most, and four at least; its error comes from the weeks before them. It needs half a year
    of history. The season is the ratio of the same weeks in earlier years, for horizons below a
    year; its error comes from the differences between years, or from the scatter of the other
    weeks where there is only one year. With less than a year of history a season looks like a
    trend.

    Examples
    --------
    CDNOW's customers bought in waves, and the last weeks do not stand out.

    >>> from crmkit import rfm
    >>> from crmkit.clv import fit
    >>> from crmkit.datasets import load_cdnow
    >>> orders, today = load_cdnow(sample=True), date(1997, 9, 30)
    >>> fitted = fit(rfm.summarize(orders, as_of=today), model="pareto_nbd")
    >>> found = pattern(orders, purchases=fitted, as_of=today, horizon_days=91)
    >>> found.kind, round(found.factor, 2)
    ('none', 0.97)
    >>> round(found.trend, 2), round(found.trend_error, 2)
    (0.91, 0.13)
    """
    require_horizon(horizon_days)
    weeks = _weeks(orders, purchases=purchases, as_of=as_of)
    n_ahead = math.ceil(horizon_days / _WEEK)
    season = _season(weeks, n_weeks=n_ahead, start=0)
    n_last = max(min(n_ahead, len(weeks.actual) // _QUARTER), _FEWEST_LAST)
    trend = _trend(weeks, n_weeks=n_last)
    kinds = [
        name
        for name, ratio in (("season", season), ("trend", trend))
        if ratio is not None and ratio.is_visible
    ]
    shrunk = [ratio.shrunk for ratio in (season, trend) if ratio is not None]
    return Pattern(
        math.prod(shrunk, start=1.0),
        " and ".join(kinds) or "none",
        float(horizon_days),
        *((season.value, season.error) if season is not None else (None, None)),
        *((trend.value, trend.error) if trend is not None else (None, None)),
    )


class _Weeks(NamedTuple):
    """Repeat purchases week by week, the earliest first; the last ends on the day itself."""

    actual: Floats
    expected: Floats


class _Ratio(NamedTuple):
    """Actual over expected purchases, and its standard error."""

    value: float
    error: float

    @property
    def shrunk(self) -> float:
        """The ratio shrunk towards 1 by its standard error."""
        apart = self.value - 1
        if apart == 0:
            return 1.0
        return 1 + apart**3 / (apart**2 + self.error**2)

    @property
    def is_visible(self) -> bool:
        """Whether it is more than two standard errors from 1."""
        return abs(self.value - 1) > _VISIBLE * self.error


def _weeks(orders: IntoFrame, *, purchases: Fit, as_of: date | str) -> _Weeks:
    daily = tracking(orders, purchases=purchases, as_of=as_of, every="day")
    names = ("actual_purchases", "predicted_purchases")
    columns = frames.collect(frames.reopen(daily).sort("starts"), *names)
    n_weeks = len(columns[names[0]]) // _WEEK
    first = len(columns[names[0]]) - n_weeks * _WEEK
    sums = (
        columns[name][first:].astype(float).reshape(n_weeks, _WEEK).sum(axis=1) for name in names
    )
    return _Weeks(*sums)


def _trend(weeks: _Weeks, *, n_weeks: int) -> _Ratio | None:
    """Estimate the ratio of the last weeks, adjusted for the season of earlier years."""
    n_known = len(weeks.actual)
    if n_known < _FEWEST_WEEKS:
        return None
    earlier = _Weeks(weeks.actual[:-n_weeks], weeks.expected[:-n_weeks])
    expected = weeks.expected[-n_weeks:].sum()
    if min(expected, earlier.expected.sum(), earlier.actual.sum()) <= 0:
        return None
    season = _season(weeks, n_weeks=n_weeks, start=-n_weeks)
    usual = season.shrunk if season is not None else 1.0
    value = weeks.actual[-n_weeks:].sum() / expected / usual
    return _Ratio(float(value), math.sqrt(_scatter(*_deviations(earlier)) / expected))


def _season(weeks: _Weeks, *, n_weeks: int, start: int) -> _Ratio | None:
    """Estimate the ratio of the weeks from `start` (0 is the next) in the years before."""
    n_known = len(weeks.actual)
    n_years = (n_known + min(start, 0)) // _YEAR
    if n_years < 1 or n_weeks >= _YEAR:
        return None
    end = n_known + start
    actual, expected = (
        values[end - n_years * _YEAR : end].reshape(n_years, _YEAR) for values in weeks
    )
    if min(actual.sum(), expected[:, :n_weeks].sum(), expected[:, n_weeks:].sum()) <= 0:
        return None
    level = actual.sum() / expected.sum()
    if n_years > 1:
        by_week = actual.sum(axis=0) / np.maximum(expected.sum(axis=0), np.finfo(float).tiny)
        deviations = _standardised(actual.ravel(), expected.ravel(), np.tile(by_week, n_years))
        freedom = (n_years - 1) * _YEAR
    else:
        deviations, freedom = _deviations(_Weeks(actual[0, n_weeks:], expected[0, n_weeks:]))
    within = expected[:, :n_weeks].sum()
    value = actual[:, :n_weeks].sum() / within / level
    error = math.sqrt(_scatter(deviations, freedom) / within) / level
    return _Ratio(float(value), float(error))


def _deviations(weeks: _Weeks) -> tuple[Floats, int]:
    """Standardised deviation of each week from the level of all, and degrees of freedom."""
    level = weeks.actual.sum() / weeks.expected.sum()
    found = _standardised(weeks.actual, weeks.expected, np.full(len(weeks.actual), level))
    return found, max(len(found) - 1, 1)


def _standardised(actual: Floats, expected: Floats, level: Floats) -> Floats:
    gap = actual - level * expected
    return np.divide(gap, np.sqrt(expected), out=np.zeros_like(gap), where=expected > 0)


def _scatter(deviations: Floats, freedom: int) -> float:
    """Variance of a sum of weeks over that of independent Poisson counts: 1 or more.

    Autocorrelated weeks hold less information than independent ones.
    """
    squares = float((deviations**2).sum())
    if squares == 0:
        return 1.0
    correlation = float((deviations[1:] * deviations[:-1]).sum()) / squares
    correlation = min(max(correlation, 0.0), _LARGEST_CORRELATION)
    return max(squares / freedom, 1.0) * (1 + correlation) / (1 - correlation)
