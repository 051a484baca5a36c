"""What one rule finds between two snapshots that are joined, and the values in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Final, NamedTuple

import narwhals as nw

from crmkit._door import frames, time
from crmkit._events import soon
from crmkit._events.rules import EventRule
from crmkit._words import wording

OLD: Final = "crmkit_old_"
NEW: Final = "crmkit_new_"
WAS: Final = "crmkit_was"
IS: Final = "crmkit_is"
_NUMBERS: Final = ("old_number", "new_number", "days_ahead")
_NO_TEXT: Final = nw.lit(None).cast(nw.String)
_NO_NUMBER: Final = nw.lit(None).cast(nw.Float64)


def of_rule(
    joined: frames.Frame, rule: EventRule, kinds: nw.Schema, *, day: date | None
) -> frames.Frame | None:
    is_dated = rule.change == "soon" and soon.is_date(kinds[rule.column])
    needed = {NEW + "days_since_last", NEW + "expected_gap_days"}
    is_ratio = rule.change == "soon" and not is_dated
    if is_ratio and not needed <= set(joined.collect_schema().names()):
        return None
    return frames.row_by_row(joined, partial(_picked, rule=rule, kinds=kinds, day=day))


def of_no_rule(joined: frames.Frame) -> frames.Frame:
    """Give the columns of events and no rows, where no rule can be applied."""
    rule = EventRule("nothing", "", "appeared", "", 1, "")
    return _picked(joined.filter(~nw.col(WAS).is_null()), rule=rule, kinds=nw.Schema({}), day=None)


def in_words(events: frames.Frame) -> frames.Frame:
    """Write the numbers of all rules at once; one rule each makes a plan twenty times as long."""
    old, new, days = (nw.col(name) for name in _NUMBERS)
    ahead = nw.concat_str(nw.lit("in "), wording.days(days))
    number = nw.when(new.is_null()).then(nw.col("new_value")).otherwise(wording.hundredths(new))
    written = frames.with_columns(
        events,
        old_value=nw.when(old.is_null())
        .then(nw.col("old_value"))
        .otherwise(wording.hundredths(old)),
        new_value=nw.when(days.is_null()).then(number).otherwise(ahead),
    )
    return written.drop(*_NUMBERS)


class _Change(NamedTuple):
    happened: nw.Expr
    old_text: nw.Expr = _NO_TEXT
    new_text: nw.Expr = _NO_TEXT
    old_number: nw.Expr = _NO_NUMBER
    new_number: nw.Expr = _NO_NUMBER
    days_ahead: nw.Expr = _NO_NUMBER


def _picked(
    joined: frames.Frame, *, rule: EventRule, kinds: nw.Schema, day: date | None
) -> frames.Frame:
    """Pick those to whom it happened, and write the event."""
    if rule.change == "soon" and soon.is_date(kinds[rule.column]) and day is not None:
        joined = joined.filter(~nw.col(NEW + rule.column).is_null())  # pandas cannot count to NaT
        joined = time.with_plain_days(joined, NEW + rule.column)
        happened, written, days = soon.on_a_date(joined, NEW + rule.column, rule=rule, day=day)
        change = _Change(happened, old_text=written, days_ahead=days)
    else:
        change = _change(rule, kinds)
    happened = change.happened
    if rule.change not in ("appeared", "vanished"):
        happened = ~nw.col(WAS).is_null() & ~nw.col(IS).is_null() & happened
    return joined.filter(happened).select(
        "customer_id",
        event=nw.lit(rule.event),
        priority=nw.lit(rule.priority).cast(nw.Int64),
        old_value=change.old_text.cast(nw.String),
        new_value=change.new_text.cast(nw.String),
        at_stake=nw.col("at_stake"),
        reason=nw.lit(rule.reason),
        **{name: getattr(change, name).cast(nw.Float64) for name in _NUMBERS},
    )


def _change(rule: EventRule, kinds: nw.Schema) -> _Change:
    if rule.change == "appeared":
        return _Change(nw.col(WAS).is_null())
    if rule.change == "vanished":
        return _Change(nw.col(IS).is_null())
    if kinds[rule.column].is_numeric():
        old, new = frames.known(OLD + rule.column), frames.known(NEW + rule.column)
        change = partial(_Change, old_number=old, new_number=new)
    else:
        old, new = (nw.col(side + rule.column).cast(nw.String) for side in (OLD, NEW))
        change = partial(_Change, old_text=old, new_text=new)
    if rule.change in ("up", "down"):
        old, new = (_rank(side + rule.column, rule.order) for side in (OLD, NEW))
    if rule.change == "soon":
        gap, since = NEW + "expected_gap_days", NEW + "days_since_last"
        crosses, days = soon.of_a_ratio(new, gap=gap, since=since, rule=rule)
        return _Change(crosses, old_number=new, days_ahead=days)
    happened = {
        "to": lambda: (new == rule.compare_to) & (old != rule.compare_to),
        "moves": lambda: old.is_in(rule.move[0]) & new.is_in(rule.move[1]),
        "from": lambda: (old == rule.compare_to) & (new != rule.compare_to),
        "changes": lambda: old != new,
        "up": lambda: new < old,
        "down": lambda: new > old,
        "above": lambda: (old < rule.threshold) & (new >= rule.threshold),
        "below": lambda: (old >= rule.threshold) & (new < rule.threshold),
        "known": lambda: old.is_null() & ~new.is_null(),
    }[rule.change]()
    return change(happened)


def _rank(column: str, order: Sequence[str]) -> nw.Expr:
    rank = nw.lit(None).cast(nw.Float64)
    for i, name in enumerate(order):
        rank = (
            nw.when(nw.col(column).cast(nw.String) == name).then(nw.lit(float(i))).otherwise(rank)
        )
    return rank
