"""Stage rules: the typical gap and the limits of each stage, learned from customers and kept."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias, get_args

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._words import kept
from crmkit._words.arguments import is_number, require_choice, require_number, shown
from crmkit._words.rates import require_horizon
from crmkit.errors import FitError, InvalidArgumentError
from crmkit.tables import RHYTHM

Windows: TypeAlias = Literal["gaps", "days"]

LIMITS: Final = ("at_risk_from", "lapsing_from", "lost_from")
"""The limits of silence, in rising order; infinite where nobody reaches the stage."""

_LEAST: Final = {"new_days": 0, "growing_ratio": 1, "growing_purchases": 1}
_NOBODY_TWICE: Final = (
    "rhythm: nobody has bought twice, so the typical gap is unknown.\n"
    "Give `typical_gap_days`, the days that usually pass between two purchases."
)
_RULE_OF_THUMB: Final = {"at_risk_from": 2.0, "lapsing_from": 3.0, "lost_from": 5.0}


@dataclass(frozen=True, slots=True)
class StageRules:
    """Limits of the life-cycle stages, as a value to keep.

    Made by `crmkit.lifecycle.rules` or `crmkit.lifecycle.fit_rules`, used by
    `crmkit.lifecycle.assign`.

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
        The silence at which each of the three stages begins; infinite where nobody is called
        so, which JSON holds as null.
    windows
        What the limits count: "gaps" expected of each customer, or whole "days", the same for all.
    horizon_days, lost_below
        What "lost" was fitted to mean: a smaller share than `lost_below` of those called lost buys
        again within `horizon_days`. None for limits that nobody has tested.
    """

    typical_gap_days: float
    prior_gaps: float
    new_days: float
    growing_ratio: float
    growing_purchases: float
    at_risk_from: float
    lapsing_from: float
    lost_from: float
    windows: Windows = "gaps"
    horizon_days: float | None = None
    lost_below: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense, alone or together."""
        for name in _NUMBERS:
            _require_in_range(getattr(self, name), argument=name)
        require_choice(self.windows, get_args(Windows), argument="windows")
        if self.horizon_days is not None:
            require_horizon(self.horizon_days)
        if self.lost_below is not None:
            require_lost_below(self.lost_below)
        if not self.at_risk_from <= self.lapsing_from <= self.lost_from:
            msg = (
                "`at_risk_from`, `lapsing_from` and `lost_from` must not fall, got "
                f"{self.at_risk_from:g}, {self.lapsing_from:g} and {self.lost_from:g}.\n"
                "A longer silence is never a better sign; give them in rising order."
            )
            raise InvalidArgumentError(msg)

    def to_json(self) -> str:
        """Write the rules as JSON text, to keep and apply again next month."""
        return kept.write(type(self).__name__, kept.nan_as_null(asdict(self)))

    @classmethod
    def from_json(cls, text: str) -> StageRules:
        """Read the rules back.

        Raises
        ------
        InvalidArgumentError
            If the text is not what `to_json` writes.
        """
        readers: dict[str, kept.Reader[object]] = dict.fromkeys(_NUMBERS, kept.number)
        readers |= dict.fromkeys(LIMITS, _number_or_never)
        readers |= {
            "windows": kept.choice(*get_args(Windows)),
            "horizon_days": kept.optional(kept.number),
            "lost_below": kept.optional(kept.number),
        }
        since = {"windows": "gaps", "horizon_days": None, "lost_below": None}
        return cls(**kept.read(text, kind=cls.__name__, fields=readers, defaults=since))


_NUMBERS: Final = (
    "typical_gap_days",
    "prior_gaps",
    "new_days",
    "growing_ratio",
    "growing_purchases",
    *LIMITS,
)


