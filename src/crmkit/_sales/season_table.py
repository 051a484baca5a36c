"""The seasonal index as a table."""

from __future__ import annotations

from typing import Any

from crmkit._door import frames
from crmkit._sales.season_value import SEASONS, SeasonalIndex, require_index
from crmkit.typing import Backend


def season_table(index: SeasonalIndex, *, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - the library decides
    """Seasonal index as a table: one row per month or quarter, whole and groups.

    Parameters
    ----------
    index
        The seasonal index of `crmkit.sales.seasonal_index`.
    backend
        The library that makes the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    The whole first, then the groups in order:

    ========================  =====  ======================================================
    the columns of `within`   text   the group; null for the whole
    ``is_whole``              flag   whether the row is of the whole
    ``season``                int    month from 1 to 12, or quarter from 1 to 4
    ``seasonal_index``        float  index with a mean of 1
    ``season_share``          float  share of the year, by the index alone
    ``own_weight``            float  weight of the group's own index; 1 for the whole
    ========================  =====  ======================================================

    Raises
    ------
    InvalidArgumentError
        If `index` is not a SeasonalIndex.

    Examples
    --------
    >>> from datetime import date
    >>> index = SeasonalIndex(
    ...     every="quarter",
    ...     method="means",
    ...     index=(0.8, 1.0, 0.9, 1.3),
    ...     noise=0.05,
    ...     years=3,
    ...     n_periods=12,
    ...     starts=date(2021, 1, 1),
    ...     ends=date(2023, 12, 31),
    ... )
    >>> columns = ["season", "seasonal_index", "season_share"]
    >>> print(season_table(index)[columns].to_string(index=False))
     season  seasonal_index  season_share
          1             0.8         0.200
          2             1.0         0.250
          3             0.9         0.225
          4             1.3         0.325
    """
    require_index(index, argument="index")
    n = SEASONS[index.every]
    parts = [
        ((None,) * len(index.within), index.index, 1.0),
        *((each.group, each.index, each.weight) for each in index.groups),
    ]
    columns: dict[str, list[Any]] = {
        name: [group[place] for group, _, _ in parts for _ in range(n)]
        for place, name in enumerate(index.within)
    }
    columns |= {
        "is_whole": [i == 0 for i in range(len(parts)) for _ in range(n)],
        "season": list(range(1, n + 1)) * len(parts),
        "seasonal_index": [each for _, numbers, _ in parts for each in numbers],
        "season_share": [each / n for _, numbers, _ in parts for each in numbers],
        "own_weight": [weight for _, _, weight in parts for _ in range(n)],
    }
    return frames.new_table(columns, backend=backend)
