"""A draw of customers by a fixed hash of their id, the same on every engine."""

from __future__ import annotations

from functools import partial
from hashlib import md5
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt

from crmkit._door import frames, partitions

MOST_CUSTOMERS: Final = 200_000
"""As many customers come to one machine at the most."""

_NUMBER: Final = "crmkit_hash"
NUMBERS: Final = 2**32
_HEX: Final = 8


def collect_draw(
    frame: frames.Frame, *columns: str, most: int = MOST_CUSTOMERS
) -> dict[str, npt.NDArray[Any]]:
    """Collect columns of all customers, or of about `most` of them, sorted by their hash.

    `numbers`, the hash of each from 0 to 2**32, comes with them.
    """
    drawn, _ = about(frame.select("customer_id", *columns), most=most)
    found = frames.collect(drawn, "customer_id", *columns)
    numbers = hash_of(found.pop("customer_id").tolist())
    order = np.argsort(numbers, kind="stable")
    return {name: values[order] for name, values in {**found, "numbers": numbers}.items()}


def of_drawn_customers(
    frame: frames.Frame, *, most: int = MOST_CUSTOMERS
) -> tuple[frames.Frame, int]:
    """Keep the rows of all customers, or of about `most` of them; count all customers."""
    ids = frame.select("customer_id").unique()
    n = int(ids.select(nw.len().alias("n")).collect().item())
    return (_part(frame, share=most / n) if n > most else frame), n


def _part(frame: frames.Frame, *, share: float) -> frames.Frame:
    """Keep the rows of a share of the customers, those of the lowest hashes."""
    hashed = with_hash(frame, into=_NUMBER)
    return hashed.filter(nw.col(_NUMBER) < int(share * NUMBERS)).drop(_NUMBER)


def about(frame: frames.Frame, *, most: int) -> tuple[frames.Frame, int]:
    """Keep about `most` rows, all of a customer or none; and how many rows there were."""
    n = int(frame.select(nw.len().alias("n")).collect().item())
    return (_part(frame, share=most / n) if n > most else frame), n


def hash_of(ids: Any, *, salt: str = "") -> npt.NDArray[np.int64]:  # noqa: ANN401 - ids of any type
    """Hash ids by the first 32 bits of the MD5 of their text, as databases do."""
    return np.array(
        [
            int(md5(f"{salt}{each}".encode(), usedforsecurity=False).hexdigest()[:_HEX], 16)
            for each in ids
        ],
        dtype=np.int64,
    )


def with_hash(frame: frames.Frame, *, into: str, salt: str = "") -> frames.Frame:
    """Append the hash of each `customer_id`; another salt gives other numbers."""
    engine = frame.implementation
    if engine.is_duckdb():
        text = f"'{salt}' || CAST(customer_id AS VARCHAR)"
        number = f"CAST('0x' || left(md5({text}), {_HEX}) AS BIGINT)"
        hashed: frames.Frame = nw.from_native(frame.to_native().project(f"*, {number} AS {into}"))
        return hashed
    if engine.is_spark_like():
        text = f"md5(concat('{salt}', CAST(customer_id AS STRING)))"
        number = f"CAST(conv(substring({text}, 1, {_HEX}), 16, 10) AS BIGINT)"
        numbered: frames.Frame = nw.from_native(
            frame.to_native().selectExpr("*", f"{number} AS {into}")
        )
        return numbered
    step = partial(_with_hash_in_memory, into=into, salt=salt)
    return partitions.in_partitions(frame.to_native(), step) if engine.is_dask() else step(frame)


def _with_hash_in_memory(frame: frames.Frame, *, into: str, salt: str) -> frames.Frame:
    data = frame.collect()
    numbers = hash_of(data["customer_id"].to_list(), salt=salt)
    hashed = nw.new_series(into, numbers, nw.Int64, backend=data.implementation)
    return data.with_columns(hashed).lazy()
