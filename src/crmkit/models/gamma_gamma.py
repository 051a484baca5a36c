r"""Gamma-Gamma: what customers spend on a purchase day, told from few of them.

A customer's spend on a purchase day varies as :math:`\mathrm{Gamma}(p, \nu)`, and the
:math:`\nu` of customers as :math:`\mathrm{Gamma}(q, v)`. How often one buys is taken to tell
nothing about how much one spends: the assumption to check.

Symbols are the paper's, with `v` for its gamma: `x` purchase days after the first, `z` their mean
spend. Rows without such a day, or without positive spend, tell nothing and must be left out of
a fit.

References
----------
Fader, P. S. & Hardie, B. G. S. (2013). The Gamma-Gamma model of monetary value.
http://www.brucehardie.com/notes/025/. Cited below as FH.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace
from typing import Self

import numpy as np
from scipy.special import gammaln, polygamma, psi

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models.arrays import Floats
from crmkit.models.distinct import distinct
from crmkit.models.gamma_ratio import digamma_rising, log_rising, trigamma_rising
from crmkit.models.search import Limit, MaximumLikelihood, maximize

_NAMES = ("p", "q", "v")

_LIMITS = (
    Limit({"p up", "q up"}, "All customers spend the same amount every time."),
    Limit({"q up", "v up"}, "Customers do not differ in what they spend on average."),
    Limit({"p up", "v down"}, "Each customer spends the same amount every time."),
)

_NO_MEAN = (
    "q is {q:.3g}: with 1 or less, spend has no population mean, and customers without a repeat "
    "purchase get no expected spend. A few very large amounts are the usual cause."
)


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """A fitted Gamma-Gamma model: spend within (p) and across (q, v) customers.

    `v` is in the currency of the data; `p` and `q` are pure numbers.
    """

    p: float
    q: float
    v: float

    def __post_init__(self) -> None:
        """Refuse parameters outside the model's domain."""
        if not all(0 < parameter < math.inf for parameter in astuple(self)):
            msg = f"Gamma-Gamma parameters must be positive and finite, got {self}."
            raise InvalidArgumentError(msg)

    @classmethod
    def fit(
        cls, x: Floats, z: Floats, /, *, weights: Floats | None = None
    ) -> MaximumLikelihood[Self]:
        """Fit by maximum likelihood on rows with a repeat purchase and positive spend.

        Raises
        ------
        FitError
            If there is no such row.
        InvalidArgumentError
            If there are others.
        """
        if not len(x):
            msg = (
                "customer summary: no repeat purchase with positive spend in any row.\n"
                "Spend per purchase day cannot be told from first purchases."
            )
            raise FitError(msg)
        if not ((x > 0) & (z > 0)).all():
            msg = (
                "Gamma-Gamma is fitted on customers with x > 0 and z > 0 only.\n"
                "Leave the others out of the fit; they can still be predicted."
            )
            raise InvalidArgumentError(msg)
        weights = np.ones(len(x)) if weights is None else weights
        mean = float(weights @ z / weights.sum())
        found = maximize(
            build=cls,
            names=_NAMES,
            likelihood=GammaGammaLikelihood,
            columns=(x, z),
            weights=weights,
            starts=[(p, q, mean * (q - 1) / p) for p, q in ((3.0, 3.0), (10.0, 2.0), (1.0, 10.0))],
            limits=_LIMITS,
        )
        if found.model.population_mean is None:
            note = _NO_MEAN.format(q=found.model.q)
            return replace(found, diagnostics=(*found.diagnostics, note))
        return found

    @property
    def population_mean(self) -> float | None:
        """Mean spend over all customers, p v / (q - 1); None for q of 1 or less (FH, p. 3)."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None

    def log_likelihood(self, x: Floats, z: Floats, /) -> Floats:
        """Log density of each customer's mean spend (FH, eq. 1a)."""
        p, q, v = astuple(self)
        counts, of_count = distinct(x)
        constant = (log_rising(p * counts, q) - gammaln(q))[of_count]
        y = x * z / v
        return constant - p * x * np.log1p(1 / y) - q * np.log1p(y) - np.log(z)

    def weight(self, x: Floats, /) -> Floats:
        """Weight of a customer's own mean against the population's, p x / (p x + q - 1).

        It grows with every purchase day. NaN where q of 1 or less leaves it without meaning.
        """
        own = self.p * x
        return own / (own + self.q - 1) if self.q > 1 else np.full(len(x), np.nan)

    def spend_line(self, x: Floats, /) -> tuple[Floats, Floats]:
        """Give expected spend as a line in the customer's own mean: where it starts, how it rises.

        (FH, eq. 5.) NaN where q of 1 or less and too few purchase days leave no mean.
        """
        p, q, v = astuple(self)
        degrees = p * x + q - 1
        degrees = np.where(degrees > 0, degrees, np.nan)
        return p * v / degrees, p * x / degrees

    def expected_spend(self, x: Floats, z: Floats, /) -> Floats:
        """Mean spend expected of each customer's future purchase days; `spend_line` at `z`.

        `z` is not looked at where `x` is 0.
        """
        start, rise = self.spend_line(x)
        return start + np.where(x > 0, rise * z, 0.0)


class GammaGammaLikelihood:
    """Total log-likelihood with its derivatives by the logs of p, q, v."""

    def __init__(self, x: Floats, z: Floats, weights: Floats) -> None:
        self._n, self._total, self._x = weights, x * z, x
        self._log_z = float(weights @ np.log(z))
        self._counts, of_count = distinct(x)
        self._n_of_count = np.bincount(of_count, weights)

    def __call__(self, log_parameters: Floats, /) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian, each summed over customers."""
        p, q, v = np.exp(log_parameters).tolist()
        n, shape = self._n_of_count, p * self._counts
        own = self._n * (p * self._x)
        y = self._total / v
        rest = 1 / (1 + y)
        log_over, log_y = np.log1p(y), np.log1p(1 / y)
        by_p = shape * digamma_rising(shape, q)
        by_q = psi(shape + q) - psi(q)
        value = n @ (log_rising(shape, q) - gammaln(q)) - own @ log_y - q * (self._n @ log_over)
        drawn = (self._n * y) @ rest
        gradient = np.array(
            [
                n @ by_p - own @ log_y,
                q * (n @ by_q - self._n @ log_over),
                q * drawn - own @ rest,
            ]
        )
        hessian = np.diag([gradient[0], gradient[1], 0.0])
        hessian[0, 0] += n @ (shape**2 * trigamma_rising(shape, q))
        hessian[0, 1] = hessian[1, 0] = q * (n @ (shape * polygamma(1, shape + q)))
        hessian[0, 2] = hessian[2, 0] = -(own @ rest)
        hessian[1, 1] += q * q * (n @ (polygamma(1, shape + q) - polygamma(1, q)))
        hessian[1, 2] = hessian[2, 1] = q * drawn
        hessian[2, 2] = -((own + q * self._n) @ (y * rest**2))
        return float(value - self._log_z), gradient, hessian
