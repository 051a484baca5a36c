"""What an evaluation gives: three tables, and what to keep in mind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Generic

from narwhals.typing import IntoFrameT


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Generic[IntoFrameT]):
    """Rankings and totals on held-out days, the defaults beside plain rules.

    Attributes
    ----------
    rankings
        One row per origin, question and method. `question` is "who buys nothing" (of all
        customers), "money lost" (customers with a purchase in the last horizon, who then buy
        nothing, at their money of that horizon) or "money to come" (of all customers, within the
        horizon). `is_default` marks the method of `crmkit.pipeline.run`. `n_customers` are
        ranked. `auc` is for the first question, `captured_share` for the others: the share of the
        money that the tenth ranked first holds. `brier` and `risk_error` (mean distance of
        said and happened by tenths of risk) are for probabilities.
    totals
        One row per origin, `quantity` ("purchases" or "money") and method: `actual` of the
        customers known at the origin, `predicted`, `lower` and `upper` bound, `error` (predicted
        over actual, less 1), and `held`: 1 where the bounds hold the actual total, else 0. None
        where nothing can be forecast.
    summary
        One row per question and method, over all origins: `measure` ("auc", "captured_share" or
        "absolute_error"), `n_origins`, `mean`, and beside the plain rule `better_share`, the share
        of the origins at which it is better, and `lead`, by how much in the mean (above 0 is
        better), from `lower` to `upper`. `held_share` is the share of bounds that held.
        None where nothing could be measured.
    origins
        The days that were forecast from.
    horizon_days
        The days after each that were held out.
    as_of
        Last day that was looked at.
    level
        Coverage of bounds and intervals.
    notes
        What the tables show, and what to keep in mind, one sentence each.
    left_out
        What could not be told, and why, one sentence each.
    """

    rankings: IntoFrameT
    totals: IntoFrameT | None
    summary: IntoFrameT | None
    origins: tuple[date, ...]
    horizon_days: int
    as_of: date
    level: float
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def frames(self) -> dict[str, IntoFrameT]:
        """Give all tables that there are, by name."""
        named = {"rankings": self.rankings, "totals": self.totals, "summary": self.summary}
        return {name: each for name, each in named.items() if each is not None}
