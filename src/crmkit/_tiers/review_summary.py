"""Summary of a review: what became of each tier."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._door import frames
from crmkit._tiers import reach
from crmkit._tiers.tier_rule import TierRule, TierRules
from crmkit.tables import REVIEWED_TIERS

_MOVES: Final = {"n_stayed": "stayed", "n_up": "up", "n_down": "down", "n_entered": "entered"}
_COUNTS: Final = ("n_before", "n_customers", *_MOVES, "n_exempt", "n_will_fall")


def review_summary(reviewed: IntoFrameT, *, rule: TierRule | TierRules) -> IntoFrameT:
    """Summarize a review of tiers: who is in each tier, how they came, who will fall.

    Parameters
    ----------
    reviewed
        One row per customer, as made by `crmkit.tiers.review`. A lazy table is run, to count.
    rule
        The rule of the review; it gives the order of the tiers.

    Returns
    -------
    One row per tier, best first, then one with a null `tier` for those without a tier, if any:

    ===============  ====  ==================================================================
    ``tier``         text  name of the tier
    ``n_before``     int   customers in it before the review
    ``n_customers``  int   customers in it after the review
    ``n_stayed``     int   those of them who were in it before
    ``n_up``         int   those who came up from a lower tier
    ``n_down``       int   those who came down from a higher tier
    ``n_entered``    int   those who had no tier before
    ``n_exempt``     int   those whose tier was given by hand or invitation; they stayed, too
    ``n_will_fall``  int   those who will fall if their value stays as it is
    ===============  ====  ==================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `reviewed` breaks its contract, or a tier is not in the rule.
    InvalidArgumentError
        If `rule` is of another type.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import tiers
    >>> held = pd.DataFrame({"customer_id": ["ann", "ben"], "tier": ["gold", "silver"]})
    >>> now = pd.DataFrame({"customer_id": ["ann", "ben", "cid"], "total_amount": [9.0, 700, 80]})
    >>> cuts = tiers.rule(now, method="thresholds", names=("gold", "silver"), cuts=[500])
    >>> found = tiers.review(held, now, rule=cuts, as_of="2024-06-30")
    >>> print(review_summary(found, rule=cuts).iloc[:, :7].to_string(index=False))
      tier  n_before  n_customers  n_stayed  n_up  n_down  n_entered
      gold         1            1         0     1       0          0
    silver         1            2         0     0       1          1
    """
    reach.require_rule(rule)
    frame = frames.read(reviewed, REVIEWED_TIERS)
    keys = ("tier_before", "tier", "move")
    falls = nw.when(~nw.col("falls_on").is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
    exempt = nw.when(nw.col("is_exempt")).then(nw.lit(1)).otherwise(nw.lit(0))
    grouped = (
        frame.select(*(nw.col(key).cast(nw.String) for key in keys), falls=falls, exempt=exempt)
        .group_by(*keys)
        .agg(n=nw.len(), falls=nw.col("falls").sum(), exempt=nw.col("exempt").sum())
    )
    rows = frames.rows(grouped)
    _require_known(rows, rule)
    names = [*rule.names, *([None] if any(row["tier"] is None for row in rows) else [])]
    columns: dict[str, list[Any]] = {"tier": names}
    for count in _COUNTS:
        columns[count] = [sum(_of(count, row, name) for row in rows) for name in names]
    made = frames.table_like(columns, like=frame)
    return frames.give(made.with_columns(nw.col("tier").cast(nw.String)), like=reviewed)


def _of(count: str, row: frames.Row, tier: str | None) -> int:
    """Count the customers of one kind, of whom the row tells, in a tier."""
    if count == "n_before":
        return int(row["n"]) if row["tier_before"] == tier and row["move"] != "entered" else 0
    if row["tier"] != tier or row["move"] != _MOVES.get(count, row["move"]):
        return 0
    return int(row[{"n_exempt": "exempt", "n_will_fall": "falls"}.get(count, "n")])


def _require_known(rows: list[frames.Row], rule: reach.AnyRule) -> None:
    counts: dict[str, int] = {}
    for row in rows:
        for name in {row["tier_before"], row["tier"]} - {None, *rule.names}:
            counts[name] = counts.get(name, 0) + int(row["n"])
    if counts:
        n, table = sum(int(row["n"]) for row in rows), REVIEWED_TIERS.name
        reach.refuse_tiers("tier", counts, names=rule.names, total=n, table=table)
