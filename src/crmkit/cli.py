"""The command: from a log in a file to a folder of tables and a report."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from crmkit import intake, pipeline, report
from crmkit._door import files
from crmkit.datasets import load_cdnow
from crmkit.errors import CrmkitError, InvalidArgumentError, MissingColumnsError

if TYPE_CHECKING:
    import polars as pl

_REFUSED: Final = 2
_CDNOW: Final = {"customer": "customer_id", "date": "date", "amount": "amount"}


class _Log(NamedTuple):
    """A log as read, and the column of each role."""

    table: pl.DataFrame
    roles: dict[str, Any]
    source: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if it succeeds, and 2 with one sentence if it cannot be done."""
    options = _parser().parse_args(arguments)
    try:
        _report(options)
    except (CrmkitError, OSError, MemoryError) as error:
        return _refuse(error)
    except KeyboardInterrupt:
        return _refuse("stopped")
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "polars":
            raise
        return _refuse(f"{options.log.name} does not read as a table: {_first_line(error)}")
    return 0


def _report(options: argparse.Namespace) -> None:
    step = _progress(sys.stderr.isatty())
    step("reading the file")
    log = _read(options)
    step("checking the rows")
    findings = intake.check(log.table, **log.roles, **_reading(options))
    kept, set_aside = intake.clean(log.table, **log.roles, **_reading(options))
    if kept.is_empty():
        raise InvalidArgumentError(_none_kept(set_aside, log.source))
    result = pipeline.run(
        kept,
        as_of=options.as_of or _last_day(kept),
        horizon_days=options.horizon_days,
        margin=options.margin,
        annual_discount_rate=options.annual_discount_rate,
        on_step=step,
    )
    step("writing the tables")
    _write(result, {"findings": findings, "set_aside": set_aside}, options.out)
    step("drawing the report")
    page = report.render(
        result,
        title=f"Customers of {log.source}",
        source=log.source,
        findings=findings,
        reading=[f"{len(set_aside):,} of {len(log.table):,} rows were set aside."],
        currency=options.currency,
    )
    (options.out / "report.html").write_text(page, encoding="utf-8")
    step("")
    _tell(result, log, n_set_aside=len(set_aside), folder=options.out, defaults=options)


def _read(options: argparse.Namespace) -> _Log:
    if options.log is None:
        return _Log(load_cdnow(backend="polars"), _CDNOW, "CDNOW, January 1997 to June 1998")
    given = {role: getattr(options, role) for role in files.ROLES}
    roles = files.find_columns(files.column_names(options.log), given=given)
    if "amount" not in roles and "price" not in roles:
        msg = (
            "No column looks like the amount, nor do two look like a quantity and a unit price; "
            "name them with --amount, or --quantity and --price."
        )
        raise MissingColumnsError(msg)
    table = files.read_columns(options.log, list(roles.values()))
    return _Log(table, roles, options.log.name)


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    return {"as_of": options.as_of, "date_format": options.date_format}


def _last_day(ledger: pl.DataFrame) -> date:
    last: date = ledger["date"].dt.date().max()  # type: ignore[assignment] # any type, for mypy
    return last


def _none_kept(set_aside: pl.DataFrame, source: str) -> str:
    reason, n_rows = set_aside["reason"].value_counts(sort=True).row(0)
    return f"No row of {source} can be used: {reason} in {n_rows:,} of {len(set_aside):,} rows."


def _write(
    result: pipeline.Result[pl.DataFrame], intake_tables: dict[str, pl.DataFrame], folder: Path
) -> None:
    """Write the customers, the tables behind them, and the fitted values for next month."""
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    (folder / "kept").mkdir(exist_ok=True)
    for name, table in {**result.frames(), **intake_tables}.items():
        files.write_table(table, (folder if name == "customers" else folder / "tables") / name)
    for field in fields(result.kept):
        if (value := getattr(result.kept, field.name)) is not None:
            (folder / "kept" / f"{field.name}.json").write_text(value.to_json(), encoding="utf-8")


