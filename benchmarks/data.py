"""The data: made once, from a seed, and kept as Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crmkit import rfm
from crmkit.datasets import load_cdnow
from crmkit.models import BGNBD

FOLDER = Path(__file__).parent / "data"
AS_OF = date(2023, 12, 31)
CDNOW_AS_OF = date(1998, 6, 30)
SAMPLE_AS_OF = date(1997, 9, 30)

DAYS = 730
ORDERS_PER_CUSTOMER = 10
_CHUNK = 1_000_000
_BUYERS = BGNBD(r=0.5, alpha=22.0, a=0.8, b=2.5)


def customers_in(size: str) -> int:
    """How many customers a size has."""
    return {"sample": 2_357, "cdnow": 23_570}.get(size) or int(size)


def as_of(size: str) -> date:
    """Tell the last day of a ledger."""
    return CDNOW_AS_OF if size == "cdnow" else AS_OF


def summary(size: str) -> Path:
    """Make a file of customers with two years of history by day, as a fit needs them."""
    path = FOLDER / f"summary-{size}.parquet"
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        if size == "sample":
            found = rfm.summarize(load_cdnow(sample=True, backend="polars"), as_of=SAMPLE_AS_OF)
            found.write_parquet(path)
        elif size == "cdnow":
            rfm.summarize(load_cdnow(backend="polars"), as_of=CDNOW_AS_OF).write_parquet(path)
        else:
            _write(path, _summaries(customers_in(size)))
    return path


def ledger(size: str) -> Path:
    """Make a file of ten orders a customer over two years, in no order."""
    path = FOLDER / f"ledger-{size}.parquet"
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        if size == "cdnow":
            load_cdnow(backend="polars").write_parquet(path)
        else:
            _write(path, _orders(customers_in(size)))
    return path


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    """Write table after table to one file, which has its name when it is whole."""
    part = path.with_suffix(".part")
    first = next(tables)
    with pq.ParquetWriter(part, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)
    part.rename(path)


def _summaries(n_customers: int) -> Iterator[pa.Table]:
    """Simulate BG/NBD customers who came on any of 700 days, with lognormal spend."""
    rng = np.random.default_rng(0)
    for start in range(0, n_customers, _CHUNK):
        n = min(_CHUNK, n_customers - start)
        T = DAYS - rng.integers(0, 700, n)
        who, age = _BUYERS.simulate(T.astype(np.float64), rng=rng)
        key = np.unique(who * 1024 + np.ceil(age).astype(np.int64))
        who, day = np.divmod(key, 1024)
        recency = np.zeros(n, np.int64)
        recency[who] = day  # the last one stays
        x = np.bincount(who, minlength=n)
        spend = rng.gamma(6.25 * np.maximum(x, 1)) / np.maximum(x, 1) / rng.gamma(3.74, 1 / 15.4, n)
        yield pl.DataFrame(
            {
                "customer_id": np.arange(start, start + n),
                "frequency": x,
                "recency": recency,
                "T": T,
                "monetary_value": pl.Series(np.round(spend, 2)).set(pl.Series(x == 0), None),
            }
        ).to_arrow()


def _orders(n_customers: int) -> Iterator[pa.Table]:
    """Draw orders in which a few customers buy often and most seldom."""
    rng = np.random.default_rng(0)
    ends = np.cumsum(rng.gamma(0.6, 1, n_customers))
    left = n_customers * ORDERS_PER_CUSTOMER
    while left:
        n = min(5 * _CHUNK, left)
        left -= n
        seconds = rng.integers(0, DAYS * 86_400, n).astype("timedelta64[s]")
        yield pa.table(
            {
                "customer_id": np.searchsorted(ends, rng.random(n) * ends[-1]),
                "date": np.datetime64("2022-01-01", "us") + seconds,
                "amount": np.round(rng.lognormal(3, 1, n), 2),
            }
        )
