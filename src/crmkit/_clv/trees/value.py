"""Gradient-boosted trees as a value: to forecast with, and to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from crmkit._clv.trees.boosted import FIELDS, Boosted, of_fields
from crmkit._words import kept

FEATURES: Final = ("frequency", "recency", "days_since_last", "monetary_value", "total_amount")
"""Not T: most customers are older at the split than any at the earlier one, and trees do not
extrapolate."""

_FIELDS: Final[Mapping[str, kept.Reader[Any]]] = {
    "features": kept.list_of(kept.choice(*FEATURES)),
    "split": kept.text,
    "as_of": kept.text,
    "horizon_days": kept.positive,
    "n_customers": kept.whole,
    "purchases": kept.record(FIELDS),
    "amount": kept.optional(kept.record(FIELDS)),
}


@dataclass(frozen=True, slots=True, repr=False)
class Trees:
    """Gradient-boosted trees: a forecast for each customer that assumes no purchase model.

    Attributes
    ----------
    features
        The columns of `crmkit.rfm.summarize` that they ask for.
    split, as_of
        Trained on customers seen by `split`, and on what they bought after it up to `as_of`.
    horizon_days
        The horizon that they forecast, to which what was seen is scaled in proportion.
    n_customers
        Customers trained on.
    purchases, amount
        The trees for each outcome; `amount` is None where the log has no amounts.
    """

    features: tuple[str, ...]
    split: date
    as_of: date
    horizon_days: float
    n_customers: int
    purchases: Boosted
    amount: Boosted | None = None

    def __post_init__(self) -> None:
        """Refuse trees that cannot be walked through."""
        if not self.split < self.as_of:
            kept.refuse_fields("Trees", f"`split` ({self.split}) must come before `as_of`.")
        for name in ("purchases", "amount"):
            each = getattr(self, name)
            why = None if each is None else each.complaint(len(self.features))
            if why:
                kept.refuse_fields("Trees", f"`{name}` cannot be used: {why}.")

    def __repr__(self) -> str:
        """Show what they were trained on."""
        outcomes = "purchases" if self.amount is None else "purchases and amount"
        return (
            f"Trees({outcomes} of {self.horizon_days:g} days; {self.n_customers:,} customers, "
            f"{self.split} to {self.as_of})"
        )

    @property
    def forecasts(self) -> tuple[Boosted, ...]:
        """The trees for each outcome that there is."""
        return (self.purchases,) if self.amount is None else (self.purchases, self.amount)

    def to_json(self) -> str:
        """Write the trees as JSON text, to keep them for next month."""
        days = {"split": self.split.isoformat(), "as_of": self.as_of.isoformat()}
        return kept.write("Trees", asdict(self) | days)

    @classmethod
    def from_json(cls, text: str) -> Trees:
        """Read trees from the text that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds another kind of value, a field is missing or of a wrong type, or a
            tree leads nowhere or back to where it came from.
        """
        found = kept.read(text, kind="Trees", fields=_FIELDS)
        try:
            days = {name: date.fromisoformat(found[name]) for name in ("split", "as_of")}
        except ValueError as error:
            kept.refuse_fields("Trees", f"a day is not ISO text: {error}.")
        boosted = {
            name: None if found[name] is None else of_fields(found[name])
            for name in ("purchases", "amount")
        }
        return cls(**(found | days | boosted))
