"""Options of reading a raw table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import get_args

from crmkit._door import dates, time
from crmkit._intake.number_form import Decimal
from crmkit._words.arguments import require_choice, shown
from crmkit.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Date format, last possible day, and how strictly to read.

    With `strict`, text that cannot be parsed is an error of the engine; otherwise it becomes
    null. With `repair`, white space around ids is removed. `today` is the last possible day that
    nobody asked for. With `negate`, amounts are read with the other sign.
    """

    date_format: str | None
    as_of: date | None
    decimal: Decimal | None = None
    strict: bool = False
    repair: bool = False
    today: date | None = None
    negate: bool = False


def checked_options(
    *,
    date_format: str | None,
    as_of: date | str | None,
    decimal: Decimal | None = None,
    strict: bool = False,
    repair: bool = False,
) -> ReadOptions:
    """Require a known date format and a date."""
    if date_format is not None:
        if not isinstance(date_format, str):
            msg = f'`date_format` must be text, got {shown(date_format)}.\nWrite "%d/%m/%Y".'
            raise InvalidArgumentError(msg)
        date_format = dates.known_format(date_format)
    if as_of is not None:
        as_of = time.as_day(as_of, argument="as_of")
    if decimal is not None:
        require_choice(decimal, get_args(Decimal), argument="decimal")
    return ReadOptions(
        date_format=date_format, as_of=as_of, decimal=decimal, strict=strict, repair=repair
    )
