"""Prior distributions of parameters and of covariates' coefficients.

The default prior is weak, and does not depend on currency or unit of time: each parameter is
within a factor of about 50 of 1 with 95 % probability, where times are measured in the customers'
mean days per repeat purchase, and money in their mean spend. Customers may then be nearly alike or
differ wildly. The prior weighs as much as a quarter of an observation of the log of the
parameter. So it gives way to data that identify a parameter, and bounds one that they do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crmkit._words.arguments import did_you_mean, is_number, listed, shown
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Lognormal prior of a parameter, which is above 0.

    Attributes
    ----------
    median
        The parameter is as probably above as below this.
    log_deviation
        Standard deviation of its log: 0.7 is a factor of about 4 either way with 95 %
        probability, 2 a factor of 50.
    """

    median: float
    log_deviation: float

    def __post_init__(self) -> None:
        """Require a positive median and deviation."""
        numbers = is_number(self.median) and is_number(self.log_deviation)
        if not (numbers and 0 < self.median < math.inf and 0 < self.log_deviation < math.inf):
            msg = (
                f"A prior needs a positive median and deviation, got {self}.\n"
                "Write LogNormal(median=30, log_deviation=1)."
            )
            raise InvalidArgumentError(msg)


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal prior of a coefficient, which may be of either sign.

    Attributes
    ----------
    mean
        The coefficient is as probably above as below this.
    deviation
        Its standard deviation. A coefficient moves a log, so a deviation of 1 is a factor of
        about 7 either way with 95 % probability, for one unit of the covariate.
    """

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        """Require a finite mean and a positive deviation."""
        numbers = is_number(self.mean) and is_number(self.deviation)
        if not (numbers and math.isfinite(self.mean) and 0 < self.deviation < math.inf):
            msg = (
                f"A prior needs a finite mean and a positive deviation, got {self}.\n"
                "Write Normal(mean=0, deviation=1)."
            )
            raise InvalidArgumentError(msg)


ParameterPrior = LogNormal | Normal

_WIDE: Final = 2.0


def require_priors(prior: object) -> None:
    """Require priors by the name of what they are of."""
    if not isinstance(prior, Mapping):
        msg = (
            f"`prior` must give priors by name, got {shown(prior)}.\n"
            'Write {"r": clv.LogNormal(median=1, log_deviation=1)}.'
        )
        raise InvalidArgumentError(msg)


def parameter_priors(
    name: str,
    parameters: Sequence[str],
    *,
    unit: float,
    changes: Mapping[str, ParameterPrior] | None,
) -> tuple[LogNormal, ...]:
    """Give the prior of each parameter: the default unless changed.

    Parameters
    ----------
    name, parameters
        The model, and its parameters in order.
    unit
        Days per repeat purchase, or mean spend, of the customers at hand.
    changes
        The user's priors, by parameter.
    """
    changes = changes or {}
    unknown = [each for each in changes if each not in parameters]
    if unknown:
        msg = (
            f"`prior` has {listed(unknown)}; the parameters of {name} are {listed(parameters)}."
            f"{did_you_mean(unknown[0], parameters)}"
        )
        raise InvalidArgumentError(msg)
    powers = (PURCHASE_MODELS.get(name) or SPEND_MODELS[name]).units
    found = []
    for each in parameters:
        prior = changes.get(each, LogNormal(unit ** powers.get(each, 0), _WIDE))
        if not isinstance(prior, LogNormal):
            msg = (
                f"`prior` of {each} must be a LogNormal, got {shown(prior)}.\n"
                "Write LogNormal(median=30, log_deviation=1): a parameter is above 0."
            )
            raise InvalidArgumentError(msg)
        found.append(prior)
    return tuple(found)


def coefficient_priors(
    names: Sequence[str],
    scales: Sequence[float],
    *,
    penalty: float,
    changes: Mapping[str, ParameterPrior],
) -> tuple[Normal, ...]:
    """Give the prior of each coefficient: normal around 0 unless changed.

    Parameters
    ----------
    names, scales
        The coefficients, and the standard deviation of the covariate of each; 1 for a level.
    penalty
        The penalty of the fit, which equals a normal prior; 0 stands for 1/2.
    changes
        The user's priors, by name.
    """
    found, deviation = [], (2 * penalty) ** -0.5 if penalty else 1.0
    for name, scale in zip(names, scales, strict=True):
        prior = changes.get(name, Normal(0.0, deviation / scale))
        if not isinstance(prior, Normal):
            msg = (
                f"`prior` of {name} must be a Normal, got {shown(prior)}.\n"
                "Write Normal(mean=0, deviation=1): a coefficient may be of either sign."
            )
            raise InvalidArgumentError(msg)
        found.append(prior)
    return tuple(found)
