"""Do the numbers that people act on hold? `pipeline.evaluate` on every log in a folder.

    python -m benchmarks.decisions FOLDER
    python -m benchmarks.decisions FOLDER --only cdnow_master

At each origin the main job runs on what was known then, and is compared with the days after it,
beside plain rules. The origins of CDNOW and Online Retail are those of the figures that crmkit
states; any other log has two, a quarter of its time apart. A log without amounts has its rankings
by money left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from crmkit import pipeline, read_log
from crmkit._cli.evaluate import as_text
from crmkit.errors import CrmkitError

_ORIGINS: Final[dict[str, list[tuple[date, int]]]] = {
    "cdnow_master": [(date(1997, 12, 31), 181), (date(1997, 9, 30), 91)],
    "online_retail_2010_2011": [(date(2011, 9, 9), 91), (date(2011, 7, 9), 60)],
}
"""Origins and horizons in days."""

_LONGEST: Final = 181
_PARTS: Final = 4


def main() -> None:
    """Read the command line, and print a table for each origin of each log, then all together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=[], help="names of logs, without suffix")
    options = parser.parse_args()
    found: list[pl.DataFrame] = []
    for path in sorted(options.folder.iterdir()):
        if path.is_dir() or (options.only and _name(path) not in options.only):
            continue
        try:
            for horizon_days, each in _evaluations(path):
                print(f"{_name(path)}, {horizon_days} days\n\n{as_text(each)}\n")
                probabilities = each.rankings.filter(~pl.col("brier").is_null())
                print(f"{probabilities.select('method', 'brier', 'risk_error')}\n")
                found.append(each.summary)
        except CrmkitError as error:
            print(f"{path.name}: not evaluated: {' '.join(str(error).split())[:120]}\n")
    if found:
        _print_together(pl.concat(found))


def _evaluations(path: Path) -> Iterator[tuple[int, pipeline.Evaluation[Any]]]:
    orders = read_log(path, accept_loss=1.0, backend="polars").kept
    days = orders["date"].cast(pl.Date)
    first, last = days.min(), days.max()
    assert isinstance(first, date), "a log has dates"
    assert isinstance(last, date), "a log has dates"
    horizon = min((last - first).days // _PARTS, _LONGEST)
    plain = [(last - timedelta(days=n * horizon), horizon) for n in (1, 2)] if horizon else []
    for origin, horizon_days in _ORIGINS.get(_name(path), plain):
        yield horizon_days, pipeline.evaluate(orders, origins=[origin], horizon_days=horizon_days)


def _print_together(summaries: pl.DataFrame) -> None:
    """Print each method over all origins of all logs."""
    together = summaries.group_by("question", "method", maintain_order=True).agg(
        pl.len().alias("n_origins"),
        pl.col("mean", "better_share", "lead", "held_share").mean().round(3),
    )
    with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, fmt_str_lengths=40):
        print("All origins of all logs\n")
        print(together)


def _name(path: Path) -> str:
    return path.name.partition(".")[0]


if __name__ == "__main__":
    main()
