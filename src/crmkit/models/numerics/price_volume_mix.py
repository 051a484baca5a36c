"""A change of money of several products, split into price, volume and mix."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from crmkit.models.numerics.arrays import Floats

Mix: TypeAlias = Literal["prices before", "prices now", "joint term apart"]
"""How the mix is valued, and where the part that price and mix have in common goes."""

MIXES: Final[tuple[Mix, ...]] = ("prices before", "prices now", "joint term apart")


class Split(NamedTuple):
    """The parts of a change; they add up to it."""

    volume: float
    mix: float
    price: float
    joint: float


def split(
    quantity_before: Floats,
    quantity_now: Floats,
    amount_before: Floats,
    amount_now: Floats,
    *,
    mix: Mix,
) -> Split:
    """Split the change of the money of products with quantities of 0 or more.

    Volume is the change of all units at the mean price before. Mix is the shift of shares of units,
    valued at the prices before or now. A product without units on one side has the price of the
    other, so that what it brings or takes away is volume and mix.
    """
    units_before, units_now = float(quantity_before.sum()), float(quantity_now.sum())
    change = float(amount_now.sum() - amount_before.sum())
    if units_before <= 0 or units_now <= 0:
        return Split(change, 0.0, 0.0, 0.0)
    only_now, only_before = quantity_before <= 0, quantity_now <= 0
    none = only_now & only_before
    old = _ratio(amount_before, quantity_before)
    new = _ratio(amount_now, quantity_now)
    old, new = np.where(only_now, new, old), np.where(only_before, old, new)
    old, new = np.where(none, 0.0, old), np.where(none, 0.0, new)
    as_before = quantity_before / units_before * units_now
    shift = quantity_now - as_before
    volume = (units_now - units_before) * float(amount_before.sum()) / units_before
    if mix == "prices now":
        return Split(volume, float(shift @ new), float((new - old) @ as_before), 0.0)
    by_old = float(shift @ old)
    if mix == "prices before":
        return Split(volume, by_old, float((new - old) @ quantity_now), 0.0)
    return Split(volume, by_old, float((new - old) @ as_before), float((new - old) @ shift))


def _ratio(above: Floats, below: Floats) -> Floats:
    has = below > 0
    return np.where(has, above / np.where(has, below, 1.0), 0.0)
