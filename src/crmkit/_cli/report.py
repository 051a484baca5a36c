"""From a log to a folder of tables and a report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from crmkit import intake, pipeline, report
from crmkit._cli import folder, reading, told
from crmkit._cli.outgoing import hashed
from crmkit._pipeline.carried import MADE

Step = Callable[[str], None]


def run(options: argparse.Namespace, step: Step) -> None:
    """Read the log, run the main job, write its tables and the report, and print the figures."""
    kept = None if options.kept is None else pipeline.Kept.load(options.kept)
    step("reading the file")
    log = log_of(options)
    currency = options.currency or log.currency
    result = result_of(log, options, step, kept=kept, currency=currency)
    step("drawing the report")
    page = report.render(
        result,
        title=f"Customers of {log.source}",
        source=log.source,
        findings=log.findings,
        reading=[*log.warnings, *log.notes],
        currency=currency,
    )
    step("writing the tables")
    tables = {
        "findings": log.findings,
        "set_aside": log.set_aside,
        "columns": log.columns,
        "reasons": log.reasons,
    }
    out = Path(options.out)
    written = folder.write(out, result, tables, ledger=log.kept, page=page)
    step("")
    print(told.reading(log))
    print(f"\n{_day(log, result, asked=options.as_of is not None)}\n")
    print(told.result(result, currency))
    print(f"\nWrote {out / 'report.html'}, {out / 'customers.csv'} and {len(written) - 2} more.")


def log_of(options: argparse.Namespace) -> intake.Log:
    """Read the log, with hashes for ids where they are asked for, and names free for the job."""
    log = reading.read(options)
    if options.hash_ids:
        log = hashed(log, options.hash_ids)
    return _with_names_of_their_own(log)


def result_of(
    log: intake.Log,
    options: argparse.Namespace,
    step: Step,
    *,
    kept: pipeline.Kept | None,
    currency: str,
) -> pipeline.Result[Any]:
    """Run what the log allows."""
    if log.customers is not None:
        step("adding up")
        return pipeline.run_summary(
            log.customers, as_of=log.as_of, keep=log.keep, kept=kept, currency=currency
        )
    return pipeline.run(
        log.kept,
        as_of=log.as_of,
        horizon_days=options.horizon_days,
        margin=options.margin,
        annual_discount_rate=options.annual_discount_rate,
        keep=log.keep,
        kept=kept,
        currency=currency,
        ranking=options.ranking,
        on_step=step,
    )


def _with_names_of_their_own(log: intake.Log) -> intake.Log:
    """Rename kept columns that the main job makes itself: `segment` to `segment (file)`."""
    new = {name: f"{name} (file)" for name in log.keep if name in MADE}
    if not new:
        return log
    return replace(
        log,
        kept=None if log.kept is None else log.kept.rename(new),
        customers=None if log.customers is None else log.customers.rename(new),
        keep=tuple(new.get(name, name) for name in log.keep),
        contacts=tuple(new.get(name, name) for name in log.contacts),
    )


def _day(log: intake.Log, result: pipeline.Result[Any], *, asked: bool) -> str:
    chosen = "" if asked else ", the last day in it"
    horizon = result.settings.horizon_days
    ahead = "" if horizon is None else f"; looking {horizon:g} days ahead"
    since = result.settings.kept_as_of
    kept = "" if since is None else f"; by values kept as of {since}"
    return f"As of {log.as_of}{chosen}{ahead}{kept}."
