"""Errors keep what they carry when they are pickled, copied, or raised in another process."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context

import pandas as pd
import pytest

from crmkit import errors, rfm
from crmkit.errors import CrmkitError, CrmkitWarning, InvalidRowsError, TooMuchSetAsideError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, CrmkitError | CrmkitWarning)
]
WAYS: dict[str, Callable[[Exception], Exception]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
BAD = pd.DataFrame({"customer_id": ["ann", None], "date": pd.to_datetime(["2024-01-05"] * 2)})


def raised(kind: type[Exception]) -> Exception:
    if issubclass(kind, InvalidRowsError):
        return kind("customers: wrong.\nMend it.", n_rows=2, examples=("ann", 7))
    if issubclass(kind, TooMuchSetAsideError):
        return kind("log: wrong.\nMend it.", reasons=(("unparsable date", 3, 9.5),))
    return kind("customers: wrong.\nMend it.")


def summarize(orders: pd.DataFrame) -> pd.DataFrame:
    return rfm.summarize(orders, as_of=date(2024, 3, 31))


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_an_error_survives(kind: type[Exception], way: str) -> None:
    error = raised(kind)
    error.add_note("from the nightly job")
    twin = WAYS[way](error)
    assert type(twin) is kind
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_a_bad_row_in_a_process_pool_gives_its_message() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        future = pool.submit(summarize, BAD)
        with pytest.raises(InvalidRowsError) as caught:
            future.result()
    assert str(caught.value) == (
        "transactions: `customer_id` is null in 1 of 2 rows (row 1).\n"
        "Build this table with crmkit.transactions()."
    )
    assert (caught.value.n_rows, caught.value.examples) == (1, (1,))
