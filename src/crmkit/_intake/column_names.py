"""Find the column of each role by its name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final, NamedTuple

from crmkit._intake.column_words import CONTACTS, NAMES
from crmkit._words.arguments import require_column_name
from crmkit.errors import MissingColumnsError

ROLES: Final = (
    *("customer", "date", "amount", "quantity", "price", "order_id", "product", "cost"),
    "orders",
)
"""What a column of a log can be, in the words of `crmkit.transactions`."""

LEAST: Final = 0.5
"""How well a name must fit a role to be taken for it."""

_NAMES_SHOWN: Final = 12
_OTHER_THINGS: Final[Mapping[str, str]] = {
    "customer": "name|type|segment|since|age|gender|city|state|country|zip|unique|rating|group",
    "date": "birth|due|deliver|ship|update|modif|approv|carrier|estimat|join|signup|geburt|zone",
    "amount": "id$|tax|discount|shipping|freight|cost|budget|quantity|count|type|balance|install",
    "order_id": "date|status|time|item|type|total|amount|value|purchase|approved|count",
    "product": "name length|categor|type|price|weight|length|width|height|photos",
}
"""What a name with a word of the role may mean instead."""


class Choice(NamedTuple):
    """The column of a role, how well its name fits (from 0 to 1), and the next best name."""

    column: str
    score: float
    next_best: str = ""
    next_score: float = 0.0


def find_columns(names: Sequence[str], *, given: Mapping[str, str | None]) -> dict[str, Choice]:
    """Find the column of a log for each role.

    Parameters
    ----------
    names
        The columns of the log.
    given
        Role to column, as the user said it; roles left out are found by their names.

    Returns
    -------
    Role to column. A log with a quantity and a unit price needs no amount: their product is it.

    Raises
    ------
    MissingColumnsError
        If a given column is not there, or nothing looks like a customer or a date.

    Examples
    --------
    >>> found = find_columns(["Kaufdatum", "Kundennr.", "Betrag in €"], given={})
    >>> {role: choice.column for role, choice in found.items()}
    {'customer': 'Kundennr.', 'date': 'Kaufdatum', 'amount': 'Betrag in €'}
    """
    found: dict[str, Choice] = {}
    for role, column in given.items():
        if column is None or column == "":
            continue
        require_column_name(column, argument=role)
        if column not in names:
            raise MissingColumnsError(_no_column(column, role=role, names=names))
        found[role] = Choice(column, 1.0)
    for role in ROLES:
        taken = {choice.column for choice in found.values()}
        free = [name for name in names if name not in taken]
        if role not in found and (choice := _best(role, free)):
            found[role] = choice
    _settle_money(found, is_price=bool(given.get("price")))
    for role in ("customer", "date"):
        if role not in found:
            raise MissingColumnsError(_no_role(role, names=names))
    return {role: found[role] for role in ROLES if role in found}


def _settle_money(found: dict[str, Choice], *, is_price: bool) -> None:
    """Leave one source of money: the amount, or the price that a quantity multiplies."""
    if is_price and "quantity" in found:
        found.pop("amount", None)
    elif "amount" in found:
        found.pop("price", None)
    elif "price" in found and "quantity" not in found:
        found["amount"] = found.pop("price")


def is_contact(name: str) -> bool:
    """Whether a column says who a customer is or how to reach them."""
    return plain(name) in CONTACTS.split()


def plain(name: str) -> str:
    """Write a name as names are compared: in lower case, without accents and punctuation.

    Examples
    --------
    >>> plain("N° Client"), plain("Order_Date "), plain("Stück")
    ('nclient', 'orderdate', 'stuck')
    """
    letters = unicodedata.normalize("NFKD", name.strip().lower()).replace("°", "")
    return "".join(each for each in letters if each.isalnum())


def _best(role: str, names: Sequence[str]) -> Choice | None:
    scored = sorted(((_score(role, name), -i) for i, name in enumerate(names)), reverse=True)
    fitting = [(score, names[-i]) for score, i in scored if score >= LEAST]
    if not fitting:
        return None
    score, column = fitting[0]
    next_score, next_best = fitting[1] if len(fitting) > 1 else (0.0, "")
    return Choice(column, round(score, 2), next_best, round(next_score, 2))


def _score(role: str, name: str) -> float:
    return fit_of(name, NAMES[role].split(), not_of=_OTHER_THINGS.get(role, "$^"))


def fit_of(name: str, known: Sequence[str], *, not_of: str = "$^") -> float:
    """Say how well a name fits: 1 to .8 for a name of the list by its place, less for a part."""
    written = plain(name)
    if not written:
        return 0.0
    if written in known:
        return 1.0 - 0.2 * known.index(written) / len(known)
    if re.search(not_of, name.lower()):
        return 0.0
    words = [plain(word) for word in re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", name) if word]
    pairs = ["".join(words[i : i + 2]) for i in range(len(words) - 1)]
    parts = [part for part in (*pairs, *words) if part in known]
    if parts:
        best = min(known.index(part) for part in parts)
        return 0.75 - 0.2 * best / len(known)
    in_signs = [word for word in known if not word.isascii() and len(word) > 1 and word in written]
    return 0.7 if in_signs else 0.0


def _no_column(column: str, *, role: str, names: Sequence[str]) -> str:
    by_plain = {plain(name): name for name in names}
    close = get_close_matches(plain(column), list(by_plain), n=1)
    hint = f" Did you mean {by_plain[close[0]]!r}?" if close else ""
    return f"No column {column!r} for the {_words(role)} among {_some(names)}.{hint}"


def _no_role(role: str, *, names: Sequence[str]) -> str:
    words = _words(role)
    option = role.replace("_", "-")
    return (
        f"No column looks like the {words} among {_some(names)}; name it with {role}= "
        f"(in the command --{option})."
    )


def _words(role: str) -> str:
    return role.replace("_id", "").replace("_", " ")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown
