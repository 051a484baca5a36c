"""What a fit collects, from ten thousand customers to ten million.

    python -m benchmarks.scale --sizes 10000 100000 1000000 10000000

Behind docs/scale.md: distinct histories, their bytes, and the CPU seconds to find them in the table
and to fit them, with the law that the rows follow between one size and the next.
"""

from __future__ import annotations

import argparse
import math
import time

import polars as pl

from benchmarks import data
from crmkit import clv
from crmkit._clv.fitting.histories import purchase_histories


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--sizes", nargs="*", default=["10000", "100000", "1000000"])
    print("| customers | distinct rows | customers a row | law | MB | CPU s to collect | to fit |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    before: tuple[int, int] | None = None
    for size in parser.parse_args().sizes:
        columns = ["frequency", "recency", "T"]
        customers = pl.read_parquet(data.summary(size), columns=columns)
        began = time.process_time()
        found = purchase_histories(customers)
        collected = time.process_time()
        clv.fit(customers, model="bg_nbd")
        fitted = time.process_time()
        n, rows = len(customers), len(found.weights)
        law = ""
        if before is not None:
            law = f"N^{math.log(rows / before[1]) / math.log(n / before[0]):.2f}"
        before = n, rows
        megabytes = sum(column.nbytes for column in (*found.columns, found.weights)) / 1e6
        print(
            f"| {n:,} | {rows:,} | {n / rows:.1f} | {law} | {megabytes:.1f} | "
            f"{collected - began:.3f} | {fitted - collected:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
