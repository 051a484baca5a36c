"""The best customers to contact within a budget and a capacity, each by one offer at most."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from crmkit._door.frames import Floats

Whole = npt.NDArray[np.int64]

NOBODY: Final = -1
"""In place of an offer: the customer is not contacted."""

_STEPS: Final = 100
_LARGEST_CORE: Final = 3_000
_SECONDS: Final = 10.0
_TRIES: Final = 20_000
_ROUNDING: Final = 1e-9
_PRECISE: Final = 1e-13


class Choice(NamedTuple):
    """The offer of each customer, NOBODY for none, and what is known of the best possible."""

    offer: Whole
    profit: float
    bound: float
    """No choice within the limits brings more."""
    per_unit: float
    """What the next unit of budget would bring; 0 where the budget is not what limits."""


class _Prices(NamedTuple):
    """What a unit of budget and a contact must bring to be worth spending."""

    unit: float
    contact: float


def best(
    profit: Floats, cost: Floats, *, budget: float | None = None, capacity: int | None = None
) -> Choice:
    """Choose who is contacted with which offer, so that the sum of profit is largest.

    `profit` and `cost` have one row per customer and one column per offer; NaN is an offer that
    cannot be made. The limits are priced (Lagrange): at the price that just keeps both, everybody
    whose profit is far from the price is decided. The few near it are decided exactly by integer
    programming (Balas & Zemel 1980, https://doi.org/10.1287/opre.28.5.1130).
    """
    usable = np.isfinite(profit) & np.isfinite(cost) & (profit > 0)
    pays = np.flatnonzero(usable.any(axis=1))
    gain = np.where(usable[pays], profit[pays], -np.inf)
    cost = np.where(usable[pays], cost[pays], 0.0)
    limits = _Limits(
        np.inf if budget is None else float(budget),
        len(gain) if capacity is None else min(int(capacity), len(gain)),
    )
    found = _best(gain, cost, limits)
    offer = np.full(len(profit), NOBODY, dtype=np.int64)
    offer[pays] = found.offer
    return found._replace(offer=offer)


class _Limits(NamedTuple):
    budget: float
    capacity: int


def _best(gain: Floats, cost: Floats, limits: _Limits) -> Choice:
    """Choose among customers of whom each has an offer that pays."""
    if not len(gain) or not limits.capacity:
        return Choice(np.full(len(gain), NOBODY, dtype=np.int64), 0.0, 0.0, 0.0)
    prices = _prices(gain, cost, limits)
    bound = _dual(gain, cost, prices, limits)
    offer = _filled(gain, cost, prices, limits)
    reached = _total(gain, offer)
    if bound - reached > _ROUNDING * max(1.0, bound):
        better = _exact(gain, cost, prices, limits, offer, gap=bound - reached)
        if better is not None:
            offer, is_proven = better
            reached = _total(gain, offer)
            bound = reached if is_proven else bound
    return Choice(offer, reached, max(bound, reached), prices.unit)


def _reduced(gain: Floats, cost: Floats, prices: _Prices) -> Floats:
    return gain - prices.unit * cost - prices.contact


def _dual(gain: Floats, cost: Floats, prices: _Prices, limits: _Limits) -> float:
    """The most that any choice within the limits can bring, by these prices."""
    above = np.maximum(_reduced(gain, cost, prices).max(axis=1), 0.0).sum()
    spent = prices.unit * limits.budget if prices.unit else 0.0
    return float(above + spent + prices.contact * limits.capacity)


def _prices(gain: Floats, cost: Floats, limits: _Limits) -> _Prices:
    """Find the prices at which both limits just hold."""
    contact, spent = _at(gain, cost, 0.0, limits)
    if spent <= limits.budget:
        return _Prices(0.0, contact)
    costly = (gain > 0) & (cost > 0)
    low, high = 0.0, float((gain[costly] / cost[costly]).max())
    if gain.shape[1] == 1:
        alone = _price_of_budget(gain[:, 0], cost[:, 0], limits.budget)
        contact, _ = _at(gain, cost, alone, limits)
        if not contact:
            return _Prices(alone, 0.0)
        high = alone
    for _ in range(_STEPS):
        middle = (low + high) / 2
        contact, spent = _at(gain, cost, middle, limits)
        low, high = (middle, high) if spent > limits.budget else (low, middle)
        if high - low <= _PRECISE * high:
            break
    contact, _ = _at(gain, cost, high, limits)
    return _Prices(high, contact)


def _price_of_budget(gain: Floats, cost: Floats, budget: float) -> float:
    """Profit per unit of cost of the first who does not fit, the best first."""
    with np.errstate(divide="ignore"):
        ratio = gain / cost
    order = np.argsort(-ratio, kind="stable")
    first = int(np.searchsorted(np.cumsum(cost[order]), budget, side="right"))
    return float(ratio[order[first]]) if first < len(order) else 0.0


def _at(gain: Floats, cost: Floats, unit: float, limits: _Limits) -> tuple[float, float]:
    """Price of a contact at a price of budget, and what those who are worth it cost."""
    top, spend = _top(gain - unit * cost, cost)
    contact = 0.0
    if limits.capacity < (top > 0).sum():
        last = len(top) - limits.capacity - 1
        contact = max(float(np.partition(top, last)[last]), 0.0)
    return contact, float(spend[top > contact].sum())


def _top(value: Floats, cost: Floats) -> tuple[Floats, Floats]:
    """The best offer of each customer by some value, and its cost."""
    if value.shape[1] == 1:
        return value[:, 0], cost[:, 0]
    rows, pick = np.arange(len(value)), value.argmax(axis=1)
    return value[rows, pick], cost[rows, pick]


def _filled(gain: Floats, cost: Floats, prices: _Prices, limits: _Limits) -> Whole:
    """Take those who are worth the prices, then whoever else fits, the best first."""
    n = len(gain)
    offer = np.full(n, NOBODY, dtype=np.int64)
    reduced = _reduced(gain, cost, prices)
    pick, rows = reduced.argmax(axis=1), np.arange(n)
    top, spend, brings = reduced[rows, pick], cost[rows, pick], gain[rows, pick]
    tied = np.abs(top) <= _ROUNDING * np.maximum(1.0, brings)
    order = np.lexsort((spend, np.where(tied, 0.0, -top)))
    sure = order[(top[order] > 0) & ~tied[order]][: limits.capacity]
    first = sure[np.cumsum(spend[sure]) <= limits.budget * (1 + _ROUNDING)]
    offer[first] = pick[first]
    left, room = limits.budget - float(spend[first].sum()), limits.capacity - len(first)
    rest = order[offer[order] == NOBODY]
    for each in rest[spend[rest] <= left * (1 + _ROUNDING)][:_TRIES]:
        if room <= 0:
            break
        if spend[each] <= left * (1 + _ROUNDING):
            offer[each] = pick[each]
            left -= float(spend[each])
            room -= 1
    return offer


def _exact(
    gain: Floats,
    cost: Floats,
    prices: _Prices,
    limits: _Limits,
    offer: Whole,
    *,
    gap: float,
) -> tuple[Whole, bool] | None:
    """Decide exactly those whom the gap leaves open; None where they are too many."""
    from scipy.optimize import LinearConstraint, milp  # noqa: PLC0415 - loaded where it is used
    from scipy.sparse import coo_array  # noqa: PLC0415 - likewise

    options = np.column_stack([_reduced(gain, cost, prices), np.zeros(len(gain))])
    ranked = np.partition(options, -2, axis=1)
    open_ = np.flatnonzero(ranked[:, -1] - ranked[:, -2] <= gap * (1 + _ROUNDING))
    if not 0 < len(open_) <= _LARGEST_CORE:
        return None
    decided = options.argmax(axis=1)
    fixed = np.where(decided == gain.shape[1], NOBODY, decided)
    fixed[open_] = NOBODY
    sure = np.flatnonzero(fixed != NOBODY)
    left = limits.budget - float(cost[sure, fixed[sure]].sum())
    room = limits.capacity - len(sure)
    who, what = np.nonzero(gain[open_] > 0)
    if not len(who) or left < 0 or room < 0:
        return None
    ones = np.ones(len(who))
    once = coo_array((ones, (who, np.arange(len(who)))), shape=(len(open_), len(who)))
    rules: list[Any] = [LinearConstraint(once.tocsr(), ub=1), LinearConstraint(ones, ub=room)]
    if limits.budget < np.inf:
        rules.append(LinearConstraint(cost[open_][who, what], ub=left * (1 + 1e-12)))
    found = milp(
        -gain[open_][who, what],
        constraints=rules,
        integrality=1,
        bounds=(0, 1),
        options={"time_limit": _SECONDS, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    taken = np.rint(found.x) == 1
    fixed[open_[who[taken]]] = what[taken]
    is_better = _total(gain, fixed) >= _total(gain, offer)
    return (fixed, found.status == 0) if is_better else (offer, found.status == 0)


def _total(gain: Floats, offer: Whole) -> float:
    rows = np.flatnonzero(offer != NOBODY)
    return float(gain[rows, offer[rows]].sum())
