"""Convert a fit to a fitter of the package lifetimes, and back."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, Final

import numpy as np

from crmkit._clv.fitting.fitted import Fit
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import listed, require_fitted, require_number
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.models import BGNBD, MBGNBD, GammaGamma, MaximumLikelihood, ParetoNBD
from crmkit.models.inference.newton import Likelihood, Matrix
from crmkit.models.purchases.likelihoods.dropout_likelihood import DropoutLikelihood
from crmkit.models.purchases.likelihoods.pareto_nbd_likelihood import ParetoNBDLikelihood
from crmkit.models.spend.gamma_gamma import GammaGammaLikelihood

_TO_95_PERCENT: Final = 1.959963984540054
_LARGEST_SHORTFALL: Final = 0.01
_LEAST_INFORMATION: Final = 0.05

_SHORT: Final = (
    "These estimates of lifetimes are {shortfall:.2g} below the largest log-likelihood: its search "
    "stopped early, or a penalizer moved it. Fit the model with crmkit.clv.fit."
)
_FLAT: Final = (
    "The log-likelihood is flat in some direction from these estimates of lifetimes: the data do "
    "not identify all of them, or its search stopped early. crmkit.clv.fit finds out which."
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A model's class in lifetimes, and the parameters and columns that it has there."""

    fitter: str
    model: Callable[..., Any]
    likelihood: Callable[..., Likelihood]
    names: tuple[str, ...]
    times: frozenset[str]
    """Parameters and columns that are times."""
    columns: tuple[str, ...]
    forecasts: bool
    """Whether a fitter of this kind has a `predict`."""


_OF_TIME: Final = ("frequency", "recency", "T")

_KINDS: Final[Mapping[str, _Kind]] = {
    "bg_nbd": _Kind(
        "BetaGeoFitter",
        BGNBD,
        partial(DropoutLikelihood, dropout_after_first=False),
        ("r", "alpha", "a", "b"),
        frozenset({"alpha", "recency", "T"}),
        _OF_TIME,
        forecasts=True,
    ),
    "mbg_nbd": _Kind(
        "ModifiedBetaGeoFitter",
        MBGNBD,
        partial(DropoutLikelihood, dropout_after_first=True),
        ("r", "alpha", "a", "b"),
        frozenset({"alpha", "recency", "T"}),
        _OF_TIME,
        forecasts=True,
    ),
    "pareto_nbd": _Kind(
        "ParetoNBDFitter",
        ParetoNBD,
        ParetoNBDLikelihood,
        ("r", "alpha", "s", "beta"),
        frozenset({"alpha", "beta", "recency", "T"}),
        _OF_TIME,
        forecasts=True,
    ),
    "gamma_gamma": _Kind(
        "GammaGammaFitter",
        GammaGamma,
        GammaGammaLikelihood,
        ("p", "q", "v"),
        frozenset(),
        ("frequency", "monetary_value"),
        forecasts=False,
    ),
}


