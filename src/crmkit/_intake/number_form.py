"""The form of numbers as text: decimal mark, thousands separators and currency.

It is decided once for a column, from all its values: 1.706 alone may be 1706 or 1.706.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, NamedTuple

from crmkit._intake import currencies

Decimal = Literal[".", ","]

MINUS: Final = "-\N{MINUS SIGN}\N{EN DASH}\N{FULLWIDTH HYPHEN-MINUS}"
SPACES: Final = " \xa0\u202f\u2009\u3000"
APOSTROPHES: Final = "'\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}`"
WIDE_1: Final = "\N{FULLWIDTH DIGIT ONE}"
WIDE_9: Final = "\N{FULLWIDTH DIGIT NINE}"
FULL_WIDTH: Final = {chr(ord(WIDE_1) - 1 + i): str(i) for i in range(10)} | {
    "\N{FULLWIDTH FULL STOP}": ".",
    "\N{FULLWIDTH COMMA}": ",",
    "\N{FULLWIDTH HYPHEN-MINUS}": "-",
    "\N{FULLWIDTH PLUS SIGN}": "+",
    "\N{FULLWIDTH LEFT PARENTHESIS}": "(",
    "\N{FULLWIDTH RIGHT PARENTHESIS}": ")",
}
_SEPARATORS: Final[Mapping[str, str]] = {".": ",' ", ",": ".' "}
_SIGNED: Final = re.compile(
    r"^(?:\((?P<inside>[^()]*)\)|[+-]?(?P<before>[^()+-]*)|(?P<after>[^()+-]*)[+-])$"
)


@dataclass(frozen=True, slots=True)
class NumberForm:
    """How the numbers of a column are written.

    `thousands` holds every separator in use; `currency` is the sign or code that occurs most,
    and `written` are all its forms. A plain form has only numbers such as -1234.50.
    """

    decimal: Decimal = "."
    thousands: str = ""
    currency: str = ""
    written: tuple[str, ...] = ()
    is_full_width: bool = False
    is_plain: bool = False

    @property
    def words(self) -> str:
        """The form in words, such as "decimal comma, thousands '.', currency €"."""
        parts = [f"decimal {'point' if self.decimal == '.' else 'comma'}"]
        parts += [f"thousands {mark!r}" for mark in self.thousands]
        parts += [f"currency {self.currency}"] if self.currency else []
        return ", ".join(parts)


class Undecided(NamedTuple):
    """A column that cannot be read before somebody says how, with an example cell."""

    why: Literal["decimal", "currencies"]
    example: str
    currencies: tuple[str, ...] = ()


class Shape(NamedTuple):
    """Texts that differ in digits 1 to 9 only, how many there are, and one of them."""

    shape: str
    n: int
    example: str


class Plain(NamedTuple):
    """How many cells are written as 1234.50; of these, how many as 1.706 and as 1706."""

    n: int = 0
    with_point: int = 0
    may_be_thousands: int = 0
    long_whole: int = 0


def decide(
    plain: Plain, odd: Iterable[Shape], *, decimal: Decimal | None
) -> NumberForm | Undecided:
    """Decide the form from the plain cells and the shapes of all others.

    Examples
    --------
    >>> decide(Plain(), [Shape("9.909,99 €", 2, "1.706,18 €")], decimal=None).words
    "decimal comma, thousands '.', currency €"
    >>> decide(Plain(3, 3, 3), [], decimal=None)
    Undecided(why='decimal', example='1.706', currencies=())
    """
    votes: Counter[str] = Counter({".": plain.with_point - plain.may_be_thousands})
    unclear: Counter[str] = Counter({".": plain.may_be_thousands})
    written: Counter[str] = Counter()
    cores: list[tuple[str, int]] = []
    shapes = list(odd)
    long_whole, example = plain.long_whole, "1.706"
    for shape, n, text in shapes:
        core, currency = _core(shape)
        reads = [
            mark
            for mark in _SEPARATORS
            if re.fullmatch(number_pattern(mark, _SEPARATORS[mark]), core)
        ]
        if not reads:
            continue
        written[currency] += n
        cores.append((core, n))
        if len(reads) == 1:
            votes[reads[0]] += n
        elif mark := next(iter(re.findall("[.,]", core)), ""):
            unclear[mark] += n
            example = text
        elif core.isdigit() and len(core) > 3:  # noqa: PLR2004 - digits of a group
            long_whole += n
    written.pop("", None)
    if not currencies.can_stand_for_one(written):
        return Undecided("currencies", example, tuple(dict(written.most_common())))
    currency = written.most_common(1)[0][0] if written else ""
    chosen = decimal or _decimal(votes, unclear, long_whole=long_whole, currency=currency)
    if chosen is None:
        return Undecided("decimal", example)
    marks = "".join(core for core, _ in cores)
    if plain.may_be_thousands and chosen == ",":
        marks += "."
    return NumberForm(
        chosen,
        "".join(mark for mark in "., '" if mark != chosen and mark in marks),
        currencies.sign_of(currency) if currency else "",
        tuple(written),
        is_full_width=any(set(FULL_WIDTH) & set(each.shape) for each in shapes),
        is_plain=not cores and chosen == ".",
    )


def any_form(decimal: Decimal) -> NumberForm:
    """Give the form that reads every known way of writing with one decimal mark."""
    marks = ", '" if decimal == "." else ". '"
    return NumberForm(decimal, marks, written=currencies.WRITTEN, is_full_width=True)


@cache
def number_pattern(decimal: Decimal | str, thousands: str) -> str:
    """Give the regular expression of a number without a sign.

    Groups have three digits, in India the upper ones two; a grouped number begins with no 0.
    """
    mark = re.escape(decimal)
    whole = "[0-9]+"
    if thousands:
        each = "|".join(
            f"[1-9][0-9]{{0,2}}(?:{each}[0-9]{{3}})+|[1-9][0-9]?(?:{each}[0-9]{{2}})+{each}[0-9]{{3}}"
            for each in (re.escape(one) for one in thousands)
        )
        whole = f"(?:{each}|[0-9]+)"
    return f"(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)"


def _decimal(
    votes: Mapping[str, int], unclear: Mapping[str, int], *, long_whole: int, currency: str
) -> Decimal | None:
    """Choose the decimal mark that most cells show, or else what the unclear ones leave."""
    point, comma = votes.get(".", 0), votes.get(",", 0)
    if point or comma:
        return "." if point >= comma else ","
    marks = [mark for mark, n in unclear.items() if n]
    if not marks:
        return "."
    if len(marks) == 1 and long_whole:  # who writes 1706 without a separator writes none
        return "." if marks[0] == "." else ","
    if len(marks) == 1 and currencies.has_no_cents(currency):
        return "," if marks[0] == "." else "."
    return None


def _core(shape: str) -> tuple[str, str]:
    """Take sign, currency and unusual characters off a cell; give the number and the currency."""
    plain = "".join(FULL_WIDTH.get(each, each) for each in shape)
    plain = re.sub(f"[{SPACES}]", " ", plain)
    plain = re.sub(f"[{APOSTROPHES}]", "'", re.sub(f"[{MINUS}]", "-", plain))
    rest, currency = currencies.taken_off(plain)
    signed = _SIGNED.match(rest)
    core = next((part for part in signed.groups() if part is not None), "") if signed else ""
    return core.strip(), currency
