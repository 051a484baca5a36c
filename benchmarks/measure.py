"""Measure one way to do one job, in a process of its own."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

Figures = dict[str, float]

_LONG = 2.0
"""A job that takes longer, in seconds, is not run again in its process."""

_REPEATS = 5


def in_new_process(job: str, way: str, size: str) -> Figures | str:
    """Measure in a fresh Python; a text says why there is nothing to tell."""
    command = [sys.executable, "-m", "benchmarks", "--measure", job, way, size]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        return (told.stderr.strip().splitlines() or [f"ended with {told.returncode}"])[-1]
    figures: Figures = json.loads(told.stdout.splitlines()[-1])
    return figures


def once(run: Callable[[], object]) -> Figures:
    """CPU seconds, with those of child processes, and seconds."""
    cpu, wall = _cpu(), time.perf_counter()
    run()
    return {"cpu": _cpu() - cpu, "wall": time.perf_counter() - wall}


def here(run: Callable[[], object]) -> Figures:
    """Measure in this process: short jobs again and again once they are warm."""
    first = once(run)
    short = first["cpu"] < _LONG
    seen = [once(run) for _ in range(_REPEATS)] if short else [first]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000  # kilobytes on Linux
    return median(seen) | {"megabytes": peak}


def median(runs: list[Figures]) -> Figures:
    """Take the middle of each figure."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _cpu() -> float:
    ours = time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours + children.ru_utime + children.ru_stime