def to_lifetimes(fit: Fit, *, unit_days: float = 1.0) -> Any:  # noqa: ANN401 - lifetimes has no types
    """Convert a fit to a fitter of the package lifetimes.

    For code that goes on calling lifetimes: plots, reports, saved models. The fitter computes
    with lifetimes' formulas, which fail for customers with very many purchases, among others.

    Parameters
    ----------
    fit
        A fitted "bg_nbd", "mbg_nbd", "pareto_nbd" or "gamma_gamma", without covariates.
    unit_days
        Days in a unit of time of lifetimes: 7 where its `recency`, `T` and `t` are in weeks.
        Money stays as it is.

    Returns
    -------
    A BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter or GammaGammaFitter with `params_`,
    `standard_errors_`, `variance_matrix_`, `confidence_intervals_` and so `summary`. Its `data`
    is missing, as a fit does not hold its customers; plots of the data need it set.

    Raises
    ------
    InvalidArgumentError
        If lifetimes is not installed or lacks the model, or `unit_days` is not above 0.

    Notes
    -----
    `alpha`, and `beta` of Pareto/NBD, are times: in weeks they are a seventh of what they are
    in days. Importing lifetimes switches off warnings of the class FutureWarning for the whole
    program; here they stay as they were.

    Examples
    --------
    The founding paper counts in weeks, and prints 4.414 for alpha.

    >>> from datetime import date
    >>> from crmkit import clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> customers = rfm.summarize(load_cdnow(sample=True), as_of=date(1997, 9, 30))
    >>> in_weeks = to_lifetimes(clv.fit(customers, model="bg_nbd"), unit_days=7)
    >>> print(in_weeks.params_.round(3).to_string())
    r        0.243
    alpha    4.414
    a        0.793
    b        2.426
    """
    unit_days = _checked_unit(unit_days)
    require_fitted(fit, Fit, argument="fit", made_by="crmkit.clv.fit")
    if fit.name not in _KINDS or set(fit.likelihood.names) != set(_KINDS[fit.name].names):
        msg = (
            f"lifetimes has no model for {fit!r}.\nFit one of {listed(_KINDS)}, without covariates."
        )
        raise InvalidArgumentError(msg)
    kind = _KINDS[fit.name]
    fitter = getattr(_lifetimes(), kind.fitter)()
    values = np.array([fit.estimates[name] for name in kind.names])
    values /= [unit_days if name in kind.times else 1.0 for name in kind.names]
    covariance = np.array(fit.likelihood.covariance_log, dtype=np.float64)
    errors = values * np.sqrt(np.diag(covariance))
    fitter.params_ = _labelled({"": values}, by=kind.names)[""]
    fitter.standard_errors_ = _labelled({"": errors}, by=kind.names)[""]
    spread = dict(zip(kind.names, np.outer(values, values) * covariance, strict=True))
    fitter.variance_matrix_ = _labelled(spread, by=kind.names)
    bounds = {
        f"{side} 95% bound": values + sign * _TO_95_PERCENT * errors
        for side, sign in (("lower", -1), ("upper", 1))
    }
    fitter.confidence_intervals_ = _labelled(bounds, by=kind.names)
    if kind.forecasts:
        fitter.predict = fitter.conditional_expected_number_of_purchases_up_to_time
    return fitter


def from_lifetimes(fitter: Any, *, unit_days: float = 1.0) -> Fit:  # noqa: ANN401 - as above
    """Convert a fitter of the package lifetimes to a `Fit`.

    For a model that was fitted and saved with lifetimes. Its estimates are kept as they are, even
    where its search stopped early or a penalizer moved them; `Fit.diagnostics` then says so.

    Parameters
    ----------
    fitter
        A fitted BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter or GammaGammaFitter which
        still has its `data`.
    unit_days
        Days in a unit of time of lifetimes: 7 where its `recency` and `T` are in weeks.

    Returns
    -------
    A `Fit`, its times in days. Log-likelihood and standard errors are computed anew from the
    fitter's data: lifetimes keeps a mean per customer on another clock, and for Pareto/NBD no
    standard errors.

    Raises
    ------
    InvalidArgumentError
        If it is another object or not fitted, its data are missing, or `unit_days` is not above 0.
    MissingColumnsError
        If its data lack a column.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(sample=True, backend="pandas")
    >>> customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
    >>> fitter = to_lifetimes(clv.fit(customers, model="bg_nbd"))
    >>> fitter.data = customers[["frequency", "recency", "T"]]
    >>> from_lifetimes(fitter)
    BGNBD(r=0.2426, alpha=30.9, a=0.7929, b=2.426; log-likelihood -14,363.5, 2,357 customers)
    """
    unit_days = _checked_unit(unit_days)
    name = _name_of(fitter)
    kind = _KINDS[name]
    if getattr(fitter, "params_", None) is None:
        msg = f"This {kind.fitter} has not been fitted.\nCall its `fit`, or crmkit.clv.fit."
        raise InvalidArgumentError(msg)
    unit = {column: unit_days if column in kind.times else 1.0 for column in kind.columns}
    columns, weights = _data(fitter, kind)
    in_days = [column * unit[each] for each, column in zip(kind.columns, columns, strict=True)]
    values = [
        float(fitter.params_[each]) * (unit_days if each in kind.times else 1.0)
        for each in kind.names
    ]
    likelihood = _as_estimated(kind, values, columns=in_days, weights=weights)
    return Fit(name, likelihood, n_repeat_purchases=round(float(weights @ in_days[0])))


