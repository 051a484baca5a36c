"""How far forecasts of totals missed on held-out days: a value to give to `predict_total`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.special import stdtrit

from crmkit._words import kept
from crmkit._words.arguments import require_choice
from crmkit.errors import InvalidArgumentError

_PRIOR_TESTS: Final = 4.0
"""The prior counts as this number of independent tests."""

_PRIOR_DEVIATIONS: Final = {"purchases": 0.2, "amount": 0.25}
"""Typical miss of a total before any test, as the standard deviation of its log.

Forecasts of 12 public logs, at three splits each, missed totals by 17 % in the median, which is a
standard deviation of a quarter.
"""

_TEST: Final = kept.record(
    {
        "split": kept.text,
        "as_of": kept.text,
        "actual_purchases": kept.number,
        "predicted_purchases": kept.number,
        "actual_amount": kept.optional(kept.number),
        "predicted_amount": kept.optional(kept.number),
        "past_purchases": kept.optional(kept.number),
        "past_amount": kept.optional(kept.number),
    },
    defaults={"past_purchases": None, "past_amount": None},
)
_FIELDS: Final[Mapping[str, kept.Reader[Any]]] = {
    "model": kept.text,
    "horizon_days": kept.positive,
    "tests": kept.list_of(_TEST),
    "calibrated": kept.flag,
    "left_out": kept.list_of(kept.text),
}


@dataclass(frozen=True, slots=True)
class MissTest:
    """A forecast of a total from an earlier day, and what came.

    Attributes
    ----------
    split, as_of
        Forecast from `split`, for the days after it up to `as_of`.
    actual_purchases, predicted_purchases
        Purchase days of the customers seen by the split.
    actual_amount, predicted_amount
        Their money, less returns; None without a spend model.
    past_purchases, past_amount
        The same of as many days up to `split`: what a baseline forecasts that repeats the past.
        None in a text kept before they were counted.
    """

    split: date
    as_of: date
    actual_purchases: float
    predicted_purchases: float
    actual_amount: float | None = None
    predicted_amount: float | None = None
    past_purchases: float | None = None
    past_amount: float | None = None


class Miss(NamedTuple):
    """What the tests say of a total to come.

    Attributes
    ----------
    factor
        Actual over predicted, on average, shrunk towards 1; the forecast is multiplied by it.
    deviation
        Standard deviation of the log of actual over forecast, after the factor and with its doubt.
    freedom
        Degrees of freedom of the deviation.
    """

    factor: float
    deviation: float
    freedom: float

    def reach(self, level: float) -> float:
        """Half the width of an interval of the log, by Student's t."""
        if self.deviation == 0:
            return 0.0
        return float(stdtrit(self.freedom, (1 + level) / 2)) * self.deviation


