"""Take a fit to lifetimes and bring one back: the same model in another library's object."""

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

from crmkit._clv.fitting.fit import Fit
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.models import BGNBD, MBGNBD, GammaGamma, MaximumLikelihood, ParetoNBD
from crmkit.models.inference.newton import Likelihood, Matrix
from crmkit.models.purchases.dropout_likelihood import DropoutLikelihood
from crmkit.models.purchases.pareto_nbd_likelihood import ParetoNBDLikelihood
from crmkit.models.spend.gamma_gamma import GammaGammaLikelihood

_TO_95_PERCENT: Final = 1.959963984540054
_LARGEST_SHORTFALL: Final = 0.01
_LEAST_INFORMATION: Final = 0.05

_SHORT: Final = (
    "These estimates of lifetimes are short of the largest log-likelihood by about "
    "{shortfall:.2g}: its search stopped early, or a penalizer held it. Fit anew with "
    "crmkit.clv.fit."
)
_OPEN: Final = (
    "The likelihood does not fall off in every direction from these estimates of lifetimes: the "
    "data do not tell them all, or its search stopped early. crmkit.clv.fit says which."
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one model is called in lifetimes, and how its numbers are read."""

    fitter: str
    model: Callable[..., Any]
    likelihood: Callable[..., Likelihood]
    names: tuple[str, ...]
    times: frozenset[str]
    """Parameters, and columns, that are times."""
    columns: tuple[str, ...]
    forecasts: bool
    """Whether a fitter of this kind has a `predict`."""


_OF_TIME: Final = ("frequency", "recency", "T")

_KINDS: Final[Mapping[str, _Kind]] = {
    "bg_nbd": _Kind(
        "BetaGeoFitter",
        BGNBD,
        partial(DropoutLikelihood, may_leave_at_first=False),
        ("r", "alpha", "a", "b"),
        frozenset({"alpha", "recency", "T"}),
        _OF_TIME,
        forecasts=True,
    ),
    "mbg_nbd": _Kind(
        "ModifiedBetaGeoFitter",
        MBGNBD,
        partial(DropoutLikelihood, may_leave_at_first=True),
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
    """Make the fitter of the package lifetimes that holds this fit, ready to forecast.

    For code that goes on calling lifetimes: plots, reports, saved models. Its formulas are its
    own, and fail where lifetimes' do, for customers with very many purchases among others.

    Parameters
    ----------
    fit
        A fitted "bg_nbd", "mbg_nbd", "pareto_nbd" or "gamma_gamma", without covariates.
    unit_days
        How many days lifetimes is to count as 1: 7 where its `recency`, `T` and `t` are in
        weeks. Money is as it was.

    Returns
    -------
    A BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter or GammaGammaFitter with `params_`,
    `standard_errors_`, `variance_matrix_`, `confidence_intervals_` and so `summary`. It has no
    `data`, as a fit keeps no customers; plots that draw on the data need it set.

    Raises
    ------
    InvalidArgumentError
        If lifetimes is not installed, it has no such model, or `unit_days` is not above 0.

    Notes
    -----
    `alpha`, and `beta` of Pareto/NBD, are times: in weeks they are a seventh of what they are
    in days. Importing lifetimes switches warnings of the class FutureWarning off for the whole
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
    _require_unit(unit_days)
    if fit.name not in _KINDS or set(fit.likelihood.names) != set(_KINDS[fit.name].names):
        msg = (
            f"lifetimes has no model to hold {fit!r}.\n"
            f"Fit one of {', '.join(map(repr, _KINDS))}, without covariates."
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
    """Make a `Fit` of a fitter of the package lifetimes, with that fitter's estimates.

    For a model that was fitted and saved with lifetimes. Its estimates are kept as they are, even
    where its search stopped early or a penalizer held it off; `Fit.diagnostics` then says so.

    Parameters
    ----------
    fitter
        A fitted BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter or GammaGammaFitter which
        still has its `data`.
    unit_days
        How many days lifetimes counted as 1: 7 where its `recency` and `T` are in weeks.

    Returns
    -------
    A `Fit`, its times in days. Log-likelihood and standard errors are computed anew from the
    fitter's data: lifetimes keeps a mean per customer on another clock, and for Pareto/NBD no
    standard errors.

    Raises
    ------
    InvalidArgumentError
        If it is no such fitter or not fitted, its data are gone, or `unit_days` is not above 0.
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
    _require_unit(unit_days)
    name = _name_of(fitter)
    kind = _KINDS[name]
    if getattr(fitter, "params_", None) is None:
        msg = f"This {kind.fitter} has no estimates yet.\nCall its `fit`, or crmkit.clv.fit."
        raise InvalidArgumentError(msg)
    unit = {column: unit_days if column in kind.times else 1.0 for column in kind.columns}
    columns, weights = _data(fitter, kind)
    in_days = [column * unit[each] for each, column in zip(kind.columns, columns, strict=True)]
    values = [
        float(fitter.params_[each]) * (unit_days if each in kind.times else 1.0)
        for each in kind.names
    ]
    return Fit(name, _as_estimated(kind, values, columns=in_days, weights=weights))


def _as_estimated(
    kind: _Kind, values: list[float], *, columns: list[Floats], weights: Floats
) -> MaximumLikelihood[Any]:
    """Say how well the data tell these values, wherever their maximum is."""
    value, gradient, hessian = kind.likelihood(*columns, weights)(np.log(values))
    n_customers = float(weights.sum())
    eigenvalues, directions = np.linalg.eigh(-hessian)
    told = bool(eigenvalues[0] >= _LEAST_INFORMATION)
    slope = directions.T @ gradient
    shortfall = float((slope**2 / eigenvalues).sum()) / 2 if told else math.inf
    at_top = shortfall <= _LARGEST_SHORTFALL
    note = _SHORT.format(shortfall=shortfall) if told else _OPEN
    return MaximumLikelihood(
        model=kind.model(*values),
        log_likelihood=value,
        n_customers=round(n_customers),
        names=kind.names,
        covariance_log=_covariance(hessian, told=told),
        gradient_norm=float(np.linalg.norm(gradient)) / n_customers,
        eigenvalues=tuple(eigenvalues.tolist()),
        converged=at_top,
        diagnostics=() if at_top else (note,),
    )


def _covariance(hessian: Floats, *, told: bool) -> Matrix:
    if not told:
        return tuple((None,) * len(hessian) for _ in hessian)
    return tuple(map(tuple, np.linalg.inv(-hessian).tolist()))


def _name_of(fitter: object) -> str:
    """Tell the model by the fitter's class, which may be one derived from lifetimes'."""
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
    """Read the customers that the fitter kept, and how many each row stands for."""
    data = getattr(fitter, "data", None)
    if data is None:
        msg = (
            f"This {kind.fitter} has kept no data, so how well it fits cannot be told.\n"
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
    """Make a pandas table with these rows by name."""
    filled = {name: values.tolist() for name, values in columns.items()}
    table = frames.new_table({"of": list(by), **filled}, backend="pandas")
    return table.set_index("of").rename_axis(None)


def _lifetimes() -> ModuleType:
    """Import lifetimes without what it does to the warnings of the program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("lifetimes")
        except ModuleNotFoundError as missing:
            if missing.name != "lifetimes":
                raise
    msg = "The package lifetimes is not installed.\nRun: pip install crmkit[lifetimes]"
    raise InvalidArgumentError(msg)


def _require_unit(unit_days: float) -> None:
    if not 0 < unit_days < math.inf:
        msg = f"`unit_days` must be above 0, got {unit_days}.\nWrite 7 for weeks, 1 for days."
        raise InvalidArgumentError(msg)
