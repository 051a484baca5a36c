"""Stage rules: the typical gap and the limits of each stage, learned from customers and kept."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._words import kept
from crmkit._words.arguments import is_number, shown
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.tables import RHYTHM

_LEAST: Final = {"new_days": 0, "growing_ratio": 1, "growing_purchases": 1}


@dataclass(frozen=True, slots=True)
class StageRules:
    """Limits of the life-cycle stages, as a value to keep.

    Made by `crmkit.lifecycle.rules`, used by `crmkit.lifecycle.assign`.

    Attributes
    ----------
    typical_gap_days
        Days between purchases of the typical customer who comes back.
    prior_gaps
        How many gaps of that length each customer is credited with before their own.
    new_days
        Days after the first purchase during which a customer is new.
    growing_ratio
        Least ratio of recent purchase days to those of the window before, for growth.
    growing_purchases
        Least number of purchase days in the recent window, for growth.
    at_risk_from, lapsing_from, lost_from
        The silence, in expected gaps, at which each of the three stages begins.
    """

    typical_gap_days: float
    prior_gaps: float
    new_days: float
    growing_ratio: float
    growing_purchases: float
    at_risk_from: float
    lapsing_from: float
    lost_from: float

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense, alone or together."""
        for name, value in asdict(self).items():
            _require_in_range(value, argument=name)
        if not self.at_risk_from <= self.lapsing_from <= self.lost_from:
            msg = (
                "`at_risk_from`, `lapsing_from` and `lost_from` must not fall, got "
                f"{self.at_risk_from:g}, {self.lapsing_from:g} and {self.lost_from:g}.\n"
                "A longer silence is never a better sign; give them in rising order."
            )
            raise InvalidArgumentError(msg)

    def to_json(self) -> str:
        """Write the rules as JSON text, to keep and apply again next month."""
        return kept.write(type(self).__name__, asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StageRules:
        """Read the rules back.

        Raises
        ------
        InvalidArgumentError
            If the text is not what `to_json` writes.
        """
        readers = {field.name: kept.number for field in fields(cls)}
        return cls(**kept.read(text, kind=cls.__name__, fields=readers))


def rules(
    rhythm: IntoFrame,
    *,
    typical_gap_days: float | None = None,
    prior_gaps: float = 1.0,
    new_days: float | None = None,
    growing_ratio: float = 1.5,
    growing_purchases: float = 3,
    at_risk_from: float = 2.0,
    lapsing_from: float = 3.0,
    lost_from: float = 5.0,
) -> StageRules:
    """Stage rules from the typical gap between purchases of a customer base.

    Only gaps that have ended are seen. A ledger that is young against the gaps therefore shows
    the short ones only, and the typical gap is underestimated: give `typical_gap_days` by
    hand where the ledger spans less than about five of them.

    Parameters
    ----------
    rhythm
        One row per customer, as made by `crmkit.lifecycle.rhythm`.
    typical_gap_days
        Days between purchases of the typical customer who comes back. By default the median
        of `mean_gap_days`, each customer counted once.
    prior_gaps
        How many typical gaps each customer is credited with before their own, above 0. With 1
        the typical gap is all for someone who bought once, half for someone with one gap of
        their own, a tenth for someone with nine. A very large number gives everybody the
        typical gap, which makes fixed windows of days.
    new_days
        Days after the first purchase during which a customer is new. By default
        ``at_risk_from * typical_gap_days``: whoever bought once is new until overdue.
    growing_ratio
        How many times as many purchase days as in the window before make growth, at least 1.
    growing_purchases
        Least number of purchase days in the recent window for growth: going from 1 to 2 is
        more often chance than growth.
    at_risk_from, lapsing_from, lost_from
        The silence, in expected gaps, at which each stage begins, in rising order. Of waits
        that vary at random around their mean, 14 in 100 are longer than 2 of it, 5 longer than
        3, and fewer than 1 longer than 5.

    Returns
    -------
    The rules, to be given to `crmkit.lifecycle.assign` now and next month.

    Raises
    ------
    FitError
        If nobody has bought twice and no `typical_gap_days` is given.
    MissingColumnsError, InvalidRowsError
        If `rhythm` breaks its contract.
    InvalidArgumentError
        If a number is outside its range.

    Examples
    --------
    >>> import datetime
    >>> import pandas as pd
    >>> from crmkit import lifecycle
    >>> orders = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "ann", "ben", "cid"],
    ...         "date": pd.to_datetime(
    ...             ["2024-01-01", "2024-02-01", "2024-01-11", "2024-03-12", "2024-03-20"]
    ...         ),
    ...     }
    ... )
    >>> table = lifecycle.rhythm(orders, as_of=datetime.date(2024, 3, 31))
    >>> learned = rules(table)  # ann came back after 10 days, ben after 40
    >>> learned.typical_gap_days, learned.new_days
    (25.0, 50.0)
    >>> StageRules.from_json(learned.to_json()) == learned
    True
    """
    _require_in_range(at_risk_from, argument="at_risk_from")  # `new_days` is made of both
    if typical_gap_days is not None:
        _require_in_range(typical_gap_days, argument="typical_gap_days")
    if typical_gap_days is None:
        typical_gap_days = _median_gap(rhythm)
    else:
        frames.read(rhythm, RHYTHM)
    return StageRules(
        typical_gap_days=typical_gap_days,
        prior_gaps=prior_gaps,
        new_days=at_risk_from * typical_gap_days if new_days is None else new_days,
        growing_ratio=growing_ratio,
        growing_purchases=growing_purchases,
        at_risk_from=at_risk_from,
        lapsing_from=lapsing_from,
        lost_from=lost_from,
    )


def _require_in_range(value: float, *, argument: str) -> None:
    least = _LEAST.get(argument)
    finite = is_number(value) and math.isfinite(value)
    if not finite or (value <= 0 if least is None else value < least):
        range_ = "above 0" if least is None else f"at least {least}"
        msg = f"`{argument}` must be {range_}, got {shown(value)}.\nSee crmkit.lifecycle.rules."
        raise InvalidArgumentError(msg)


def _median_gap(rhythm: IntoFrame) -> float:
    repeat = frames.read(rhythm, RHYTHM).filter(nw.col("frequency") > 0)
    gaps, n_customers = frames.distribution(repeat, "mean_gap_days")
    if not len(gaps):
        msg = (
            "rhythm: nobody has bought twice, so the typical gap is unknown.\n"
            "Give `typical_gap_days`, the days that usually pass between two purchases."
        )
        raise FitError(msg)
    up_to = np.cumsum(n_customers)
    middle = [(up_to[-1] - 1) // 2, up_to[-1] // 2]
    return float(gaps[np.searchsorted(up_to, middle, side="right")].mean())
