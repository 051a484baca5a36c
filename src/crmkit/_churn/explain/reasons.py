"""Why a customer is likely to leave, in words."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._churn.model.churn_model import ChurnModel
from crmkit._churn.model.score import applied
from crmkit._door.feature_matrix import Feature
from crmkit._door.frames import Floats
from crmkit._words import formats
from crmkit._words.arguments import require_fitted, require_whole

_MOST: Final = 20
_TREND: Final = re.compile(r"(orders|amount)_trend_(\d+)d_(\d+)d")
_LEAST: Final = 0.01
"""Smaller log odds give no reason."""

_SAID: Final = {
    "days_since_last": "last bought {value} days ago",
    "frequency": "bought on {value} days after the first",
    "recency": "bought over {value} days, from the first to the last purchase",
    "T": "a customer for {value} days",
    "monetary_value": "spends {value} a purchase",
    "total_amount": "spent {value} in all",
    "gap_mean_days": "{value} days between purchases",
    "gap_sd_days": "days between purchases vary by {value}",
    "silence_over_gap": "silent for {value} times the usual gap",
    "return_share": "sent back {value} of the orders",
    "discount_share": "bought {value} at a discount",
    "n_products": "bought {value} products",
    "p_silent": "probability of no purchase is {value}",
    "p_no_purchase": "probability of no purchase is {value}",
    "churn_risk": "probability of no purchase is {value}",
}


def reasons(features: IntoFrameT, *, model: ChurnModel, most: int = 3) -> IntoFrameT:
    """Reasons why each customer is likely to leave, in words, the strongest first.

    They say what the model looks at, not what causes customers to leave: one who is called because
    of a long silence is not helped by ending the silence. Customers with a low risk have few
    reasons or none.

    Parameters
    ----------
    features
        One row per customer with `customer_id` and the features of the model.
    model
        From `crmkit.churn.fit`, without an `estimator` whose parts are not known.
    most
        Number of reasons for each customer, from 1 to 20.

    Returns
    -------
    The same rows with three more columns for each reason, ``reason_1`` the strongest; null where
    a customer has no more:

    ====================  =====  =================================================================
    ``reason_1``          text   in words, with the customer's value and the one in the middle
    ``reason_1_feature``  text   the column that it is about
    ``reason_1_effect``   float  what it adds to the log odds of churn
    ====================  =====  =================================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a feature is missing, or a customer is there twice.
    InvalidArgumentError
        If a feature holds something else than it did, or the parts of the model are not known.

    Notes
    -----
    Log odds are a sum over features. For logistic regression the parts are exact: coefficient
    times the difference from the mean of the training. For trees each step from a node to its
    child changes the mean log odds, and the change counts for the feature asked at the node
    (Saabas): the parts add up exactly, too, while a feature that is asked near the root gets less
    than its Shapley value. A stack adds up the parts of its members by their weights.

    References
    ----------
    Saabas, A. (2014). Interpreting random forests. https://blog.datadive.net. Lundberg, S. M. et
    al. (2020). From local explanations to global understanding with explainable AI for trees.
    *Nature Machine Intelligence* 2, 56-67. https://doi.org/10.1038/s42256-019-0138-9

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
    >>> found = reasons(new, model=fit(panel), most=1)
    >>> print(found["reason_1"][1])
    last bought 180 days ago (typical: 106)
    """
    require_fitted(model, ChurnModel, argument="model", made_by="crmkit.churn.fit")
    require_whole(most, argument="most", least=1, most=_MOST, advice="Write 3.")
    made = [
        f"reason_{k}{part}" for k in range(1, int(most) + 1) for part in ("", "_feature", "_effect")
    ]
    compute = partial(_reasons, model=model, most=int(most))
    return applied(features, model=model, made=made, compute=compute)


def _reasons(matrix: Floats, *, model: ChurnModel, most: int) -> dict[str, Any]:
    added, _ = model.blend.contributions(matrix)
    order = np.argsort(-added, axis=1, kind="stable")
    rows = np.arange(len(matrix))
    columns: dict[str, Any] = {}
    for k in range(1, most + 1):
        words: list[str | None] = [None] * len(matrix)
        names: list[str | None] = [None] * len(matrix)
        effect = np.full(len(matrix), np.nan)
        if k <= added.shape[1]:
            at = order[:, k - 1]
            strongest = added[rows, at]
            effect = np.where(strongest >= _LEAST, strongest, np.nan)
            for row in np.flatnonzero(strongest >= _LEAST):
                feature = model.features.columns[at[row]]
                typical = model.typical[at[row]]
                words[row] = _in_words(feature, float(matrix[row, at[row]]), typical)
                names[row] = feature.name
        columns |= {f"reason_{k}": words, f"reason_{k}_feature": names}
        columns[f"reason_{k}_effect"] = effect
    return columns


def _in_words(feature: Feature, value: float, typical: float) -> str:
    """Say what a customer's value is, and what it is for the one in the middle."""
    name = feature.name.replace("_", " ")
    if np.isnan(value):
        return f"{name} unknown"
    if feature.kind == "text":
        return f"{name}: {formats.name(feature.categories[int(value)])}"
    if feature.kind == "flag":
        return f"{name}: {'yes' if value else 'no'}"
    said = _SAID.get(feature.name, _of_window(feature.name))
    return f"{said.format(value=_short(value))} (typical: {_short(typical)})"


def _of_window(name: str) -> str:
    """Words for a count or an amount of the last days, or any other number."""
    for start, words in (("n_orders_", "orders"), ("amount_", "spent"), ("n_", "purchases")):
        days = name.removeprefix(start).removesuffix("d")
        if name.startswith(start) and name.endswith("d") and days.isdigit():
            what = "spent {value}" if words == "spent" else "{value} " + words
            return f"{what} in the last {days} days"
    found = _TREND.fullmatch(name)
    if found is not None:
        what, short, long = found.groups()
        a_day = "orders a day" if what == "orders" else "spend a day"
        return f"{a_day} in the last {short} days {{value}} times that of the last {long}"
    plain = name.replace("_", " ").replace("{", "(").replace("}", ")")
    return plain + " is {value}"


def _short(value: float) -> str:
    """Write a number with three digits, or whole."""
    if not np.isfinite(value):
        return "unknown"
    if abs(value) >= 100 or value == round(value):  # noqa: PLR2004 - three digits
        return formats.whole(value)
    return f"{value:.3g}"
