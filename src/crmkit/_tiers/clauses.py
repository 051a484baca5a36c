"""Which clause of a policy decides on a customer's tier, row by row.

Tiers are numbered here from the best, which is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Final, Literal, TypeAlias

import narwhals as nw

from crmkit._door import frames, time
from crmkit._tiers import reach
from crmkit._tiers.tier_rule import TierRule

Downgrade: TypeAlias = Literal["one_down", "earned"]
When: TypeAlias = Literal["now", "anniversary"]

BY_RULE: Final = "rule"
SINCE, EXPIRES, RENEWAL, BASIS = (
    f"crmkit_{name}" for name in ("since", "expires", "renewal", "basis")
)
_OLD, _EARNED, _KEPT, _NEW = (f"crmkit_{name}" for name in ("old", "earned", "kept", "new"))
_HOLD, _YEAR, _FREE = (f"crmkit_{name}" for name in ("hold", "year", "free"))


@dataclass(frozen=True, slots=True)
class Policy:
    """What `review` was asked for."""

    rule: reach.AnyRule
    as_of: date
    grace: float
    hold_days: int | None
    one_step: bool
    downgrade: Downgrade
    when: When

    @property
    def in_a_year(self) -> date:
        """The day a year after the review; 28 February for the 29th."""
        day = 28 if (self.as_of.month, self.as_of.day) == (2, 29) else self.as_of.day
        return self.as_of.replace(year=self.as_of.year + 1, day=day)


def decided(frame: frames.Frame, *, policy: Policy) -> frames.Frame:
    """Decide on each customer, and say by which clause, until when, and what is needed."""
    frame = time.with_plain_days(frame, SINCE, EXPIRES, RENEWAL)
    placed = frame.with_columns(**_places(policy))
    dated = placed.with_columns(**_days(frame, policy))
    dated = dated.with_columns(**{_FREE: _latest(_HOLD, RENEWAL, _YEAR)})
    marked = dated.with_columns(
        is_exempt=_flag(_by_hand() & (nw.col(EXPIRES).is_null() | _ahead(frame, EXPIRES, policy))),
        crmkit_is_kept=_flag(_ahead(frame, _FREE, policy)),
    )
    moved = marked.with_columns(**{_NEW: _new_place(policy)})
    named = moved.with_columns(
        tier_earned=_name(_EARNED, policy),
        tier=_name(_NEW, policy),
        move=_move(),
        clause=_clause(policy),
        tier_basis=nw.when(nw.col("is_exempt")).then(nw.col(BASIS)).otherwise(nw.lit(BY_RULE)),
        **_since_and_until(frame, policy),
    )
    return named.with_columns(**_outlook(frame, policy), **_needed(policy))


# Where the tier stands


def _places(policy: Policy) -> dict[str, nw.Expr]:
    """Number the tier that is held, the one that is earned, and the best that the grace keeps."""
    rule = policy.rule
    held = {name: nw.lit(float(i)) for i, name in enumerate(rule.names)}
    return {
        _OLD: reach.of_tier("tier_before", held),
        _EARNED: reach.by_group(rule, reach.place_of),
        _KEPT: reach.by_group(rule, partial(reach.place_of, moved=-policy.grace)),
    }


def _new_place(policy: Policy) -> nw.Expr:
    old, earned, kept = nw.col(_OLD), nw.col(_EARNED), nw.col(_KEPT)
    return _first(
        (nw.col("is_exempt") | earned.is_null(), old),
        (old.is_null(), earned),
        (earned < old, old - 1.0 if policy.one_step else earned),
        ((kept <= old) | nw.col("crmkit_is_kept"), old),
        otherwise=_lower(old, policy),
    )


def _lower(place: nw.Expr, policy: Policy) -> nw.Expr:
    """Give the tier to fall to."""
    return place + 1.0 if policy.downgrade == "one_down" else nw.col(_KEPT)


def _move() -> nw.Expr:
    old, new = nw.col(_OLD), nw.col(_NEW)
    return _first(
        (new.is_null(), nw.lit("unknown")),
        (old.is_null(), nw.lit("entered")),
        (new < old, nw.lit("up")),
        (new > old, nw.lit("down")),
        otherwise=nw.lit("stayed"),
    )


def _clause(policy: Policy) -> nw.Expr:
    """Name what decided; a tier is kept by the clause that keeps it longest."""
    old, earned, kept, new = (nw.col(name) for name in (_OLD, _EARNED, _KEPT, _NEW))
    until = _first(
        (nw.col(_FREE) == nw.col(_HOLD), nw.lit("hold")),
        (nw.col(_FREE) == nw.col(RENEWAL), nw.lit("renewal")),
        otherwise=nw.lit("anniversary" if policy.when == "anniversary" else "promise"),
    )
    return _first(
        (nw.col("is_exempt"), nw.lit("exempt")),
        (earned.is_null(), nw.lit("unknown")),
        (old.is_null(), nw.lit("entered")),
        ((earned < old) & (new > earned), nw.lit("one step up")),
        (earned < old, nw.lit("rise")),
        (earned == old, nw.lit("earned")),
        (kept <= old, nw.lit("grace")),
        (new == old, until),
        (new < kept, nw.lit("one step down")),
        otherwise=nw.lit("fall"),
    )


# Days


def _days(frame: frames.Frame, policy: Policy) -> dict[str, nw.Expr]:
    """Find the days until which a clause keeps the tier; null where it does not."""
    kind = day_kind(frame)
    hold, year = nw.lit(None).cast(kind), nw.col(EXPIRES)
    if policy.hold_days is not None:
        hold = nw.col(SINCE).dt.offset_by(f"{policy.hold_days}d").cast(kind)
    if policy.when == "anniversary":
        in_a_year = nw.col(SINCE).dt.offset_by("1y").cast(kind)
        year = nw.when(year.is_null()).then(in_a_year).otherwise(year)
    return {_HOLD: hold, _YEAR: year}


def _since_and_until(frame: frames.Frame, policy: Policy) -> dict[str, nw.Expr]:
    """Date the tier anew where it moved; else its year begins again where it is over."""
    kind, as_of = day_kind(frame), policy.as_of
    has_moved = ~nw.col(_NEW).is_null() & (nw.col(_OLD).is_null() | (nw.col(_OLD) != nw.col(_NEW)))
    held = policy.hold_days
    days = [] if held is None else [as_of + timedelta(days=held)]
    days += [policy.in_a_year] if policy.when == "anniversary" else []
    first = day(frame, max(days)) if days else nw.lit(None).cast(kind)
    is_later = _ahead(frame, RENEWAL, policy)
    is_later = is_later & (nw.col(RENEWAL) > first) if days else is_later
    anew = nw.when(is_later).then(nw.col(RENEWAL)).otherwise(first)
    again = nw.lit(None).cast(kind)
    if policy.when == "anniversary":
        next_year = nw.col(_YEAR).dt.offset_by("1y").cast(kind)
        late = day(frame, policy.in_a_year)
        again = nw.when(next_year > day(frame, as_of)).then(next_year).otherwise(late)
    last = float(len(policy.rule.names) - 1)
    return {
        "tier_since": nw.when(has_moved).then(day(frame, as_of)).otherwise(nw.col(SINCE)),
        "tier_expires": _first(
            (nw.col("is_exempt") | nw.col(_EARNED).is_null(), nw.col(EXPIRES)),
            (nw.col(_NEW) == last, nw.lit(None).cast(kind)),
            (has_moved, anew),
            (nw.col("crmkit_is_kept"), nw.col(_FREE)),
            otherwise=again,
        ),
    }


def _outlook(frame: frames.Frame, policy: Policy) -> dict[str, nw.Expr]:
    """Say when and to which tier it will fall, if the value stays as it is."""
    falls = ~nw.col("is_exempt") & (nw.col(_KEPT) > nw.col(_NEW))
    tomorrow = day(frame, policy.as_of + timedelta(days=1))
    until = nw.col("tier_expires")
    on = nw.when(_ahead(frame, "tier_expires", policy)).then(until).otherwise(tomorrow)
    to = _lower(nw.col(_NEW), policy)
    names = dict(enumerate(policy.rule.names))
    lower = [(to == float(i), nw.lit(name)) for i, name in names.items()]
    return {
        "falls_on": nw.when(falls).then(on),
        "falls_to": nw.when(falls).then(_first(*lower, otherwise=reach.NO_TIER)),
    }


def _needed(policy: Policy) -> dict[str, nw.Expr]:
    """Give what lacks to stay in the tier and to rise; of each measure that has its own cuts."""
    names: Mapping[str, str | None] = {"": None}
    if reach.is_by_measure(policy.rule):
        names = {f"_{measure}": measure for measure in policy.rule.measures}
    made: dict[str, nw.Expr] = {}
    for ending, measure in names.items():
        for column, lift, moved in (("stay", 0, -policy.grace), ("rise", 1, 0.0)):
            lacks = partial(_lacks, measure=measure, lift=lift, moved=moved)
            lacking = reach.by_group(policy.rule, lacks)
            made[f"needed_to_{column}{ending}"] = _first(
                (nw.col("is_exempt") | lacking.is_null(), reach.NO_NUMBER),
                (lacking > 0, lacking),
                otherwise=nw.lit(0.0),
            )
    return made


def _lacks(rule: TierRule, *, measure: str | None, lift: int, moved: float) -> nw.Expr:
    part = next(part for part in reach.parts(rule) if measure in (None, part.name))
    lacking = [
        (nw.col(_NEW) == float(i + lift), reach.least(cut, moved=moved) - part.value)
        for i, cut in enumerate(part.cuts)
    ]
    return _first(*lacking, otherwise=reach.NO_NUMBER)


# Building blocks


def day_kind(frame: frames.Frame) -> Any:  # noqa: ANN401 - a type of narwhals
    """Type of a day on this engine; numpy has none for a date."""
    return nw.Datetime("us") if frame.implementation.is_pandas_like() else nw.Date


def day(frame: frames.Frame, value: date) -> nw.Expr:
    """Write one day as a column."""
    return time.constant_day(frame, value)


def _latest(first: str, *others: str) -> nw.Expr:
    latest = nw.col(first)
    for name in others:
        is_later = latest.is_null() | (nw.col(name) > latest)
        latest = nw.when(~nw.col(name).is_null() & is_later).then(nw.col(name)).otherwise(latest)
    return latest


def _ahead(frame: frames.Frame, column: str, policy: Policy) -> nw.Expr:
    return nw.col(column) > day(frame, policy.as_of)


def _by_hand() -> nw.Expr:
    """Whether the tier was given otherwise than by the rule."""
    return ~nw.col(BASIS).is_null() & (nw.col(BASIS) != BY_RULE) & ~nw.col(_OLD).is_null()


def _flag(condition: nw.Expr) -> nw.Expr:
    """Make a condition that may be unknown True or False."""
    return nw.when(condition).then(nw.lit(value=True)).otherwise(nw.lit(value=False))


def _name(column: str, policy: Policy) -> nw.Expr:
    names = enumerate(policy.rule.names)
    named = [(nw.col(column) == float(i), nw.lit(name)) for i, name in names]
    return _first(*named, otherwise=reach.NO_TIER)


def _first(*choices: tuple[nw.Expr, nw.Expr], otherwise: nw.Expr) -> nw.Expr:
    """Take the choice of the first condition that holds; one that is unknown does not."""
    found = otherwise
    for condition, choice in reversed(choices):
        found = nw.when(condition).then(choice).otherwise(found)
    return found
