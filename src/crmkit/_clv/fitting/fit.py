"""Fit a model to all customers' histories at once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from narwhals.typing import IntoFrame

from crmkit._clv.fitting import diagnostics
from crmkit._clv.fitting.best import chosen_by
from crmkit._clv.fitting.choice import Choice
from crmkit._clv.fitting.covariates import CovariateNames, covariate_list
from crmkit._clv.fitting.fit_with_covariates import fit_with_covariates
from crmkit._clv.fitting.fitted import Fit, model_class
from crmkit._clv.fitting.histories import (
    purchase_histories,
    spend_histories,
)
from crmkit._clv.fitting.priors import LogNormal, require_priors
from crmkit._clv.fitting.regularity import regularity, require_k
from crmkit._words.arguments import is_number
from crmkit.errors import CrmkitWarning
from crmkit.models import PURCHASE_MODELS


def fit(
    customers: IntoFrame,
    *,
    model: str | Choice,
    k: int | None = None,
    orders: IntoFrame | None = None,
    covariates: CovariateNames | None = None,
    penalty: float = 0.0,
    prior: Mapping[str, LogNormal] | None = None,
) -> Fit:
    """Fit a purchase or spend model to the customers' histories.

    Purchase models assume that customers buy at random and drop out unobserved; a strong season
    or trend breaks the first assumption. Spend models assume that spend per purchase is
    independent of purchase frequency; `crmkit.clv.spend_dependence` checks that.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    model
        "best", a `Choice` of `crmkit.clv.choose`, or the name of a purchase model (`frequency`,
        `recency`, `T`) or of a spend model (`frequency`, `monetary_value`), the last two:

        ===================  ============================================================
        ``bg_cnbd_k``        as bg_nbd, for purchases at regular intervals; finds k
        ``bg_nbd``           customers may drop out after any repeat purchase, and one-time
                             buyers never
        ``ggompertz_nbd``    as pareto_nbd, but the dropout hazard grows with age
        ``mbg_cnbd_k``       as mbg_nbd, for purchases at regular intervals; finds k
        ``mbg_nbd``          as bg_nbd, but customers may drop out after the first
                             purchase too; for many one-time buyers
        ``nbd``              customers never drop out; the baseline
        ``pareto_nbd``       customers may drop out at any time
        ``gamma_gamma``      spend varies by gamma distributions; the usual first choice
        ``lognormal_spend``  spend varies by factors, with fewer very large amounts
        ===================  ============================================================
    k
        For the CNBD-k: the arrivals per purchase, 1 for purchases at random, more for regular
        ones. By default 1, 2, 3, ... are tried until the likelihood falls. With `sum_log_gaps`
        (`rfm.summarize(..., log_gaps=True)`) that is the likelihood of the paper, which sees the
        days between purchases; without, these are averaged over, and k is found less surely.
    orders
        For "best": the purchases that `customers` were made of, or their purchase days. The
        model is the one that `crmkit.clv.choose` finds for them; without `orders`, which is
        the only way to hold days out, it is `pareto_nbd`. `Fit.choice` says why.
    covariates
        Columns of `customers` that were known when the customer came, such as the channel:
        numbers, true and false, or text of at most 50 levels. A list moves each process by each
        column; ``{"purchases": [...], "dropout": [...]}`` separates them, and a column under
        "both" moves the two by one coefficient. Spend models have the one process "spend". `nbd`
        and the CNBD-k take none.
    penalty
        Ridge penalty: this times the sum of the squared coefficients is subtracted from the
        log-likelihood, which shrinks them to 0. Those of numbers count per standard deviation.
        0 or more.
    prior
        Prior of a parameter, such as ``{"alpha": LogNormal(median=30, log_deviation=1)}``; the
        fit is then the posterior mode, not the maximum likelihood. With covariates it is about
        the customer for whom all are 0.

    Returns
    -------
    A `Fit`. Only the distinct histories and their counts come to this machine.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract, or lacks `last_date` where the model is chosen.
    InvalidArgumentError
        If `model` is unknown or takes no covariates; if `k` or `orders` is given for another
        model; if `penalty` is below 0 or given without covariates; if `prior` names an unknown
        parameter; if a covariate is constant, collinear with others or has too many levels.
    FitError
        If no customer has a repeat purchase.

    Warns
    -----
    CrmkitWarning
        If the data do not identify a parameter, show hardly any dropout, or have fewer than 10
        customers who bought again; `Fit.diagnostics` has the sentence.

    Notes
    -----
    The covariates w of customer i move the customer's parameters, with a coefficient g for each:

    =============================  =======================================================
    purchases                      ``alpha_i = alpha exp(-g w)``: above 0 buys more often
    dropout, ``pareto_nbd`` and    ``beta_i = beta exp(-g w)``: above 0 drops out sooner
    ``ggompertz_nbd``
    dropout, ``bg_nbd`` and        the log of the odds a / b rises by ``g w``, and
    ``mbg_nbd``                    a + b stays: above 0 drops out sooner
    spend, ``gamma_gamma``         ``v_i = v exp(g w)``: above 0 spends more
    spend, ``lognormal_spend``     ``median_i = median exp(g w)``, likewise
    =============================  =======================================================

    The other parameters are shared by all. `Fit.log_likelihood` is without penalty and prior;
    standard errors are with both.

    References
    ----------
    The head of each model's file in `crmkit.models` names its paper. Covariates: Fader, P. S. &
    Hardie, B. G. S. (2007). Incorporating time-invariant covariates into the Pareto/NBD and
    BG/NBD models. http://brucehardie.com/notes/019/.

    Examples
    --------
    The sample that the founding paper fits; it counts in weeks, and prints 4.414 for alpha.

    >>> from datetime import date
    >>> from crmkit import rfm
    >>> from crmkit.datasets import load_cdnow
    >>> customers = rfm.summarize(load_cdnow(sample=True), as_of=date(1997, 9, 30))
    >>> purchases = fit(customers, model="bg_nbd")
    >>> purchases
    BGNBD(r=0.2426, alpha=30.9, a=0.7929, b=2.426; log-likelihood -14,363.5, 2,357 customers)
    >>> round(purchases.estimates["alpha"] / 7, 3)
    4.414
    """
    fitted = fitted_to(
        customers,
        model=model,
        k=k,
        orders=orders,
        covariates=covariates,
        penalty=penalty,
        prior=prior,
    )
    for note in fitted.diagnostics:
        warnings.warn(f"{fitted.name}: {note}", CrmkitWarning, stacklevel=2)
    return fitted


def fitted_to(
    customers: IntoFrame,
    *,
    model: str | Choice,
    k: int | None = None,
    orders: IntoFrame | None = None,
    covariates: CovariateNames | None = None,
    penalty: float = 0.0,
    prior: Mapping[str, LogNormal] | None = None,
) -> Fit:
    """Fit as `fit` does, without warnings: `Fit.diagnostics` has them."""
    choice = chosen_by(customers, model=model, orders=orders)
    name = cast("str", model) if choice is None else choice.best
    chosen = model_class(name)
    require_k(k, name=name)
    if prior is not None:
        require_priors(prior)
    if covariates is not None and not isinstance(covariates, Mapping):
        covariates = covariate_list(covariates)
    is_plain = is_number(penalty) and penalty == 0 and not covariates and not prior
    if not is_plain:
        fitted = fit_with_covariates(
            customers,
            name=name,
            model=chosen,
            covariates=covariates,
            penalty=penalty,
            prior=prior,
            k=k,
        )
    elif name in PURCHASE_MODELS:
        fitted = _fit_purchases(customers, name, chosen, k=k)
    else:
        fitted = _fit_spend(customers, name, chosen)
    return replace(fitted, choice=choice)


def _fit_purchases(customers: IntoFrame, name: str, model: Any, *, k: int | None) -> Fit:  # noqa: ANN401 - a class of models
    columns, weights, _ = purchase_histories(customers)
    options = regularity(customers, columns[0], name=name, k=k)
    found = model.fit(*columns, weights=weights, **options)
    likelihood = diagnostics.with_purchase_diagnostics(found, columns, weights)
    return Fit(name, likelihood, n_repeat_purchases=round(float(weights @ columns[0])))


def _fit_spend(customers: IntoFrame, name: str, model: Any) -> Fit:  # noqa: ANN401 - a class of models
    (x, z), weights, n_left_out = spend_histories(customers)
    likelihood = diagnostics.with_spend_diagnostics(model.fit(x, z, weights=weights))
    n_repeat = round(float(weights @ x))
    return Fit(name, likelihood, n_left_out, n_repeat_purchases=n_repeat)
