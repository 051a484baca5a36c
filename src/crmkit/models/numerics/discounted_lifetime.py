r"""Discounted expected residual lifetime (DERL) of contracts.

A customer about to decide on the next renewal renews with probability
:math:`S(n + 1) / S(n)`, and so on; with v = 1 / (1 + d) the discounted residual lifetime is

.. math::

    D = \sum_{k=0}^{\infty} \frac{S(n + 1 + k)}{S(n)} v^k,

so that the period which the next renewal pays for counts in full. With a constant churn
probability :math:`\theta` per customer, the sum is a geometric series, and its mean over
:math:`\theta \sim \mathrm{Beta}(\alpha, \beta)` is a mean of :math:`(1 + d) / (d + \theta)`.
The paper has a Gaussian hypergeometric function, which is a test here.

References
----------
Fader, P. S. & Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting: the
perils of ignoring heterogeneity. *Marketing Science* 29(1), 85-93, eq. 6.
https://doi.org/10.1287/mksc.1080.0482.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from crmkit.errors import InvalidArgumentError
from crmkit.models.numerics.arrays import Floats
from crmkit.models.numerics.beta_quadrature import beta_rule
from crmkit.models.numerics.distinct import distinct

_CUT_OFF = 1e-13
"""Largest relative truncation error of a sum."""

_MOST_TERMS = 1_000_000


def lifetime_over_beta(alpha: float, beta: Floats, *, discount_rate_per_period: float) -> Floats:
    """DERL where the churn probability is Beta(alpha, beta) across customers.

    Raises
    ------
    InvalidArgumentError
        If the rate is negative, or 0 where the mean lifetime is infinite: `alpha` is 1 or less.
    """
    rate = _checked(discount_rate_per_period)
    if rate == 0:
        if alpha <= 1:
            msg = (
                "Without discounting, the mean lifetime is infinite where the churn probability is "
                f"Beta({alpha:.3g}, ...): with 1 or less, some customers hardly ever churn.\n"
                "Use a discount rate above 0."
            )
            raise InvalidArgumentError(msg)
        return beta / (alpha - 1)
    betas, of_row = distinct(beta)
    theta, weights = beta_rule(alpha, betas + 1, steepness=np.full(len(betas), 1 / rate))
    kept = betas / (alpha + betas)
    return (kept * (1 + rate) * (weights / (rate + theta)).sum(axis=1))[of_row]


def lifetime_by_summing(
    log_survival: Callable[[Floats], Floats], renewals: Floats, *, discount_rate_per_period: float
) -> Floats:
    """DERL of any model, from its log survival function.

    Survival decreases, so the truncation error after k terms is at most (1 + d) / d times the first
    term times the k-th discount factor; the sum stops where this is 1e-13 of the first term.

    Raises
    ------
    InvalidArgumentError
        If the rate is negative, or so low that the sum would need more than a million terms.
    """
    rate = _checked(discount_rate_per_period)
    lowest = -math.log(_CUT_OFF * 1e-5) / _MOST_TERMS
    if rate < lowest:
        msg = (
            f"The discount rate must be at least {lowest:.1g} a period, got {rate:.3g}: this "
            "model's lifetime is a sum, too long with a lower rate.\n"
            "Use a higher discount rate."
        )
        raise InvalidArgumentError(msg)
    n_terms = math.ceil(-math.log(_CUT_OFF * rate / (1 + rate)) / math.log1p(rate))
    counts, of_row = distinct(renewals)
    ahead = np.arange(n_terms, dtype=np.float64)
    sums = [
        np.exp(log_survival(n + 1 + ahead) - log_survival(np.array([n])) - ahead * np.log1p(rate))
        for n in counts
    ]
    return np.array([terms.sum() for terms in sums])[of_row]


def _checked(discount_rate_per_period: float) -> float:
    if 0 <= discount_rate_per_period < math.inf:
        return discount_rate_per_period
    msg = (
        "discount_rate_per_period must be a fraction of 0 or more, "
        f"got {discount_rate_per_period}.\nWrite 10 % as 0.1."
    )
    raise InvalidArgumentError(msg)
