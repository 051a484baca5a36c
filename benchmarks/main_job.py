"""The main job and its fit on the CDNOW log, beside lifetimes where that does the same.

    python benchmarks/main_job.py --runs 5

Quoted are medians of CPU seconds over runs in one process, after one run that is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import date

from lifetimes import BetaGeoFitter, ParetoNBDFitter

from crmkit import clv, pipeline, rfm
from crmkit.datasets import load_cdnow

AS_OF = date(1998, 6, 30)


def median_cpu(job: Callable[[], object], *, runs: int) -> float:
    """Time a job."""
    job()
    seconds = []
    for _ in range(runs):
        began = time.process_time()
        job()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def main() -> None:
    """Time the jobs and print them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    orders = load_cdnow()
    customers = rfm.summarize(orders, as_of=AS_OF)
    columns = [customers[name].to_numpy() for name in ("frequency", "recency", "T")]
    fitted = clv.fit(customers, model="bg_nbd")
    jobs: dict[str, Callable[[], object]] = {
        "main job, 69,659 rows": lambda: pipeline.run(orders, as_of=AS_OF),
        "fit bg_nbd, 23,570 customers": lambda: clv.fit(customers, model="bg_nbd"),
        "the same in lifetimes": lambda: BetaGeoFitter().fit(*columns),
        "fit pareto_nbd": lambda: clv.fit(customers, model="pareto_nbd"),
        "the same in lifetimes ": lambda: ParetoNBDFitter().fit(*columns),
        "posterior of bg_nbd": lambda: clv.posterior(customers, fit=fitted),
        "fit gamma_gamma": lambda: clv.fit(customers, model="gamma_gamma"),
    }
    print(f"{'job':32}{'CPU s':>8}")
    for name, job in jobs.items():
        print(f"{name:32}{median_cpu(job, runs=runs):8.3f}")


if __name__ == "__main__":
    main()
