"""Match records of one person that departments keep under several ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._intake.contact_fields import (
    NORMAL,
    VALID,
    Field,
    fields_of,
    require_country_code,
    with_fields,
)
from crmkit._intake.matches import Id, Matches, Pair, Reason
from crmkit._intake.similar_names import similar_names
from crmkit._words.arguments import is_number, require_column_name, require_whole, shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import PEOPLE

_NAME: Final = "crmkit_name"
_MOST_PAIRS: Final = 10_000
_PERCENT: Final = 100.0


def match(
    people: IntoFrame,
    *,
    keys: Sequence[str] | Mapping[str, str],
    fuzzy: tuple[str, float] | None = None,
    country_code: str | None = None,
    most: int = 10,
) -> Matches:
    """Match records of one person: the ids that share an e-mail, a phone or another key.

    Ids that share a value are one customer, and so are those that chains of values connect. That
    assumes that a phone or mailbox belongs to one person: a couple with one phone becomes one
    customer. Look at `Matches.reasons_table` before you apply it.

    Parameters
    ----------
    people
        One row per record, with a `customer_id`, text or whole numbers, and the columns of keys.
        Records with the same id are one customer already: where two departments count from 1, make
        their ids different first.
    keys
        Columns that name a person, with their kinds: ``{"mail": "email", "tel": "phone", "tax_no":
        "text"}``. Of a list of columns, those called "email" and "phone" are of that kind, the
        others text.
    fuzzy
        A column of names and the least similarity, as in ``("name", 0.9)``: pairs to look at, in
        `Matches.pairs_table`. They are never merged. Needs ``pip install "crmkit[match]"``.
    country_code
        Calling code of phone numbers that are written as at home, such as "49". Without it
        089 1234 and +49 89 1234 do not match.
    most
        The most ids that one person can have. A value of more customers (none@shop.com, a
        switchboard) is not used, and larger groups are not merged; both are findings.

    Returns
    -------
    A `Matches`, to `apply` to every table with a `customer_id` and to `undo`. The merged id is
    the smallest of the group. A lazy table is run once, and its ids and keys come to this machine.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `people` lacks a column, or has a null for an id.
    InvalidArgumentError
        If `keys`, `fuzzy`, `country_code` or `most` is not as described, ids are neither text nor
        whole numbers, or rapidfuzz is missing.

    Notes
    -----
    E-mails match in lower case and without white space; dots and what follows a plus stay, since
    only some providers ignore them. Phones match by their digits, 00 being +, without "(0)" and
    extensions; text in lower case with single spaces. Values that are empty or stand for nothing
    (n/a, -, none, 0000), and e-mails and phones that cannot be one, match nothing.

    Similar names are those that share a start, compared by the normalized Indel similarity of
    rapidfuzz with their words in alphabetical order. The 10,000 most similar pairs are kept, of
    equally similar ones those with the rarer names; the others are counted, merged ones among them.

    References
    ----------
    Fellegi, I. P. & Sunter, A. B. (1969). A theory for record linkage. *Journal of the American
    Statistical Association* 64(328), 1183-1210. https://doi.org/10.1080/01621459.1969.10501049.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame(
    ...     {
    ...         "customer_id": ["shop-7", "call-3", "shop-9", "fair-1"],
    ...         "email": ["Ann@Mail.org", None, "bob@mail.org", " ann@mail.org "],
    ...         "phone": ["+49 89 1234567", "089/1234567", "n/a", "-"],
    ...     }
    ... )
    >>> found = match(people, keys=["email", "phone"], country_code="49")
    >>> found
    Matches(3 ids of 1 customer)
    >>> print(found.reasons_table()[["field", "value", "ids"]].to_string(index=False))
    field        value            ids
    email ann@mail.org fair-1, shop-7
    phone +49891234567 call-3, shop-7
    >>> orders = pd.DataFrame({"customer_id": ["shop-7", "shop-9"], "amount": [5.0, 8.0]})
    >>> print(found.apply(orders).to_string(index=False))
    customer_id  amount customer_id_before
         call-3     5.0             shop-7
         shop-9     8.0             shop-9
    """
    require_country_code(country_code)
    require_whole(most, argument="most", least=2, advice="Write 10.")
    frame = frames.read(people, PEOPLE)
    fields = fields_of(keys, argument="keys", frame=frame, table=PEOPLE)
    name, least = (None, 0.0) if fuzzy is None else _checked_fuzzy(fuzzy, frame)
    data = _collected(frame, fields, name=name, country_code=country_code)
    shared = list(_shared(data, fields))
    used = [each for each, valid in shared if valid and len(each.customers) <= most]
    not_used = [each for each, _ in shared if len(each.customers) > most]
    groups = _groups(used)
    merged = tuple(sorted(group for group in groups if len(group) <= most))
    together = {each for group in merged for each in group}
    reasons = [each for each in used if each.customers[0] in together]
    pairs, n_more = _pairs(data, merged, least=least) if name is not None else ((), 0)
    return Matches(
        groups=merged,
        reasons=tuple(sorted(reasons, key=lambda each: (each.field, each.value))),
        not_used=tuple(sorted(not_used, key=lambda each: (each.field, each.value))),
        too_large=tuple(sorted(group for group in groups if len(group) > most)),
        pairs=pairs,
        n_more_pairs=n_more,
    )


def _checked_fuzzy(fuzzy: object, frame: frames.Frame) -> tuple[str, float]:
    """Take a column and a similarity, as a fraction or on the scale of rapidfuzz."""
    if not isinstance(fuzzy, tuple | list) or len(fuzzy) != len(("name", 0.9)):
        msg = f'`fuzzy` must be a column and a number, got {shown(fuzzy)}.\nWrite ("name", 0.9).'
        raise InvalidArgumentError(msg)
    column, least = fuzzy
    require_column_name(column, argument="fuzzy")
    fields_of([column], argument="fuzzy", frame=frame, table=PEOPLE)
    if not (is_number(least) and 0 < least <= _PERCENT):
        msg = f'`fuzzy` must be above 0 and at most 1, got {shown(least)}.\nWrite ("name", 0.9).'
        raise InvalidArgumentError(msg)
    return column, float(least if least <= 1 else least / _PERCENT)


def _collected(
    frame: frames.Frame, fields: Sequence[Field], *, name: str | None, country_code: str | None
) -> nw.DataFrame[Any]:
    dtype = frame.collect_schema()["customer_id"]
    is_text = dtype in (nw.String, nw.Categorical, nw.Enum)
    if not (is_text or dtype.is_integer()):
        msg = (
            f"{PEOPLE.name}: `customer_id` has type {dtype}; expected text or whole numbers.\n"
            "Cast it to one of them."
        )
        raise InvalidArgumentError(msg)
    every = [*fields, *([Field(name, "text")] if name is not None else [])]
    read = with_fields(frame, every, country_code=country_code)
    names = [form.format(i) for i in range(len(fields)) for form in (NORMAL, VALID)]
    columns = [nw.col(each).cast(nw.String) if "normal" in each else nw.col(each) for each in names]
    if name is not None:
        known = ~nw.col(NORMAL.format(len(fields))).is_null()
        columns.append(nw.when(known).then(nw.col(name).cast(nw.String)).alias(_NAME))
    plain = nw.col("customer_id").cast(nw.String) if is_text else nw.col("customer_id")
    made = read.select(plain, *columns).collect()
    if made["customer_id"].is_null().any():  # of a lazy table, whose values have not been seen
        msg = f"{PEOPLE.name}: `customer_id` is null in some rows.\nGive each record an id."
        raise InvalidArgumentError(msg)
    return made


def _shared(data: nw.DataFrame[Any], fields: Sequence[Field]) -> Iterator[tuple[Reason, bool]]:
    """Yield each value that more than one customer has, and whether it is valid."""
    ids = data["customer_id"].to_list()
    for i, field in enumerate(fields):
        holders: dict[str, set[Id]] = defaultdict(set)
        valid: dict[str, bool] = {}
        values, flags = data[NORMAL.format(i)].to_list(), data[VALID.format(i)].to_list()
        for each, value, flag in zip(ids, values, flags, strict=True):
            if isinstance(value, str):
                holders[value].add(each)
                valid[value] = flag == 1
        for value, customers in holders.items():
            if len(customers) > 1:
                yield Reason(field.column, value, tuple(sorted(customers))), valid[value]


def _groups(reasons: Sequence[Reason]) -> list[tuple[Id, ...]]:
    """Connect the customers that share a value, also over others."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - not needed by the rest of intake
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    ids = sorted({each for reason in reasons for each in reason.customers})
    position = {each: i for i, each in enumerate(ids)}
    links = [
        (position[reason.customers[0]], position[other])
        for reason in reasons
        for other in reason.customers[1:]
    ]
    if not links:
        return []
    ends = np.array(links).T
    graph = coo_array((np.ones(len(links)), (ends[0], ends[1])), shape=(len(ids), len(ids)))
    _, part = connected_components(graph, directed=False)
    groups: dict[int, list[Id]] = defaultdict(list)
    for each, number in zip(ids, part.tolist(), strict=True):
        groups[number].append(each)
    return [tuple(group) for group in groups.values()]


def _pairs(
    data: nw.DataFrame[Any], merged: Sequence[tuple[Id, ...]], *, least: float
) -> tuple[tuple[Pair, ...], int]:
    """List the most similar pairs of customers that are not one already; the rest are counted."""
    now = {old: group[0] for group in merged for old in group}
    names: dict[Id, dict[str, None]] = defaultdict(dict)
    for each, name in zip(data["customer_id"].to_list(), data[_NAME].to_list(), strict=True):
        if isinstance(name, str):
            names[each][name] = None
    found: dict[tuple[Id, Id], Pair] = {}
    n_more = 0
    for alike in similar_names({each: list(of) for each, of in names.items()}, least=least):
        n_looked_at = 0
        for one, other, name, other_name in alike.pairs():
            if len(found) >= _MOST_PAIRS:
                break
            n_looked_at += 1
            if now.get(one, one) != now.get(other, other):
                pair = Pair(one, other, name, other_name, alike.score)
                if other < one:
                    pair = Pair(other, one, other_name, name, alike.score)
                found.setdefault((pair.customer, pair.other), pair)
        n_more += alike.n_pairs - n_looked_at
    listed = sorted(found.values(), key=lambda pair: (-pair.score, pair.customer, pair.other))
    return tuple(listed), n_more