def rules(
    rhythm: IntoFrame,
    *,
    typical_gap_days: float | None = None,
    prior_gaps: float = 1.0,
    new_days: float | None = None,
    growing_ratio: float = 1.5,
    growing_purchases: float = 3,
    windows: Windows = "gaps",
    at_risk_from: float | None = None,
    lapsing_from: float | None = None,
    lost_from: float | None = None,
) -> StageRules:
    """Stage rules from the typical gap between purchases of a customer base.

    The limits are rules of thumb, or yours; how many of those called lost come back is another
    question, which `crmkit.lifecycle.calibrate` answers. `crmkit.lifecycle.fit_rules` learns
    limits that hold.

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
        their own, a tenth for someone with nine.
    new_days
        Days after the first purchase during which a customer is new. By default
        ``at_risk_from * typical_gap_days``, or `at_risk_from` where that counts days: whoever
        bought once is new until overdue.
    growing_ratio
        How many times as many purchase days as in the window before make growth, at least 1.
    growing_purchases
        Least number of purchase days in the recent window for growth: going from 1 to 2 is
        more often chance than growth.
    windows
        What the three limits count: "gaps" expected of each customer, so that silence means more
        for a weekly buyer than for a yearly one; or "days", fixed windows that are the same for
        everybody.
    at_risk_from, lapsing_from, lost_from
        The silence at which each stage begins, in rising order; `math.inf` for a stage that nobody
        should have. With windows of gaps the defaults are 2, 3 and 5: of waits that vary at random
        around their mean, 14 in 100 are longer than 2 of it, 5 longer than 3, and fewer than 1
        longer than 5. Windows of days have no default.

    Returns
    -------
    The rules, to be given to `crmkit.lifecycle.assign` now and next month.

    Raises
    ------
    FitError
        If nobody has bought twice and no `typical_gap_days` is given. With windows of days the
        typical gap is then taken to be `at_risk_from`.
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
    require_choice(windows, get_args(Windows), argument="windows")
    limits = _limits(windows, at_risk_from, lapsing_from, lost_from)
    if typical_gap_days is not None:
        _require_in_range(typical_gap_days, argument="typical_gap_days")
        frames.read(rhythm, RHYTHM)
    else:
        gap = limits["at_risk_from"] if windows == "days" else math.inf
        typical_gap_days = _median_gap(rhythm, default=gap)
    if new_days is None:
        new_days = limits["at_risk_from"] * (1 if windows == "days" else typical_gap_days)
        new_days = new_days if math.isfinite(new_days) else 2 * typical_gap_days
    return StageRules(
        typical_gap_days=typical_gap_days,
        prior_gaps=prior_gaps,
        new_days=new_days,
        growing_ratio=growing_ratio,
        growing_purchases=growing_purchases,
        **limits,
        windows=windows,
    )


def of_gap(typical_gap_days: float) -> StageRules:
    """Make the rules of thumb for a typical gap; NaN for one that nobody has shown."""
    if math.isnan(typical_gap_days):
        raise FitError(_NOBODY_TWICE)
    at_risk_from, lapsing_from, lost_from = _RULE_OF_THUMB.values()
    return StageRules(
        typical_gap_days=typical_gap_days,
        prior_gaps=1.0,
        new_days=at_risk_from * typical_gap_days,
        growing_ratio=1.5,
        growing_purchases=3,
        at_risk_from=at_risk_from,
        lapsing_from=lapsing_from,
        lost_from=lost_from,
    )


def require_lost_below(lost_below: float) -> None:
    """Require a share of customers who come back, above 0 and below 1."""
    require_number(
        lost_below,
        argument="lost_below",
        must="lie between 0 and 1",
        fits=lambda share: 0 < share < 1,
        advice="Write 0.1 for fewer than a tenth.",
    )


def _limits(windows: Windows, *given: float | None) -> dict[str, float]:
    """Give the three limits, each checked before anything is made of it."""
    named = dict(zip(LIMITS, given, strict=True))
    missing = [name for name, value in named.items() if value is None]
    if windows == "days" and missing:
        msg = (
            f"`{missing[0]}` is missing, and windows of days have no default.\n"
            "Give at_risk_from, lapsing_from and lost_from in days, such as 40, 90 and 180."
        )
        raise InvalidArgumentError(msg)
    limits = {
        name: _RULE_OF_THUMB[name] if value is None else value for name, value in named.items()
    }
    for name, value in limits.items():
        _require_in_range(value, argument=name)
    return limits


def _number_or_never(value: object, place: str) -> float:
    """Read a limit; null as one that nobody reaches."""
    return math.inf if value is None else kept.number(value, place)


def _require_in_range(value: float, *, argument: str) -> None:
    least = _LEAST.get(argument)
    finite = is_number(value) and math.isfinite(value)
    if argument in LIMITS and is_number(value) and value == math.inf:
        return
    if not finite or (value <= 0 if least is None else value < least):
        range_ = "above 0" if least is None else f"at least {least}"
        msg = f"`{argument}` must be {range_}, got {shown(value)}.\nSee crmkit.lifecycle.rules."
        raise InvalidArgumentError(msg)


def _median_gap(rhythm: IntoFrame, *, default: float) -> float:
    repeat = frames.read(rhythm, RHYTHM).filter(nw.col("frequency") > 0)
    gaps, n_customers = frames.distribution(repeat, "mean_gap_days")
    if not len(gaps) and math.isfinite(default):
        return default
    if not len(gaps):
        raise FitError(_NOBODY_TWICE)
    up_to = np.cumsum(n_customers)
    middle = [(up_to[-1] - 1) // 2, up_to[-1] // 2]
    return float(gaps[np.searchsorted(up_to, middle, side="right")].mean())
