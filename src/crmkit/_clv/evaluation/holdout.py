"""Holdout tests: customers at a split date, their purchases after it, and models fitted before."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from time import process_time
from typing import Final, TypeVar

import numpy as np
from narwhals.typing import IntoDataFrame, IntoFrame

from crmkit._clv.fitting.fit import fitted_to
from crmkit._clv.fitting.fitted import Fit
from crmkit._door import frames, time
from crmkit._door.frames import Floats
from crmkit._summary.holdout import holdout
from crmkit.errors import CrmkitWarning
from crmkit.tables import HOLDOUT, LEDGER

WITH_MONEY: Final = LEDGER.only("customer_id", "date", "amount")
"""The columns of a ledger with amounts."""

_COLUMNS: Final = HOLDOUT.only(
    "frequency",
    "recency",
    "T",
    "days_since_last",
    "monetary_value",
    "frequency_holdout",
    "amount_holdout",
)

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class TimedFit:
    """A fit, and the CPU seconds that it took."""

    fit: Fit
    seconds: float


@dataclass(frozen=True, slots=True)
class HoldoutTest:
    """Customers at the split with their holdout period, and models fitted at the split."""

    split: date
    as_of: date
    customers: IntoDataFrame
    fits: Mapping[str, TimedFit]
    spend: TimedFit | None

    @property
    def horizon_days(self) -> int:
        """Length of the holdout period."""
        return (self.as_of - self.split).days

    @property
    def notes(self) -> tuple[str, ...]:
        """Diagnostics of the fits, each with its model and the days it was fitted to."""
        fits = [each.fit for each in (*self.fits.values(), self.spend) if each is not None]
        return tuple(
            f"{fit.name}, fitted up to {self.split} to {fit.n_customers:,} customers: {note}"
            for fit in fits
            for note in fit.diagnostics
        )


def warn_once(notes: Sequence[str], *, stacklevel: int) -> None:
    """Warn of all that the fits of a test had to say, in one warning at the caller's line."""
    if notes:
        warnings.warn("\n".join(notes), CrmkitWarning, stacklevel=stacklevel + 1)


@dataclass(frozen=True, slots=True)
class HoldoutColumns:
    """Each customer's history at the split, then purchases and amount after it."""

    frequency: Floats
    recency: Floats
    T: Floats
    days_since_last: Floats
    mean_amount: Floats
    purchases: Floats
    amount: Floats


def holdout_test(
    orders: IntoFrame,
    *,
    split: date | str,
    as_of: date | str,
    models: Sequence[str],
    spend: str | None = None,
) -> HoldoutTest:
    """Split the ledger and fit the models; the customers come to this machine."""
    split = time.as_day(split, argument="split")
    as_of = time.as_day(as_of, argument="as_of")
    customers = frames.run_once(holdout(orders, split=split, as_of=as_of))
    fits = {model: _timed_fit(customers, model) for model in models}
    spending = None if spend is None else _timed_fit(customers, spend)
    return HoldoutTest(split, as_of, customers, fits, spending)


def columns_of(test: HoldoutTest) -> HoldoutColumns:
    """Collect the columns of a test; a customer without repeat spend has a mean of 0."""
    frame = frames.read(test.customers, _COLUMNS)
    columns = frames.collect(frame, *_COLUMNS.column_names)
    arrays = [columns[name].astype(float) for name in _COLUMNS.column_names]
    frequency, recency, T, days_since_last, mean_amount, purchases, amount = arrays
    mean_amount = np.nan_to_num(mean_amount)
    return HoldoutColumns(frequency, recency, T, days_since_last, mean_amount, purchases, amount)


def timed(make: Callable[[], V]) -> tuple[V, float]:
    """Call `make`, and give also the CPU seconds that it took."""
    began = process_time()
    made = make()
    return made, process_time() - began


def _timed_fit(customers: IntoDataFrame, model: str) -> TimedFit:
    return TimedFit(*timed(lambda: fitted_to(customers, model=model)))
