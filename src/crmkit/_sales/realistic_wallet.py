"""The realistic wallet: what the best of like customers spend, where no survey says more."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._door import feature_matrix, found, frames
from crmkit._sales.wallet import require_free
from crmkit._words.arguments import (
    require_column_name,
    require_number,
    require_seed,
)
from crmkit.errors import InvalidArgumentError
from crmkit.tables import Column
from crmkit.tables.contracts import NOT_MADE

_FEWEST: Final = 100
_FOLDS: Final = 5
_OURS: Final = "money"
_MADE: Final = ("realistic_wallet", "headroom")


def realistic_wallet(
    customers: IntoFrameT,
    *,
    ours: str,
    features: Sequence[str] | None = None,
    quantile: float = 0.8,
    seed: int = 1,
) -> IntoFrameT:
    """Realistic wallet: a high quantile of what like customers spend.

    This is not what customers spend with others, which sales alone cannot show: it is what those
    who are alike and buy much from us do spend. The assumption that most often fails is that
    `features` say all that matters; customers who spend less may have less.

    Parameters
    ----------
    customers
        One row per customer. A lazy table is run.
    ours
        The column of money that the customer spends with us.
    features
        Columns that make customers alike, such as region, size and tenure: numbers, flags or text.
        Never what is itself a result of the spending. Without them, all customers are alike.
    quantile
        The quantile of like customers, as a fraction: at 0.8, one in five of them spends more.
    seed
        Seed of the folds.

    Returns
    -------
    The same rows in the same order, with more columns:

    ====================  =====  ==============================================================
    ``realistic_wallet``  float  the quantile for customers like this one; without `features`
                                 also where `ours` is unknown
    ``headroom``          float  realistic wallet less ours, 0 where the customer spends more
    ====================  =====  ==============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` lacks a column, or a customer is there twice.
    InvalidArgumentError
        If an argument is outside its range, fewer than 100 customers with known money are there to
        learn from, or the table already has one of the new columns.

    Notes
    -----
    Without `features` it is the sample quantile with linear interpolation (type 7). With them, it
    comes from scikit-learn's HistGradientBoostingRegressor with quantile loss. Each customer's own
    spending is kept out of the model that judges them, by five folds.

    References
    ----------
    Rosset, S., Perlich, C., Zadrozny, B., Merugu, S., Weiss, S. & Lawrence, R. (2007). Wallet
    estimation models. *International Workshop on Customer Relationship Management: Data Mining
    Meets Marketing*.

    Hyndman, R. J. & Fan, Y. (1996). Sample quantiles in statistical packages. *The American
    Statistician* 50(4), 361-365, definition 7.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame(
    ...     {"customer_id": list("abcde"), "spend": [10.0, 20.0, 30.0, 40.0, 100.0]}
    ... )
    >>> found = realistic_wallet(customers, ours="spend", quantile=0.75)
    >>> print(found[["spend", "realistic_wallet", "headroom"]].tail(2).to_string(index=False))
     spend  realistic_wallet  headroom
      40.0              40.0       0.0
     100.0              40.0       0.0
    """
    require_column_name(ours, argument="ours")
    require_number(
        quantile,
        argument="quantile",
        must="be between 0 and 1",
        fits=lambda x: 0 < x < 1,
        advice="Write 0.8: one in five like customers spends more.",
    )
    require_seed(seed)
    never = (ours, "customer_id")
    names = () if features is None else feature_matrix.require_features(features, never=never)
    others = (
        Column("customer_id", "key", "who", made_by=NOT_MADE),
        Column(ours, "number", _OURS, nullable=True, made_by=NOT_MADE),
    )
    table = feature_matrix.contract("customers", names, others=others)
    frame = frames.read(customers, replace(table, one_row_each="customer_id"))
    require_free(frame, _MADE)
    data = frame.select(*dict.fromkeys(("customer_id", ours, *names))).collect()
    money = data[ours].cast(nw.Float64).to_numpy().astype(float)
    known = np.isfinite(money)
    if not known.any():
        msg = f"customers: `{ours}` is known of nobody.\nName the column of what they spend."
        raise InvalidArgumentError(msg)
    if names:
        arrays = feature_matrix.arrays(data.select(*names))
        learned = feature_matrix.learned(frame, arrays, names)
        # In the order of the ids, so that the order of rows changes nothing.
        order = np.argsort(np.array(list(map(str, data["customer_id"].to_list())), dtype=str))
        wallet = np.empty(len(money))
        wallet[order] = _of_like(
            learned.matrix(arrays)[order],
            money[order],
            is_category=learned.is_category,
            quantile=float(quantile),
            seed=int(seed),
        )
    else:
        wallet = np.full(len(money), np.quantile(money[known], float(quantile)))
    left = np.where(known, np.maximum(wallet - np.where(known, money, 0.0), 0.0), np.nan)
    made = found.with_found(
        frame,
        {"realistic_wallet": wallet, "headroom": left},
        ids=data["customer_id"],
        like=customers,
    )
    made = frames.with_columns(made, *(nw.col(name).fill_nan(None) for name in _MADE))
    return frames.give(made, like=customers)


def _of_like(
    matrix: frames.Floats,
    money: frames.Floats,
    *,
    is_category: list[bool],
    quantile: float,
    seed: int,
) -> frames.Floats:
    """Predict the quantile of each customer by models that have not seen the customer."""
    known = np.isfinite(money)
    n_known = int(known.sum())
    if n_known < _FEWEST:
        msg = (
            f"customers: {n_known:,} have known money; `features` need {_FEWEST} or more to learn "
            "from.\nLeave `features` out: then all customers are alike."
        )
        raise InvalidArgumentError(msg)
    fold = np.random.default_rng(seed).permutation(len(money)) % _FOLDS
    wallet = np.empty(len(money))
    trees = importlib.import_module("sklearn.ensemble").HistGradientBoostingRegressor
    for i in range(_FOLDS):
        mine, others = fold == i, (fold != i) & known
        model = trees(
            loss="quantile",
            quantile=quantile,
            categorical_features=is_category,
            random_state=seed,
            early_stopping=False,
        )
        model.fit(matrix[others], money[others])
        wallet[mine] = model.predict(matrix[mine])
    return wallet
