"""Fit a model with covariates of the customers, and with priors of its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.fitting import diagnostics
from crmkit._clv.fitting.covariates import (
    Covariate,
    CovariateNames,
    by_process,
    coefficient_mask,
    complaints,
    constant_covariate,
    design_matrix,
    encoded,
    levels_of,
    links_of,
)
from crmkit._clv.fitting.fitted import Fit
from crmkit._clv.fitting.histories import Histories, purchase_histories, spend_histories
from crmkit._clv.fitting.priors import LogNormal, parameter_priors
from crmkit._clv.fitting.regularity import regularity
from crmkit._door import frames
from crmkit._door.frames import Floats, quoted
from crmkit._words.arguments import require_zero_or_more
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS
from crmkit.models.inference.covariates import PenalizedSearch
from crmkit.models.numerics.distinct import distinct_rows
from crmkit.tables import SUMMARY

_PURCHASES: Final = SUMMARY.only("frequency", "recency", "T")
_SPEND: Final = SUMMARY.only("frequency", "monetary_value")

_CONSTANT: Final = 1e-12
_DEPENDENT: Final = 1e-9
_PART_OF_IT: Final = 0.01


def fit_with_covariates(
    customers: IntoFrame,
    *,
    name: str,
    model: Any,  # noqa: ANN401 - the class of a purchase or a spend model
    covariates: CovariateNames | None,
    penalty: float,
    prior: Mapping[str, LogNormal] | None,
    k: int | None,
) -> Fit:
    """Fit the model with covariates, a penalty on their coefficients, and priors."""
    wanted = by_process(name, covariates)
    _require_penalty(penalty, has_covariates=bool(wanted))
    priors = _checked(name, model, prior)
    histories, found, rows = histories_with(customers, name, wanted)
    links = links_of(name) if wanted else {}
    moves = coefficient_mask(found, processes=tuple(links))
    centres, scales = centres_and_scales(rows, histories.weights, found)
    _require_independent((rows - centres) / scales, histories.weights, moves, found)
    side = PenalizedSearch(
        names=tuple(name for each in found for name in each.coefficients),
        links=tuple(links.values()),
        moves=moves,
        rows=rows,
        centres=centres,
        scales=scales,
        penalty=float(penalty),
        prior=priors,
    )
    columns, weights = histories.columns, histories.weights
    options = regularity(customers, columns[0], name=name, k=k)
    likelihood = model.fit(*columns, weights=weights, search=side.maximize, **options)
    if name in PURCHASE_MODELS:
        likelihood = diagnostics.with_purchase_diagnostics(likelihood, columns, weights)
    else:
        likelihood = diagnostics.with_spend_diagnostics(likelihood)
    return Fit(
        name,
        likelihood,
        histories.n_left_out,
        found,
        penalty=float(penalty),
        prior=tuple((prior or {}).items()),
        n_repeat_purchases=round(float(weights @ columns[0])),
    )


def histories_with(
    customers: IntoFrame, name: str, wanted: Sequence[tuple[str, str]]
) -> tuple[Histories, tuple[Covariate, ...], Floats]:
    """Collect the distinct histories of customers, each with its row of the design matrix.

    Parameters
    ----------
    customers, name
        The customers' table, and the model.
    wanted
        The process and the column of each covariate.
    """
    of_purchases = name in PURCHASE_MODELS
    if not wanted:
        plain = purchase_histories(customers) if of_purchases else spend_histories(customers)
        return plain, (), np.zeros((len(plain.weights), 0))
    table = _PURCHASES if of_purchases else _SPEND
    frame = frames.read(customers, table)
    usable_rows = frame
    if not of_purchases:
        has_spend = (nw.col("frequency") > 0) & (frames.known("monetary_value") > 0)
        usable_rows = frame.filter(has_spend)
    levels = levels_of(usable_rows, [column for _, column in wanted])
    columns, weights = _distinct(customers, *encoded(frame, levels), levels, table.column_names)
    history = tuple(columns[each] for each in table.column_names)
    found = tuple(Covariate(process, column, levels[column]) for process, column in wanted)
    rows = design_matrix(found, {column: columns[column] for column in levels})
    if of_purchases:
        return Histories(history, weights, 0), found, rows
    usable = (history[0] > 0) & (history[1] > 0)  # not for NaN: spend is unknown there
    n_left_out = round(float(weights[~usable].sum()))
    kept = tuple(each[usable] for each in history)
    return Histories(kept, weights[usable], n_left_out), found, rows[usable]


def _distinct(
    customers: IntoFrame,
    frame: frames.Frame,
    codes: Mapping[str, str],
    levels: Mapping[str, tuple[str, ...] | None],
    history: tuple[str, ...],
) -> tuple[dict[str, Floats], Floats]:
    """Collect distinct rows of history and covariates, and the number of customers with each."""
    names, wanted = (*history, *codes), [*history, *codes.values()]
    if frames.is_lazy(customers):
        data, counts = frames.counted(frame, SUMMARY.only(*history), columns=wanted), "n_rows"
    else:
        data, counts = frame.collect(), None
    advice = "Fill it in, text with a level such as 'unknown', or leave the covariate out."
    frames.require(data, SUMMARY, complaints(levels, codes), advice=advice, counts=counts)
    values = [data[name].to_numpy().astype(np.float64) for name in wanted]
    if frames.is_lazy(customers):
        weights = data["n_rows"].to_numpy().astype(np.float64)
        return dict(zip(names, values, strict=True)), weights
    columns, weights = distinct_rows(*values)
    return dict(zip(names, columns, strict=True)), weights


def centres_and_scales(
    rows: Floats, weights: Floats, covariates: Sequence[Covariate]
) -> tuple[Floats, Floats]:
    """Find the mean and scale of each column, by which the search standardises; levels keep 1."""
    if not len(rows):
        return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    centres = np.average(rows, axis=0, weights=weights)
    deviations = np.sqrt(np.average((rows - centres) ** 2, axis=0, weights=weights))
    of_column = [each for each in covariates for _ in each.coefficients]
    for i, each in enumerate(of_column):
        if deviations[i] <= _CONSTANT * np.abs(rows[:, i]).max():
            raise constant_covariate(each.column, f"{rows[0, i]:g}")
    is_number = np.array([each.levels is None for each in of_column], dtype=np.bool_)
    return centres, np.where(is_number, deviations, 1.0)


def _require_independent(
    scaled: Floats, weights: Floats, moves: Floats, covariates: Sequence[Covariate]
) -> None:
    """Require that no covariate is a linear combination of others."""
    if not scaled.size:
        return
    deviations = np.sqrt(np.average(scaled**2, axis=0, weights=weights))
    even = scaled / deviations
    products = (even.T * weights) @ even / weights.sum() * (moves.T @ moves)
    sizes, directions = np.linalg.eigh(products)
    if sizes[0] < _DEPENDENT:
        names = [name for each in covariates for name in each.coefficients]
        share = np.abs(directions[:, 0])
        same = [name for name, part in zip(names, share, strict=True) if part > _PART_OF_IT]
        msg = (
            f"{SUMMARY.name}: covariates {quoted(same)} are collinear: one follows from the others."
            "\nLeave one of them out."
        )
        raise InvalidArgumentError(msg)


def _checked(
    name: str,
    model: Any,  # noqa: ANN401 - as above
    prior: Mapping[str, LogNormal] | None,
) -> dict[str, tuple[float, float]]:
    """Give median and log deviation by parameter; each must be one that the search estimates."""
    estimated = tuple(field.name for field in fields(model) if field.name != "k")
    parameter_priors(name, estimated, unit=1.0, changes=prior)
    return {each: (of.median, of.log_deviation) for each, of in (prior or {}).items()}


def _require_penalty(penalty: float, *, has_covariates: bool) -> None:
    require_zero_or_more(penalty, argument="penalty", advice="Write 1.0 for a mild one.")
    if penalty and not has_covariates:
        msg = (
            "`penalty` is for the coefficients of covariates, but `covariates` is empty.\n"
            "Name `covariates`, or give a `prior` of the parameters."
        )
        raise InvalidArgumentError(msg)
