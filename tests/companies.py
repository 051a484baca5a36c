"""Companies to invent, of any kind of model: how their customers buy, leave and spend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crmkit.models import (
    BDW,
    BGBB,
    BGCNBDK,
    BGNBD,
    MBGCNBDK,
    MBGNBD,
    NBD,
    SBG,
    Floats,
    GammaGamma,
    GGompertzNBD,
    LognormalSpend,
    ParetoNBD,
)
from tests.strategies import summarized

N_CUSTOMERS = 200


@dataclass(frozen=True, slots=True)
class Company:
    """What a table is drawn from."""

    shape: float
    days: float
    leaving: float
    agreement: float
    amount: float

    @property
    def buying(self) -> tuple[float, float]:
        """Shape and scale of a gamma of buying rates a day."""
        return self.shape, self.shape * self.days

    @property
    def going(self) -> tuple[float, float]:
        """Both counts of a beta of probabilities to leave at an occasion."""
        return self.agreement * self.leaving, self.agreement * (1 - self.leaving)

    @property
    def fading(self) -> tuple[float, float]:
        """Shape and scale of a gamma of rates of leaving a day."""
        return self.agreement, self.agreement * self.days / self.leaving


Drawn = tuple[Any, tuple[Floats, ...]]
"""The truth, and a table of it."""


def purchases(build: Callable[[Company], Any]) -> Callable[[Company, np.random.Generator], Drawn]:
    """Draw customers of all ages up to some years, in days."""

    def draw(company: Company, rng: np.random.Generator) -> Drawn:
        truth = build(company)
        oldest = int(rng.integers(100, 1500))
        ages = rng.integers(oldest // 2, oldest, N_CUSTOMERS).astype(np.float64)
        customer, age = truth.simulate(ages, rng=rng)
        return truth, summarized(customer, age, ages)

    return draw


def opportunities(company: Company, rng: np.random.Generator) -> Drawn:
    """Draw customers who were offered 24 opportunities to buy."""
    buys = min(1 / company.days, 0.9) * company.shape
    truth = BGBB(buys, company.shape - buys, *company.going)
    n = np.full(N_CUSTOMERS, 24.0)
    customer, opportunity = truth.simulate(n, rng=rng)
    x = np.bincount(customer, minlength=N_CUSTOMERS).astype(np.float64)
    t_x = np.zeros(N_CUSTOMERS)
    t_x[customer] = opportunity  # the last one stays
    return truth, (x, t_x, n)


def contracts(c: Callable[[Company], float]) -> Callable[[Company, np.random.Generator], Drawn]:
    """Draw contracts seen for 2 to 24 periods; the hazard bends by c."""

    def draw(company: Company, rng: np.random.Generator) -> Drawn:
        bend = c(company)
        theta = np.clip(rng.beta(*company.going, N_CUSTOMERS), 1e-12, 1 - 1e-12)
        # S(t) = (1 - theta) ** t ** c, turned round.
        lifetime = np.ceil((rng.exponential(size=N_CUSTOMERS) / -np.log1p(-theta)) ** (1 / bend))
        seen = rng.integers(2, 25, N_CUSTOMERS)
        truth = SBG(*company.going) if bend == 1 else BDW(*company.going, bend)
        return truth, (np.minimum(lifetime, seen), (lifetime <= seen).astype(np.float64))

    return draw


def spend(build: Callable[[Company], Any]) -> Callable[[Company, np.random.Generator], Drawn]:
    """Draw the mean amount of 1 to 10 purchases."""

    def draw(company: Company, rng: np.random.Generator) -> Drawn:
        truth = build(company)
        x = rng.geometric(0.4, N_CUSTOMERS).clip(max=10).astype(np.float64)
        if isinstance(truth, GammaGamma):
            rate = rng.gamma(truth.q, 1 / truth.v, N_CUSTOMERS)
            return truth, (x, rng.gamma(truth.p * x) / (x * rate))
        within = np.sqrt(np.log1p(truth.cv**2 / x))
        own = rng.normal(0, truth.tau, N_CUSTOMERS) + rng.normal(0, within)
        return truth, (x, truth.median * np.exp(own))

    return draw


DRAWS: Mapping[type, Callable[[Company, np.random.Generator], Drawn]] = {
    NBD: purchases(lambda c: NBD(*c.buying)),
    BGNBD: purchases(lambda c: BGNBD(*c.buying, *c.going)),
    MBGNBD: purchases(lambda c: MBGNBD(*c.buying, *c.going)),
    BGCNBDK: purchases(lambda c: BGCNBDK(c.shape, c.shape * c.days / 2, *c.going, k=2)),
    MBGCNBDK: purchases(lambda c: MBGCNBDK(c.shape, c.shape * c.days / 2, *c.going, k=2)),
    ParetoNBD: purchases(lambda c: ParetoNBD(*c.buying, *c.fading)),
    GGompertzNBD: purchases(
        lambda c: GGompertzNBD(*c.buying, b=0.005, s=c.agreement, beta=0.005 * c.fading[1])
    ),
    GammaGamma: spend(lambda c: GammaGamma(10 * c.shape, 1 + c.agreement, c.amount * c.agreement)),
    LognormalSpend: spend(lambda c: LognormalSpend(c.amount, c.agreement**-0.5, c.shape**-0.5)),
    BGBB: opportunities,
    SBG: contracts(lambda _: 1.0),
    BDW: contracts(lambda c: 0.5 + min(c.shape, 1.0)),
}
