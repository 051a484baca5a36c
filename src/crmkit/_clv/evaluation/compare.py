"""Models side by side: which explains the same histories best for what it costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrameT
from scipy.special import chdtrc

from crmkit._clv.fitting.fit import Fit, fit
from crmkit._door import frames
from crmkit._words.arguments import require_list
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS

_SIMPLER: Final[Mapping[str, tuple[str, ...]]] = {
    "bg_nbd": ("nbd",),
    "mbg_nbd": ("nbd",),
    "pareto_nbd": ("nbd",),
    "ggompertz_nbd": ("pareto_nbd", "nbd"),
}
"""The models that each model turns into where a process of it comes to rest.

A CNBD-k turns into its model without k at k = 1; but k is a whole number, and the chi-squared
law has nothing to say on it.
"""


def compare(customers: IntoFrameT, *, models: Sequence[str]) -> IntoFrameT:
    """Fit models to the same customers, and set side by side how well they explain them.

    The likelihood rewards a model for the past that it was fitted on. Two models with about the
    same AIC can forecast differently: let `crmkit.clv.backtest` have the last word.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    models
        Names of purchase models, or of spend models, as `fit` knows them.

    Returns
    -------
    One row per model, the lowest `aic` first (a lazy table is run once and not sorted):

    ====================  =====  =============================================================
    ``model``             text   the model
    ``n_parameters``      int    numbers that it was free to choose
    ``log_likelihood``    float  total, ages in days; the closer to 0 the better
    ``aic``               float  Akaike's criterion, 2 per parameter; lower is better
    ``bic``               float  Bayesian criterion, ln(customers) per parameter; lower is better
    ``simpler_model``     text   the largest of `models` that is a case of this one; null if none
    ``likelihood_ratio``  float  twice what the log-likelihood gains over it
    ``p_value``           float  how probable such a gain would be if the simpler model were true
    ``seconds``           float  time that the fit took, on the clock
    ====================  =====  =============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If there is no such model, no model at all, or models of both kinds.
    FitError
        If no customer has a repeat purchase.

    Warns
    -----
    CrmkitWarning
        As `fit` does, if the data leave a parameter of a model open.

    Notes
    -----
    `p_value` is that of a chi-squared variable with the additional parameters as degrees of
    freedom. A simpler model lies at the edge of the larger one (nobody leaves, say), where that
    law does not hold to the letter and the value tends to be too high. A difference of 10 in
    AIC is beyond doubt without it.

    References
    ----------
    Self, S. G. & Liang, K.-Y. (1987). Asymptotic properties of maximum likelihood estimators
    and likelihood ratio tests under nonstandard conditions. *Journal of the American
    Statistical Association* 82(398), 605-610. https://doi.org/10.1080/01621459.1987.10478472.
    Burnham, K. P. & Anderson, D. R. (2004). Multimodel inference: understanding AIC and BIC in
    model selection. *Sociological Methods & Research* 33(2), 261-304.
    https://doi.org/10.1177/0049124104268644.

    Examples
    --------
    That nobody ever leaves is not to be believed of these customers.

    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> found = compare(customers, models=["nbd", "bg_nbd"])
    >>> columns = ["model", "n_parameters", "aic", "simpler_model", "likelihood_ratio"]
    >>> print(found[columns].round(1).to_string(index=False))
     model  n_parameters     aic simpler_model  likelihood_ratio
    bg_nbd             4 28735.1           nbd             362.5
       nbd             2 29093.5           NaN               NaN
    """
    _check_kind(models)
    rows = frames.run_once(customers)
    fits, seconds = [], []
    for name in models:
        began = time.perf_counter()
        fits.append(fit(rows, model=name))
        seconds.append(time.perf_counter() - began)
    order = sorted(range(len(fits)), key=lambda i: fits[i].aic)
    lines = [_line(fits[i], among=fits) | {"seconds": seconds[i]} for i in order]
    columns = {name: [line[name] for line in lines] for name in lines[0]}
    table = frames.table_like(columns, like=frames.reopen(customers)).with_columns(
        nw.col("simpler_model").cast(nw.String),
        nw.col("likelihood_ratio", "p_value").cast(nw.Float64),
    )
    return frames.give(table, like=customers)


def _check_kind(models: Sequence[str]) -> None:
    require_list(models, argument="models")
    if not models:
        msg = "`models` is empty.\nName two models or more to compare."
        raise InvalidArgumentError(msg)
    if set(models) & set(PURCHASE_MODELS) and set(models) & set(SPEND_MODELS):
        msg = (
            f"`models` has purchase and spend models: {', '.join(map(repr, models))}.\n"
            "They explain different data; compare each kind by itself."
        )
        raise InvalidArgumentError(msg)


def _line(fitted: Fit, *, among: Sequence[Fit]) -> dict[str, Any]:
    line = {
        "model": fitted.name,
        "n_parameters": fitted.n_parameters,
        "log_likelihood": fitted.log_likelihood,
        "aic": fitted.aic,
        "bic": fitted.bic,
    }
    simpler = [other for other in among if other.name in _SIMPLER.get(fitted.name, ())]
    if not simpler:
        return line | {"simpler_model": None, "likelihood_ratio": None, "p_value": None}
    nearest = max(simpler, key=lambda other: other.n_parameters)
    # Where the larger model runs to its edge, it gets there but for rounding.
    gain = max(2 * (fitted.log_likelihood - nearest.log_likelihood), 0.0)
    p_value = float(chdtrc(fitted.n_parameters - nearest.n_parameters, gain))
    return line | {"simpler_model": nearest.name, "likelihood_ratio": gain, "p_value": p_value}
