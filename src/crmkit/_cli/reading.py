"""Read the log that the command was given."""

from __future__ import annotations

import argparse
from datetime import date

from crmkit import intake
from crmkit._cli.options import COLUMNS, FILE, FORMS
from crmkit._door import files
from crmkit._intake.column_names import find_columns
from crmkit._intake.read_log import log_of
from crmkit._intake.read_options import checked_options
from crmkit.datasets import load_cdnow

_CDNOW = "CDNOW, January 1997 to June 1998"


def read(options: argparse.Namespace, *, accept_loss: float | None = None) -> intake.Log:
    """Read the log as a Polars ledger; rows after today are set aside."""
    if not options.log:
        return _cdnow(options.as_of)
    given = {name: getattr(options, name) for name in (*COLUMNS, *FORMS, *FILE)}
    return intake.read_log(
        options.log[0] if len(options.log) == 1 else options.log,
        as_of=options.as_of,
        today=date.today(),  # noqa: DTZ011 - the day of the user
        accept_loss=options.accept_loss if accept_loss is None else accept_loss,
        backend="polars",
        **given,
    )


def _cdnow(as_of: date | None) -> intake.Log:
    raw = files.of_table(load_cdnow(backend="polars"), source=_CDNOW)
    found = find_columns(raw.table.columns, given={})
    options = checked_options(date_format=None, as_of=as_of, repair=True)
    return log_of(raw, found, options, "net", "line", accept_loss=0.01, backend="polars")
