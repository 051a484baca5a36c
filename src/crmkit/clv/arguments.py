"""What an argument must be, whatever it is for: a number, a whole one, a list, a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Final

from crmkit.errors import InvalidArgumentError

_LONGEST_SHOWN: Final = 60


def is_number(value: object) -> bool:
    """Tell whether it is a real number, of numpy too; true and false are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def require_number(
    value: float, *, argument: str, must: str, fits: Callable[[float], bool], advice: str
) -> None:
    """Refuse what is no number, and a number that does not fit; `must` says which does."""
    if not (is_number(value) and fits(value)):
        msg = f"`{argument}` must {must}, got {shown(value)}.\n{advice}"
        raise InvalidArgumentError(msg)


def require_whole(value: float, *, argument: str, least: int, advice: str) -> None:
    """Refuse what is no whole number of `least` or more."""
    require_number(
        value,
        argument=argument,
        must=f"be a whole number of {least} or more",
        fits=lambda number: least <= number < math.inf and number % 1 == 0,
        advice=advice,
    )


def require_seed(seed: int) -> None:
    """Refuse what chance cannot start from: the same answer comes each time, so None is none."""
    require_whole(seed, argument="seed", least=0, advice="Write 1.")


def require_list(values: object, *, argument: str, example: str | None = None) -> None:
    """Refuse a single thing where several are due; `example` is how to write them."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        written = example or f"[{shown(values)}]"
        msg = f"`{argument}` must be a list, got {shown(values)}.\nWrite {written}."
        raise InvalidArgumentError(msg)


def shown(value: object) -> str:
    """Write a value as a message can hold it: a number as it is, a table by its kind."""
    if is_number(value):
        return str(value)
    written = repr(value)
    if len(written) > _LONGEST_SHOWN or "\n" in written:
        return f"a {type(value).__name__}"
    return written
