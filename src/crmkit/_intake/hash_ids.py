"""Hashes in place of customer ids, for tables that leave the house."""

from __future__ import annotations

import hmac
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError
from crmkit.tables import PROSPECTS

_LETTERS: Final = 20


def hash_ids(table: IntoFrameT, *, key: str) -> IntoFrameT:
    """Replace customer ids by hashes that only the holder of a key can make.

    Other columns stay as they are: names, contacts and all else that tells who somebody is must be
    left out first.

    Parameters
    ----------
    table
        Any table with a `customer_id`. A lazy table is run once for its ids.
    key
        A secret text. One key gives one customer the same hash in every table, so that tables can
        still be joined; without the key, hashes cannot be made from known ids.

    Returns
    -------
    The table with `customer_id` as text of 20 letters and digits: the first 80 bits of
    HMAC-SHA256 of the id's text. Two of a billion customers share one with a chance of less than
    one in a million.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customer_id` is missing, as a column or in a row.
    InvalidArgumentError
        If `key` is not a text, or is empty.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"customer_id": ["ann", "ben", "ann"], "amount": [1.0, 2.0, 3.0]})
    >>> hash_ids(orders, key="a long secret")["customer_id"].nunique()
    2
    """
    if not isinstance(key, str) or not key:
        msg = f'`key` must be a secret text, got {shown(key)}.\nWrite key="a long secret".'
        raise InvalidArgumentError(msg)
    frame = frames.read(table, PROSPECTS)
    ids, _ = frames.distribution(frame, "customer_id")
    plain = ids.tolist()
    hashes = [_hash(each, key) for each in plain]
    names = frame.collect_schema().names()
    new = frames.table_like({"customer_id": plain, "_crmkit_hash": hashes}, like=frame)
    joined = frames.join_left(frame, new, on="customer_id")
    columns = [nw.col("_crmkit_hash" if n == "customer_id" else n).alias(n) for n in names]
    return frames.give(joined.select(*columns), like=table)


def _hash(customer: object, key: str) -> str:
    digest = hmac.new(key.encode(), str(customer).encode(), "sha256")
    return digest.hexdigest()[:_LETTERS]
