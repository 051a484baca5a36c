"""What changed for whom since an earlier report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crmkit import events, intake, pipeline
from crmkit._cli.report import log_of, result_of
from crmkit._door import files
from crmkit._words import formats
from crmkit.errors import InvalidArgumentError

if TYPE_CHECKING:
    import polars as pl

Step = Callable[[str], None]

URGENT: Final = 4
"""Exit code where there are events of the first priority."""

_SHOWN: Final = 10


def run(options: argparse.Namespace, step: Step) -> int:
    """Compare two snapshots, write and print the events, and give the exit code."""
    if bool(options.log) == (options.after is not None):
        msg = "Give either a log or --after, to compare the earlier customers with."
        raise InvalidArgumentError(msg)
    if options.hash_ids and not options.log:
        msg = "--hash-ids goes with a log; the customers of a report are taken as they stand."
        raise InvalidArgumentError(msg)
    before = _customers(Path(options.before))
    if options.after is not None:
        after = _customers(Path(options.after))
    else:
        after = _customers_of_log(options, step)
    step("comparing")
    rules = _rules(options.rules)
    found = events.compare(before, after, rules=rules)
    out = Path(options.out)
    files.write_table(found, out.with_suffix(""))
    step("")
    if options.json:
        print(found.write_ndjson(), end="")
    else:
        print(_as_text(found))
        print(f"\nWrote {out.with_suffix('.csv')} and {out.with_suffix('.parquet')}.")
    return URGENT if (found["priority"] == 1).any() else 0


def _rules(path: str | None) -> pl.DataFrame | None:
    return None if path is None else _read(Path(path)).cast({"priority": int})  # a CSV has text


def _customers(path: Path) -> pl.DataFrame:
    """Read the customers of a report's folder, or of a file."""
    file = path / "customers.parquet" if path.is_dir() else path
    if not file.is_file():
        msg = f"{path} has no customers.parquet.\nGive the folder that crmkit report wrote."
        raise InvalidArgumentError(msg)
    return _read(file)


def _read(path: Path) -> pl.DataFrame:
    table: pl.DataFrame = intake.read_file(path, backend="polars")
    return table


def _customers_of_log(options: argparse.Namespace, step: Step) -> pl.DataFrame:
    """Run the job on a log by the values of the earlier report, if it kept them."""
    kept_in = Path(options.kept) if options.kept else Path(options.before) / "kept"
    kept = pipeline.Kept.load(kept_in) if options.kept or kept_in.is_dir() else None
    step("reading the file")
    log = log_of(options)
    result = result_of(log, options, step, kept=kept, currency=options.currency or log.currency)
    customers: pl.DataFrame = result.customers
    return customers


def _as_text(found: pl.DataFrame) -> str:
    if found.is_empty():
        return "Nothing that the rules name has changed."
    summary = events.summary(found)
    days = found.select("before_date", "after_date").row(0)
    between = f" from {days[0]} to {days[1]}" if None not in days else ""
    lines = [f"{formats.counted(found.height, 'event')}{between}:"]
    lines += [
        f"  {row['priority']}  {row['event']:<18}{formats.whole(row['n_customers']):>9}"
        + ("" if row["at_stake"] is None else f"   {formats.money(row['at_stake'])} at stake")
        for row in summary.iter_rows(named=True)
    ]
    first = [row for row in found.head(_SHOWN).iter_rows(named=True) if row["priority"] == 1]
    if first:
        lines += ["", "First:", *(f"  {_line(row)}" for row in first)]
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    moved = f" ({row['old_value']} to {row['new_value']})" if row["old_value"] else ""
    return f"{formats.name(row['customer_id'])}: {row['event']}{moved}; {row['reason']}"
