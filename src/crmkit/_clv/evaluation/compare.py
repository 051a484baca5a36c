"""Models side by side: log-likelihood, information criteria and likelihood-ratio tests."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoDataFrame, IntoFrameT
from scipy.special import chdtrc

from crmkit._clv.evaluation.log_likelihood import log_likelihood
from crmkit._clv.fitting.fit import fit
from crmkit._clv.fitting.fitted import Fit, model_class
from crmkit._door import frames
from crmkit._words.arguments import listed, require_list, shown
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS, Nesting

_SAME: Final = 1e-9
"""Relative difference of two log-likelihoods that are the same."""


def compare(customers: IntoFrameT, *, models: Sequence[str | Fit]) -> IntoFrameT:
    """Compare models by log-likelihood, AIC, BIC and likelihood-ratio test.

    The likelihood rewards a model for the past that it was fitted on. Two models with about the
    same AIC can forecast differently: `crmkit.clv.backtest` decides.

    Parameters
    ----------
    customers
        One row per customer, as made by `crmkit.rfm.summarize`.
    models
        Purchase models, or spend models: names as `fit` takes them, which are fitted here, and
        `Fit` values (with covariates, or of `Fit.of`), which are evaluated as they are.

    Returns
    -------
    One row per model, the lowest `aic` first (a lazy table is run once and not sorted):

    ==================  =====  =============================================================
    ``model``           text   name of the model; ", given" follows where a `Fit` was given,
                               and its number from the second of one name on
    ``n_parameters``    int    number of parameters
    ``log_likelihood``  float  total, ages in days; the closer to 0 the better
    ``aic``             float  Akaike's criterion, 2 per parameter; lower is better
    ``bic``             float  Bayesian criterion, ln(customers) per parameter; lower is better
    ``nested_model``    text   the largest of `models` that is nested in this one; null if none
    ``lr_statistic``    float  twice the gain in log-likelihood over it
    ``lr_degrees``      float  parameters that the nested model lacks
    ``lr_p_value``      float  probability of such a gain if the nested model is true
    ``seconds``         float  time of the fit or evaluation
    ==================  =====  =============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    InvalidArgumentError
        If `models` is empty, or has an unknown name or models of both kinds.
    FitError
        If no customer has a repeat purchase.

    Warns
    -----
    CrmkitWarning
        As `fit` does, if the data do not identify a parameter of a model.

    Notes
    -----
    A nested model without dropout, or with k = 1, lies on the boundary of the larger one. There
    the statistic tends to be below a chi-squared variable with all d additional parameters, and
    the p-value is that of a mixture: half of one with d - 1 degrees of freedom and half of one
    with d (case 6 of Self & Liang); no degree is a statistic of 0. Without dropout its other
    parameters are not identified, so this is an approximation: of 300 ledgers simulated from the
    NBD, a p-value below 0.05 rejected it in 2 % against BG/NBD and in 5 % against Pareto/NBD.
    A model without coefficients of covariates lies inside the larger one, with the usual p-value.

    The test is for models at their maximum likelihood on these customers. A `Fit` that was given
    takes part where it was fitted on them, without penalty and prior.

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
    The NBD, in which customers never drop out, and the parameters that the founding paper prints.

    >>> from datetime import date
    >>> from crmkit import clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> printed = clv.Fit.of("bg_nbd", unit="week", r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> found = compare(customers, models=["nbd", "bg_nbd", printed])
    >>> columns = ["model", "log_likelihood", "aic", "nested_model", "lr_statistic"]
    >>> print(found[columns].round(1).to_string(index=False))
            model  log_likelihood     aic nested_model  lr_statistic
           bg_nbd        -14363.5 28735.1          nbd         362.5
    bg_nbd, given        -14363.5 28735.1          NaN           NaN
              nbd        -14544.8 29093.5          NaN           NaN
    """
    models = _of_one_kind(models)
    rows = frames.run_once(customers)
    entries = [_entry(rows, each) for each in models]
    labels = _labels(entries)
    order = sorted(range(len(entries)), key=lambda i: entries[i].aic)
    lines = [_line(entries[i], among=dict(zip(labels, entries, strict=True))) for i in order]
    for line, i in zip(lines, order, strict=True):
        line["model"] = labels[i]
    columns = {name: [line[name] for line in lines] for name in lines[0]}
    table = frames.table_like(columns, like=frames.reopen(customers)).with_columns(
        nw.col("nested_model").cast(nw.String),
        nw.col("lr_statistic", "lr_degrees", "lr_p_value").cast(nw.Float64),
    )
    return frames.give(table, like=customers)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A model, evaluated on the customers."""

    fit: Fit
    log_likelihood: float
    n_customers: int
    seconds: float
    is_given: bool

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2 * self.fit.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Bayesian information criterion."""
        return self.fit.n_parameters * math.log(self.n_customers) - 2 * self.log_likelihood

    @property
    def is_maximum(self) -> bool:
        """Whether it is at its maximum likelihood on these customers."""
        if self.fit.is_given or self.fit.penalty or self.fit.prior:
            return False
        same = math.isclose(self.fit.log_likelihood, self.log_likelihood, rel_tol=_SAME)
        return same and self.fit.n_customers == self.n_customers


def _of_one_kind(models: Sequence[str | Fit]) -> tuple[str | Fit, ...]:
    if isinstance(models, Fit):
        msg = "`models` must be a list, got a Fit.\nWrite [fit]."
        raise InvalidArgumentError(msg)
    models = require_list(models, argument="models")
    if not models:
        msg = "`models` is empty.\nName at least one model."
        raise InvalidArgumentError(msg)
    names = [each.name if isinstance(each, Fit) else each for each in models]
    for each in names:
        if not isinstance(each, str):
            msg = f"`models` must hold names of models or fits, got {shown(each)}."
            raise InvalidArgumentError(msg)
        model_class(each, argument="models")
    if set(names) & set(PURCHASE_MODELS) and set(names) & set(SPEND_MODELS):
        msg = (
            f"`models` has purchase and spend models: {listed(names)}.\n"
            "They explain different data; compare each kind by itself."
        )
        raise InvalidArgumentError(msg)
    return models


def _entry(customers: IntoDataFrame, model: str | Fit) -> _Entry:
    began = time.perf_counter()
    if isinstance(model, Fit):
        value, n_customers = log_likelihood(customers, model)
        seconds = time.perf_counter() - began
        return _Entry(model, value, n_customers, seconds, is_given=True)
    fitted = fit(customers, model=model)
    seconds = time.perf_counter() - began
    return _Entry(fitted, fitted.log_likelihood, fitted.n_customers, seconds, is_given=False)


def _labels(entries: Sequence[_Entry]) -> list[str]:
    """Name the entries; given fits are marked, and numbered where they share a name."""
    labels: list[str] = []
    for entry in entries:
        label = f"{entry.fit.name}, given" if entry.is_given else entry.fit.name
        n_before = sum(each.startswith(label) for each in labels) if entry.is_given else 0
        labels.append(f"{label} {n_before + 1}" if n_before else label)
    return labels


def _line(entry: _Entry, *, among: Mapping[str, _Entry]) -> dict[str, Any]:
    return {
        "model": entry.fit.name,
        "n_parameters": entry.fit.n_parameters,
        "log_likelihood": entry.log_likelihood,
        "aic": entry.aic,
        "bic": entry.bic,
        **_likelihood_ratio(entry, among),
        "seconds": entry.seconds,
    }


def _likelihood_ratio(entry: _Entry, among: Mapping[str, _Entry]) -> dict[str, Any]:
    """Test the model against the largest one that is nested in it."""
    nested = {
        label: (other, nesting)
        for label, other in among.items()
        if (nesting := _nesting(other, entry)) is not None
    }
    if not nested:
        names = ("nested_model", "lr_statistic", "lr_degrees", "lr_p_value")
        return dict.fromkeys(names)
    label = max(nested, key=lambda each: nested[each][0].fit.n_parameters)
    other, nesting = nested[label]
    # Where the larger model runs to the boundary, it gets there but for rounding.
    statistic = max(2 * (entry.log_likelihood - other.log_likelihood), 0.0)
    return {
        "nested_model": label,
        "lr_statistic": statistic,
        "lr_degrees": nesting.parameters,
        "lr_p_value": p_value(statistic, nesting),
    }


def _nesting(smaller: _Entry, larger: _Entry) -> Nesting | None:
    """Give how one model is nested in another, if it is and both are at their maximum."""
    if smaller is larger or not (smaller.is_maximum and larger.is_maximum):
        return None
    one, other = smaller.fit, larger.fit
    if one.name == other.name:
        n_more = other.n_parameters - one.n_parameters
        is_part = set(one.covariates) < set(other.covariates)
        return Nesting(n_more, on_boundary=False) if is_part else None
    if one.covariates != other.covariates:
        return None
    model: Any = one.model
    found: Nesting | None = model.nested_in.get(other.name)
    return found


def p_value(statistic: float, nesting: Nesting) -> float:
    """Probability of a larger likelihood-ratio statistic if the nested model is true."""
    usual = float(chdtrc(nesting.parameters, statistic))
    if not nesting.on_boundary:
        return usual
    fewer = nesting.parameters - 1
    below = float(chdtrc(fewer, statistic)) if fewer else float(statistic <= 0)
    return (usual + below) / 2
