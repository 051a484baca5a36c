"""What an argument must be: one sentence for each kind of wrong argument, everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import Any, Final, get_args

import numpy as np

from crmkit.errors import InvalidArgumentError
from crmkit.typing import Backend

_LONGEST_SHOWN: Final = 60
_LARGEST: Final = 2**53
"""Beyond it a float skips whole numbers."""


def is_number(value: object) -> bool:
    """Whether it is a real number, of numpy too; True and False are not."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:  # a whole number beyond any float
        return False
    return True


def require_number(
    value: float, *, argument: str, must: str, fits: Callable[[float], bool], advice: str
) -> None:
    """Require a number that `fits`; `must` says in words which does."""
    if not (is_number(value) and fits(value)):
        msg = f"`{argument}` must {must}, got {shown(value)}.\n{advice}"
        raise InvalidArgumentError(msg)


def require_whole(
    value: float, *, argument: str, least: int, most: float = math.inf, advice: str
) -> None:
    """Require a whole number from `least` to `most`, which few will meet."""
    is_too_large = is_number(value) and most < value < math.inf
    range_ = f"from {least} to {most:,}" if is_too_large else f"of {least} or more"
    require_number(
        value,
        argument=argument,
        must=f"be a whole number {range_}",
        fits=lambda number: least <= number <= min(most, _LARGEST) and number % 1 == 0,
        advice=advice,
    )


def require_zero_or_more(value: float, *, argument: str, advice: str) -> None:
    """Require a finite number of 0 or more."""
    require_number(
        value,
        argument=argument,
        must="be 0 or more",
        fits=lambda number: 0 <= number < math.inf,
        advice=advice,
    )


def require_share(value: float, *, argument: str, advice: str = "Write 0.3 for 30 %.") -> None:
    """Require a fraction from 0 to 1."""
    require_number(
        value, argument=argument, must="be from 0 to 1", fits=lambda x: 0 <= x <= 1, advice=advice
    )


def require_seed(seed: int) -> None:
    """Require a seed: a whole number, so that the same answer comes each time."""
    require_whole(seed, argument="seed", least=0, advice="Write 1.")


def require_flag(value: object, *, argument: str) -> None:
    """Require True or False, of numpy too."""
    if not isinstance(value, bool | np.bool):
        msg = f"`{argument}` must be True or False, got {shown(value)}."
        raise InvalidArgumentError(msg)


def require_list(values: object, *, argument: str, example: str | None = None) -> tuple[Any, ...]:
    """Require several values rather than a single one; `example` shows how to write them."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        written = example or f"[{shown(values)}]"
        msg = f"`{argument}` must be a list, got {shown(values)}.\nWrite {written}."
        raise InvalidArgumentError(msg)
    return tuple(values)


def require_numbers(values: object, *, argument: str, example: str) -> tuple[float, ...]:
    """Require a list of numbers, in an order that they keep; give them as floats."""
    unordered = (str, bytes, Mapping, AbstractSet)
    if isinstance(values, unordered) or not isinstance(values, Iterable):
        msg = f"`{argument}` must be a list of numbers, got {shown(values)}.\nWrite {example}."
        raise InvalidArgumentError(msg)
    numbers = tuple(values)
    for value in numbers:
        if not (is_number(value) or isinstance(value, Decimal)):
            msg = f"`{argument}` must hold numbers only, got {shown(value)}.\nWrite {example}."
            raise InvalidArgumentError(msg)
    return tuple(map(float, numbers))


def require_column_name(value: object, *, argument: str) -> None:
    """Require the name of a column."""
    if not isinstance(value, str):
        msg = f"`{argument}` must be a column's name as text, got {shown(value)}.\nName a column."
        raise InvalidArgumentError(msg)


def require_backend(backend: object) -> None:
    """Require a library that can make a table."""
    require_choice(backend, get_args(Backend), argument="backend")


def require_choice(value: object, choices: Collection[str], *, argument: str) -> None:
    """Require one of a few words; a near miss is answered with the nearest."""
    if isinstance(value, str) and value in choices:
        return
    msg = f"`{argument}` must be one of {listed(choices)}, got {shown(value)}."
    raise InvalidArgumentError(msg + did_you_mean(value, choices))


def require_fitted(
    value: object, type_: type | tuple[type, ...], *, argument: str, made_by: str
) -> None:
    """Require a kept value of a type, as one function makes it."""
    if isinstance(value, type_):
        return
    types = type_ if isinstance(type_, tuple) else (type_,)
    names = " or ".join(each.__name__ for each in types)
    article = "an" if names[0] in "AEIOU" else "a"
    msg = f"`{argument}` must be {article} {names}, got {shown(value)}.\nMake one with {made_by}()."
    raise InvalidArgumentError(msg)


def did_you_mean(value: object, choices: Collection[str]) -> str:
    """Write the choice nearest to a misspelt one as a line of advice, or nothing."""
    near = get_close_matches(str(value).lower(), list(choices), n=1)
    return f"\nDid you mean {near[0]!r}?" if near else ""


def listed(values: Iterable[object]) -> str:
    """Write values as they stand in messages: 'a', 'b', 'c'."""
    return ", ".join(map(repr, values))


def shown(value: object) -> str:
    """Write a value as a message can hold it: a number as it is, a table by its kind."""
    if is_number(value):
        return str(value)
    written = repr(value)
    if len(written) > _LONGEST_SHOWN or "\n" in written:
        return f"a {type(value).__name__}"
    return written