def _as_estimated(
    kind: _Kind, values: list[float], *, columns: list[Floats], weights: Floats
) -> MaximumLikelihood[Any]:
    """Evaluate the likelihood at these values, wherever its maximum is."""
    value, gradient, hessian = kind.likelihood(*columns, weights)(np.log(values))
    n_customers = float(weights.sum())
    eigenvalues, directions = np.linalg.eigh(-hessian)
    identified = bool(eigenvalues[0] >= _LEAST_INFORMATION)
    slope = directions.T @ gradient
    shortfall = float((slope**2 / eigenvalues).sum()) / 2 if identified else math.inf
    at_top = shortfall <= _LARGEST_SHORTFALL
    note = _SHORT.format(shortfall=shortfall) if identified else _FLAT
    return MaximumLikelihood(
        model=kind.model(*values),
        log_likelihood=value,
        n_customers=round(n_customers),
        names=kind.names,
        covariance_log=_covariance(hessian, identified=identified),
        gradient_norm=float(np.linalg.norm(gradient)) / n_customers,
        eigenvalues=tuple(eigenvalues.tolist()),
        converged=at_top,
        diagnostics=() if at_top else (note,),
    )


def _covariance(hessian: Floats, *, identified: bool) -> Matrix:
    if not identified:
        return tuple((None,) * len(hessian) for _ in hessian)
    return tuple(map(tuple, np.linalg.inv(-hessian).tolist()))


def _name_of(fitter: object) -> str:
    """Find the model by the fitter's class, which may be derived from one of lifetimes."""
    names = {kind.fitter: name for name, kind in _KINDS.items()}
    known = [names[each.__name__] for each in type(fitter).__mro__ if each.__name__ in names]
    if not known:
        msg = (
            f"This is a {type(fitter).__name__}.\n"
            f"Give a fitter of lifetimes: one of {', '.join(names)}."
        )
        raise InvalidArgumentError(msg)
    return known[0]


def _data(fitter: Any, kind: _Kind) -> tuple[list[Floats], Floats]:  # noqa: ANN401 - as above
    """Read the fitter's data: its columns, and the number of customers of each row."""
    data = getattr(fitter, "data", None)
    if data is None:
        msg = (
            f"This {kind.fitter} has no `data` to compute the likelihood from.\n"
            f"Set its `data` to a table with the columns {', '.join(kind.columns)} that it was "
            "fitted on."
        )
        raise InvalidArgumentError(msg)
    missing = [column for column in kind.columns if column not in data.columns]
    if missing:
        msg = (
            f"{kind.fitter}.data: no column {', '.join(missing)} among {', '.join(data.columns)}.\n"
            "Set `data` to the table that it was fitted on."
        )
        raise MissingColumnsError(msg)
    columns = [np.asarray(data[column], dtype=np.float64) for column in kind.columns]
    if "weights" not in data.columns:
        return columns, np.ones(len(data))
    return columns, np.asarray(data["weights"], dtype=np.float64)


def _labelled(columns: Mapping[str, Floats], *, by: tuple[str, ...]) -> Any:  # noqa: ANN401 - pandas
    """Make a pandas table with rows of these names."""
    filled = {name: values.tolist() for name, values in columns.items()}
    table = frames.new_table({"of": list(by), **filled}, backend="pandas")
    return table.set_index("of").rename_axis(None)


def _lifetimes() -> ModuleType:
    """Import lifetimes, and undo its change of the program's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("lifetimes")
        except ModuleNotFoundError as missing:
            if missing.name != "lifetimes":
                raise
    msg = "The package lifetimes is not installed.\nRun: pip install crmkit[lifetimes]"
    raise InvalidArgumentError(msg)


def _checked_unit(unit_days: float) -> float:
    require_number(
        unit_days,
        argument="unit_days",
        must="be above 0",
        fits=lambda days: 0 < days < math.inf,
        advice="Write 7 for weeks, 1 for days.",
    )
    return float(unit_days)
