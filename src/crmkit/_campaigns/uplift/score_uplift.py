"""Score customers by what a contact changes, and draw how well that ranks them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._campaigns.experiment import ARM, OUTCOME, one_treatment, read
from crmkit._campaigns.uplift import curves
from crmkit._campaigns.uplift.fit_uplift import UpliftModel
from crmkit._door import feature_matrix, frames
from crmkit._door.found import with_found
from crmkit._words.arguments import require_column_name, require_fitted, require_whole
from crmkit.tables import Column

_MADE: Final = ("p_without", "p_with", "uplift")


def score_uplift(customers: IntoFrameT, *, model: UpliftModel) -> IntoFrameT:
    """Score customers by what a contact changes, for `crmkit.campaigns.plan`.

    Parameters
    ----------
    customers
        One row per customer with `customer_id` and the features of the model.
    model
        A model from `crmkit.campaigns.fit_uplift`.

    Returns
    -------
    The same rows with more columns:

    =============  =====  ==========================================================
    ``p_without``  float  expected outcome without the contact
    ``p_with``     float  expected outcome with it: ``p_without + uplift``
    ``uplift``     float  what the contact changes
    =============  =====  ==========================================================

    Where the outcome is a flag both are probabilities, cut off at 0 and 1.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a feature, or a customer is there twice.
    InvalidArgumentError
        If a feature holds something else than it did, such as text in place of numbers.

    Notes
    -----
    A lazy table is run once: the features come to this machine, and the scores go back to where
    the table lives.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from crmkit.campaigns import fit_uplift
    >>> rng = np.random.default_rng(0)
    >>> people = pd.DataFrame(
    ...     {"age": rng.integers(18, 80, 4000), "treated": rng.random(4000) < 0.5}
    ... )
    >>> people["bought"] = rng.random(4000) < 0.1 + 0.3 * (people["treated"] & (people["age"] < 40))
    >>> model = fit_uplift(people, treated="treated", outcome="bought", features=["age"])
    >>> new = pd.DataFrame({"customer_id": ["ann", "ben"], "age": [25, 70]})
    >>> scored = score_uplift(new, model=model)
    >>> (scored["uplift"] > 0.1).tolist()
    [True, False]
    """
    require_fitted(model, UpliftModel, argument="model", made_by="crmkit.campaigns.fit_uplift")
    id_ = Column("customer_id", "key", "who")
    frame = feature_matrix.require_same(
        customers, model.features, table="customers", others=[id_]
    ).drop(*_MADE, strict=False)
    rows = frame.select("customer_id", *model.features.names).collect()
    matrix = model.features.matrix(feature_matrix.arrays(rows))
    without, _ = model.fitted.outcomes(matrix) if len(matrix) else (np.zeros(0), None)
    uplift = model.fitted.uplift(matrix) if len(matrix) else np.zeros(0)
    if model.is_flag:
        without = np.clip(without, 0.0, 1.0)
        uplift = np.clip(without + uplift, 0.0, 1.0) - without
    scores = {"p_without": without, "p_with": without + uplift, "uplift": uplift}
    scored = with_found(frame, scores, ids=rows["customer_id"], like=customers)
    return frames.give(scored, like=customers)


def uplift_curve(
    experiment: IntoFrameT,
    *,
    treated: str,
    outcome: str,
    score: str,
    control: str | float | bool | None = None,
    points: int = 20,
) -> IntoFrameT:
    """Uplift by depth of a score, beside customers drawn by chance.

    Parameters
    ----------
    experiment
        One row per customer of an experiment, with one treatment and a score that was not learned
        from these outcomes.
    treated, outcome, control
        As in `crmkit.campaigns.fit_uplift`.
    score
        The column to rank by, the highest first; equal scores share their mean effect.
    points
        The number of depths.

    Returns
    -------
    One row per depth:

    ===========  =====  =====================================================================
    ``share``    float  share of customers contacted
    ``effect``   float  mean effect on them
    ``toc``      float  ``effect`` less the mean effect on all
    ``gain``     float  sum of their effects, per customer of the experiment (the uplift curve)
    ``by_chance``  float  the same for as many customers drawn by chance
    ``autoc``    float  mean of ``toc`` over all depths; the same in each row
    ``qini``     float  mean of ``share * toc`` over all depths; the same in each row
    ===========  =====  =====================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing.
    InvalidArgumentError
        If nobody was treated or everybody was, or there are several treatments.

    Notes
    -----
    Effects are inverse propensity weighted: right on the average, and far from right for any one
    customer. Qini here is normalised by the number of customers, not by the best ranking; other
    libraries divide otherwise.

    References
    ----------
    Yadlowsky, S. et al. (2025). Evaluating treatment prioritization rules via rank-weighted average
    treatment effects. *JASA* 120(549), 38-51. https://doi.org/10.1080/01621459.2024.2393466

    Examples
    --------
    >>> import pandas as pd
    >>> experiment = pd.DataFrame(
    ...     {
    ...         "treated": [1, 0, 1, 0] * 50,
    ...         "bought": [1, 0, 0, 0] * 50,
    ...         "score": [2, 2, 1, 1] * 50,
    ...     }
    ... )
    >>> table = uplift_curve(
    ...     experiment, treated="treated", outcome="bought", score="score", points=2
    ... )
    >>> print(table[["share", "effect", "gain", "by_chance"]].to_string(index=False))
     share  effect  gain  by_chance
       0.5     1.0   0.5       0.25
       1.0     0.5   0.5       0.50
    """
    require_column_name(score, argument="score")
    require_whole(points, argument="points", least=1, most=1_000, advice="Write 20.")
    frame = read(experiment, treated=treated, outcome=outcome, numbers=[score])
    data = feature_matrix.collected(frame, [ARM, OUTCOME, score])
    _, name = one_treatment(data[ARM], control, treated=treated)
    arm = (data[ARM] != name).astype(np.int64)
    chance = np.array([(arm == 0).mean(), (arm == 1).mean()])
    effect = curves.ipw_effects(data[OUTCOME], arm, chance)[:, 0]
    scores = np.nan_to_num(data[score], nan=-np.inf)
    found, total = curves.curve(effect, scores), curves.rank(effect, scores)
    n = len(effect)
    at = np.ceil(np.arange(1, int(points) + 1) / int(points) * n).astype(int) - 1
    columns: dict[str, Any] = {
        "share": found.share[at],
        "effect": found.effect[at],
        "toc": found.toc[at],
        "gain": found.gain[at],
        "by_chance": found.share[at] * found.gain[-1],
        "autoc": np.full(len(at), total.autoc),
        "qini": np.full(len(at), total.qini),
    }
    return frames.give(frames.table_like(columns, like=frame), like=experiment)
