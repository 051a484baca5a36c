"""The cut points between scores, as a value to keep."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, Self, TypeAlias

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


@dataclass(frozen=True, slots=True, repr=False)
class Breakpoints:
    """Cut points between scores, to keep and to apply to next month's customers.

    A value at a cut or above it belongs to the class above: one score higher for orders and
    amount, one score lower for days. An infinite cut stands before a score that no customer
    reached.

    Where the cuts are nested, the fields that end in `_within` hold one set for each r_score,
    and one for each r_score and f_score, in that order. They make the scores, and the other
    fields show how all customers together would be cut.

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
        """Refuse what does not lie between n scores."""
        require_n(self.n)
        self._require_cells("orders_within", self.orders_within, n_cells=self.n)
        self._require_cells("total_amount_within", self.total_amount_within, n_cells=self.n**2)
        amount = () if self.total_amount is None else (self.total_amount,)
        cells = (*self.orders_within, *self.total_amount_within)
        for cuts in (self.days_since_last, self.orders, *amount, *cells):
            self._require_cuts(cuts)

    def __repr__(self) -> str:
        """Show the cuts as one reads them."""
        fields = [f"n={self.n}"]
        for name in SCORES:
            cuts = getattr(self, name)
            fields.append(f"{name}={cuts if cuts is None else shown(cuts)}")
        nested = ["nested"] if self.orders_within else []
        return f"Breakpoints({', '.join(fields + nested)})"

    def to_json(self) -> str:
        """Write the cuts as text; an infinite cut is null."""
        return json.dumps(
            {
                "n": self.n,
                "days_since_last": _written(self.days_since_last),
                "orders": _written(self.orders),
                "total_amount": self.total_amount and _written(self.total_amount),
                "orders_within": [_written(cuts) for cuts in self.orders_within],
                "total_amount_within": [_written(cuts) for cuts in self.total_amount_within],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        try:
            kept = json.loads(text)
            n, amount = kept["n"], kept["total_amount"]
            days, orders = _read(kept["days_since_last"]), _read(kept["orders"])
            total_amount = None if amount is None else _read(amount)
            orders_within = tuple(map(_read, kept["orders_within"]))
            total_amount_within = tuple(map(_read, kept["total_amount_within"]))
        except (ValueError, KeyError, TypeError):
            msg = "Breakpoints: this text holds no cut points.\nKeep them with to_json()."
            raise InvalidArgumentError(msg) from None
        return cls(n, days, orders, total_amount, orders_within, total_amount_within)

    def _require_cuts(self, cuts: Cuts) -> None:
        never_fall = all(low <= high for low, high in pairwise(cuts))
        if len(cuts) != self.n - 1 or not never_fall:
            msg = (
                f"Breakpoints: between {self.n} scores lie {self.n - 1} cuts that never fall, "
                f"got {shown(cuts)}.\nMake them with crmkit.rfm.breakpoints()."
            )
            raise InvalidArgumentError(msg)

    def _require_cells(self, name: str, cells: tuple[Cuts, ...], *, n_cells: int) -> None:
        if len(cells) not in (0, n_cells):
            msg = (
                f"Breakpoints: `{name}` must have the cuts of {n_cells} cells, "
                f"got {len(cells)}.\nMake them with crmkit.rfm.breakpoints()."
            )
            raise InvalidArgumentError(msg)


def require_n(n: int) -> None:
    """Refuse a number of scores that no code can show."""
    if not isinstance(n, int) or not 2 <= n <= MOST_SCORES:  # noqa: PLR2004 - fewer tell nothing
        msg = (
            f"`n` must be a whole number from 2 to {MOST_SCORES}, got {n!r}.\n"
            "Scores run from 1 to n, and each is one digit of the code."
        )
        raise InvalidArgumentError(msg)


def shown(values: Sequence[float]) -> str:
    """Write numbers in brackets, whole ones without a point."""
    return f"({', '.join(f'{value:.10g}' for value in values)})"


def _written(cuts: Cuts) -> list[float | None]:
    return [None if cut == math.inf else cut for cut in cuts]


def _read(cuts: list[float | None]) -> Cuts:
    return tuple(math.inf if cut is None else float(cut) for cut in cuts)
