"""The customer summary as one writes it by hand: the limit for crmkit's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl

SQL = """
    select customer_id, min(day) as first, max(day) as last, count(*) as n_days, sum(n) as orders,
        sum(amount) as amount, arg_min(amount, day) as first_amount
    from (
        select customer_id, date::date as day, count(*) as n, sum(amount) as amount
        from log group by all
    )
    group by customer_id
"""


def in_pandas(log: pd.DataFrame) -> pd.DataFrame:
    """Collapse to customer-days, then to customers."""
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


def in_polars(log: pl.LazyFrame) -> pl.LazyFrame:
    """Do the same in Polars."""
    days = log.group_by("customer_id", pl.col("date").dt.date().alias("day"))
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
    )


def in_duckdb(log: duckdb.DuckDBPyRelation) -> Any:  # noqa: ANN401 - a relation
    """Do the same in SQL."""
    return log.query("log", SQL)


def duckdb_file(path: Path, *, memory: str = "12GB") -> duckdb.DuckDBPyRelation:
    """Open a Parquet file with so much memory, to spill beyond it."""
    connection = duckdb.connect(
        config={"memory_limit": memory, "preserve_insertion_order": "false"}
    )
    return connection.read_parquet(str(path))
