"""What is believed of a model's parameters before the data speak.

The default says little and means the same in any currency and on any clock: each parameter is
within a factor of about 50 of 1 with 95 % probability, where those that are times are measured in
the customers' own days per repeat purchase, and money in their own mean spend. That lets
customers be nearly alike or differ wildly. It weighs as much as a quarter of an observation of
the log of the parameter, and so gives way to any data that tell something; what it does is
to hold a parameter that the data would send to infinity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crmkit._words.arguments import is_number, shown
from crmkit.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A belief of a positive number: its log is normal.

    Attributes
    ----------
    median
        The number is as probably above as below this.
    log_deviation
        Standard deviation of its log: 0.7 is a factor of about 4 either way with 95 %
        probability, 2 a factor of 50.
    """

    median: float
    log_deviation: float

    def __post_init__(self) -> None:
        """Refuse what is no distribution."""
        numbers = is_number(self.median) and is_number(self.log_deviation)
        if not (numbers and 0 < self.median < math.inf and 0 < self.log_deviation < math.inf):
            msg = f"A prior needs a positive median and deviation, got {self}."
            raise InvalidArgumentError(msg)


@dataclass(frozen=True, slots=True)
class Normal:
    """A belief of a number of either sign, such as a coefficient: it is normal.

    Attributes
    ----------
    mean
        The number is as probably above as below this.
    deviation
        Its standard deviation. A coefficient moves a log, so that twice this is a factor of
        about 7 where it is 1, with 95 % probability, for one unit of the covariate.
    """

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        """Refuse what is no distribution."""
        numbers = is_number(self.mean) and is_number(self.deviation)
        if not (numbers and math.isfinite(self.mean) and 0 < self.deviation < math.inf):
            msg = f"A prior needs a finite mean and a positive deviation, got {self}."
            raise InvalidArgumentError(msg)


Belief = LogNormal | Normal

_WIDE: Final = 2.0

_POWERS: Final[Mapping[str, Mapping[str, int]]] = {
    "pareto_nbd": {"alpha": 1, "beta": 1},
    "ggompertz_nbd": {"alpha": 1, "b": -1},
    "gamma_gamma": {"v": 1},
    "lognormal_spend": {"median": 1},
}
"""The power of a day, or of money, that parameters of a model are measured in."""

_USUAL_POWERS: Final = {"alpha": 1}
"""Those of the other models: purchases come at rates with a mean of r / alpha a day."""


def priors(
    name: str,
    parameters: Sequence[str],
    *,
    unit: float,
    changes: Mapping[str, Belief] | None,
) -> tuple[LogNormal, ...]:
    """Give the belief of each parameter: the default unless changed.

    Parameters
    ----------
    name, parameters
        The model, and its parameters in order.
    unit
        Days per repeat purchase, or mean spend, of the customers at hand.
    changes
        What the user believes instead, by parameter.
    """
    changes = changes or {}
    unknown = [each for each in changes if each not in parameters]
    if unknown:
        msg = (
            f"`prior` has {', '.join(map(repr, unknown))}, which {name} has not.\n"
            f"Its parameters are {', '.join(map(repr, parameters))}."
        )
        raise InvalidArgumentError(msg)
    powers = _POWERS.get(name, _USUAL_POWERS)
    found = []
    for each in parameters:
        belief = changes.get(each, LogNormal(unit ** powers.get(each, 0), _WIDE))
        if not isinstance(belief, LogNormal):
            msg = (
                f"`prior` has {shown(belief)} for {each}.\n"
                "Write LogNormal(median=30, log_deviation=1): a parameter is above 0."
            )
            raise InvalidArgumentError(msg)
        found.append(belief)
    return tuple(found)


def of_coefficients(
    names: Sequence[str],
    scales: Sequence[float],
    *,
    penalty: float,
    changes: Mapping[str, Belief],
) -> tuple[Normal, ...]:
    """Give the belief of each coefficient: unless changed, as likely above 0 as below.

    Parameters
    ----------
    names, scales
        The coefficients, and the standard deviation of what each goes with; 1 for a level.
    penalty
        That of the fit: taken off the log-likelihood it is a normal belief; 0 stands for 1/2.
    changes
        What the user believes instead, by name.
    """
    found, deviation = [], (2 * penalty) ** -0.5 if penalty else 1.0
    for name, scale in zip(names, scales, strict=True):
        belief = changes.get(name, Normal(0.0, deviation / scale))
        if not isinstance(belief, Normal):
            msg = (
                f"`prior` has {belief!r} for {name}, which may be of either sign.\n"
                "Write Normal(mean=0, deviation=1)."
            )
            raise InvalidArgumentError(msg)
        found.append(belief)
    return tuple(found)
