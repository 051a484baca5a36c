"""Scored customers with what happened to them, read for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._churn import outcome as outcomes
from crmkit._churn.evaluation.campaign import AcquisitionCampaign, RetentionCampaign
from crmkit._door import draw, feature_matrix, frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_column_name, require_fitted, require_list
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

MOST_ROWS: Final = 500_000
_OUTCOME: Final = "crmkit_outcome"

Campaign = RetentionCampaign | AcquisitionCampaign


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Stated probabilities and what happened, in the order of the customers' hash."""

    churned: Floats
    stated: Floats
    customer: npt.NDArray[np.int64]
    """The same number in all rows of a customer."""
    value: Floats | None
    groups: dict[str, npt.NDArray[Any]]

    def only(self, rows: npt.NDArray[np.bool_]) -> Scored:
        """Keep some of the rows."""
        value = None if self.value is None else self.value[rows]
        numbers = np.unique(self.customer[rows], return_inverse=True)[1]
        groups = {name: values[rows] for name, values in self.groups.items()}
        return Scored(self.churned[rows], self.stated[rows], numbers, value, groups)


def read(
    native: IntoFrame,
    *,
    outcome: str,
    score: str,
    campaign: Campaign | None = None,
    by: str | Sequence[str] | None = None,
) -> tuple[Scored, frames.Frame]:
    """Read a table with a score and the outcome."""
    require_column_name(outcome, argument="outcome")
    require_column_name(score, argument="score")
    if campaign is not None:
        require_fitted(
            campaign,
            (RetentionCampaign, AcquisitionCampaign),
            argument="campaign",
            made_by="crmkit.churn.RetentionCampaign",
        )
    keys = _keys(by)
    value = campaign.value if isinstance(campaign, RetentionCampaign) else None
    own = [value] if isinstance(value, str) else []
    columns = [
        Column("customer_id", "key", "who"),
        Column(score, "number", "probability", 0, 1, made_by="crmkit.churn.score"),
        Column(outcome, "key", "1 for those who left", made_by=NOT_MADE),
        *(Column(name, "number", "value of the customer", made_by=NOT_MADE) for name in own),
        *(Column(name, "key", "segment", nullable=True, made_by=NOT_MADE) for name in keys),
    ]
    unique = {column.name: column for column in reversed(columns)}
    table = Table("scored customers", "one customer", NOT_MADE, tuple(unique.values()))
    frame = frames.read(native, table)
    is_lazy = frames.is_lazy(native)
    number = outcomes.as_number(outcome, frame.collect_schema()[outcome], table=table.name)
    frame = frames.with_columns(frame, **{_OUTCOME: number})
    drawn, _ = draw.about(frame, most=MOST_ROWS)
    wanted = list(dict.fromkeys(["customer_id", score, outcome, *own, *keys]))
    rows = drawn.select(*wanted, _OUTCOME).collect()
    if is_lazy:  # its values were not seen before
        frames.give(frames.read(rows.select(*wanted).to_native(), table), like=rows.to_native())
    data = feature_matrix.arrays(rows.select(score, _OUTCOME, *own))
    ids = rows["customer_id"].to_list()
    outcomes.require_known(data[_OUTCOME], ids, name=outcome, table=table.name)
    if not ids:
        msg = "scored customers: the table is empty.\nGive customers whose outcome is known."
        raise InvalidRowsError(msg, n_rows=0, examples=())
    order = np.lexsort((-data[score], draw.hash_of(ids)))
    number_of = {each: i for i, each in enumerate(dict.fromkeys(ids[i] for i in order))}
    return Scored(
        churned=data[_OUTCOME][order],
        stated=data[score][order],
        customer=np.array([number_of[ids[i]] for i in order], dtype=np.int64),
        value=data[own[0]][order] if own else None,
        groups={name: np.array(rows[name].to_list(), dtype=object)[order] for name in keys},
    ), frame


def require_both(churned: Floats, *, outcome: str) -> None:
    """Require some who left and some who stayed."""
    if churned.min() == churned.max():
        msg = (
            f"scored customers: `{outcome}` is {churned[0]:g} in all {len(churned):,} rows, so a "
            "ranking cannot be judged.\nGive customers of whom some left and some stayed."
        )
        raise InvalidArgumentError(msg)


def _keys(by: str | Sequence[str] | None) -> tuple[str, ...]:
    if by is None:
        return ()
    keys = (by,) if isinstance(by, str) else require_list(by, argument="by", example='["segment"]')
    for key in keys:
        require_column_name(key, argument="by")
    return tuple(dict.fromkeys(keys))
