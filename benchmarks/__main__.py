"""Time crmkit beside its peers, and write what was found into docs/.

    python -m benchmarks                                   # some minutes
    python -m benchmarks --jobs "fit bg_nbd" --sizes cdnow --repeat 5
    python -m benchmarks --full --sizes sample cdnow 100000 1000000 10000000 --write

Each measurement is a process of its own, and the ways of a job take turns, so that all see the
machine in the same mood. Quoted are medians. `--full` lets in the peers that take minutes.
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks import measure
from benchmarks.jobs import JOBS, PEERS, ready
from benchmarks.pages import Row, write_pages


def main() -> None:
    """Read the command line and do what it says."""
    options = _options()
    if options.measure:
        print(json.dumps(measure.here(ready(*options.measure))))
        return
    rows: list[Row] = []
    for job in JOBS:
        if options.jobs and job.name not in options.jobs:
            continue
        for size in job.sizes:
            if size not in options.sizes:
                continue
            ways = [
                way
                for way in job.ways
                if job.done_by(way, size, full=options.full)
                and (way not in PEERS or way in options.peers)
            ]
            found = _measured(job.name, ways, size, repeat=options.repeat)
            rows += [Row(job.name, size, way, **figures) for way, figures in found.items()]
    if options.write:
        write_pages(rows)


def _measured(job: str, ways: list[str], size: str, *, repeat: int) -> dict[str, measure.Figures]:
    """Measure the ways in turn, and print their medians."""
    seen: dict[str, list[measure.Figures]] = {way: [] for way in ways}
    for _ in range(repeat):
        for way in ways:
            figures = measure.in_new_process(job, way, size)
            if isinstance(figures, str):
                print(f"{job}, {size}, {way}: {figures}", file=sys.stderr)
            else:
                seen[way].append(figures)
    found = {way: measure.median(runs) for way, runs in seen.items() if runs}
    for way, each in found.items():
        print(
            f"{job:28}{size:>10}  {way:24}{each['cpu']:10.3f} CPU s{each['wall']:10.3f} s"
            f"{each['megabytes']:8,.0f} MB",
            flush=True,
        )
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time crmkit beside its peers."
    )
    parser.add_argument("--jobs", nargs="*", choices=[job.name for job in JOBS])
    parser.add_argument("--sizes", nargs="*", default=["sample", "cdnow", "100000"])
    parser.add_argument("--peers", nargs="*", default=[*PEERS], choices=[*PEERS])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="let in peers that take minutes")
    parser.add_argument("--write", action="store_true", help="write the table and the picture")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