def _tell(
    result: pipeline.Result[pl.DataFrame],
    log: _Log,
    *,
    n_set_aside: int,
    folder: Path,
    defaults: argparse.Namespace,
) -> None:
    """Print what was read, the key figures, and where everything is."""
    chosen = ", ".join(f"{role.replace('_id', '')} = {name}" for role, name in log.roles.items())
    print(f"Read {len(log.table):,} rows of {log.source} ({chosen}).")
    if n_set_aside:
        print(f"Set aside {n_set_aside:,} of them; {folder / 'tables' / 'set_aside.csv'} says why.")
    settings = result.settings
    chosen_day = "" if defaults.as_of else ", the last day in it"
    print(f"As of {settings.as_of}{chosen_day}; looking {settings.horizon_days:g} days ahead.\n")
    for figure in result.key_figures.iter_rows(named=True):
        print(f"  {figure['figure']:<24}{_written(figure):>14}  {figure['meaning']}")
    for note in result.notes:
        print(f"\nNote: {note}")
    for sentence in result.left_out:
        print(f"\nLeft out: {sentence}")
    tables = len(result.frames()) + 1
    print(
        f"\nWrote {folder / 'customers.parquet'}, {folder / 'customers.csv'}, "
        f"{tables} tables in {folder / 'tables'}, what to keep for next month in "
        f"{folder / 'kept'}, and {folder / 'report.html'}."
    )


def _written(figure: dict[str, Any]) -> str:
    value = figure["value"]
    if value is None:
        return "unknown"
    if figure["unit"] == "share":
        return f"{value:.1%}"
    small = figure["figure"] == "average order"
    return f"{value:,.2f}" if small else f"{value:,.0f}"


def _progress(on_terminal: bool) -> Callable[[str], None]:  # noqa: FBT001 - the one thing it takes
    """Show each step with the seconds it took, where somebody is watching."""
    began: list[tuple[str, float]] = []

    def step(name: str) -> None:
        if not on_terminal:
            return
        now = time.perf_counter()
        if began:
            print(f"\r  {began[-1][0]} ({now - began[-1][1]:.1f} s)   ", file=sys.stderr)
        if name:
            print(f"  {name} ...", end="", file=sys.stderr, flush=True)
        began.append((name, now))

    return step


def _refuse(reason: object) -> int:
    sentence = _first_line(reason) if isinstance(reason, OSError) else " ".join(str(reason).split())
    print(f"crmkit: {sentence or 'not enough memory for this file'}", file=sys.stderr)
    return _REFUSED


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crmkit", description="From a company's own records to decisions about customers."
    )
    commands = parser.add_subparsers(title="commands", required=True)
    command = commands.add_parser(
        "report",
        help="from a log of purchases to tables and a report",
        description="Reads a log of purchases (CSV or Parquet, one row per order, order line or "
        "return), and writes a table of customers, the tables behind it and a report.",
    )
    command.add_argument("log", nargs="?", type=Path, help="the file; without it, the CDNOW log")
    command.add_argument("--out", type=Path, default=Path("out"), help="folder to write to (out)")
    columns = command.add_argument_group("columns", "found by common names where not given")
    for role in files.ROLES:
        columns.add_argument(f"--{role.replace('_', '-')}", metavar="COLUMN")
    columns.add_argument("--date-format", metavar="FORMAT", help='such as "%%d/%%m/%%Y"')
    command.add_argument(
        "--as-of", type=_day, metavar="DAY", help="day of the report (the last day in the log)"
    )
    command.add_argument(
        "--horizon-days", type=float, default=365, help="how far to look ahead (365)"
    )
    command.add_argument(
        "--margin", type=float, default=1.0, help="share of an amount that is profit (1)"
    )
    command.add_argument(
        "--annual-discount-rate", type=float, default=0.0, metavar="RATE", help="0.1 for 10 %% (0)"
    )
    command.add_argument(
        "--currency", default="", metavar="SIGN", help='written before amounts, such as "$"'
    )
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a day; write 2024-12-31"
        raise argparse.ArgumentTypeError(msg) from None


if __name__ == "__main__":
    sys.exit(main())
