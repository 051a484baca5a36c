"""The jobs, and the ways to do each: crmkit, the peers that are installed, and by hand.

A way takes the size, makes ready what the clock should not count, and returns what it counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl

from benchmarks import by_hand, data
from crmkit import clv, pipeline, rfm

Way = Callable[[str], Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Job:
    """Something to time, for which sizes, and in which ways; the first is the one to compare."""

    name: str
    sizes: tuple[str, ...]
    ways: Mapping[str, Way]
    largest: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Most customers that a way takes: usually, and with --full."""

    def done_by(self, way: str, size: str, *, full: bool) -> bool:
        """Tell whether a way is asked for at this size, and can be had."""
        if way in PEERS and find_spec(PEERS[way]) is None:
            return False
        most = self.largest.get(way, (10**9, 10**9))
        return data.customers_in(size) <= most[full]


PEERS = {"lifetimes": "lifetimes", "clvkit": "clvkit", "pymc-marketing": "pymc_marketing"}


# The customer summary


def summarize(engine: str, how: str, size: str) -> Callable[[], object]:
    """Summarize a ledger that is in memory."""
    path = data.ledger(size)
    if engine == "pandas":
        log = pl.read_parquet(path).to_pandas()
        return partial(_IN_PANDAS[how], log)
    if engine == "polars":
        frame = pl.read_parquet(path)
        if how == "by hand":
            return lambda: by_hand.in_polars(frame.lazy()).sort("customer_id").collect()
        return lambda: rfm.summarize(frame, as_of=data.as_of(size))
    connection = duckdb.connect()
    connection.execute(f"create table log as select * from '{path}'")
    table = connection.table("log")
    if how == "by hand":
        return lambda: by_hand.in_duckdb(table).to_arrow_table()
    return lambda: rfm.summarize(table, as_of=data.as_of(size)).to_arrow_table()


def _by_lifetimes(log: pd.DataFrame) -> pd.DataFrame:
    """Make lifetimes' summary, which has no orders and no total."""
    from lifetimes.utils import summary_data_from_transaction_data  # noqa: PLC0415 - may be absent

    return summary_data_from_transaction_data(log, "customer_id", "date", "amount")


_IN_PANDAS: Mapping[str, Callable[[pd.DataFrame], object]] = {
    "by hand": by_hand.in_pandas,
    "crmkit": lambda log: rfm.summarize(log, as_of=data.AS_OF),
    "lifetimes": _by_lifetimes,
}


# Fits, from the summary frame


def fit(model: str, size: str) -> Callable[[], object]:
    """Fit with crmkit, standard errors and all."""
    customers = pl.read_parquet(data.summary(size))
    return lambda: clv.fit(customers, model=model)


def fit_lifetimes(model: str, size: str) -> Callable[[], object]:
    """Fit with lifetimes; it has no standard errors for Pareto/NBD."""
    import lifetimes  # noqa: PLC0415 - may be absent

    customers = pl.read_parquet(data.summary(size)).to_pandas()
    history = [customers[name] for name in ("frequency", "recency", "T")]
    if model == "gamma_gamma":
        again = customers[(customers["frequency"] > 0) & (customers["monetary_value"] > 0)]
        spent = again["frequency"], again["monetary_value"]
        return lambda: lifetimes.GammaGammaFitter().fit(*spent)
    fitter = {"bg_nbd": "BetaGeoFitter", "pareto_nbd": "ParetoNBDFitter"}[model]
    return lambda: getattr(lifetimes, fitter)().fit(*history)


def fit_clvkit(model: str, size: str) -> Callable[[], object]:
    """Fit with clvkit, which has no standard errors but by refits."""
    import clvkit  # noqa: PLC0415 - may be absent

    customers = pl.read_parquet(data.summary(size)).to_pandas().set_index("customer_id")
    base = clvkit.CustomerBase(
        customers.fillna({"monetary_value": 0.0}),
        time_unit="D",
        observation_period_end=pd.Timestamp(data.as_of(size)),
        has_monetary=True,
        on_negative="net",
    )
    kind = {"bg_nbd": "BGNBD", "gamma_gamma": "GammaGamma"}[model]
    return lambda: getattr(clvkit, kind)().fit(base)


def fit_pymc(size: str) -> Callable[[], object]:
    """Find the mode of pymc-marketing's BG/NBD."""
    from pymc_marketing.clv import BetaGeoModel  # noqa: PLC0415 - may be absent

    customers = pl.read_parquet(data.summary(size)).to_pandas()
    return lambda: BetaGeoModel(data=customers).fit(method="map")


# Predictions, draws, the whole job


def _fits(customers: pl.DataFrame) -> tuple[Any, Any]:
    return clv.fit(customers, model="bg_nbd"), clv.fit(customers, model="gamma_gamma")


def predict(size: str) -> Callable[[], object]:
    """All columns for a year ahead, discounted."""
    customers = pl.read_parquet(data.summary(size))
    purchases, spend = _fits(customers)
    ahead = {"horizon_days": 365, "margin": 0.3, "annual_discount_rate": 0.1}
    return lambda: clv.predict(customers, purchases=purchases, spend=spend, **ahead)


