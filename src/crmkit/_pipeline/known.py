"""What is known of the customers, and so which answers they allow; the reasons where they do not.

Each reason is one sentence: what is left out, a colon, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._words import formats

LEAST_FOR_A_MODEL: Final = 20
"""With fewer customers, how they differ is anybody's guess."""

_SCORES: Final = 5
_SAME: Final = 1e-12  # sums of the same money differ by less


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the customers, counted once.

    Attributes
    ----------
    n_customers
        Those who have bought; prospects are not counted.
    n_returned
        Those who bought on a second day; None where purchases have no dates.
    has_orders, has_money
        Whether the number of orders and the amounts are known at all.
    n_without_money
        Customers of unknown amount.
    total, lowest, highest
        Of the known amounts; None where none is.
    """

    n_customers: int
    n_returned: int | None
    has_orders: bool
    has_money: bool
    n_without_money: int = 0
    total: float | None = None
    lowest: float | None = None
    highest: float | None = None


def look_at(customers: IntoFrame) -> Known:
    """Count what is known of the customers in one pass over them."""
    frame = frames.reopen(customers)
    has = set(frame.collect_schema().names())
    counts = {"n": frames.known("days_since_last").count()}
    if "frequency" in has:
        counts["n_returned"] = nw.when(nw.col("frequency") > 0).then(1.0).otherwise(0.0).sum()
    if "total_amount" in has:
        amount = frames.known("total_amount")
        counts |= {
            "n_amounts": amount.count(),
            "total": amount.sum(),
            "lowest": amount.min(),
            "highest": amount.max(),
        }
    found = one_row(frame.select(**counts))
    n, n_amounts = int(found["n"] or 0), int(found.get("n_amounts") or 0)
    return Known(
        n_customers=n,
        n_returned=int(found["n_returned"] or 0) if "n_returned" in found else None,
        has_orders="orders" in has,
        has_money=n_amounts > 0,
        n_without_money=n - n_amounts,
        total=found["total"] if n_amounts else None,
        lowest=found.get("lowest"),
        highest=found.get("highest"),
    )


def one_row(frame: frames.Frame) -> dict[str, float | None]:
    """Collect the numbers of a single row."""
    numbers = frame.select(nw.all().cast(nw.Float64))  # one engine sums whole numbers as decimals
    (row,) = frames.rows(numbers)
    return row


def nobody(as_of: date, *, only_returns: bool) -> str:
    """Say that nothing can be told, since nobody has bought."""
    why = "; returns alone make no customer" if only_returns else ""
    return f"All but the list of people: nobody has bought by {as_of}{why}."


def no_money(known: Known) -> str | None:
    """Say that amounts are unknown, and what depends on them."""
    if known.has_money:
        return None
    return (
        "Revenue, expected value, tiers and concentration: the amounts are unknown; where there "
        "are segments, they are by recency and frequency."
    )


def too_few_to_compare(known: Known) -> str | None:
    """Say that customers are too few for scores, tiers and shares, if they are."""
    if known.n_customers >= _SCORES:
        return None
    return (
        f"RFM scores, segments, tiers and concentration: they compare customers with one another, "
        f"which takes at least {_SCORES}, and {_here(known)}."
    )


def no_scores(known: Known) -> str | None:
    """Say why customers cannot be scored, if they cannot."""
    if known.has_orders:
        return too_few_to_compare(known)
    return "RFM scores and segments: the table does not have the number of orders."


def no_shares(known: Known) -> str | None:
    """Say why shares of the money have no meaning, if they have none."""
    extremes = abs(known.lowest or 0.0), abs(known.highest or 0.0)
    if (known.total or 0.0) > _SAME * max(extremes):
        return None
    return (
        "Tiers, ABC classes and concentration: the money of all customers adds up to "
        f"{formats.money(known.total)}, and shares need a total above 0."
    )


def no_tiers(known: Known) -> str | None:
    """Say why customers cannot be told apart by value, if they cannot."""
    low, high = known.lowest or 0.0, known.highest or 0.0
    if high - low > _SAME * abs(high):
        return None
    return "Tiers and ABC classes: every customer brought the same amount."


def no_model(known: Known) -> str | None:
    """Say why no model is fitted, if none is."""
    what = forecast_of(known)
    if known.n_customers < LEAST_FOR_A_MODEL:
        return f"{what}: a model needs at least {LEAST_FOR_A_MODEL} customers, and {_here(known)}."
    if not known.n_returned:
        return (
            f"{what}: nobody has bought on a second day yet, and a model learns from customers "
            "who come back."
        )
    return None


def no_stages(known: Known) -> str | None:
    """Say why customers have no life-cycle stage, if they have none."""
    if known.n_returned:
        return None
    return (
        "Life-cycle stages and recommended actions: nobody has bought on a second day yet, so the "
        "usual gap between purchases is unknown."
    )


def no_dates() -> str:
    """Say what one row per customer cannot tell."""
    return (
        "Forecast, churn risk, life-cycle stages, recommended actions, cohorts and retention: the "
        "table has one row per customer, and a forecast needs the dates of the purchases."
    )


def forecast_of(known: Known) -> str:
    """Name what the models would forecast."""
    value = ", expected value" if known.has_money else ""
    return f"Expected purchases{value} and churn risk"


def on_one_line(error: Any) -> str:  # noqa: ANN401 - an error or its text
    """Write an error as a part of a sentence."""
    return " ".join(str(error).split())


def _here(known: Known) -> str:
    return f"this table has {known.n_customers}"
