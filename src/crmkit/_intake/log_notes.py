"""Sentences on a log as read: what may mislead, and what was set aside with how much money."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw

from crmkit._door.files import BELOW, TITLE, TOTAL, RawFile
from crmkit._intake.log import Tally
from crmkit._intake.order_rules import ALL_NEGATIVE, ORDER_TOTALS, SPELLINGS
from crmkit._intake.plausible_dates import DEFAULT_DATE, FAR_AFTER, FAR_BEFORE
from crmkit._intake.raw_columns import Roles
from crmkit._words import formats
from crmkit.errors import InvalidArgumentError

_SAID: Final[dict[str, str]] = {
    "date in the future": "a date in the future ({}); set aside",
    FAR_AFTER: "a date long after all others ({}); set aside",
    DEFAULT_DATE: "a date that systems write for none ({}); set aside",
    FAR_BEFORE: "a date long before all others ({}); kept",
    "customer ids that stand for none": "an id that stands for none ({}); counted with the guests",
    SPELLINGS: (
        "another spelling of the customer than most ({}); white space, full-width digits and a "
        "final .0 make no difference, case does"
    ),
    "mixed time zones": "another offset from UTC than most ({}); each keeps its own clock",
}
"""What rows have that a rule finds, by rule."""


def warnings(findings: nw.DataFrame[Any], currency: str, roles: Roles) -> tuple[str, ...]:
    """Say of each finding that may mislead how many rows and how much money it touches."""
    said = []
    for row in findings.filter(nw.col("rows") > 0).rows(named=True):
        rows, n = formats.counted(row["rows"], "row"), row["rows"]
        if row["money"] is not None:
            rows += f" with {formats.money(row['money'], currency=currency, digits=2)}"
        if row["rule"] == ORDER_TOTALS:
            money = formats.money(row["money"], currency=currency, digits=2)
            said.append(
                f"Warning: `{roles.amount}` is the same on all lines of every order with several "
                f"lines ({row['example']}): if it is the total of the order, {money} are counted "
                'too often; then give amount_per="order" (--amount-per order).'
            )
        elif row["rule"] in _SAID:
            has = "has" if n == 1 else "have"
            said.append(f"Warning: {rows} {has} {_SAID[row['rule']].format(row['example'])}.")
    return tuple(said)


def notes(
    tally: Tally, raw: RawFile, findings: nw.DataFrame[Any], *, one_row: bool
) -> tuple[str, ...]:
    """Say what was read, and what was not kept."""
    how = f" ({', '.join(raw.notes)})" if raw.notes else ""
    said = [f"Read {formats.counted(tally.n_rows, 'row')} of {raw.source}{how}."]
    if one_row:
        said.append(
            "The file has one row per customer: RFM, tiers and concentration can be told from it; "
            "a forecast needs the date of each purchase."
        )
    others = (
        _no_rows(raw),
        tally.set_aside(),
        tally.later(),
        tally.guests(),
        _duplicates(findings),
    )
    return (*said, *filter(None, others))


def _duplicates(findings: nw.DataFrame[Any]) -> str:
    row = findings.filter(nw.col("rule") == "exact duplicate rows").rows(named=True)[0]
    if not row["rows"]:
        return ""
    are = "row is" if row["rows"] == 1 else "rows are"
    return f"{formats.whole(row['rows'])} {are} equal to an earlier one ({row['example']}); kept."


def _no_rows(raw: RawFile) -> str:
    """Say which lines of the file do not count as rows: titles, totals."""
    lines = raw.set_aside_as(TITLE, TOTAL, BELOW)
    if not len(lines):
        return ""
    few = [formats.name(text) for text in lines["content"].head(3).to_list()]
    more = ", ..." if len(lines) > len(few) else ""
    does = "does not count as a row" if len(lines) == 1 else "do not count as rows"
    shown = ", ".join(map(repr, few))
    return f"{formats.counted(len(lines), 'line')} {does}: {shown}{more}."


def require_positive(findings: nw.DataFrame[Any], roles: Roles) -> None:
    """Refuse amounts that are all below zero, and say how to read them."""
    found = findings.filter(nw.col("rule") == ALL_NEGATIVE)
    if len(found):
        n = formats.whole(found["rows"].item())
        msg = (
            f"All {n} amounts of `{roles.money}` are below zero, as where sales are booked as "
            "credit.\nGive negate=True (--negate) to read them as sales."
        )
        raise InvalidArgumentError(msg)


def none_kept(tally: Tally, source: str) -> str:
    """Say why no row of a file can be used."""
    if not tally.reasons:
        return f"{source} has no rows."
    reason, n, _, _ = tally.reasons[0]
    rows = f"{formats.whole(n)} of {formats.whole(tally.n_rows)} rows"
    return f"No row of {source} can be used: {reason} in {rows}."


def too_much(tally: Tally, source: str, accept_loss: float) -> str:
    """Say how much would be set aside, and what to do."""
    share = formats.percent(tally.lost()[2])
    return (
        f"Too much of {source} would be set aside ({share}; {formats.percent(accept_loss)} is "
        f"accepted): {tally.set_aside()}\nCorrect the file or name other columns; "
        f"accept_loss={tally.lost()[2]:.2g} (--accept-loss) goes on without these rows."
    )