def predict_lifetimes(size: str) -> Callable[[], object]:
    """Do the same in lifetimes: alive, purchases, spend, and value by month."""
    import lifetimes  # noqa: PLC0415 - may be absent

    customers = pl.read_parquet(data.summary(size)).to_pandas()
    customers["monetary_value"] = customers["monetary_value"].fillna(0.0)
    history = [customers[name] for name in ("frequency", "recency", "T")]
    purchases = lifetimes.BetaGeoFitter().fit(*history)
    again = customers[(customers["frequency"] > 0) & (customers["monetary_value"] > 0)]
    spend = lifetimes.GammaGammaFitter().fit(again["frequency"], again["monetary_value"])
    money = customers["monetary_value"]

    def everything() -> object:
        return (
            purchases.conditional_probability_alive(*history),
            purchases.conditional_expected_number_of_purchases_up_to_time(365, *history),
            spend.conditional_expected_average_profit(history[0], money),
            spend.customer_lifetime_value(
                purchases, *history, money, time=12, discount_rate=0.008, freq="D"
            ),
        )

    return everything


def posterior(size: str) -> Callable[[], object]:
    """Draw 4,000 times from the posterior of BG/NBD."""
    customers = pl.read_parquet(data.summary(size))
    fitted = clv.fit(customers, model="bg_nbd")
    return lambda: clv.posterior(customers, fit=fitted)


def main_job(size: str) -> Callable[[], object]:
    """Run all of the main job, from a Parquet file to every table."""
    path = data.ledger(size)
    return lambda: pipeline.run(pl.read_parquet(path), as_of=data.as_of(size))


def out_of_core(engine: str, how: str, size: str) -> Callable[[], object]:
    """Go from a Parquet file of orders to one of customers, by hand or with a forecast."""
    path, folder = data.ledger(size), Path(tempfile.mkdtemp())
    target, scored = folder / "customers.parquet", folder / "scored.parquet"

    def summarized() -> None:
        if engine == "polars":
            log = pl.scan_parquet(path)
            by = (
                by_hand.in_polars(log) if how == "by hand" else rfm.summarize(log, as_of=data.AS_OF)
            )
            by.sink_parquet(target)
        else:
            rows = by_hand.duckdb_file(path)
            by = (
                by_hand.in_duckdb(rows)
                if how == "by hand"
                else rfm.summarize(rows, as_of=data.AS_OF)
            )
            by.write_parquet(str(target))

    def forecast() -> None:
        customers = pl.read_parquet(target)
        purchases, spend = _fits(customers)
        clv.predict(
            customers, purchases=purchases, spend=spend, horizon_days=365, annual_discount_rate=0.1
        ).write_parquet(scored)

    def whole() -> None:
        summarized()
        if how == "summary, fit, predict":
            forecast()

    return whole


def imported(code: str, _: str) -> Callable[[], object]:
    """Start a fresh Python that imports something; its time counts as ours."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


ENGINES = ("pandas", "polars", "duckdb")
LEDGERS, FITS = ("100000", "1000000"), ("cdnow", "100000", "1000000", "10000000")
JOBS = (
    Job(
        "import",
        ("cdnow",),
        {
            "numpy and narwhals": partial(imported, "import numpy, narwhals"),
            "crmkit": partial(imported, "import crmkit"),
        },
    ),
    *(
        Job(
            f"summarize, {engine}",
            LEDGERS,
            {
                how: partial(summarize, engine, how)
                for how in ("by hand", "crmkit", *(["lifetimes"] if engine == "pandas" else []))
            },
        )
        for engine in ENGINES
    ),
    Job(
        "fit bg_nbd",
        FITS,
        {
            "crmkit": partial(fit, "bg_nbd"),
            "lifetimes": partial(fit_lifetimes, "bg_nbd"),
            "clvkit": partial(fit_clvkit, "bg_nbd"),
            "pymc-marketing": fit_pymc,
        },
        {
            "lifetimes": (100_000, 1_000_000),
            "clvkit": (25_000, 100_000),
            "pymc-marketing": (0, 100_000),
        },
    ),
    Job(
        "fit pareto_nbd",
        FITS,
        {
            "crmkit": partial(fit, "pareto_nbd"),
            "lifetimes": partial(fit_lifetimes, "pareto_nbd"),
        },
        {"lifetimes": (25_000, 100_000)},
    ),
    Job(
        "fit gamma_gamma",
        FITS,
        {
            "crmkit": partial(fit, "gamma_gamma"),
            "lifetimes": partial(fit_lifetimes, "gamma_gamma"),
            "clvkit": partial(fit_clvkit, "gamma_gamma"),
        },
        {"lifetimes": (100_000, 1_000_000), "clvkit": (25_000, 100_000)},
    ),
    Job(
        "predict",
        ("cdnow", "1000000"),
        {"crmkit": predict, "lifetimes": predict_lifetimes},
        {"lifetimes": (25_000, 1_000_000)},
    ),
    Job("posterior", ("sample",), {"crmkit": posterior}),
    Job("main job", ("cdnow", "100000", "1000000"), {"crmkit": main_job}),
    *(
        Job(
            f"Parquet to Parquet, {engine}",
            ("1000000", "10000000"),
            {
                how: partial(out_of_core, engine, how)
                for how in ("by hand", "summary", "summary, fit, predict")
            },
        )
        for engine in ("polars", "duckdb")
    ),
)


def ready(name: str, way: str, size: str) -> Callable[[], object]:
    """Make a job ready to be timed."""
    warnings.simplefilter("ignore")
    (job,) = (job for job in JOBS if job.name == name)
    return job.ways[way](size)
