"""Tables by depth of a score: gains, profit, and calibration by groups."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._churn.evaluation import calibration, money, ranking
from crmkit._churn.evaluation.campaign import AcquisitionCampaign, RetentionCampaign
from crmkit._churn.evaluation.scored import Scored, read, require_both
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_fitted, require_whole
from crmkit._words.rates import require_level
from crmkit.models.numerics.proportions import wilson

_MOST_POINTS: Final = 10_000


def gains(
    scored: IntoFrameT, *, outcome: str, score: str = "p_churn", points: int = 20
) -> IntoFrameT:
    """Cumulative gains: share of all who left among the highest scores.

    Parameters
    ----------
    scored
        One row per customer with `customer_id`, the score and the outcome, not used in training.
    outcome
        The column that says who left: a flag, or 1 and 0.
    score
        The column of probabilities.
    points
        Number of depths.

    Returns
    -------
    One row per depth, rising:

    ===============  =====  =============================================================
    ``share``        float  share of customers contacted, the highest scores first
    ``n_contacted``  float  as a number of customers
    ``n_churned``    float  those of them who left; a part of a group of equal scores
    ``captured``     float  share of all who left
    ``churn_rate``   float  share of those contacted who left
    ``lift``         float  that over the churn rate of all
    ``by_chance``    float  ``captured`` of as many customers drawn by chance
    ``perfect``      float  ``captured`` of the best ranking there could be
    ===============  =====  =============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, a score is outside 0 to 1, or an outcome is null.
    InvalidArgumentError
        If all left or all stayed, or `points` is not a whole number from 1 to 10,000.

    Examples
    --------
    >>> import pandas as pd
    >>> scored = pd.DataFrame(
    ...     {
    ...         "customer_id": list("abcd"),
    ...         "p_churn": [0.9, 0.6, 0.2, 0.1],
    ...         "left": [True, False, True, False],
    ...     }
    ... )
    >>> table = gains(scored, outcome="left", points=4)
    >>> print(table[["share", "captured", "lift", "perfect"]].round(2).to_string(index=False))
     share  captured  lift  perfect
      0.25       0.5  2.00      0.5
      0.50       0.5  1.00      1.0
      0.75       1.0  1.33      1.0
      1.00       1.0  1.00      1.0
    """
    require_whole(points, argument="points", least=1, most=_MOST_POINTS, advice="Write 20.")
    data, frame = read(scored, outcome=outcome, score=score)
    require_both(data.churned, outcome=outcome)
    share = np.arange(1, int(points) + 1) / int(points)
    found = ranking.ranked(data.churned, data.stated)
    n, n_left = len(data.churned), float(data.churned.sum())
    gone = ranking.left_within(found, share)
    columns = {
        "share": share,
        "n_contacted": share * n,
        "n_churned": gone,
        "captured": gone / n_left,
        "churn_rate": gone / (share * n),
        "lift": gone / (share * n_left),
        "by_chance": share,
        "perfect": np.minimum(share * n / n_left, 1.0),
    }
    return frames.give(frames.table_like(columns, like=frame), like=scored)


def calibration_table(
    scored: IntoFrameT,
    *,
    outcome: str,
    score: str = "p_churn",
    bins: int = 10,
    level: float = 0.9,
) -> IntoFrameT:
    """Stated probability beside the share who left, by groups of customers.

    For the risk of a purchase model there is `crmkit.churn.reliability`; this one takes any
    probability with any outcome, and keeps customers of equal probability together.

    Parameters
    ----------
    scored
        One row per customer with `customer_id`, the score and the outcome, not used in training.
    outcome
        The column that says who left: a flag, or 1 and 0.
    score
        The column of probabilities.
    bins
        Number of groups, of about as many customers each.
    level
        Coverage of the interval of the share (Wilson's).

    Returns
    -------
    One row per group, rising by probability:

    ===============  =====  =====================================
    ``bin``          int    1, 2, ...
    ``n_customers``  int    rows in the group
    ``said``         float  their mean stated probability
    ``happened``     float  share of them that left
    ``low``          float  lower end of the interval of that share
    ``high``         float  upper end
    ===============  =====  =====================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, a score is outside 0 to 1, or an outcome is null.
    InvalidArgumentError
        If `bins` is not a whole number from 1 to 1,000, or `level` is not between 0 and 1.

    Examples
    --------
    >>> import pandas as pd
    >>> scored = pd.DataFrame(
    ...     {
    ...         "customer_id": list("abcdefgh"),
    ...         "p_churn": [0.2] * 4 + [0.7] * 4,
    ...         "left": [1, 0, 0, 0, 1, 1, 1, 0],
    ...     }
    ... )
    >>> table = calibration_table(scored, outcome="left", bins=2)
    >>> print(table.round(2).to_string(index=False))
     bin  n_customers  said  happened  low  high
       1            4   0.2      0.25 0.06  0.64
       2            4   0.7      0.75 0.36  0.94
    """
    require_whole(bins, argument="bins", least=1, most=1000, advice="Write 10.")
    require_level(level)
    data, frame = read(scored, outcome=outcome, score=score)
    _, group = np.unique(calibration.bins_of(data.stated, int(bins)), return_inverse=True)
    n = np.bincount(group).astype(float)
    left = np.bincount(group, data.churned)
    low, high = wilson(left, n, level=level)
    columns = {
        "bin": np.arange(1, len(n) + 1, dtype=np.int64),
        "n_customers": n.astype(np.int64),
        "said": np.bincount(group, data.stated) / n,
        "happened": left / n,
        "low": low,
        "high": high,
    }
    return frames.give(frames.table_like(columns, like=frame), like=scored)


def profit_curve(
    scored: IntoFrameT,
    *,
    outcome: str,
    campaign: RetentionCampaign | AcquisitionCampaign,
    score: str = "p_churn",
    points: int = 50,
) -> IntoFrameT:
    """Profit of a campaign by the share of customers contacted, the best one marked.

    It is the profit that contacts would have brought among customers whose outcome is known, at
    the mean acceptance rate. It assumes that the offer works on all who would leave alike;
    `crmkit.campaigns.result` says whether a campaign did.

    Parameters
    ----------
    scored
        One row per customer with `customer_id`, the score and the outcome, not used in training.
    outcome
        The column that says who left: a flag, or 1 and 0; who was won, for prospects.
    campaign
        What a contact costs and brings.
    score
        The column of probabilities.
    points
        Number of depths beside nobody and the best share.

    Returns
    -------
    One row per depth, from nobody to everybody:

    =======================  =====  ==========================================================
    ``share``                float  share of customers contacted, the highest scores first
    ``n_contacted``          float  as a number of customers
    ``threshold``            float  the least score contacted; null for nobody
    ``profit``               float  profit in total
    ``profit_per_customer``  float  over the number of all customers
    ``is_best``              flag   whether it is the best share
    =======================  =====  ==========================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, a score is outside 0 to 1, or an outcome is null.
    InvalidArgumentError
        If `campaign` is none, or `points` is not a whole number from 1 to 10,000.

    References
    ----------
    Neslin, S. A. et al. (2006). Defection detection: measuring and understanding the predictive
    accuracy of customer churn models. *Journal of Marketing Research* 43(2), 204-211.
    https://doi.org/10.1509/jmkr.43.2.204

    Examples
    --------
    Of two contacts the first saves 0.3 · (200 - 10) - 1 on the average, the second costs 11.

    >>> import pandas as pd
    >>> scored = pd.DataFrame(
    ...     {"customer_id": ["ann", "ben"], "p_churn": [0.9, 0.2], "left": [1, 0]}
    ... )
    >>> offer = RetentionCampaign(value=200, contact_cost=1, offer_cost=10)
    >>> table = profit_curve(scored, outcome="left", campaign=offer, points=2)
    >>> print(table[["share", "profit", "is_best"]].round(2).to_string(index=False))
     share  profit  is_best
       0.0     0.0    False
       0.5    56.0     True
       1.0    45.0    False
    """
    require_whole(points, argument="points", least=1, most=_MOST_POINTS, advice="Write 50.")
    require_fitted(
        campaign,
        (RetentionCampaign, AcquisitionCampaign),
        argument="campaign",
        made_by="crmkit.churn.RetentionCampaign",
    )
    data, frame = read(scored, outcome=outcome, score=score, campaign=campaign)
    profit, share, threshold = _curve(data, campaign)
    best = int(np.argmax(profit))
    n = len(data.churned)
    depths = np.unique(np.append(np.linspace(0, 1, int(points) + 1), share[best]))
    at = np.minimum(np.searchsorted(share, depths - 1e-12), len(share) - 1)
    per_customer = np.interp(depths, share, profit)
    is_best = [bool(np.isclose(each, share[best], rtol=0, atol=1e-12)) for each in depths]
    columns: dict[str, Any] = {
        "share": depths,
        "n_contacted": depths * n,
        "threshold": np.where(depths > 0, threshold[at], np.nan),
        "profit": per_customer * n,
        "profit_per_customer": per_customer,
        "is_best": is_best,
    }
    made = frames.with_columns(
        frames.table_like(columns, like=frame), frames.known("threshold").alias("threshold")
    )
    return frames.give(made, like=scored)


def _curve(
    data: Scored, campaign: RetentionCampaign | AcquisitionCampaign
) -> tuple[Floats, Floats, Floats]:
    """Profit per customer, share and least score, at each distinct score."""
    if isinstance(campaign, RetentionCampaign) and data.value is not None:
        weight = np.ones(len(data.churned))
        return money.own_value_curve(data.churned, data.stated, data.value, weight, campaign)
    lines = money.lines(ranking.ranked(data.churned, data.stated), campaign)
    if isinstance(campaign, AcquisitionCampaign):
        mean = campaign.contribution
    else:
        mean = campaign.acceptance_rate
    return lines.base + mean * lines.slope, lines.share, lines.threshold
