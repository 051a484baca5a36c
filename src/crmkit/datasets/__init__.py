"""Small real data with its origin, to try things on.

Data
    load_cdnow: Load the purchases of CDNOW, an online shop for music, as a ledger.
"""

from __future__ import annotations

import csv
import gzip
from importlib.resources import files
from typing import Any

import narwhals as nw
import numpy as np

from crmkit._words.arguments import require_backend, require_flag
from crmkit.typing import Backend

__all__ = ["load_cdnow"]


def __dir__() -> list[str]:
    """List the public names only."""
    return __all__


def load_cdnow(*, sample: bool = False, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """Load the purchases of CDNOW, an online shop for music, as a ledger.

    Everybody in it bought for the first time in the first quarter of 1997; the log follows them
    to 30 June 1998. It is the standard test of lifetime value models.

    Parameters
    ----------
    sample
        Whether to load the one-tenth sample that the papers fit their models on (2,357
        customers, 6,919 purchases) instead of the full log (23,570 customers, 69,659 purchases).
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per purchase, by customer and date: a ledger as `crmkit.transactions` makes it.

    ===============  =====  ==========================================
    ``customer_id``  text   "00001" to "23570", the same in the sample
    ``date``         date   day of the purchase
    ``quantity``     int    CDs bought
    ``amount``       float  US dollars; 80 purchases came to 0
    ===============  =====  ==========================================

    Raises
    ------
    InvalidArgumentError
        If `backend` is not one of the three.

    References
    ----------
    Fader, P. S. & Hardie, B. G. S. (2001). Forecasting repeat sales at CDNOW: a case study.
    *Interfaces* 31(3), S94-S107. https://doi.org/10.1287/inte.31.3s.94.9683. The file comes
    from the Python package lifetimes (MIT); see ORIGIN.md beside it.

    Examples
    --------
    >>> orders = load_cdnow()
    >>> print(orders.head(3).to_string(index=False))
    customer_id       date  quantity  amount
          00001 1997-01-01         1   11.77
          00002 1997-01-12         1   12.00
          00002 1997-01-12         5   77.00
    """
    require_backend(backend)
    require_flag(sample, argument="sample")
    source = files(__name__) / ("cdnow_sample.csv.gz" if sample else "cdnow.csv.gz")
    with source.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as text:
        customer_id, date, quantity, amount = zip(*list(csv.reader(text))[1:], strict=True)
    ledger = nw.from_dict(
        {
            "customer_id": list(customer_id),
            "date": np.array(date, dtype="datetime64[us]"),
            "quantity": np.array(quantity, dtype=np.int64),
            "amount": np.array(amount, dtype=np.float64),
        },
        backend=backend,
    )
    if backend != "pandas":  # which has no type for a date
        ledger = ledger.with_columns(nw.col("date").cast(nw.Date))
    return ledger.to_native()
