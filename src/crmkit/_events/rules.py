"""What counts as an event: a table to edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._words.arguments import did_you_mean, require_backend
from crmkit.errors import InvalidArgumentError
from crmkit.tables import EVENT_RULES
from crmkit.typing import Backend

CHANGES: Final = (
    *("to", "from", "moves", "changes", "up", "down", "above", "below"),
    *("known", "soon", "appeared", "vanished"),
)

_TIERS: Final = "diamond > gold > silver"
_SLOW: Final = "bought after a silence long for them"
_IN_RHYTHM: Final = "buys by their own rhythm"
_COLUMNS: Final = ("event", "column", "change", "compare_to", "priority", "reason")

_RULES: Final = (
    ("lost", "stage", "to", "lost", 1, "silent for so long that few come back"),
    ("tier down", "tier", "down", _TIERS, 1, "worth less than before"),
    ("at risk", "stage", "to", "at risk", 1, "late by their own rhythm"),
    ("lapsing", "stage", "to", "lapsing", 1, "silent for very long by their own rhythm"),
    ("vanished", "", "vanished", "", 2, "no longer among the customers"),
    ("risk up", "churn_risk", "above", "0.8", 2, "most likely to buy nothing in the horizon"),
    ("risk down", "churn_risk", "below", "0.8", 3, "no longer most likely to buy nothing"),
    ("overdue soon", "overdue_ratio", "soon", "2 in 14", 2, "will be late unless they buy first"),
    ("tier will fall", "falls_on", "soon", "30", 2, "will lose the tier unless they buy more"),
    ("won back", "stage", "moves", "lapsing, lost > returned", 2, "bought again after all"),
    ("tier up", "tier", "up", _TIERS, 2, "worth more than before"),
    ("growing", "stage", "to", "growing", 3, "buys more than before"),
    ("late return", "stage", "moves", "new, growing, active, at risk > returned", 3, _SLOW),
    ("back in rhythm", "stage", "moves", "at risk, lapsing, lost > active", 3, _IN_RHYTHM),
    ("settled", "stage", "moves", "new, growing, returned > active", 3, _IN_RHYTHM),
    ("first purchase", "last_date", "known", "", 2, "bought for the first time"),
    ("second purchase", "orders", "above", "2", 2, "came back for the first time"),
    ("segment", "segment", "changes", "", 3, "another rank among the customers"),
    ("appeared", "", "appeared", "", 3, "not among the customers before"),
)


@dataclass(frozen=True, slots=True)
class EventRule:
    """One rule: what is looked at, which change counts, and how much it matters."""

    event: str
    column: str
    change: str
    compare_to: str
    priority: int
    reason: str

    @property
    def threshold(self) -> float:
        """The number that is crossed."""
        return float(self.compare_to.partition(" in ")[0])

    @property
    def within_days(self) -> float:
        """Days ahead in which something will happen: all there is where the column is a date."""
        return float(self.compare_to.rpartition(" in ")[2])

    @property
    def move(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Values before and values after."""
        old, _, new = self.compare_to.partition(">")
        return _listed(old), _listed(new)

    @property
    def order(self) -> tuple[str, ...]:
        """Values, the best first."""
        return tuple(each.strip() for each in self.compare_to.split(">"))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def rules(*, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """What counts as an event, as a table to edit.

    Parameters
    ----------
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    One row per rule; rules on columns that the snapshots do not have are skipped:

    ==============  ====  ==================================================================
    ``event``       text  name of the event
    ``column``      text  the column that is compared; empty for "appeared" and "vanished"
    ``change``      text  "to" and "from" a value, "moves" from some to others, "changes", "up"
                          and "down" in an order, "above" and "below" a threshold that is crossed,
                          "known" where it was null, "soon", "appeared", "vanished"
    ``compare_to``  text  the value; for "moves" such as "lapsing, lost > returned"; the
                          threshold; the order, such as "diamond > gold > silver"; for "soon"
                          threshold and days, such as "2 in 14", or the days alone for a
                          column of dates, such as "30"
    ``priority``    int   1 for what somebody should hear of today, 2 this week, 3 to know
    ``reason``      text  why it matters
    ==============  ====  ==================================================================

    Raises
    ------
    InvalidArgumentError
        If `backend` is not among the choices.

    Examples
    --------
    >>> table = rules()
    >>> print(table[["event", "change", "compare_to", "priority"]].head(3).to_string(index=False))
        event change              compare_to  priority
         lost     to                    lost         1
    tier down   down diamond > gold > silver         1
      at risk     to                 at risk         1
    """
    require_backend(backend)
    columns = dict(zip(_COLUMNS, map(list, zip(*_RULES, strict=True)), strict=True))
    return frames.new_table(columns, backend=backend)


def read_rules(given: IntoFrame | None) -> list[EventRule]:
    """Read the rules, and require that each can be applied."""
    if given is None:
        return [EventRule(*row) for row in _RULES]
    rows = frames.read(given, EVENT_RULES).collect().rows(named=True)
    found = [_rule(row) for row in rows]
    if not found:
        msg = "event rules: the table is empty.\nStart from crmkit.events.rules() and edit it."
        raise InvalidArgumentError(msg)
    names = [rule.event for rule in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"event rules: `event` {twice[0]!r} is there twice.\nGive each rule its own name."
        raise InvalidArgumentError(msg)
    return found


def _rule(row: Mapping[str, Any]) -> EventRule:
    text = {name: "" if row[name] is None else str(row[name]) for name in _COLUMNS}
    rule = EventRule(**{**text, "priority": int(row["priority"])})  # type: ignore[arg-type] # text but one
    if rule.change not in CHANGES:
        msg = f"event rules: `change` of {rule.event!r} is {rule.change!r}."
        raise InvalidArgumentError(msg + did_you_mean(rule.change, CHANGES))
    if not rule.column and rule.change not in ("appeared", "vanished"):
        msg = f"event rules: {rule.event!r} names no column.\nName the column that is compared."
        raise InvalidArgumentError(msg)
    _require_value(rule)
    return rule


def _require_value(rule: EventRule) -> None:
    needed: Mapping[str, str] = {
        "above": "a number, such as 0.8",
        "below": "a number, such as 0.8",
        "soon": "a threshold and days, such as '2 in 14', or days to a date, such as '30'",
        "up": "an order, such as 'diamond > gold > silver'",
        "down": "an order, such as 'diamond > gold > silver'",
        "moves": "values before and after, such as 'lapsing, lost > returned'",
        "to": "a value of the column",
        "from": "a value of the column",
    }
    if rule.change not in needed:
        return
    try:
        fits = bool(rule.compare_to)
        if rule.change in ("above", "below", "soon"):
            fits = rule.threshold == rule.threshold
        if rule.change == "soon":
            fits = rule.within_days > 0
    except ValueError:
        fits = False
    if rule.change == "moves":
        fits = all(rule.move)
    if rule.change in ("up", "down"):
        fits = len(set(rule.order)) == len(rule.order) > 1
    if not fits:
        msg = (
            f"event rules: `compare_to` of {rule.event!r} is {rule.compare_to!r}; for "
            f"{rule.change!r} it must be {needed[rule.change]}."
        )
        raise InvalidArgumentError(msg)


def columns_of(found: Sequence[EventRule]) -> list[str]:
    """The columns that rules look at."""
    return list(dict.fromkeys(rule.column for rule in found if rule.column))
