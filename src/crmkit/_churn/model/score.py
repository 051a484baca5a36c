"""Score customers with a churn model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrameT

from crmkit._churn.model.churn_model import ChurnModel
from crmkit._door import checks, feature_matrix, frames
from crmkit._door.feature_matrix import require_same
from crmkit._door.found import with_found
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_fitted
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

MADE: Final = ("p_churn", "churn_rank")
CUSTOMER: Final = Column("customer_id", "key", "who")
CUSTOMERS: Final = Table(
    "features", "one customer", NOT_MADE, (CUSTOMER,), one_row_each="customer_id"
)


def score(features: IntoFrameT, *, model: ChurnModel) -> IntoFrameT:
    """Probability of churn of each customer, and the rank by it.

    It is the probability that `model.label` says, for the days after the date of the features. It
    assumes that customers leave as they did when the model was trained: `crmkit.churn.evaluate`
    says whether that held.

    Parameters
    ----------
    features
        One row per customer with `customer_id` and the features of the model, as made by
        `crmkit.churn.features`.
    model
        From `crmkit.churn.fit`.

    Returns
    -------
    The same rows with more columns:

    ==============  =====  ====================================================================
    ``p_churn``     float  probability of churn
    ``churn_rank``  int    1 for the highest probability; customers of equal ones share a rank
    ==============  =====  ====================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a feature is missing, or a customer is there twice.
    InvalidArgumentError
        If a feature holds something else than it did, such as text in place of numbers.

    Notes
    -----
    A category that was not seen in training is taken as unknown. A lazy table is run once: the
    features come to this machine, and the scores go back to where the table lives.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from crmkit.churn import fit
    >>> rng = np.random.default_rng(0)
    >>> panel = pd.DataFrame(
    ...     {"customer_id": range(1000), "days_since_last": rng.integers(0, 200, 1000)}
    ... )
    >>> panel["churned"] = rng.random(1000) < panel["days_since_last"] / 200
    >>> new = pd.DataFrame({"customer_id": ["ann", "ben"], "days_since_last": [20, 180]})
    >>> scored = score(new, model=fit(panel))
    >>> print(scored.round({"p_churn": 1}).to_string(index=False))
    customer_id  days_since_last  p_churn  churn_rank
            ann               20      0.1           2
            ben              180      0.9           1
    """
    require_fitted(model, ChurnModel, argument="model", made_by="crmkit.churn.fit")
    return applied(features, model=model, made=MADE, compute=partial(_scores, model=model))


def applied(
    features: IntoFrameT,
    *,
    model: ChurnModel,
    made: Sequence[str],
    compute: Callable[[Floats], Mapping[str, Any]],
) -> IntoFrameT:
    """Append columns that are computed from the matrix of a model's features.

    A lazy table comes to this machine with the features only, and gets the columns back by a join.
    """
    frame = require_same(
        features, model.features, table="features", others=[CUSTOMER], one_row_each="customer_id"
    ).drop(*made, strict=False)
    rows = frame.select("customer_id", *model.features.names).collect()
    if frames.is_lazy(features):
        checks.require_rows(rows, CUSTOMERS)
    found = compute(model.features.matrix(feature_matrix.arrays(rows)))
    scored = with_found(frame, found, ids=rows["customer_id"], like=features)
    return frames.give(scored, like=features)


def _scores(matrix: Floats, *, model: ChurnModel) -> dict[str, Any]:
    p_churn = model.blend.probability(matrix)
    below = np.sort(-p_churn)
    rank: npt.NDArray[np.int64] = np.searchsorted(below, -p_churn, side="left") + 1
    return {"p_churn": p_churn, "churn_rank": rank.astype(np.int64)}
