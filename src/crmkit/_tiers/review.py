"""Review of tiers: who rises, who falls, who is kept, by which clause of the policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Final, get_args

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._door import frames, time
from crmkit._tiers import clauses, reach
from crmkit._tiers.clauses import Downgrade, Policy, When
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit._words.arguments import (
    require_choice,
    require_flag,
    require_share,
    require_whole,
)
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import HELD_TIERS, Column
from crmkit.tables.contracts import NOT_MADE

_MADE: Final = (
    *("tier_before", "tier_earned", "tier", "move", "clause", "is_exempt", "tier_basis"),
    *("tier_since", "tier_expires", "falls_on", "falls_to"),
)
_NEEDED: Final = ("needed_to_stay", "needed_to_rise")
_LONGEST: Final = 36_500
"""Days of a hundred years: beyond them a calendar may end."""


def review(
    current: IntoFrameT,
    proposed: IntoFrame,
    *,
    rule: TierRule | TierRules,
    as_of: date | str,
    grace: float = 0.1,
    hold_days: int | None = None,
    one_step: bool = True,
    no_downgrade_before: date | str | None = None,
    downgrade: Downgrade = "one_down",
    when: When = "now",
) -> IntoFrameT:
    """Review tiers: who rises, falls or is kept, by which clause, and what each needs to stay.

    To rise, a customer must reach the cut of the higher tier; to be kept, it is enough to miss the
    own cut by no more than the grace. So a customer who is now above a cut and now just below it
    does not go up and down each month. The assumption that most often fails is that `proposed` has
    a value for everybody: one who bought nothing has the value 0, not none. Customers of unknown
    value keep their tier.

    Parameters
    ----------
    current
        One row per customer with the tier that is held, such as the result of the last review. The
        columns ``tier_since``, ``tier_expires`` and ``tier_basis`` count where they are there. Lazy
        tables are run, to see that the rule knows all tiers.
    proposed
        One row per customer with the measures of the rule now. Who is not in `current` enters.
    rule
        As made by `crmkit.tiers.rule`, and kept: the same at each review.
    as_of
        Day of the review, as a date or ISO text. A tier that moves is held since this day.
    grace
        How far below the cut of a tier one may be and keep it, as a fraction of the cut: 0.1 for
        10 %. With 0 everybody below it falls.
    hold_days
        Days from ``tier_since`` in which a tier does not fall, whatever the value.
    one_step
        Whether a customer rises one tier at a review, or at once to the one that the value earns.
    no_downgrade_before
        Day before which nobody falls, as a date or ISO text, such as the end of the season; or the
        name of a column of `current` with a day for each customer, such as that of the renewal.
    downgrade
        How far one falls: "one_down" to the next lower tier, "earned" to the best lower tier that
        the value reaches, with the grace.
    when
        When one falls: "now" at any review, "anniversary" at the first one when a year of the tier
        is over. Nobody waits to rise.

    Returns
    -------
    One row per customer of either table, sorted by `customer_id`, with the groups and measures of
    the rule in between. It may be `current` at the next review:

    ==================  =====  =================================================================
    ``customer_id``            who
    ``tier_before``     text   tier in `current`; null for those who entered
    ``tier_earned``     text   tier by the rule; null where the value is unknown
    ``tier``            text   tier after the review
    ``move``            text   stayed, up, down, entered, or unknown: neither value nor tier
    ``clause``          text   which clause decided, see below
    ``is_exempt``       flag   whether the tier was given by hand or invitation, so that the
                               rule does not decide
    ``tier_basis``      text   "rule", or as it was for who is exempt
    ``tier_since``      date   day since which the tier is held; null where it is unknown
    ``tier_expires``    date   day before which the tier does not fall, whatever the value; null
                               where nothing protects it, and in the last tier
    ``falls_on``        date   day on which the tier will fall if the value stays as it is; null
                               where it will not
    ``falls_to``        text   tier to which it will fall
    ``needed_to_stay``  float  value that lacks to keep the tier, with the grace; 0 where there
                               is enough, null in the last tier
    ``needed_to_rise``  float  value that lacks to the next higher tier; null in the best tier
    ==================  =====  =================================================================

    With method "all_thresholds" the last two are there for each measure, as in
    ``needed_to_stay_fees``.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract, a customer is there twice, a tier is not in the rule, a
        column `tier` of `proposed` is not what the rule gives, or a tier is held since a later day.
    InvalidArgumentError
        If `rule` is of another type, an option is out of its range, or a measure has the name of a
        new column.

    Notes
    -----
    The clauses, in the order in which they are asked:

    =================  ============================================================================
    ``exempt``         ``tier_basis`` is neither null nor "rule", as for tiers given by hand or by
                       invitation: nothing moves before ``tier_expires``, or ever without one
    ``unknown``        the value is unknown: nothing moves
    ``entered``        no tier until now: the one that the value earns, at once
    ``rise``           the value reaches a higher cut
    ``one step up``    it reaches a higher one still, which is for the next review
    ``earned``         the value earns just this tier
    ``grace``          it misses the cut by no more than the grace
    ``hold``           it is too low, and the tier not yet held for `hold_days`
    ``renewal``        it is too low, and it is before `no_downgrade_before`
    ``anniversary``    it is too low, and the year of the tier is not over
    ``promise``        it is too low, and before the ``tier_expires`` of an earlier review
    ``one step down``  it is too low for the next lower tier, too
    ``fall``           it is too low
    =================  ============================================================================

    Where several days protect a tier, the last of them counts and names the clause. What was once
    promised in ``tier_expires`` is kept, also by a review with other options. The year of a tier
    begins when it is got, and again each time it is over and the tier is kept; where no review was
    made for more than a year, on the day of the review. Without ``tier_since`` neither `hold_days`
    nor the anniversary protects a tier.

    Where the value is too low and nothing protects the tier any more, as after a fall by one step
    when more was due, ``falls_on`` is the day after `as_of`: it falls at the next review.

    References
    ----------
    The two ways to fall, and to wait for the anniversary, are those of the loyalty programmes of
    Talon.One (``one_down``, ``balance_based``) and Brevo (``real_time``, ``tier_anniversary``).

    Examples
    --------
    Gold begins at 1000. Ann misses it by 5 %, ben by half in the first year; cid was invited.

    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> held = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "tier": ["gold", "gold", "gold", "silver"],
    ...         "tier_since": pd.to_datetime(["2023-02-01", "2024-01-15"] * 2),
    ...         "tier_basis": ["rule", "rule", "invited", "rule"],
    ...     }
    ... )
    >>> now = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dee"],
    ...         "total_amount": [950.0, 500.0, 20.0, 2400.0],
    ...     }
    ... )
    >>> cuts = tiers.rule(now, method="thresholds", cuts=(2000, 1000))
    >>> found = review(held, now, rule=cuts, as_of="2024-06-30", when="anniversary")
    >>> columns = ["customer_id", "needed_to_stay", "needed_to_rise", "falls_on", "tier", "clause"]
    >>> print(found[columns].to_string(index=False, na_rep=""))
    customer_id  needed_to_stay  needed_to_rise   falls_on tier      clause
            ann             0.0          1050.0            gold       grace
            ben           400.0          1500.0 2025-01-15 gold anniversary
            cid                                            gold      exempt
            dee             0.0             0.0            gold one step up
    """
    reach.require_rule(rule)
    require_share(grace, argument="grace", advice="Write 0.1 for 10 % of the cut.")
    if hold_days is not None:
        advice = "Write 365 for a year."
        require_whole(hold_days, argument="hold_days", least=0, most=_LONGEST, advice=advice)
    require_flag(one_step, argument="one_step")
    require_choice(downgrade, get_args(Downgrade), argument="downgrade")
    require_choice(when, get_args(When), argument="when")
    policy = Policy(
        rule=rule,
        as_of=time.as_last_day(as_of, argument="as_of"),
        grace=float(grace),
        hold_days=None if hold_days is None else int(hold_days),
        one_step=bool(one_step),
        downgrade=downgrade,
        when=when,
    )
    held = _held(current, policy, no_downgrade_before)
    now = _now(proposed, policy)
    whole = frames.join_full(held, now, on="customer_id")
    found = frames.row_by_row(whole, partial(clauses.decided, policy=policy))
    lone = reach.is_by_measure(rule)
    needed = [f"{name}_{each}" for each in rule.measures for name in _NEEDED] if lone else _NEEDED
    within = rule.within if isinstance(rule, TierRules) else ()
    names = dict.fromkeys(("customer_id", *within, *rule.measures))
    return frames.give(
        found.select(*names, *_MADE, *needed), like=current, order_by=["customer_id"]
    )


def _held(native: IntoFrame, policy: Policy, renewal: date | str | None) -> frames.Frame:
    """Take the tier of each customer, and the days and the basis of it, all there."""
    frame = frames.read(native, HELD_TIERS)
    reach.require_tiers_known(frame, "tier", names=policy.rule.names, table=HELD_TIERS.name)
    by_column = isinstance(renewal, str) and frames.has(frame, renewal)
    last = None
    if by_column:
        column = Column(str(renewal), "date", "day of the renewal", nullable=True, made_by=NOT_MADE)
        frame = frames.read(native, replace(HELD_TIERS, columns=(*HELD_TIERS.columns, column)))
    elif renewal is not None:
        last = time.as_last_day(renewal, argument="no_downgrade_before")
    _require_no_day_to_come(frame, policy)

    def taken(part: frames.Frame) -> frames.Frame:
        kind = clauses.day_kind(part)
        no_day = nw.lit(None).cast(kind)

        def day_of(name: str) -> nw.Expr:
            return nw.col(name).cast(kind) if frames.has(part, name) else no_day

        ends = day_of(str(renewal)) if by_column else no_day
        basis = nw.col("tier_basis").cast(nw.String)
        return part.select(
            "customer_id",
            nw.col("tier").cast(nw.String).alias("tier_before"),
            day_of("tier_since").alias(clauses.SINCE),
            day_of("tier_expires").alias(clauses.EXPIRES),
            (ends if last is None else clauses.day(part, last)).alias(clauses.RENEWAL),
            (basis if frames.has(part, "tier_basis") else reach.NO_TIER).alias(clauses.BASIS),
        )

    return frames.row_by_row(frame, taken)


def _now(native: IntoFrame, policy: Policy) -> frames.Frame:
    """Take each customer's measures and group."""
    table = reach.contract(policy.rule)
    names = table.column_names
    made = [name for name in names if name in _MADE or name == "customer_id"]
    if made:
        msg = f"`rule` looks at {frames.quoted(made)}, which is made here.\nRename the column."
        raise InvalidArgumentError(msg)
    whole = replace(table, columns=(Column("customer_id", "key", "who"), *table.columns))
    frame = frames.read(native, replace(whole, name="customers proposed"))
    if frames.has(frame, "tier"):
        advice = "Drop the column, or review with the rule that made it."
        reach.require_same_tiers(frame, policy.rule, table="customers proposed", advice=advice)
    return frame.select("customer_id", *names)


def _require_no_day_to_come(frame: frames.Frame, policy: Policy) -> None:
    """Require that no tier is held since a day after the review, as in tables given in turn."""
    if not frames.has(frame, "tier_since"):
        return
    is_past = time.until(frame, policy.as_of, column="tier_since")
    to_come = ~nw.col("tier_since").is_null() & ~is_past
    odd = nw.when(to_come).then(nw.lit(1)).otherwise(nw.lit(0))
    (row,) = frames.rows(frame.select(odd=odd).select(n=nw.col("odd").sum(), rows=nw.len()))
    if row["n"]:
        n_rows = int(row["n"])
        msg = (
            f"current tiers: `tier_since` is after {policy.as_of} in {n_rows:,} of "
            f"{int(row['rows']):,} rows.\nGive the tiers as they were held on that day."
        )
        raise InvalidRowsError(msg, n_rows=n_rows, examples=())
