"""One test of forecasts: what was known at the split, what came after it, and the fits to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from time import process_time
from typing import Final, TypeVar

import numpy as np
from narwhals.typing import IntoDataFrame, IntoFrame

from crmkit._clv.fitting.fit import Fit, fit
from crmkit._door import frames, time
from crmkit._door.frames import Floats
from crmkit._summary.summarize import holdout
from crmkit.tables import HOLDOUT, LEDGER

WITH_MONEY: Final = LEDGER.only("customer_id", "date", "amount")
"""A ledger of which the amounts are needed too."""

_HALVES: Final = HOLDOUT.only(
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
class Trial:
    """The two halves of each customer's history, and models fitted to the first."""

    split: date
    as_of: date
    halves: IntoDataFrame
    fits: Mapping[str, TimedFit]
    spend: TimedFit | None

    @property
    def horizon_days(self) -> int:
        """How long the second half is."""
        return (self.as_of - self.split).days


@dataclass(frozen=True, slots=True)
class Halves:
    """What was known of each customer at the split, and what each did after it."""

    frequency: Floats
    recency: Floats
    T: Floats
    days_since_last: Floats
    mean_amount: Floats
    purchases: Floats
    amount: Floats


def trial(
    orders: IntoFrame, *, split: date, as_of: date, models: Sequence[str], spend: str | None = None
) -> Trial:
    """Split the ledger once, and fit the models once; the customers come to this machine."""
    split = time.as_day(split, argument="split")
    as_of = time.as_day(as_of, argument="as_of")
    halves = frames.run_once(holdout(orders, split=split, as_of=as_of))
    fits = {model: _timed_fit(halves, model) for model in models}
    spending = None if spend is None else _timed_fit(halves, spend)
    return Trial(split, as_of, halves, fits, spending)


def columns_of(held: Trial) -> Halves:
    """Bring the columns of a trial to numpy; who has no repeat spend has a mean of 0."""
    frame = frames.read(held.halves, _HALVES)
    columns = frames.collect(frame, *_HALVES.column_names)
    arrays = [columns[name].astype(float) for name in _HALVES.column_names]
    frequency, recency, T, days_since_last, mean_amount, purchases, amount = arrays
    mean_amount = np.nan_to_num(mean_amount)
    return Halves(frequency, recency, T, days_since_last, mean_amount, purchases, amount)


def timed(make: Callable[[], V]) -> tuple[V, float]:
    """Do it, and tell the CPU seconds that it took."""
    began = process_time()
    made = make()
    return made, process_time() - began


def _timed_fit(halves: IntoDataFrame, model: str) -> TimedFit:
    return TimedFit(*timed(lambda: fit(halves, model=model)))
