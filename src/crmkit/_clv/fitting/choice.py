"""The purchase model that held-out days chose: a value to fit by and to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from crmkit._words import kept
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS

DEFAULT_MODEL: Final = "pareto_nbd"
"""Where nothing can be held out: it lets customers leave at any time, one-time buyers too."""

_SCORE: Final = kept.record({"model": kept.choice(*PURCHASE_MODELS), "log_score": kept.number})
FIELDS: Final[Mapping[str, kept.Reader[Any]]] = {
    "best": kept.choice(*PURCHASE_MODELS),
    "split": kept.optional(kept.text),
    "as_of": kept.optional(kept.text),
    "n_customers": kept.whole,
    "n_purchases": kept.whole,
    "log_scores": kept.list_of(_SCORE),
    "left_out": kept.list_of(kept.text),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The purchase model that held-out days chose, and the scores of all that were tried.

    Attributes
    ----------
    best
        Name of the model to fit.
    split, as_of
        The models were fitted on days up to `split`, and compared on those after it up to
        `as_of`; both are None where nothing was held out.
    n_customers, n_purchases
        Customers seen by the split, and their purchase days after it.
    log_scores
        Each model and its mean log score of a customer, the chosen one first; the closer to 0
        the better. Empty where nothing was held out.
    left_out
        What was not tried, and why, one sentence each.
    """

    best: str
    split: date | None = None
    as_of: date | None = None
    n_customers: int = 0
    n_purchases: int = 0
    log_scores: tuple[tuple[str, float], ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why this model, in one sentence."""
        if not self.log_scores:
            why = self.left_out[0] if self.left_out else "No days were held out."
            return f"{self.best} without comparison: {why[0].lower()}{why[1:]}"
        (_, score), *others = self.log_scores
        beside = ", ".join(f"{name} {each:.4f}" for name, each in others)
        return f"{self.best}: log score {score:.4f} a customer on the days after {self.split}" + (
            f", against {beside}." if others else ", the only one tried."
        )

    def to_json(self) -> str:
        """Write the choice as JSON text, to keep it for next month."""
        return kept.write("Choice", as_fields(self))

    @classmethod
    def from_json(cls, text: str) -> Choice:
        """Read a choice from the text that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If the text holds another kind of value, or a field is missing or of a wrong type.
        """
        return of_fields(kept.read(text, kind="Choice", fields=FIELDS))


def as_fields(choice: Choice) -> dict[str, Any]:
    """Give the fields of a choice as JSON has them."""
    days = {name: None if day is None else day.isoformat() for name, day in _days(choice).items()}
    scores = [{"model": name, "log_score": score} for name, score in choice.log_scores]
    return asdict(choice) | days | {"log_scores": scores}


def of_fields(fields: Mapping[str, Any]) -> Choice:
    """Make a choice of fields that were read."""
    scores = tuple((each["model"], each["log_score"]) for each in fields["log_scores"])
    days = {name: _day(fields[name], place=name) for name in ("split", "as_of")}
    return Choice(**{**fields, **days, "log_scores": scores})


def _days(choice: Choice) -> dict[str, date | None]:
    return {"split": choice.split, "as_of": choice.as_of}


def _day(text: str | None, *, place: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        msg = f"Choice: `{place}` must be a date in ISO text, got {text!r}."
        raise InvalidArgumentError(msg) from None
