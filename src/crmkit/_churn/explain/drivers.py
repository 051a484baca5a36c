"""What a churn model looks at: how much worse it is without each feature."""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._churn.model import panel as panels
from crmkit._churn.model.churn_model import ChurnModel
from crmkit._door import frames
from crmkit._door.feature_matrix import require_same
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_fitted, require_seed, require_whole
from crmkit._words.rates import require_level
from crmkit.errors import InvalidArgumentError

_MOST_REPEATS: Final = 1000


def drivers(
    panel: IntoFrameT,
    *,
    model: ChurnModel,
    repeats: int = 5,
    level: float = 0.9,
    seed: int = 0,
) -> IntoFrameT:
    """Importance of each feature: how much worse the model is with it shuffled.

    It says what the model uses, not what makes customers leave. Of two features that say the same,
    each may look unimportant, since the other one stands in for it.

    Parameters
    ----------
    panel
        A panel as in `crmkit.churn.fit`. Dates after those of the training are used alone, if
        there are any; otherwise the held-out dates, which the model was trained on in the end.
    model
        From `crmkit.churn.fit`.
    repeats
        Number of times that each feature is shuffled, within each date.
    level
        Coverage of the intervals.
    seed
        Decides how features are shuffled.

    Returns
    -------
    One row per feature, the most important first:

    =================  =====  ================================================================
    ``feature``        text   the column
    ``importance``     float  log loss per customer that is lost when it is shuffled
    ``lower``          float  lower end of its interval over customers
    ``upper``          float  upper end
    ``share``          float  of the sum of all importances above 0
    ``in_training``    flag   whether the model was trained on these rows, so that it flatters
    =================  =====  ================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a feature or the outcome is missing.
    InvalidArgumentError
        If a feature holds something else than it did.
    FitError
        If all customers left or all stayed.

    References
    ----------
    Breiman, L. (2001). Random forests. *Machine Learning* 45, 5-32.
    https://doi.org/10.1023/A:1010933404324. Fisher, A., Rudin, C. & Dominici, F. (2019). All models
    are wrong, but many are useful. *Journal of Machine Learning Research* 20(177), 1-81.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from crmkit.churn import fit
    >>> rng = np.random.default_rng(0)
    >>> panel = pd.DataFrame(
    ...     {
    ...         "customer_id": range(1000),
    ...         "days_since_last": rng.integers(0, 200, 1000),
    ...         "shoe_size": rng.integers(36, 46, 1000),
    ...     }
    ... )
    >>> panel["churned"] = rng.random(1000) < panel["days_since_last"] / 200
    >>> drivers(panel, model=fit(panel))["feature"].tolist()
    ['days_since_last', 'shoe_size']
    """
    require_fitted(model, ChurnModel, argument="model", made_by="crmkit.churn.fit")
    require_whole(repeats, argument="repeats", least=1, most=_MOST_REPEATS, advice="Write 5.")
    require_level(level)
    require_seed(seed)
    frame = require_same(panel, model.features, table="features", others=panels.PANEL.columns)
    rows = panels.rows_of(frame, model.features.names)
    if not len(rows.churned):
        msg = "panel: the table is empty.\nGive customers whose outcome is known."
        raise InvalidArgumentError(msg)
    later, in_training = _later(rows, model)
    matrix = model.features.matrix(rows.data)[later]
    churned, customer = rows.churned[later], rows.hash[later]
    day = np.zeros(len(matrix)) if rows.day is None else rows.day[later].astype(float)
    lost = _lost(model, matrix, churned, day, repeats=int(repeats), seed=int(seed))
    error = _errors(lost, customer)
    z = NormalDist().inv_cdf((1 + level) / 2)
    mean = lost.mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    above = np.maximum(mean, 0.0)
    columns = {
        "feature": [model.features.names[i] for i in order],
        "importance": mean[order],
        "lower": (mean - z * error)[order],
        "upper": (mean + z * error)[order],
        "share": (above / above.sum() if above.sum() > 0 else above)[order],
        "in_training": [in_training] * len(order),
    }
    return frames.give(frames.table_like(columns, like=frame), like=panel)


def _later(rows: panels.Rows, model: ChurnModel) -> tuple[npt.NDArray[np.bool_], bool]:
    """Rows of later dates than those of the training, or of the held-out ones, or all."""
    everything = np.ones(len(rows.churned), dtype=bool)
    if rows.day is None or not model.dates:
        return everything, True
    last = np.datetime64(model.dates[-1], "D").astype(np.int64)
    if (rows.day > last).any():
        return rows.day > last, False
    if not model.held_out_dates:
        return everything, True
    first = np.datetime64(model.held_out_dates[0], "D").astype(np.int64)
    return (rows.day >= first, True) if (rows.day >= first).any() else (everything, True)


def _lost(
    model: ChurnModel, matrix: Floats, churned: Floats, day: Floats, *, repeats: int, seed: int
) -> Floats:
    """Log loss beyond that of the intact features, for each row and feature."""
    rng = np.random.default_rng(seed)

    def loss(rows: Floats) -> Floats:
        log_odds = model.blend.log_odds(rows)
        return np.asarray(np.logaddexp(0.0, log_odds) - churned * log_odds)

    intact = loss(matrix)
    dates = [np.flatnonzero(day == each) for each in np.unique(day)]
    lost = np.zeros(matrix.shape)
    for feature in range(matrix.shape[1]):
        shuffled = matrix.copy()
        for _ in range(repeats):
            for rows in dates:
                shuffled[rows, feature] = matrix[rng.permutation(rows), feature]
            lost[:, feature] += (loss(shuffled) - intact) / repeats
    return lost


def _errors(lost: Floats, customer: npt.NDArray[np.int64]) -> Floats:
    """Standard errors of the means, over customers with all their rows."""
    _, number = np.unique(customer, return_inverse=True)
    away = lost - lost.mean(axis=0)
    sums = np.column_stack([np.bincount(number, column) for column in away.T])
    found: Floats = np.sqrt((sums**2).sum(axis=0)) / len(lost)
    return found
