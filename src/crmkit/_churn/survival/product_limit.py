"""Kaplan-Meier of contracts: the product limit of their histories."""

from __future__ import annotations

import numpy as np

from crmkit._churn.survival.durations import Spells
from crmkit._door.frames import Floats
from crmkit.models.numerics import product_limit as numerics
from crmkit.models.numerics.product_limit import Curve


def product_limit(spells: Spells) -> Curve:
    """Estimate survival; whoever was first seen late is at risk from then on only."""
    return numerics.product_limit(
        spells.duration, entry=spells.entry, event=spells.event, n=spells.n
    )


def n_at_risk(spells: Spells, times: Floats) -> Floats:
    """Count those first seen before each duration, and followed at least as long."""
    followed = numerics.n_from(spells.duration, spells.n, times)
    return np.asarray(followed - numerics.n_from(spells.entry, spells.n, times))