@dataclass(frozen=True, slots=True)
class Misses:
    """How far forecasts of totals missed on held-out days: a value to give to `predict_total`.

    Attributes
    ----------
    model
        Name of the purchase model tested.
    horizon_days
        The horizon that it holds for.
    tests
        Forecasts from earlier days, and what came.
    calibrated
        Whether they were scaled by season and trend, as `crmkit.clv.pattern` finds them.
    left_out
        What could not be tested, and why, one sentence each.
    """

    model: str
    horizon_days: float
    tests: tuple[MissTest, ...] = ()
    calibrated: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def purchases(self) -> Miss:
        """Factor and deviation of the total of purchases."""
        pairs = [(each.actual_purchases, each.predicted_purchases) for each in self.tests]
        return self._miss(pairs, prior=_PRIOR_DEVIATIONS["purchases"])

    @property
    def amount(self) -> Miss:
        """Factor and deviation of the total of money."""
        pairs = [(each.actual_amount, each.predicted_amount) for each in self.tests]
        return self._miss(pairs, prior=_PRIOR_DEVIATIONS["amount"])

    def typical_error(self, outcome: str, forecast: str = "predicted") -> float | None:
        """How far a forecast missed on average, as a share; None where nothing was tested.

        Parameters
        ----------
        outcome
            "purchases" or "amount".
        forecast
            "predicted" for the model, "past" for a baseline that repeats the days before.
        """
        require_choice(outcome, ("purchases", "amount"), argument="outcome")
        require_choice(forecast, ("predicted", "past"), argument="forecast")
        pairs = [
            (getattr(each, f"actual_{outcome}"), getattr(each, f"{forecast}_{outcome}"))
            for each in self.tests
        ]
        logs = [
            abs(math.log(actual / said))
            for actual, said in pairs
            if actual is not None and said is not None and min(actual, said) > 0
        ]
        return math.expm1(math.fsum(logs) / len(logs)) if logs else None

    def to_json(self) -> str:
        """Write the misses as JSON text, to keep them for next month."""
        tests = [
            asdict(each) | {"split": each.split.isoformat(), "as_of": each.as_of.isoformat()}
            for each in self.tests
        ]
        return kept.write("Misses", asdict(self) | {"tests": tests})

    @classmethod
    def from_json(cls, text: str) -> Misses:
        """Read misses from the text that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds another kind of value, or a field is missing or of a wrong type.
        """
        found = kept.read(text, kind="Misses", fields=_FIELDS)
        try:
            days = [{n: date.fromisoformat(each[n]) for n in _DAYS} for each in found["tests"]]
        except ValueError as error:
            kept.refuse_fields("Misses", f"`tests` has a day that is not ISO text: {error}.")
        tests = (MissTest(**(each | of)) for each, of in zip(found["tests"], days, strict=True))
        return cls(**(found | {"tests": tuple(tests)}))

    def _miss(self, pairs: Sequence[tuple[float | None, float | None]], *, prior: float) -> Miss:
        """Estimate the factor and the deviation, both shrunk towards the prior.

        Tests whose days overlap count as often as these days hold a test apart from each other.
        """
        used = [
            (math.log(actual / predicted), test)
            for (actual, predicted), test in zip(pairs, self.tests, strict=True)
            if actual is not None and predicted is not None and min(actual, predicted) > 0
        ]
        if not used:
            return Miss(1.0, prior, _PRIOR_TESTS)
        logs = np.array([log for log, _ in used])
        n = _independent([test for _, test in used])
        freedom = n + _PRIOR_TESTS
        around = (n * logs.var() + _PRIOR_TESTS * prior**2) / freedom
        trusted = prior**2 / (prior**2 + around / n)
        shift = float(logs.mean()) * trusted
        left = (n * ((logs - shift) ** 2).mean() + _PRIOR_TESTS * prior**2) / freedom
        return Miss(math.exp(shift), math.sqrt(left + trusted * around / n), freedom)


_DAYS: Final = ("split", "as_of")


def _independent(tests: Sequence[MissTest]) -> float:
    """Count tests by the days that they hold together, in lengths of one."""
    length = float(np.mean([(each.as_of - each.split).days for each in tests]))
    together = (max(each.as_of for each in tests) - min(each.split for each in tests)).days
    return min(float(len(tests)), together / length)


def require_misses(misses: Misses | None, *, horizon_days: float, is_calibrated: bool) -> None:
    """Require misses of this horizon, scaled as the forecast is.

    Raises
    ------
    InvalidArgumentError
        If they were found for another horizon, or differ in whether season and trend are in.
    """
    if misses is None:
        return
    if not isinstance(misses, Misses):
        msg = (
            f"`misses` must be what crmkit.clv.fit_misses() gives, got {type(misses).__name__}.\n"
            "Leave it out for the interval of the model alone."
        )
        raise InvalidArgumentError(msg)
    if misses.horizon_days != horizon_days:
        msg = (
            f"`misses` was found for {misses.horizon_days:g} days, `horizon_days` is "
            f"{horizon_days:g}.\nCall fit_misses() with the same horizon."
        )
        raise InvalidArgumentError(msg)
    if misses.calibrated != is_calibrated:
        advice = f"Call fit_misses(..., calibrated={is_calibrated})."
        ours = "with season and trend, where `calibrate` has none"
        if is_calibrated:
            ours = "without season and trend, where `calibrate` has them"
        msg = f"`misses` was found {ours}.\n{advice}"
        raise InvalidArgumentError(msg)
