"""The options of the command."""

from __future__ import annotations

import argparse
from datetime import date
from importlib.metadata import version
from typing import Any, Final

from crmkit._intake.column_names import ROLES

COLUMNS: Final = tuple(role for role in ROLES if role != "orders")
FILE: Final = ("encoding", "separator", "sheet", "table", "query")
FORMS: Final = ("date_format", "decimal", "returns", "amount_per", "negate")


def parser() -> argparse.ArgumentParser:
    """Describe the command, its parts and their options."""
    command = argparse.ArgumentParser(
        prog="crmkit",
        description="From a company's own records to decisions about customers.",
        epilog="Exit codes: 0 done, 2 cannot be read, 3 too much would be set aside, 4 events of "
        "the first priority (check).",
    )
    command.add_argument("--version", action="version", version=f"crmkit {version('crmkit')}")
    parts = command.add_subparsers(title="commands", required=True, dest="command")
    report = parts.add_parser(
        "report",
        help="from a log of purchases to tables and a report",
        description="Reads a log of purchases (one row per order, order line or return), and "
        "writes a table of customers, the tables behind it and a report.",
    )
    _add_reading(report)
    _add_out(report)
    _add_answers(report)
    evaluate = parts.add_parser(
        "evaluate",
        help="how well risk, value and forecast would have done on the log's own later days",
        description="Goes back to earlier days of a log of purchases, runs the main job on what "
        "was known then, and compares its rankings and forecasts, and those of plain rules, with "
        "what happened.",
    )
    _add_reading(evaluate)
    _add_evaluation(evaluate)
    inspect = parts.add_parser(
        "inspect",
        help="look at a file: its columns, their forms, what is wrong and the money at stake",
        description="Looks at a log of purchases and writes nothing: which columns were found, in "
        "which form, what is wrong with how many rows, and how much money they have.",
    )
    _add_reading(inspect)
    check = parts.add_parser(
        "check",
        help="what changed for whom since an earlier report",
        description="Compares the customers of an earlier report with those of a later one, or of "
        "a log on which the job is run anew by the earlier report's kept values. Exit code 4 says "
        "that there are events of the first priority.",
    )
    _add_reading(check)
    _add_answers(check)
    check.add_argument(
        "--out", default="events.csv", metavar="FILE", help="to write to (events.csv)"
    )
    check.add_argument(
        "--before", required=True, metavar="FOLDER", help="of the earlier report, or its customers"
    )
    check.add_argument(
        "--after", metavar="FOLDER", help="of the later report, or its customers, without a log"
    )
    check.add_argument(
        "--rules", metavar="FILE", help="what counts as an event, as a CSV of crmkit.events.rules()"
    )
    check.add_argument("--json", action="store_true", help="print the events as JSON lines")
    return command


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "log",
        nargs="*",
        help="the file, or several of one form, a folder, or the URI of a database: CSV, Excel, "
        "JSON, Parquet, SQLite, DuckDB, PostgreSQL; without it, the CDNOW log",
    )
    columns = command.add_argument_group("columns", "found by their names where not given")
    for role in COLUMNS:
        columns.add_argument(f"--{role.replace('_', '-')}", metavar="COLUMN")
    forms = command.add_argument_group("forms", "found by the values where not given")
    forms.add_argument(
        "--date-format",
        metavar="FORMAT",
        help='such as "%%d/%%m/%%Y"; "excel", "seconds" or "milliseconds" for numbers',
    )
    forms.add_argument("--decimal", choices=(".", ","), help="decimal mark of numbers in text")
    forms.add_argument(
        "--returns",
        choices=("net", "drop", "keep"),
        default="net",
        help="rows below zero: taken off (net), left out, or kept as purchases",
    )
    forms.add_argument(
        "--amount-per",
        choices=("line", "order"),
        default="line",
        help='"order" if each line has the total of its order (line)',
    )
    forms.add_argument("--negate", action="store_true", help="sales are booked below zero")
    file = command.add_argument_group("file", "found by its content where not given")
    file.add_argument("--encoding", help='such as "cp1252" or "gb18030"')
    file.add_argument("--separator", help='such as ";"')
    file.add_argument("--sheet", help="of a workbook")
    file.add_argument("--table", help="of a database")
    file.add_argument("--query", metavar="SQL", help="in place of a table")
    command.add_argument(
        "--accept-loss",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="share of rows and money that may be set aside (0.01)",
    )
    command.add_argument(
        "--as-of", type=_day, metavar="DAY", help="day of the report (the last day in the log)"
    )


def _add_out(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", default="out", metavar="FOLDER", help="to write to (out)")


def _add_answers(command: argparse.ArgumentParser) -> None:
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
        "--ranking",
        choices=("model", "blend", "best"),
        default="model",
        help="value by the model, by model and boosted trees (blend), or by what ranked held-out "
        "days better (best)",
    )
    command.add_argument(
        "--currency", default="", metavar="SIGN", help='"$" or "EUR" (that of the file, if any)'
    )
    command.add_argument(
        "--kept",
        metavar="FOLDER",
        help="values fitted earlier, to apply in place of new ones: out/kept of another run",
    )
    command.add_argument(
        "--hash-ids",
        metavar="KEY",
        help="write hashes in place of customer ids, and no names and contacts, for a copy that "
        "can leave the house; one key gives one customer one hash",
    )


def _add_evaluation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--origins",
        nargs="+",
        type=_origin,
        action=_Origins,
        default=4,
        metavar="DAY",
        help="the days to forecast from, or their number: spread over the second half (4)",
    )
    command.add_argument(
        "--horizon-days", type=int, default=91, help="how far to look ahead from each (91)"
    )
    _add_out(command)


class _Origins(argparse.Action):
    """One number of origins, or days."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401 - what argparse read
        option_string: str | None = None,
    ) -> None:
        """Keep a number by itself, and days as a list."""
        if len(values) > 1 and any(isinstance(each, int) for each in values):
            parser.error(f"argument {option_string}: give one number, or days")
        is_number = isinstance(values[0], int)
        setattr(namespace, self.dest, values[0] if is_number else values)


def _origin(text: str) -> int | date:
    if text.isdecimal():
        return int(text)
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is neither a number of origins nor a day; write 4, or 1997-12-31"
        raise argparse.ArgumentTypeError(msg) from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a day; write 2024-12-31"
        raise argparse.ArgumentTypeError(msg) from None
