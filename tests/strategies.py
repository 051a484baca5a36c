"""Histories and models to invent."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from crmkit.models import BGNBD, Floats, GammaGamma

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
def gamma_gamma_models(draw: st.DrawFn) -> GammaGamma:
    """A Gamma-Gamma model with a population mean."""
    p, above_one, v = (10 ** draw(st.floats(-2, 2)) for _ in range(3))
    return GammaGamma(p=p, q=1 + above_one, v=v)


def simulated_histories(model: BGNBD, T: Floats, *, seed: int) -> History:
    """Histories drawn from a BG/NBD model, one for each age in T."""
    dice = np.random.default_rng(seed)
    purchases = dice.poisson(dice.gamma(model.r, 1 / model.alpha, len(T)) * T)
    p = np.clip(dice.beta(model.a, model.b, len(T)), 1e-12, 1 - 1e-12)
    x = np.minimum(purchases, dice.geometric(p))
    # Given how many there are, purchase times are uniform; the x-th smallest of them is Beta.
    last = T * dice.beta(np.maximum(x, 1), np.maximum(purchases - x + 1, 1))
    return x.astype(np.float64), np.where(x > 0, last, 0.0), T
