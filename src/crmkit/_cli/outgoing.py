"""A copy that can leave the house: hashes for customers, no names, no contacts, no examples."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crmkit import intake
from crmkit.tables import LEDGER

if TYPE_CHECKING:
    import polars as pl

_FEWEST: Final = 5
"""A value that fewer customers share may tell who they are."""

_TOTALS: Final = ("last_date", "orders", "total_amount")


def hashed(log: intake.Log, key: str) -> intake.Log:
    """Take out of a log all that tells who a customer is.

    Of the columns kept for each customer, those stay whose values are shared by five customers
    or more; of rows set aside, the line and the reason.
    """
    rows = log.kept if log.kept is not None else log.customers
    keep = tuple(name for name in log.keep if name not in log.contacts and _is_shared(rows, name))
    known = [name for name in rows.columns if name in (*LEDGER.column_names, *_TOTALS)]
    rows = intake.hash_ids(rows.select(*known, *keep), key=key)
    return replace(
        log,
        kept=None if log.kept is None else rows,
        customers=None if log.customers is None else rows,
        set_aside=log.set_aside.select("line", "reason"),
        findings=log.findings.drop("example"),
        columns=log.columns.drop("example", "read_as"),
        keep=keep,
        contacts=(),
        warnings=tuple(map(_without_example, log.warnings)),
    )


def _is_shared(rows: pl.DataFrame, name: str) -> bool:
    of_each = rows.select(name, "customer_id").unique()[name].value_counts()["count"]
    return bool((of_each >= _FEWEST).all())


def _without_example(sentence: str) -> str:
    """Leave out the part in brackets, which shows ids."""
    before, _, rest = sentence.partition(" (")
    _, _, after = rest.rpartition(")")
    return before + after
