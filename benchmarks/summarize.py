"""The customer summary against the same aggregation written by hand in the same engine.

    python benchmarks/summarize.py --rows 10_000_000 --runs 5

Every measurement is a process of its own, in turn, so that both see the machine in the same
mood. Quoted are medians of CPU seconds, their ratio, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from crmkit import rfm

AS_OF = date(2023, 12, 31)


def make_log(path: Path, *, n_rows: int) -> None:
    """Write a log of two years in which a few customers buy often and most seldom."""
    random = np.random.default_rng(0)
    n_customers = n_rows // 10
    appetite = random.gamma(0.6, 1, n_customers)
    seconds = random.integers(0, 730 * 86_400, n_rows).astype("timedelta64[s]")
    pl.DataFrame(
        {
            "customer_id": random.choice(n_customers, n_rows, p=appetite / appetite.sum()),
            "date": np.datetime64("2022-01-01", "us") + seconds,
            "amount": np.round(random.lognormal(3, 1, n_rows), 2),
        }
    ).write_parquet(path)


def by_hand_pandas(log: pd.DataFrame) -> pd.DataFrame:
    """Collapse to customer-days, then to customers, as one writes it in pandas."""
    days = (
        log.assign(day=log["date"].dt.normalize())
        .groupby(["customer_id", "day"], sort=True, as_index=False)
        .agg(n=("amount", "size"), amount=("amount", "sum"))
    )
    return days.groupby("customer_id", sort=False).agg(
        first=("day", "min"),
        last=("day", "max"),
        n_days=("day", "size"),
        orders=("n", "sum"),
        amount=("amount", "sum"),
        first_amount=("amount", "first"),
    )


def by_hand_polars(log: pl.DataFrame) -> pl.DataFrame:
    """Do the same in Polars."""
    days = log.lazy().group_by("customer_id", pl.col("date").dt.date().alias("day"))
    return (
        days.agg(pl.len().alias("n"), pl.col("amount").sum())
        .group_by("customer_id")
        .agg(
            pl.col("day").min().alias("first"),
            pl.col("day").max().alias("last"),
            pl.len().alias("n_days"),
            pl.col("n").sum(),
            pl.col("amount").sum(),
            pl.col("amount").sort_by("day").first().alias("first_amount"),
        )
        .sort("customer_id")
        .collect()
    )


def by_hand_duckdb(log: duckdb.DuckDBPyRelation) -> Any:  # noqa: ANN401 - an Arrow table
    """Do the same in SQL."""
    return log.query(
        "log",
        """
        select customer_id, min(day), max(day), count(*), sum(n), sum(amount), arg_min(amount, day)
        from (
            select customer_id, date::date as day, count(*) as n, sum(amount) as amount
            from log group by all
        )
        group by customer_id
        """,
    ).to_arrow_table()


def by_lifetimes(log: pd.DataFrame) -> pd.DataFrame:
    """Make lifetimes' summary, which has no orders and no total."""
    from lifetimes.utils import summary_data_from_transaction_data  # noqa: PLC0415 - slow to load

    return summary_data_from_transaction_data(log, "customer_id", "date", "amount")


def by_crmkit(log: Any) -> Any:  # noqa: ANN401 - any engine
    """Make crmkit's summary and run it where it is lazy."""
    summary = rfm.summarize(log, as_of=AS_OF)
    is_plan = isinstance(summary, duckdb.DuckDBPyRelation)
    return summary.to_arrow_table() if is_plan else summary


ENGINES: dict[str, tuple[Callable[[Path], Any], dict[str, Callable[[Any], Any]]]] = {
    "pandas": (
        lambda path: pl.read_parquet(path).to_pandas(),
        {"by hand": by_hand_pandas, "crmkit": by_crmkit, "lifetimes": by_lifetimes},
    ),
    "polars": (pl.read_parquet, {"by hand": by_hand_polars, "crmkit": by_crmkit}),
    "duckdb": (
        lambda path: _in_memory(duckdb.connect(), path),
        {"by hand": by_hand_duckdb, "crmkit": by_crmkit},
    ),
}


def _in_memory(connection: duckdb.DuckDBPyConnection, path: Path) -> duckdb.DuckDBPyRelation:
    connection.execute(f"create table log as select * from '{path}'")
    return connection.table("log")


def measure(engine: str, way: str, path: Path) -> None:
    """Print the CPU seconds, seconds and megabytes of one way as JSON."""
    load, ways = ENGINES[engine]
    log = load(path)
    cpu, wall = time.process_time(), time.perf_counter()
    ways[way](log)
    seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps(seconds | {"megabytes": megabytes}))


def compare(path: Path, *, runs: int) -> None:
    """Print medians and the ratio to the hand-written way, engine by engine."""
    print(f"{'engine':8}{'way':12}{'CPU s':>8}{'ratio':>8}{'wall s':>8}{'peak MB':>9}")
    for engine, (_, ways) in ENGINES.items():
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(runs):
            for way in ways:
                command = [sys.executable, __file__, "--measure", engine, way, str(path)]
                told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                found[way].append(json.loads(told))
        middle = {
            way: {key: statistics.median(run[key] for run in each) for key in each[0]}
            for way, each in found.items()
        }
        for way, figures in middle.items():
            ratio = figures["cpu"] / middle["by hand"]["cpu"]
            print(
                f"{engine:8}{way:12}{figures['cpu']:8.2f}{ratio:8.2f}"
                f"{figures['wall']:8.2f}{figures['megabytes']:9,.0f}"
            )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", nargs=3, metavar=("ENGINE", "WAY", "FILE"))
    options = parser.parse_args()
    if options.measure:
        engine, way, file = options.measure
        measure(engine, way, Path(file))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        make_log(path, n_rows=options.rows)
        compare(path, runs=options.runs)


if __name__ == "__main__":
    main()
