"""Histories and models to invent."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from crmkit.models import BGBB, BGNBD, Floats, GammaGamma, ParetoNBD
from crmkit.models.numerics.arrays import Codes

History = tuple[Floats, Floats, Floats]


@st.composite
def histories(draw: st.DrawFn, *, max_size: int = 1) -> History:
    """x, t_x and T of one customer or of some."""
    one = st.tuples(st.integers(0, 1000), st.floats(0, 1), st.floats(1, 1500))
    rows = draw(st.lists(one, min_size=1, max_size=max_size))
    x, share, T = np.array(rows, dtype=np.float64).T
    return x, np.where(x > 0, share * T, 0.0), T


@st.composite
def bg_nbd_models(draw: st.DrawFn) -> BGNBD:
    """A BG/NBD model, from hardly to wildly varied customers."""
    r, a, b = (10 ** draw(st.floats(-2, 2)) for _ in range(3))
    return BGNBD(r=r, alpha=10 ** draw(st.floats(-1, 4)), a=a, b=b)


@st.composite
def pareto_nbd_models(draw: st.DrawFn) -> ParetoNBD:
    """A Pareto/NBD model, from hardly to wildly varied customers."""
    r, s = (10 ** draw(st.floats(-2, 2)) for _ in range(2))
    return ParetoNBD(
        r=r, alpha=10 ** draw(st.floats(-1, 4)), s=s, beta=10 ** draw(st.floats(-1, 4))
    )


@st.composite
def gamma_gamma_models(draw: st.DrawFn) -> GammaGamma:
    """A Gamma-Gamma model with a population mean."""
    p, above_one, v = (10 ** draw(st.floats(-2, 2)) for _ in range(3))
    return GammaGamma(p=p, q=1 + above_one, v=v)


def summarized(customer: Codes, age: Floats, T: Floats) -> History:
    """Summarize simulated purchases, which come sorted by customer and age, up to each T."""
    seen = age <= T[customer]
    x = np.bincount(customer[seen], minlength=len(T)).astype(np.float64)
    t_x = np.zeros(len(T))
    t_x[customer[seen]] = age[seen]  # the last one stays
    return x, t_x, T


def by_day(customer: Codes, age: Floats) -> tuple[Codes, Floats]:
    """Take simulated purchases to the end of their day; several of a customer's on one are one."""
    customer, day = np.unique([customer, np.ceil(age)], axis=1)
    return customer.astype(np.int64), day


def simulated_histories(model: BGNBD, T: Floats, *, seed: int) -> History:
    """Histories drawn from a BG/NBD model, one for each age in T."""
    dice = np.random.default_rng(seed)
    purchases = dice.poisson(dice.gamma(model.r, 1 / model.alpha, len(T)) * T)
    p = np.clip(dice.beta(model.a, model.b, len(T)), 1e-12, 1 - 1e-12)
    x = np.minimum(purchases, dice.geometric(p))
    # Given how many there are, purchase times are uniform; the x-th smallest of them is Beta.
    last = T * dice.beta(np.maximum(x, 1), np.maximum(purchases - x + 1, 1))
    return x.astype(np.float64), np.where(x > 0, last, 0.0), T


Contracts = tuple[Floats, Floats]
"""Periods, and whether lost at the end of them."""


def survivor_histories(survivors: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Periods, lost and the number of customers, from how many are there after 0, 1, 2 ..."""
    left = np.array(survivors, dtype=np.float64)
    last = len(survivors) - 1
    periods = np.append(np.arange(1.0, last + 1), last)
    return periods, np.append(np.ones(last), 0), np.append(left[:-1] - left[1:], left[-1])


@st.composite
def contract_histories(draw: st.DrawFn) -> Contracts:
    """Some contracts, of which at least one was renewed and at least one ended."""
    one = st.tuples(st.integers(1, 40), st.booleans())
    rows = [(2, False), (1, True), *draw(st.lists(one, max_size=40))]
    periods, lost = np.array(rows, dtype=np.float64).T
    return periods, lost


@st.composite
def opportunity_histories(draw: st.DrawFn, *, max_size: int = 1) -> History:
    """x, t_x and n, in opportunities, of one customer or of some."""
    one = st.tuples(*[st.integers(0, 100)] * 3).map(sorted)
    x, t_x, n = np.array(draw(st.lists(one, min_size=1, max_size=max_size)), dtype=np.float64).T
    return x, np.where(x > 0, t_x, 0.0), n


@st.composite
def bg_bb_models(draw: st.DrawFn) -> BGBB:
    """A BG/BB model, from hardly to wildly varied customers."""
    alpha, beta, gamma, delta = (10 ** draw(st.floats(-2, 3)) for _ in range(4))
    return BGBB(alpha=alpha, beta=beta, gamma=gamma, delta=delta)
