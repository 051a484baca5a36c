"""What changed between two snapshots of the customers, one row per customer and event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames, time
from crmkit._events import changes, soon
from crmkit._events.flaps import with_flaps
from crmkit._events.rules import EventRule, columns_of, read_rules
from crmkit._summary.described_day import described_day
from crmkit._words.arguments import require_column_name
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import EVENTS, Column, Table

_WORTH: Final = ("value_at_risk", "clv", "total_amount")
_CARRIED: Final = "treated"


def compare(
    before: IntoFrameT,
    after: IntoFrameT,
    *,
    rules: IntoFrame | None = None,
    value: str | None = None,
    before_date: date | str | None = None,
    after_date: date | str | None = None,
    earlier: IntoFrameT | None = None,
) -> IntoFrameT:
    """What changed for whom between two snapshots: one row per customer and event.

    Both must be made by the same rules and models (`crmkit.pipeline.run(kept=)`): with fresh cut
    points customers change places though nothing happened to them.

    Parameters
    ----------
    before, after
        One row per customer, as in the customers of `crmkit.pipeline.run` on an earlier and a later
        day.
    rules
        What counts as an event, in the form of `crmkit.events.rules`, which is the default. Rules
        on columns that the snapshots do not both have are skipped.
    value
        The column of money at stake, taken from `after`, or from `before` for one who vanished. By
        default the first that is there of `value_at_risk`, `clv` and `total_amount`.
    before_date, after_date
        Days of the snapshots, as dates or ISO text; by default found from `last_date` and
        `days_since_last`.
    earlier
        Events of earlier comparisons, to mark customers who change back and forth.

    Returns
    -------
    The highest priority first, then the most money at stake:

    ================  =====  ==================================================================
    ``customer_id``          who
    ``event``         text   name of the event
    ``priority``      int    of the rule: 1 first
    ``old_value``     text   value before; null where it was unknown
    ``new_value``     text   value after, or "in 5 days" for what will happen, such as a tier
                             that will fall on the date in `old_value`
    ``at_stake``      float  money at stake
    ``reason``        text   of the rule
    ``before_date``   date   day of the first snapshot
    ``after_date``    date   day of the second
    ``treated``              of the control group, where `after` has the column
    ``flaps``         flag   with `earlier`: whether this is at least the fourth event of this
                             kind of the customer in twenty comparisons
    ================  =====  ==================================================================

    Equal snapshots give all columns and no rows, but for what will happen.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a snapshot breaks its contract: a customer is there twice, or a tier is not in the order
        of the rule.
    InvalidArgumentError
        If a rule cannot be applied, or the snapshots are in the wrong order.

    Notes
    -----
    A threshold fires when it is crossed, once: ``before < threshold <= after``. Who appeared or
    vanished has no other event. A customer whose value is unknown on one side has no event of that
    column, but for "known".

    Examples
    --------
    >>> import pandas as pd
    >>> before = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben"], "stage": ["lapsing", "active"], "clv": [90.0, 10.0]}
    ... )
    >>> after = pd.DataFrame(
    ...     {"customer_id": ["ann", "cid"], "stage": ["lost", "new"], "clv": [80.0, 30.0]}
    ... )
    >>> found = compare(before, after)
    >>> columns = ["customer_id", "event", "priority", "old_value", "new_value", "at_stake"]
    >>> print(found[columns].to_string(index=False, na_rep=""))
    customer_id    event  priority old_value new_value  at_stake
            ann     lost         1   lapsing      lost      80.0
            ben vanished         2                          10.0
            cid appeared         3                          30.0
    """
    found = read_rules(rules)
    if value is not None:
        require_column_name(value, argument="value")
    first, second = _snapshot(before, "before"), _snapshot(after, "after")
    days = _days((first, second), (before_date, after_date))
    shared = set(first.collect_schema().names()) & set(second.collect_schema().names())
    kinds = second.collect_schema()
    applied = [
        rule
        for rule in found
        if not rule.column or rule.column in (kinds if rule.change == "soon" else shared)
    ]
    _require_kinds(applied, kinds, day=days[1])
    joined = _joined(first, second, columns_of(applied), value=_worth(value, shared, kinds))
    changed: dict[str, frames.Frame] = {}
    if frames.is_lazy(after):
        joined = frames.kept(joined)  # once for all rules
    else:
        joined = joined.collect().lazy()
        changed = _changed(joined, applied, kinds)
    _require_known_values(joined, applied)
    parts = [
        changes.of_rule(
            changed.get(rule.column, joined) if _needs_a_change(rule) else joined,
            rule,
            kinds,
            day=days[1],
        )
        for rule in applied
    ]
    made = [part for part in parts if part is not None] or [changes.of_no_rule(joined)]
    events = nw.concat(made, how="vertical")
    dated = frames.with_columns(
        changes.in_words(events),
        before_date=nw.lit(days[0]).cast(nw.Date),
        after_date=nw.lit(days[1]).cast(nw.Date),
    )
    if _CARRIED in kinds:
        dated = dated.join(second.select("customer_id", _CARRIED), on="customer_id", how="left")
    if earlier is not None:
        dated = with_flaps(dated, frames.read(earlier, EVENTS), rules=found)
    ranked = dated.sort(
        "priority",
        "at_stake",
        "customer_id",
        "event",
        descending=[False, True, False, False],
        nulls_last=True,
    )
    return frames.give_in_order(ranked, like=after)


def _snapshot(native: IntoFrame, name: str) -> frames.Frame:
    table = Table(
        name=f"customers {name}",
        row="one customer",
        made_by="crmkit.pipeline.run",
        columns=(Column("customer_id", "key", "who"),),
        one_row_each="customer_id",
    )
    return frames.read(native, table)


def _days(
    snapshots: tuple[frames.Frame, frames.Frame], given: tuple[date | str | None, ...]
) -> tuple[date | None, date | None]:
    names = ("before_date", "after_date")
    days = [
        _as_of(frame) if day is None else time.as_day(day, argument=name)
        for frame, day, name in zip(snapshots, given, names, strict=True)
    ]
    first, second = days
    if first is not None and second is not None and first > second:
        msg = (
            f"`before` is of {first} and `after` of {second}.\n"
            "Give the earlier snapshot first, or say the days with `before_date` and `after_date`."
        )
        raise InvalidArgumentError(msg)
    return first, second


def _as_of(frame: frames.Frame) -> date | None:
    is_dated = frames.has(frame, "last_date") and frames.has(frame, "days_since_last")
    return described_day(frame) if is_dated else None


def _worth(value: str | None, shared: set[str], kinds: nw.Schema) -> str | None:
    if value is None:
        return next((name for name in _WORTH if name in shared), None)
    if value not in shared or not kinds[value].is_numeric():
        msg = f"`value` names {value!r}, which is not a column of numbers in both snapshots."
        raise InvalidArgumentError(msg)
    return value


def _joined(
    first: frames.Frame, second: frames.Frame, columns: Sequence[str], *, value: str | None
) -> frames.Frame:
    """Put both sides of each customer beside each other; one side may be null."""
    extra = [name for name in ("days_since_last", "expected_gap_days") if frames.has(second, name)]
    names = list(dict.fromkeys([*columns, *extra, *([value] if value else [])]))
    kinds = second.collect_schema()
    old = first.select(
        "customer_id",
        nw.lit(1).alias(changes.WAS),
        *(_side(first, name, changes.OLD, kinds=kinds) for name in names),
    )
    new = second.select(
        "customer_id",
        nw.lit(1).alias(changes.IS),
        *(_side(second, name, changes.NEW, kinds=kinds) for name in names),
    )
    joined = frames.join_full(old, new, on="customer_id")
    stake = nw.lit(None).cast(nw.Float64)
    if value is not None:
        stake = nw.coalesce(frames.known(changes.NEW + value), frames.known(changes.OLD + value))
    return frames.with_columns(joined, at_stake=stake)


def _changed(
    joined: frames.Frame, rules: Sequence[EventRule], kinds: nw.Schema
) -> dict[str, frames.Frame]:
    """Find once who changed in a column of text that several rules look at."""
    needed = [rule.column for rule in rules if _needs_a_change(rule)]
    texts = {name for name in needed if needed.count(name) > 1 and not kinds[name].is_numeric()}
    found = {}
    for name in sorted(texts):
        old, new = (nw.col(side + name).cast(nw.String) for side in (changes.OLD, changes.NEW))
        found[name] = joined.filter(old != new).collect().lazy()
    return found


def _needs_a_change(rule: EventRule) -> bool:
    """Whether a rule never fires where both values are known and the same."""
    if rule.change == "moves":
        return not set(rule.move[0]) & set(rule.move[1])
    return rule.change in ("to", "from", "changes", "up", "down")


def _side(frame: frames.Frame, name: str, prefix: str, *, kinds: nw.Schema) -> nw.Expr:
    column = nw.lit(None)
    if frames.has(frame, name):
        column = nw.col(name)
    elif kinds[name].is_numeric():
        column = column.cast(nw.Float64)
    return column.alias(prefix + name)


def _require_kinds(rules: Sequence[EventRule], kinds: nw.Schema, *, day: date | None) -> None:
    for rule in rules:
        kind = kinds[rule.column] if rule.column else None
        if rule.change not in ("above", "below", "soon") or kind is None:
            continue
        is_dated = rule.change == "soon" and soon.is_date(kind)
        if not (is_dated or kind.is_numeric()):
            of_what = "a number or a date" if rule.change == "soon" else "a number"
            msg = (
                f"event rules: {rule.event!r} compares `{rule.column}` with {of_what}; it has type "
                f"{kind}."
            )
            raise InvalidArgumentError(msg)
        if is_dated and day is None:
            msg = (
                f"event rules: {rule.event!r} counts the days to `{rule.column}`, and the day of "
                "`after` is not known.\nSay it with `after_date`."
            )
            raise InvalidArgumentError(msg)
        if rule.change == "soon" and is_dated == (" in " in rule.compare_to):
            needs = "days alone, such as '30'" if is_dated else "a threshold and days, as '2 in 14'"
            msg = (
                f"event rules: `compare_to` of {rule.event!r} is {rule.compare_to!r}; "
                f"`{rule.column}` has type {kind}, so it must be {needs}."
            )
            raise InvalidArgumentError(msg)


def _require_known_values(joined: frames.Frame, rules: Sequence[EventRule]) -> None:
    """Require that values in an order are among those that the rule names."""
    for column in dict.fromkeys(rule.column for rule in rules if rule.change in ("up", "down")):
        order = next(r.order for r in rules if r.column == column and r.change in ("up", "down"))
        seen = joined.select(old=changes.OLD + column, new=changes.NEW + column).unique().collect()
        values = {str(v) for name in ("old", "new") for v in seen[name].drop_nulls().to_list()}
        strange = sorted(values - set(order))
        if strange:
            msg = (
                f"event rules: `{column}` has {frames.quoted(strange)}, which the rule does not "
                f"name ({' > '.join(order)}).\nName all of them in `compare_to`, the best first."
            )
            raise InvalidRowsError(msg, n_rows=len(strange), examples=tuple(strange[:3]))
