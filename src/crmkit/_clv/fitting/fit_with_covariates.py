"""A fit with what is known beforehand: covariates of customers, and beliefs of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import narwhals as nw
import numpy as np
from narwhals.typing import IntoFrame

from crmkit._clv.fitting import diagnostics
from crmkit._clv.fitting.covariates import (
    LINKS,
    Asked,
    Covariate,
    asked_for,
    complaints,
    design,
    encoded,
    levels_of,
    moves_of,
    one_value,
)
from crmkit._clv.fitting.histories import Histories, purchase_histories, spend_histories
from crmkit._clv.fitting.priors import LogNormal, priors
from crmkit._door import frames
from crmkit._door.frames import Floats, quoted
from crmkit._words.arguments import require_number
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS
from crmkit.models.inference.covariates import SideInformation
from crmkit.models.inference.newton import MaximumLikelihood
from crmkit.models.numerics.distinct import distinct_rows
from crmkit.tables import SUMMARY

_PURCHASES: Final = SUMMARY.only("frequency", "recency", "T")
_SPEND: Final = SUMMARY.only("frequency", "monetary_value")

_CONSTANT: Final = 1e-12
_DEPENDENT: Final = 1e-9
_PART_OF_IT: Final = 0.01


def fit_with(
    customers: IntoFrame,
    *,
    name: str,
    model: Any,  # noqa: ANN401 - the class of a purchase or a spend model
    covariates: Asked | None,
    penalty: float,
    prior: Mapping[str, LogNormal] | None,
) -> tuple[MaximumLikelihood[Any], int, tuple[Covariate, ...]]:
    """Fit with all that; give also how many were left out, and the covariates with their levels."""
    asked = asked_for(name, covariates)
    _require_penalty(penalty, has_covariates=bool(asked))
    beliefs = _beliefs(name, model, prior)
    histories, found, rows = histories_with(customers, name, asked)
    links = LINKS.get(name, {}) if asked else {}
    moves = moves_of(found, processes=tuple(links))
    centres, scales = centres_and_scales(rows, histories.weights, found)
    _require_independent((rows - centres) / scales, histories.weights, moves, found)
    side = SideInformation(
        names=tuple(name for each in found for name in each.coefficients),
        links=tuple(links.values()),
        moves=moves,
        rows=rows,
        centres=centres,
        scales=scales,
        penalty=float(penalty),
        prior=beliefs,
    )
    columns, weights = histories.columns, histories.weights
    likelihood = model.fit(*columns, weights=weights, search=side.maximize)
    if name in PURCHASE_MODELS:
        likelihood = diagnostics.of_purchases(likelihood, columns, weights)
    else:
        likelihood = diagnostics.of_spend(likelihood)
    return likelihood, histories.n_left_out, found


def histories_with(
    customers: IntoFrame, name: str, asked: Sequence[tuple[str, str]]
) -> tuple[Histories, tuple[Covariate, ...], Floats]:
    """Collect the distinct histories, each with what it is known to go with."""
    of_purchases = name in PURCHASE_MODELS
    if not asked:
        plain = purchase_histories(customers) if of_purchases else spend_histories(customers)
        return plain, (), np.zeros((len(plain.weights), 0))
    table = _PURCHASES if of_purchases else _SPEND
    frame = frames.read(customers, table)
    usable_rows = frame
    if not of_purchases:
        has_spend = (nw.col("frequency") > 0) & (frames.known("monetary_value") > 0)
        usable_rows = frame.filter(has_spend)
    levels = levels_of(usable_rows, [column for _, column in asked])
    columns, weights = _distinct(customers, *encoded(frame, levels), levels, table.column_names)
    history = tuple(columns[each] for each in table.column_names)
    found = tuple(Covariate(process, column, levels[column]) for process, column in asked)
    rows = design(found, {column: columns[column] for column in levels})
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
    """Collect distinct rows of history and covariates, and how many customers each has."""
    names, wanted = (*history, *codes), [*history, *codes.values()]
    if frames.is_lazy(customers):
        data, counts = frames.counted(frame, SUMMARY.only(*history), columns=wanted), "n_rows"
    else:
        data, counts = frame.collect(), None
    advice = "Fill it, with text such as 'unknown' where it is text, or leave it out."
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
    """Find what the search subtracts and divides by: a level is not scaled."""
    if not len(rows):
        return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    centres = np.average(rows, axis=0, weights=weights)
    deviations = np.sqrt(np.average((rows - centres) ** 2, axis=0, weights=weights))
    of_column = [each for each in covariates for _ in each.coefficients]
    for i, each in enumerate(of_column):
        if deviations[i] <= _CONSTANT * np.abs(rows[:, i]).max():
            raise one_value(each.column, f"{rows[0, i]:g}")
    is_number = np.array([each.levels is None for each in of_column], dtype=np.bool_)
    return centres, np.where(is_number, deviations, 1.0)


def _require_independent(
    scaled: Floats, weights: Floats, moves: Floats, covariates: Sequence[Covariate]
) -> None:
    """Refuse coefficients of which one can be traded for others."""
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
            f"{SUMMARY.name}: covariates {quoted(same)} tell the same twice: one follows from the "
            "others.\nLeave one of them out."
        )
        raise InvalidArgumentError(msg)


def _beliefs(
    name: str,
    model: Any,  # noqa: ANN401 - as above
    prior: Mapping[str, LogNormal] | None,
) -> dict[str, tuple[float, float]]:
    """Take the beliefs apart, or refuse those of a parameter that is not searched for."""
    searched = tuple(field.name for field in fields(model) if field.name != "k")
    priors(name, searched, unit=1.0, changes=prior)  # refuses what is no belief of a parameter
    return {each: (b.median, b.log_deviation) for each, b in (prior or {}).items()}


def _require_penalty(penalty: float, *, has_covariates: bool) -> None:
    require_number(
        penalty,
        argument="penalty",
        must="be 0 or more",
        fits=lambda times: 0 <= times < math.inf,
        advice="Write 1.0 for a mild one.",
    )
    if penalty and not has_covariates:
        msg = (
            "`penalty` is for the coefficients of covariates, and there are none.\n"
            "Name `covariates`, or give a `prior` to hold the parameters."
        )
        raise InvalidArgumentError(msg)
