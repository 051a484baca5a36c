"""Whom to contact: those whose expected profit from a contact is highest, within the limits."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit._campaigns import budget as budgets
from crmkit._campaigns.given import Given, read, require_limit, require_new
from crmkit._door import frames
from crmkit._door.found import with_found
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_column_name
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from crmkit.tables import CAMPAIGN_OFFERS, Column
from crmkit.tables.contracts import NOT_MADE

MADE: Final = (
    *("expected_cost", "expected_profit", "profit_sd", "breakeven_uplift"),
    *("contact", "contact_rank", "offer"),
)

_RESPONSE_ONLY: Final = (
    "Without `p_without` only the response is known, and response is not uplift: many of those "
    "who would respond buy anyway. Compare `breakeven_uplift` with the uplift of a test."
)


def plan(
    customers: IntoFrameT,
    *,
    value: float | str,
    p_without: float | str | None,
    p_with: float | str | None = None,
    contact_cost: float | str,
    offer_cost: float | str = 0.0,
    offers: IntoFrame | None = None,
    budget: float | None = None,
    capacity: int | None = None,
    within: str | None = None,
) -> IntoFrameT:
    """Whom to contact within a budget: the list with the highest expected profit.

    It takes what a contact changes, not how likely somebody is to buy or to leave: who buys
    anyway brings nothing, and costs the offer. Each argument on customers is one number for all,
    or the name of a column.

    Parameters
    ----------
    customers
        One row per customer with `customer_id`, and the columns that the arguments name.
    value
        Profit of one customer who buys (or stays), before the cost of contact and offer: margin,
        not revenue.
    p_without, p_with
        Probability of buying (or staying) without and with the contact, from 0 to 1, such as two
        scores of `crmkit.campaigns.score_uplift`. `p_without` is None where only the response
        to contacts is known.
    contact_cost
        Cost of one contact.
    offer_cost
        Cost of the offer, which is paid to those who buy.
    offers
        Several offers, of which each customer gets one at most: one row per `offer` with its
        `cost` (as `offer_cost`) and `p_with_column`, the name of its column of probabilities, and
        where they differ its `contact_cost`. Leave out `p_with` and `offer_cost` then.
    budget
        The most that the contacts may cost, in expectation: contacts, and offers of those who
        are expected to take them.
    capacity
        The most customers to contact.
    within
        Name of a column, such as the account manager: budget and capacity hold for each of its
        values.

    Returns
    -------
    The same rows with more columns, null where an input is null:

    ====================  =====  ==============================================================
    ``expected_cost``     float  ``contact_cost + p_with * offer_cost``
    ``expected_profit``   float  ``(p_with - p_without) * value - expected_cost``; of the best
                                 offer where there are several
    ``profit_sd``         float  standard deviation of the profit of this customer
    ``breakeven_uplift``  float  ``expected_cost / value``: the uplift that pays the cost
    ``contact``           flag   whether to contact; never where no profit is expected
    ``contact_rank``      int    1 for the highest expected profit; null for the others
    ``offer``             text   with `offers`: which; null for the others
    ====================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a table breaks its contract: a column is missing, a probability not from 0 to 1, a
        cost or value below 0, a customer there twice.
    InvalidArgumentError
        If an argument is not a number in range or the name of a column.

    Notes
    -----
    The list is the best possible within the limits. Where costs differ and a budget limits, those
    near the margin are decided by integer programming; with more than 3,000 of them, the list
    may be short of the best by less than one contact, and `crmkit.campaigns.plan_summary` says by
    how much at most.

    The probabilities are taken as known; `profit_sd` is the luck of who buys,
    ``sqrt((value - offer_cost)**2 p1 (1 - p1) + value**2 p0 (1 - p0))``. Hold back a control
    group (`crmkit.campaigns.split`) to learn whether the campaign paid.

    References
    ----------
    Lemmens, A. & Gupta, S. (2020). Managing churn to maximize profits. *Marketing Science* 39(5),
    956-973. https://doi.org/10.1287/mksc.2020.1229

    Examples
    --------
    A contact costs 5 and the offer 20; two contacts can be made.

    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben", "cid", "dan"],
    ...         "value": [400, 60, 1000, 150],
    ...         "p0": [0.10, 0.30, 0.02, 0.20],
    ...         "p1": [0.16, 0.36, 0.03, 0.35],
    ...     }
    ... )
    >>> planned = plan(
    ...     customers,
    ...     value="value",
    ...     p_without="p0",
    ...     p_with="p1",
    ...     contact_cost=5,
    ...     offer_cost=20,
    ...     capacity=2,
    ... )
    >>> columns = ["customer_id", "expected_profit", "contact", "contact_rank"]
    >>> print(planned[columns].round(1).to_string(index=False))
    customer_id  expected_profit  contact  contact_rank
            ann             15.8     True           1.0
            ben             -8.6    False           NaN
            cid              4.4    False           NaN
            dan             10.5     True           2.0
    """
    require_limit(budget, argument="budget")
    require_limit(capacity, argument="capacity", whole=True)
    if within is not None:
        require_column_name(within, argument="within")
    ways = _ways(offers, p_with=p_with, contact_cost=contact_cost, offer_cost=offer_cost)
    base = (
        Given("value", value, "profit of a customer who buys", advice="Give a margin."),
        Given("p_without", p_without, "probability without the contact", most=1),
    )
    given = {each.argument: each for each in (*base, *(g for way in ways for g in way.given))}
    by = (
        () if within is None else (Column(within, "key", "group", nullable=True, made_by=NOT_MADE),)
    )
    frame, of = read(customers, list(given.values()), others=by)
    require_new(frame, [name for name in MADE if _is_named(name, given)], of="An argument")
    if p_without is None:
        warnings.warn(_RESPONSE_ONLY, CrmkitWarning, stacklevel=2)
    columns: dict[str, nw.Expr] = {}
    for way in ways:
        columns |= way.columns(of)
    needed = frame.drop(*MADE, strict=False)
    limits = _Limits(budget, None if capacity is None else int(capacity), within)
    priced = frames.with_columns(needed, **columns)
    chosen = _chosen(priced, like=customers, ways=ways, limits=limits)
    return frames.give(chosen, like=customers)


class _Limits(NamedTuple):
    budget: float | None
    capacity: int | None
    within: str | None


class _Way(NamedTuple):
    """One offer: its name, its arguments, and the names of its columns while it is priced."""

    offer: str | None
    number: int
    p_with: Given
    contact_cost: Given
    offer_cost: Given

    @property
    def given(self) -> tuple[Given, Given, Given]:
        return self.p_with, self.contact_cost, self.offer_cost

    def name(self, figure: str) -> str:
        return f"crmkit_{figure}_{self.number}"

    def columns(self, of: Mapping[str, nw.Expr]) -> dict[str, nw.Expr]:
        """Cost, profit and its standard deviation, as expressions."""
        value, before = of["value"], of["p_without"]
        after, offer = of[self.p_with.argument], of[self.offer_cost.argument]
        cost = of[self.contact_cost.argument] + after * offer
        luck = (value - offer) ** 2 * after * (1 - after) + value**2 * before * (1 - before)
        return {
            self.name("cost"): cost,
            self.name("profit"): (after - before) * value - cost,
            self.name("sd"): luck**0.5,
            self.name("uplift"): nw.when(value > 0).then(cost / value),
        }


_FIGURES: Final = {
    "cost": "expected_cost",
    "profit": "expected_profit",
    "sd": "profit_sd",
    "uplift": "breakeven_uplift",
}


def _is_named(name: str, given: Mapping[str, Given]) -> bool:
    return any(each.value == name for each in given.values())


def _ways(
    offers: IntoFrame | None,
    *,
    p_with: float | str | None,
    contact_cost: float | str,
    offer_cost: float | str,
) -> list[_Way]:
    meaning = "probability with the contact"
    if offers is None:
        if p_with is None:
            msg = "`p_with` is missing.\nGive a number or the name of a column, or `offers`."
            raise InvalidArgumentError(msg)
        after = Given("p_with", p_with, meaning, most=1)
        contact = Given("contact_cost", contact_cost, "cost of one contact")
        cost = Given("offer_cost", offer_cost, "cost of the offer")
        return [_Way(None, 0, after, contact, cost)]
    if p_with is not None or offer_cost != 0:
        msg = (
            "`offers` says `p_with_column` and `cost` of each offer.\n"
            "Leave `p_with` and `offer_cost` out."
        )
        raise InvalidArgumentError(msg)
    listed = frames.read(offers, CAMPAIGN_OFFERS).collect().rows(named=True)
    if not listed:
        msg = "campaign offers: the table is empty.\nGive one row per offer."
        raise InvalidArgumentError(msg)
    return [
        _Way(
            str(row["offer"]),
            i,
            Given(f"p_with {i}", str(row["p_with_column"]), meaning, most=1),
            Given(
                f"contact_cost {i}", row.get("contact_cost", contact_cost), "cost of one contact"
            ),
            Given(f"offer_cost {i}", float(row["cost"]), "cost of the offer"),
        )
        for i, row in enumerate(listed)
    ]


def _chosen(
    priced: frames.Frame, *, like: IntoFrame, ways: Sequence[_Way], limits: _Limits
) -> frames.Frame:
    """Append who is contacted, on this machine from the numbers alone, and the figures."""
    names = [way.name(figure) for way in ways for figure in ("cost", "profit")]
    if frames.is_lazy(like):
        keys = ["customer_id", *([limits.within] if limits.within else [])]
        data = priced.select(*keys, *names).collect()
    else:
        data = priced.collect()
        priced = data.lazy()
    floats = {name: data[name].to_numpy().astype(float) for name in names}
    profit = np.column_stack([floats[way.name("profit")] for way in ways])
    cost = np.column_stack([floats[way.name("cost")] for way in ways])
    offer = np.full(len(data), budgets.NOBODY, dtype=np.int64)
    for group in _groups(data, limits.within):
        order = group[_in_order_of_ids(data["customer_id"], profit[group], group)]
        found = budgets.best(
            profit[order], cost[order], budget=limits.budget, capacity=limits.capacity
        )
        offer[order] = found.offer
    best = np.where(offer == budgets.NOBODY, _best_offer(profit), offer)
    known = np.isfinite(profit).any(axis=1)
    rank = _ranks(data["customer_id"], offer, profit[np.arange(len(best)), best])
    made: dict[str, Any] = {"crmkit_way": best, "contact": offer != budgets.NOBODY}
    made |= {"contact_rank": rank, "crmkit_known": known}
    chosen = with_found(priced, made, ids=data["customer_id"], like=like)
    return _with_figures(chosen, ways)


def _with_figures(joined: frames.Frame, ways: Sequence[_Way]) -> frames.Frame:
    """Take the figures of the offer that was chosen, and drop those of the others."""
    is_known = nw.col("crmkit_known")
    of_way = nw.col("crmkit_way")

    def chosen(figure: str) -> nw.Expr:
        found = frames.known(ways[0].name(figure))
        for way in ways[1:]:
            found = (
                nw.when(of_way == way.number).then(frames.known(way.name(figure))).otherwise(found)
            )
        return found

    figures = {name: chosen(figure) for figure, name in _FIGURES.items()}
    rank = frames.whole_or_null(joined, nw.col("contact_rank").cast(nw.Int64))
    figures["contact"] = nw.when(is_known).then(nw.col("contact"))
    figures["contact_rank"] = nw.when(rank > 0).then(rank)
    if ways[0].offer is not None:
        named = nw.lit(ways[0].offer)
        for way in ways[1:]:
            named = nw.when(of_way == way.number).then(nw.lit(way.offer)).otherwise(named)
        figures["offer"] = nw.when(rank > 0).then(named)
    made = frames.with_columns(joined, **figures)
    steps = [way.name(figure) for way in ways for figure in _FIGURES]
    return made.drop(*steps, "crmkit_way", "crmkit_known")


def _groups(data: nw.DataFrame[Any], within: str | None) -> list[Any]:
    if within is None:
        return [np.arange(len(data))]
    keys = [str(key) for key in data[within].to_list()]
    _, number = np.unique(keys, return_inverse=True)
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if len(order) else []


def _best_offer(profit: Floats) -> Any:  # noqa: ANN401 - an array of whole numbers
    return np.where(np.isnan(profit), -np.inf, profit).argmax(axis=1)


def _in_order_of_ids(ids: nw.Series[Any], profit: Floats, group: Any) -> Any:  # noqa: ANN401 - arrays
    """Put a group in the order of its ids, where some have the same profit."""
    top = np.sort(np.nan_to_num(profit, nan=-np.inf).max(axis=1))
    if not (np.diff(top[top > 0]) == 0).any():
        return np.arange(len(group))
    mine = ids.to_numpy()[group]
    return np.argsort(mine.astype(str) if mine.dtype == object else mine, kind="stable")


def _ranks(ids: nw.Series[Any], offer: Any, profit: Floats) -> Any:  # noqa: ANN401 - arrays
    """Number those contacted from the highest profit down, of equals by id; 0 for the others."""
    who = np.flatnonzero(offer != budgets.NOBODY)
    who = who[_in_order_of_ids(ids, profit[who][:, None], who)]
    order = who[np.argsort(-profit[who], kind="stable")]
    rank = np.zeros(len(offer), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return rank
