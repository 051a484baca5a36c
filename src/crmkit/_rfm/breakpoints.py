"""Cut points of the RFM scores, as a value to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any, Final, Literal, Self, TypeAlias

from crmkit._words import kept
from crmkit._words.arguments import require_number, require_numbers
from crmkit._words.formats import counted
from crmkit.errors import InvalidArgumentError

Measure: TypeAlias = Literal["days_since_last", "orders", "total_amount"]
Cuts: TypeAlias = tuple[float, ...]

SCORES: Final[Mapping[Measure, str]] = {
    "days_since_last": "r_score",
    "orders": "f_score",
    "total_amount": "m_score",
}
MOST_SCORES: Final = 9
"""A score is one digit of the code."""

_FEWEST_SCORES: Final = 2
_ADVICE: Final = "Make them with crmkit.rfm.breakpoints()."


@dataclass(frozen=True, slots=True, repr=False)
class Breakpoints:
    """Cut points of the RFM scores, as a value to keep.

    Score next month's customers by the same cut points, and a 5 means what it means today.

    A value at a cut or above it belongs to the class above: one score higher for orders and
    amount, one score lower for days. An infinite cut stands before a score that no customer
    reached.

    With nested cuts, the fields that end in `_within` hold one set for each r_score, and one
    for each r_score and f_score, in that order. The scores come from these; the other fields
    then show how all customers together would be cut.

    Attributes
    ----------
    n
        The best score; 1 is the worst.
    days_since_last, orders, total_amount
        The n - 1 cuts of each measure. `total_amount` is None where no amounts are known.
    orders_within, total_amount_within
        The cuts in each cell where they are nested; empty otherwise.
    """

    n: int
    days_since_last: Cuts
    orders: Cuts
    total_amount: Cuts | None = None
    orders_within: tuple[Cuts, ...] = ()
    total_amount_within: tuple[Cuts, ...] = ()

    def __post_init__(self) -> None:
        """Require n - 1 cuts in order for each measure and cell."""
        require_n(self.n)
        self._require_cells("orders_within", n_cells=self.n)
        self._require_cells("total_amount_within", n_cells=self.n**2)
        self._require_cuts("days_since_last", self.days_since_last)
        self._require_cuts("orders", self.orders)
        if self.total_amount is not None:
            self._require_cuts("total_amount", self.total_amount)

    def __repr__(self) -> str:
        """Show the cuts without needless decimals."""
        fields = [f"n={self.n}"]
        for name in SCORES:
            cuts = getattr(self, name)
            fields.append(f"{name}={cuts if cuts is None else numbers(cuts)}")
        nested = ["nested"] if self.orders_within else []
        return f"Breakpoints({', '.join(fields + nested)})"

    def to_json(self) -> str:
        """Write the cut points as JSON text; an infinite cut is null."""
        fields = {
            "n": int(self.n),
            "days_since_last": _written(self.days_since_last),
            "orders": _written(self.orders),
            "total_amount": None if self.total_amount is None else _written(self.total_amount),
            "orders_within": [_written(cuts) for cuts in self.orders_within],
            "total_amount_within": [_written(cuts) for cuts in self.total_amount_within],
        }
        return kept.write("Breakpoints", fields)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the cut points that `to_json` wrote."""
        cuts = kept.list_of(_read_cut)
        fields: dict[str, kept.Reader[Any]] = {
            "n": kept.whole,
            "days_since_last": cuts,
            "orders": cuts,
            "total_amount": kept.optional(cuts),
            "orders_within": kept.list_of(cuts),
            "total_amount_within": kept.list_of(cuts),
        }
        return cls(**kept.read(text, kind="Breakpoints", fields=fields))

    def _require_cuts(self, name: str, cuts: Cuts) -> None:
        values = require_numbers(cuts, argument=name, example="(30, 90, 180, 365)")
        in_order = all(low <= high for low, high in pairwise(values))
        if len(values) != self.n - 1 or not in_order or not all(v > -math.inf for v in values):
            msg = (
                f"Breakpoints: {self.n} scores need {counted(self.n - 1, 'cut')} in rising order "
                f"for `{name}`, got {numbers(values)}.\n{_ADVICE}"
            )
            raise InvalidArgumentError(msg)

    def _require_cells(self, name: str, *, n_cells: int) -> None:
        cells = tuple(getattr(self, name))
        if len(cells) not in (0, n_cells):
            msg = (
                f"Breakpoints: `{name}` must have the cuts of {n_cells} cells, "
                f"got {len(cells)}.\n{_ADVICE}"
            )
            raise InvalidArgumentError(msg)
        for cuts in cells:
            self._require_cuts(name, cuts)


def require_n(n: int) -> None:
    """Require a number of scores that a code of single digits can show."""
    require_number(
        n,
        argument="n",
        must=f"be a whole number from {_FEWEST_SCORES} to {MOST_SCORES}",
        fits=lambda value: isinstance(value, Integral) and _FEWEST_SCORES <= value <= MOST_SCORES,
        advice="Scores run from 1 to n, and each is one digit of the code.",
    )


def numbers(values: Sequence[float]) -> str:
    """Write numbers in brackets, whole ones without a point."""
    return f"({', '.join(f'{value:.10g}' for value in values)})"


def _written(cuts: Cuts) -> list[float | None]:
    return [None if cut == math.inf else float(cut) for cut in cuts]


def _read_cut(value: Any, place: str) -> float:  # noqa: ANN401 - anything that JSON can hold
    return math.inf if value is None else kept.number(value, place)
