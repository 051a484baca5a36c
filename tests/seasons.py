"""Simulated ledgers with a season or a trend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow

START = date(2020, 1, 1)
Days = npt.NDArray[np.float64]


def ledger(
    keeps: Callable[[Days], Days], *, n_customers: int = 4000, as_of: date, seed: int = 0
) -> pl.DataFrame:
    """Simulate purchases, and keep each with the probability of its day; first ones all stay."""
    known = rfm.summarize(load_cdnow(backend="polars"), as_of=date(1998, 6, 30))
    orders: pl.DataFrame = clv.simulate(
        purchases=clv.fit(known, model="pareto_nbd"),
        n_customers=n_customers,
        start=START,
        acquisition_days=365,
        as_of=as_of,
        seed=seed,
        backend="polars",
    )
    day = (orders["date"].cast(pl.Date) - START).dt.total_days().to_numpy().astype(float)
    rng = np.random.default_rng(seed)
    kept = pl.Series(rng.random(len(day)) < keeps(day))
    position = orders["customer_id"].rank("dense").to_numpy() - 1
    level = 30 / rng.gamma(4.0, 1.0, n_customers)
    amount = pl.Series("amount", rng.gamma(5.0, level[position]))
    is_first = pl.col("date") == pl.col("date").min().over("customer_id")
    return orders.with_columns(amount).filter(is_first | kept)


def waves() -> pl.DataFrame:
    """Two years and a quarter of which each first quarter is quiet."""
    return ledger(lambda day: np.where(day % 365 < 91, 0.35, 0.9), as_of=date(2022, 3, 31))
