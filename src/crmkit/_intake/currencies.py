"""Currency signs and codes beside amounts."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_DOLLARS: Final = frozenset("USD AUD CAD NZD HKD SGD TWD MXN BRL CLP COP ARS".split())
_CROWNS: Final = frozenset("SEK NOK DKK ISK".split())
_CODES: Final = " ".join(
    (
        "USD EUR GBP JPY CNY RMB CHF AUD CAD NZD HKD SGD TWD KRW INR BRL MXN ZAR RUB TRY PLN CZK",
        "SEK NOK DKK ISK HUF RON BGN UAH ILS AED SAR EGP NGN KES GHS MAD TND THB IDR MYR PHP",
        "VND PKR BDT LKR ARS CLP COP PEN UYU",
    )
).split()
_LANDS: Final = {
    "US": "USD",
    "AU": "AUD",
    "A": "AUD",
    "CA": "CAD",
    "C": "CAD",
    "NZ": "NZD",
    "HK": "HKD",
    "NT": "TWD",
    "S": "SGD",
    "R": "BRL",
    "MX": "MXN",
}
"""What stands before a dollar sign, and the currency that it makes of it."""

_WRITTEN: Final[dict[str, frozenset[str]]] = {
    **{code: frozenset({"CNY" if code == "RMB" else code}) for code in _CODES},
    **{f"{land}$": frozenset({code}) for land, code in _LANDS.items()},
    "$": _DOLLARS,
    "\N{FULLWIDTH DOLLAR SIGN}": _DOLLARS,
    "€": frozenset({"EUR"}),
    "EURO": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
    "\N{FULLWIDTH POUND SIGN}": frozenset({"GBP"}),
    "¥": frozenset({"JPY", "CNY"}),
    "\N{FULLWIDTH YEN SIGN}": frozenset({"JPY", "CNY"}),
    "円": frozenset({"JPY"}),
    "元": frozenset({"CNY", "TWD"}),
    "₩": frozenset({"KRW"}),
    "원": frozenset({"KRW"}),
    "₹": frozenset({"INR"}),
    "RS.": frozenset({"INR", "PKR", "LKR"}),
    "₽": frozenset({"RUB"}),
    "₺": frozenset({"TRY"}),
    "₫": frozenset({"VND"}),
    "₴": frozenset({"UAH"}),
    "₪": frozenset({"ILS"}),
    "฿": frozenset({"THB"}),
    "₱": frozenset({"PHP"}),
    "ZŁ": frozenset({"PLN"}),
    "KČ": frozenset({"CZK"}),
    "KR": _CROWNS,
    "KR.": _CROWNS,
    "FR": frozenset({"CHF"}),
    "FR.": frozenset({"CHF"}),
    "SFR.": frozenset({"CHF"}),
    "FT": frozenset({"HUF"}),
    "LEI": frozenset({"RON"}),
    "R": frozenset({"ZAR"}),
}
"""Each way of writing a currency, in capitals, and the currencies that it can stand for."""

WRITTEN: Final = tuple(_WRITTEN)
_WITHOUT_CENTS: Final = frozenset({"JPY", "KRW", "VND", "CLP", "IDR", "HUF", "ISK"})
_LONGEST_FIRST: Final = sorted(_WRITTEN, key=len, reverse=True)
_ANY: Final = re.compile("|".join(map(re.escape, _LONGEST_FIRST)), re.IGNORECASE)
_SIGNS: Final = {
    "EUR": "€",
    "EURO": "€",
    "GBP": "£",
    "\N{FULLWIDTH POUND SIGN}": "£",
    "\N{FULLWIDTH DOLLAR SIGN}": "$",
    "\N{FULLWIDTH YEN SIGN}": "¥",
}


def taken_off(text: str) -> tuple[str, str]:
    """Split one amount into what is left of it and the currency written before or after it.

    Examples
    --------
    >>> taken_off("$1,706.18"), taken_off("-12.50 CHF"), taken_off("about 12")
    (('1,706.18', '$'), ('-12.50', 'CHF'), ('about 12', ''))
    """
    found = _ANY.findall(text)
    rest = _ANY.sub("", text)
    if len(found) != 1 or any(letter.isalpha() for letter in rest):
        return text, ""
    return rest.strip(), found[0]


def can_stand_for_one(written: Collection[str]) -> bool:
    """Whether signs and codes can all mean one currency, as "$" and "USD" can."""
    meanings = [_WRITTEN[each.upper()] for each in written]
    return not meanings or bool(frozenset.intersection(*meanings))


def has_no_cents(written: str) -> bool:
    """Whether amounts of the currency are whole numbers, as those in yen are."""
    return bool(written) and _WRITTEN[written.upper()] <= _WITHOUT_CENTS


def sign_of(written: str) -> str:
    """Give the sign or code to show with amounts: "€" for "EUR"."""
    return _SIGNS.get(written.upper(), written.upper() if written.isalpha() else written)
