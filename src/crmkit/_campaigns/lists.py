"""Contact lists for those leaving, lost, and of low value with potential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrameT

from crmkit._campaigns.contact_list import plan
from crmkit._campaigns.given import Given, read
from crmkit._door import frames
from crmkit._words.arguments import require_list
from crmkit.tables import Column
from crmkit.tables.contracts import NOT_MADE

_WITHOUT: Final = "crmkit_p_without"
_WITH: Final = "crmkit_p_with"
_VALUE: Final = "crmkit_value"


def save_list(
    customers: IntoFrameT,
    *,
    value: float | str,
    save_rate: float | str,
    contact_cost: float | str,
    offer_cost: float | str = 0.0,
    p_leave: float | str = "churn_risk",
    stages: Sequence[str] = ("at risk", "lapsing"),
    budget: float | None = None,
    capacity: int | None = None,
    within: str | None = None,
) -> IntoFrameT:
    """Whom to contact so that they stay: `crmkit.campaigns.plan` for those who are leaving.

    Parameters
    ----------
    customers
        One row per customer, as in the customers of `crmkit.pipeline.run`.
    value
        Profit of one customer who stays; a number or a column.
    save_rate
        Share of those about to leave whom the contact keeps, from a test; a number or a column.
    contact_cost, offer_cost, budget, capacity, within
        As in `crmkit.campaigns.plan`; the offer is paid to everybody who stays.
    p_leave
        Probability of leaving without the contact; a number or a column.
    stages
        Only customers in these stages are listed, where the table has a column `stage`; empty
        for all.

    Returns
    -------
    The rows of those customers, with the columns of `crmkit.campaigns.plan`, for
    ``p_without = 1 - p_leave`` and ``p_with = p_without + p_leave * save_rate``.

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.campaigns.plan`.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben"], "churn_risk": [0.6, 0.1], "margin": [100.0, 300.0]}
    ... )
    >>> listed = save_list(customers, value="margin", save_rate=0.25, contact_cost=2)
    >>> print(listed[["customer_id", "expected_profit", "contact"]].round(2).to_string(index=False))
    customer_id  expected_profit  contact
            ann             13.0     True
            ben              5.5     True
    """
    leaves = Given("p_leave", p_leave, "probability of leaving", most=1)
    saved = Given("save_rate", save_rate, "share whom the contact keeps", most=1)
    frame, of = _listed(customers, [leaves, saved], stages=stages)
    without = 1 - of["p_leave"]
    priced = frames.with_columns(
        frame, **{_WITHOUT: without, _WITH: without + of["p_leave"] * of["save_rate"]}
    )
    return _planned(
        priced,
        like=customers,
        value=value,
        contact_cost=contact_cost,
        offer_cost=offer_cost,
        budget=budget,
        capacity=capacity,
        within=within,
    )


def win_back(
    customers: IntoFrameT,
    *,
    value: float | str,
    p_with: float | str,
    contact_cost: float | str,
    offer_cost: float | str = 0.0,
    p_without: float | str = 0.0,
    stages: Sequence[str] = ("lost",),
    budget: float | None = None,
    capacity: int | None = None,
    within: str | None = None,
) -> IntoFrameT:
    """Whom to win back: `crmkit.campaigns.plan` for lost customers.

    Where all have the same probability of coming back, the list is in the order of value.

    Parameters
    ----------
    customers
        One row per customer, as in the customers of `crmkit.pipeline.run`.
    value
        Profit of one customer who comes back; a number or a column.
    p_with, p_without
        Probability of coming back with and without the contact, from a test; numbers or columns.
        `crmkit.lifecycle.calibrate` shows how many of the lost come back by themselves.
    contact_cost, offer_cost, budget, capacity, within
        As in `crmkit.campaigns.plan`.
    stages
        Only customers in these stages are listed, where the table has a column `stage`; empty
        for all.

    Returns
    -------
    The rows of those customers, with the columns of `crmkit.campaigns.plan`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.campaigns.plan`.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid"],
    ...         "stage": ["lost", "active", "lost"],
    ...         "total_amount": [900.0, 500.0, 80.0],
    ...     }
    ... )
    >>> listed = win_back(customers, value="total_amount", p_with=0.05, contact_cost=10)
    >>> print(listed[["customer_id", "expected_profit", "contact"]].to_string(index=False))
    customer_id  expected_profit  contact
            ann             35.0     True
            cid             -6.0    False
    """
    before = Given("p_without", p_without, "probability of coming back", most=1)
    after = Given("p_with", p_with, "probability of coming back with the contact", most=1)
    frame, of = _listed(customers, [before, after], stages=stages)
    priced = frames.with_columns(frame, **{_WITHOUT: of["p_without"], _WITH: of["p_with"]})
    return _planned(
        priced,
        like=customers,
        value=value,
        contact_cost=contact_cost,
        offer_cost=offer_cost,
        budget=budget,
        capacity=capacity,
        within=within,
    )


def reactivate(
    customers: IntoFrameT,
    *,
    potential: float | str,
    value: float | str,
    p_with: float | str,
    contact_cost: float | str,
    offer_cost: float | str = 0.0,
    p_without: float | str = 0.0,
    tiers: Sequence[str] = ("silver",),
    budget: float | None = None,
    capacity: int | None = None,
    within: str | None = None,
) -> IntoFrameT:
    """Whom to bring up: `crmkit.campaigns.plan` for customers of low value with potential.

    What is to be won is the gap between what a customer could bring and what they bring.

    Parameters
    ----------
    customers
        One row per customer, as in the customers of `crmkit.pipeline.run`.
    potential
        What the customer could bring, as profit: a number, or a column such as the spend of
        customers like them.
    value
        What they bring today, in the same terms; a number or a column.
    p_with, p_without
        Probability of closing the gap with and without the contact, from a test; numbers or
        columns.
    contact_cost, offer_cost, budget, capacity, within
        As in `crmkit.campaigns.plan`.
    tiers
        Only customers in these tiers are listed, where the table has a column `tier`; empty for
        all.

    Returns
    -------
    The rows of those customers, with the columns of `crmkit.campaigns.plan`, for a value of
    ``potential - value``, or 0 where that is below 0.

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        As `crmkit.campaigns.plan`.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben"],
    ...         "tier": ["silver", "silver"],
    ...         "brings": [20.0, 20.0],
    ...         "could": [220.0, 30.0],
    ...     }
    ... )
    >>> listed = reactivate(
    ...     customers, potential="could", value="brings", p_with=0.1, contact_cost=2
    ... )
    >>> print(listed[["customer_id", "expected_profit", "contact"]].to_string(index=False))
    customer_id  expected_profit  contact
            ann             18.0     True
            ben             -1.0    False
    """
    before = Given("p_without", p_without, "probability without the contact", most=1)
    after = Given("p_with", p_with, "probability with the contact", most=1)
    could = Given("potential", potential, "what the customer could bring")
    brings = Given("value", value, "what the customer brings")
    given = [before, after, could, brings]
    frame, of = _listed(customers, given, stages=tiers, column="tier", argument="tiers")
    gap = of["potential"] - of["value"]
    priced = frames.with_columns(
        frame,
        **{
            _WITHOUT: of["p_without"],
            _WITH: of["p_with"],
            _VALUE: nw.when(gap > 0).then(gap).when(gap <= 0).then(nw.lit(0.0)),
        },
    )
    return _planned(
        priced,
        like=customers,
        value=_VALUE,
        contact_cost=contact_cost,
        offer_cost=offer_cost,
        budget=budget,
        capacity=capacity,
        within=within,
    )


def _listed(
    customers: IntoFrameT,
    given: Sequence[Given],
    *,
    stages: Sequence[str],
    column: str = "stage",
    argument: str = "stages",
) -> tuple[frames.Frame, dict[str, nw.Expr]]:
    """Read the customers, and keep those in the stages or tiers that are asked for."""
    wanted = [str(each) for each in require_list(stages, argument=argument, example='("lost",)')]
    text = Column(column, "text", column, nullable=True, required=False, made_by=NOT_MADE)
    frame, of = read(customers, given, others=[text] if wanted else [])
    if wanted and frames.has(frame, column):
        frame = frame.filter(nw.col(column).cast(nw.String).is_in(wanted))
    return frame, dict(of)


def _planned(
    priced: frames.Frame, *, like: IntoFrameT, value: float | str, **others: object
) -> IntoFrameT:
    table = frames.give(priced, like=like)
    planned = plan(table, value=value, p_without=_WITHOUT, p_with=_WITH, **others)  # type: ignore[arg-type] # as it was given
    return frames.give(
        frames.reopen(planned).drop(_WITHOUT, _WITH, _VALUE, strict=False), like=like
    )
