"""A test that can decide: how many customers it needs, and who is in the control group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._campaigns.experiment import require_names
from crmkit._door import draw, frames
from crmkit._words.arguments import require_number, require_seed
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

_HASH: Final = "crmkit_hash"
_STRATUM: Final = "crmkit_stratum"
_LAST: Final = "crmkit_last"


class SampleSize(NamedTuple):
    """Customers to treat, and customers to leave alone for comparison."""

    n_treated: int
    n_control: int


def sample_size(
    *,
    baseline_rate: float,
    lift: float,
    power: float = 0.8,
    level: float = 0.95,
    control_share: float = 0.5,
) -> SampleSize:
    """Number of customers that a test needs to see a lift, if there is one.

    Parameters
    ----------
    baseline_rate
        Share of customers who buy (or leave) without the campaign, from 0 to 1.
    lift
        The smallest difference in the rate that is worth knowing, such as 0.01 for one point
        more, or -0.01 for one point less.
    power
        Probability of seeing a lift of that size, such as 0.8.
    level
        Level of the interval in which 0 must not lie, such as 0.95.
    control_share
        Share of the customers in the control group. Half needs the fewest customers.

    Returns
    -------
    ``n_treated`` and ``n_control``, whole numbers, rounded up.

    Raises
    ------
    InvalidArgumentError
        If a share is not between 0 and 1, or the rate with the lift is not.

    Notes
    -----
    For the two-sided z test of two proportions, without continuity correction.

    References
    ----------
    Fleiss, J. L., Levin, B. & Paik, M. C. (2003). *Statistical Methods for Rates and Proportions*,
    3rd ed., chapter 4; `power.prop.test` of R has the same for equal groups.

    Examples
    --------
    >>> sample_size(baseline_rate=0.5, lift=0.25, power=0.9)
    SampleSize(n_treated=77, n_control=77)
    >>> sample_size(baseline_rate=0.106, lift=0.01, control_share=0.1)
    SampleSize(n_treated=78397, n_control=8711)
    """
    for argument, share in (
        ("baseline_rate", baseline_rate),
        ("power", power),
        ("control_share", control_share),
    ):
        _require_between(share, argument=argument)
    require_level(level)
    require_number(
        lift,
        argument="lift",
        must="be between -1 and 1, and not 0",
        fits=lambda x: -1 < x < 1 and x != 0,
        advice="Write 0.01 for one point.",
    )
    rate = baseline_rate + lift
    if not 0 < rate < 1:
        msg = (
            f"`baseline_rate` and `lift` give a rate of {rate:g}, which is not between 0 and 1.\n"
            "Give a smaller lift."
        )
        raise InvalidArgumentError(msg)
    treated = 1 - control_share
    mean = treated * rate + control_share * baseline_rate
    equal = math.sqrt(mean * (1 - mean) / (treated * control_share))
    apart = math.sqrt(
        rate * (1 - rate) / treated + baseline_rate * (1 - baseline_rate) / control_share
    )
    z_level, z_power = NormalDist().inv_cdf((1 + level) / 2), NormalDist().inv_cdf(power)
    n = ((z_level * equal + z_power * apart) / lift) ** 2
    return SampleSize(math.ceil(n * treated), math.ceil(n * control_share))


def split(
    customers: IntoFrameT, *, share: float, within: Sequence[str] = (), seed: int = 0
) -> IntoFrameT:
    """Draw a control group by chance: the same customers on every engine and every day.

    Without a control group nobody can say whether a campaign paid.

    Parameters
    ----------
    customers
        One row per customer to be contacted, with `customer_id`.
    share
        Share of the control group, between 0 and 1, such as 0.1.
    within
        Columns such as segment or region: the share holds in each combination of their values.
    seed
        Another seed draws another group; draw each campaign with a seed of its own.

    Returns
    -------
    The same rows with one more column:

    ============  ====  ========================================================
    ``treated``   flag  False for the control group, which must not be contacted
    ============  ====  ========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, or a customer is there twice.
    InvalidArgumentError
        If `share` is not between 0 and 1.

    Notes
    -----
    In each group the customers with the lowest hash (MD5 of seed and id) are the control group:
    ``round(share * n)`` of them.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"customer_id": range(10), "region": ["north", "south"] * 5})
    >>> drawn = split(customers, share=0.4, within=["region"])
    >>> print(drawn.groupby("region")["treated"].mean().to_string())
    region
    north    0.6
    south    0.6
    """
    _require_between(share, argument="share")
    require_seed(seed)
    names = require_names(within, argument="within")
    strata = (Column(name, "key", name, nullable=True, made_by=NOT_MADE) for name in names)
    table = Table(
        name="customers",
        row="one customer",
        made_by="crmkit.rfm.summarize",
        columns=(Column("customer_id", "key", "who"), *strata),
        one_row_each="customer_id",
    )
    frame = frames.read(customers, table).drop("treated", strict=False)
    parts = [nw.col(name).cast(nw.String).fill_null("") for name in names]
    stratum = nw.concat_str(*parts, separator="\x1f") if parts else nw.lit("")
    hashed = frames.with_columns(
        draw.with_hash(frame, into=_HASH, salt=f"{int(seed)} "), **{_STRATUM: stratum}
    )
    lasts = _last_of_control(hashed, share=share)
    small = frames.table_like({_STRATUM: list(lasts), _LAST: list(lasts.values())}, like=hashed)
    marked = frames.join_left(hashed, small, on=_STRATUM)
    drawn = frames.with_columns(marked, treated=nw.col(_HASH) > nw.col(_LAST))
    return frames.give(drawn.drop(_HASH, _STRATUM, _LAST), like=customers)


def _last_of_control(hashed: frames.Frame, *, share: float) -> dict[str, int]:
    """The highest hash in the control group of each stratum; -1 where it is empty."""
    data = hashed.select(_STRATUM, _HASH).collect()
    strata, number = np.unique(data[_STRATUM].to_numpy().astype(str), return_inverse=True)
    hashes = data[_HASH].to_numpy()
    order = np.lexsort((hashes, number))
    starts = np.searchsorted(number[order], np.arange(len(strata) + 1))
    lasts: dict[str, int] = {}
    for i, name in enumerate(strata):
        mine = hashes[order[starts[i] : starts[i + 1]]]
        n = round(share * len(mine))
        lasts[str(name)] = int(mine[n - 1]) if n else -1
    return lasts


def _require_between(value: float, *, argument: str) -> None:
    require_number(
        value,
        argument=argument,
        must="be between 0 and 1",
        fits=lambda x: 0 < x < 1,
        advice="Write 0.1 for 10 %.",
    )
