"""Fit a churn model: candidates judged on later dates, the best of them used."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._churn.evaluation import ranking
from crmkit._churn.model import blend, panel, split
from crmkit._churn.model.blend import Blend, Learner, calibrated, expit
from crmkit._churn.model.candidates import STACK, Candidates, candidates, require_classifier
from crmkit._churn.model.churn_model import ChurnModel
from crmkit._churn.model.panel import Panel
from crmkit._churn.model.split import Split
from crmkit._door.frames import Floats
from crmkit._words import formats
from crmkit._words.arguments import require_flag, require_seed, shown
from crmkit._words.rates import require_horizon
from crmkit.errors import InvalidArgumentError

_SLIGHT: Final = 1e-3
"""A weight below it is as good as none."""


def fit(
    panel: IntoFrame,
    *,
    estimator: Any = None,  # noqa: ANN401 - any classifier of scikit-learn
    calibrate: bool = True,
    horizon_days: float | None = None,
    label: str = "no purchase",
    seed: int = 0,
) -> ChurnModel:
    """Fit a churn model to a panel, and judge it on later dates beside simpler rules.

    Boosted trees are not always best: on few customers recency alone is hard to beat. So trees,
    logistic regression, a purchase model's probability and recency are judged on the same
    held-out dates, alone and together, and the one with the least log loss is used. It assumes
    that customers leave as they did on the dates of the panel.

    Parameters
    ----------
    panel
        One row per customer and date, as made by `crmkit.churn.panel`: `customer_id`, `date`,
        `churned` (a flag, or 1 and 0), and features: numbers, flags and text, null where unknown.
        About 500,000 rows come to this machine at the most, drawn by a hash of the customer.
    estimator
        A classifier of scikit-learn with `predict_proba`, in place of boosted trees. One that
        knows no missing values gets filled numbers and a column for each category.
    calibrate
        Whether probabilities may be bent by a line in log odds (Platt), learned from customers
        that a candidate was not trained on. It is done only where it improves the log loss.
    horizon_days
        Days after each date in which customers left or stayed; by default the column
        `horizon_days`, if the panel has one. With it, the training leaves out dates whose outcome
        was not known on the first held-out date.
    label
        What `churned` means, for the sentence in `label`: "no purchase", "contract cancelled".
    seed
        Decides how customers are divided, and what the trees see.

    Returns
    -------
    A frozen `ChurnModel` for `crmkit.churn.score`; its `candidates` and `verdict` have the
    evidence.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, a customer is twice in the rows of a date, or `churned` is neither
        0 nor 1.
    InvalidArgumentError
        If a feature is a date or alone says exactly who left, `estimator` is not a classifier
        with probabilities, or another argument is wrong.
    FitError
        If all customers left or all stayed, or there are fewer than 20 rows.

    Notes
    -----
    Held out is the last date, from ten dates on the last fifth of them; a panel of one date is
    judged on a fifth of its customers, drawn by a hash. Weights of the stack are 0 or more,
    learned from forecasts of a third of the customers by a model of the others, on the earlier
    dates. When the choice is made, it is trained anew on all dates. Rows are not resampled, since
    that would spoil the probabilities.

    References
    ----------
    Friedman, J. H. (2001). Greedy function approximation: a gradient boosting machine. *Annals of
    Statistics* 29(5), 1189-1232. https://doi.org/10.1214/aos/1013203451. Breiman, L. (1996).
    Stacked regressions. *Machine Learning* 24, 49-64. https://doi.org/10.1007/BF00117832

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> panel = pd.DataFrame(
    ...     {
    ...         "customer_id": np.tile(np.arange(600), 2),
    ...         "date": np.repeat(pd.to_datetime(["2024-01-31", "2024-06-30"]), 600),
    ...         "days_since_last": rng.integers(0, 200, 1200),
    ...     }
    ... )
    >>> panel["churned"] = rng.random(1200) < panel["days_since_last"] / 200
    >>> model = fit(panel, horizon_days=90)
    >>> model.label
    'no purchase in the 90 days after each of 2 dates, 2024-01-31 to 2024-06-30'
    >>> model.held_out_dates
    ('2024-06-30',)
    """
    require_seed(seed)
    require_flag(calibrate, argument="calibrate")
    require_classifier(estimator)
    if not isinstance(label, str) or not label:
        msg = f'`label` must be text, got {shown(label)}.\nWrite "no purchase".'
        raise InvalidArgumentError(msg)
    if horizon_days is not None:
        require_horizon(horizon_days)
    data = _read(panel)
    horizon = data.horizon_days if horizon_days is None else float(horizon_days)
    parts = split.split(data, horizon_days=horizon)
    named = candidates(data.features, estimator=estimator, seed=seed)
    judged, notes = _judged(data, parts, named, calibrate=calibrate, seed=seed)
    used = min(judged, key=lambda each: each.loss.mean())
    final = _trained_anew(data, named, used)
    rows = _rows(judged, used, data, parts)
    return ChurnModel(
        label=_sentence(label, data, horizon),
        features=data.features,
        dates=tuple(map(str, data.dates)),
        held_out_dates=parts.held_out_dates,
        horizon_days=horizon,
        n_rows=len(data.matrix),
        n_held_out=int(parts.held_out.sum()),
        churn_rate=float(data.churned.mean()),
        used=used.name,
        candidates=tuple(rows),
        verdict=_verdict(rows),
        notes=(*data.notes, *parts.notes, *notes),
        typical=tuple(
            float("nan") if each.kind == "text" else float(np.nanmedian(column))
            for each, column in zip(data.features.columns, data.matrix.T, strict=True)
        ),
        versions={
            "crmkit": version("crmkit"),
            "numpy": np.__version__,
            "scikit-learn": importlib.import_module("sklearn").__version__,
        },
        seed=int(seed),
        blend=final,
    )


_read = panel.read


class _Judged(NamedTuple):
    """A candidate: which learners it blends and how, and its loss in each held-out row."""

    name: str
    members: tuple[str, ...]
    intercept: float
    weights: tuple[float, ...]
    is_calibrated: bool
    probability: Floats
    loss: Floats


def _judged(
    data: Panel, parts: Split, named: Candidates, *, calibrate: bool, seed: int
) -> tuple[list[_Judged], list[str]]:
    """Train every candidate on earlier dates, and judge it on later ones."""
    train, held_out = parts.train, parts.held_out
    learners = {
        name: trainer(data.matrix[train], data.churned[train])
        for name, trainer in named.trainers.items()
    }
    later = {name: each.log_odds(data.matrix[held_out]) for name, each in learners.items()}
    held = (later, data.churned[held_out])
    of_others = _cross_fitted(data, train, named, seed=seed)
    notes = [] if of_others else ["Too few customers to calibrate or to blend candidates."]
    judged = []
    for name in learners:
        plain = _as_judged(name, (name,), 0.0, (1.0,), held)
        judged.append(plain)
        if of_others and calibrate:
            intercept, (slope,) = blend.platt([of_others[name]], data.churned[train])
            bent = _as_judged(name, (name,), intercept, (float(slope),), held)
            if bent.loss.mean() < plain.loss.mean():
                judged[-1] = bent._replace(is_calibrated=True)
    if of_others and len(learners) > 1:
        intercept, found = blend.platt(list(of_others.values()), data.churned[train])
        kept = [(n, float(w)) for n, w in zip(learners, found, strict=True) if w > _SLIGHT]
        members, weights = tuple(n for n, _ in kept), tuple(w for _, w in kept)
        judged.append(_as_judged(STACK, members, intercept, weights, held))
    return judged, notes


def _cross_fitted(
    data: Panel, train: split.Rows, named: Candidates, *, seed: int
) -> dict[str, Floats]:
    """Log odds of the training rows, a third of the customers from the others at a time."""
    matrix, churned = data.matrix[train], data.churned[train]
    fold = split.folds(data.hash[train], seed=seed)
    found = {name: np.zeros(len(matrix)) for name in named.trainers}
    for k in range(split.FOLDS):
        out = fold == k
        if not out.any():
            continue
        if len(np.unique(churned[~out])) < 2:  # noqa: PLR2004 - two classes
            return {}
        for name, trainer in named.trainers.items():
            found[name][out] = trainer(matrix[~out], churned[~out]).log_odds(matrix[out])
    return found


def _as_judged(
    name: str,
    members: tuple[str, ...],
    intercept: float,
    weights: tuple[float, ...],
    held_out: tuple[dict[str, Floats], Floats],
) -> _Judged:
    later, truth = held_out
    log_odds = np.full(len(truth), intercept)
    for member, weight in zip(members, weights, strict=True):
        log_odds += weight * later[member]
    loss = np.logaddexp(0.0, log_odds) - truth * log_odds
    return _Judged(name, members, intercept, weights, False, expit(log_odds), loss)  # noqa: FBT003


def _trained_anew(data: Panel, named: Candidates, used: _Judged) -> Blend:
    """Train the learners of the chosen candidate on all dates."""
    learners: list[Learner] = [
        named.trainers[name](data.matrix, data.churned) for name in used.members
    ]
    plain = Blend(0.0, used.weights, tuple(learners))
    return calibrated(plain, 1.0, used.intercept)


def _rows(judged: list[_Judged], used: _Judged, data: Panel, parts: Split) -> list[dict[str, Any]]:
    truth = data.churned[parts.held_out]
    customers = np.unique(data.hash[parts.held_out], return_inverse=True)[1]
    rows = []
    for each in sorted(judged, key=lambda one: one.loss.mean()):
        apart = each.loss - used.loss
        per_customer = np.bincount(customers, apart - apart.mean())
        rows.append(
            {
                "candidate": each.name,
                "log_loss": float(each.loss.mean()),
                "brier": float(np.mean((each.probability - truth) ** 2)),
                "auc": ranking.roc_auc(truth, each.probability),
                "behind": float(apart.mean()),
                "behind_se": float(np.sqrt((per_customer**2).sum()) / len(truth)),
                "is_calibrated": each.is_calibrated,
                "is_used": each is used,
            }
        )
    return rows


def _verdict(rows: list[dict[str, Any]]) -> str:
    best, *others = rows
    text = f"{best['candidate']} is used, with AUC {best['auc']:.3f} on held-out customers"
    if not others:
        return f"{text}."
    return f"{text}; next is {others[0]['candidate']} with {others[0]['auc']:.3f}."


def _sentence(label: str, data: Panel, horizon_days: float | None) -> str:
    days = "" if horizon_days is None else f" in the {formats.counted(horizon_days, 'day')}"
    dates = data.dates
    if not dates:
        return f"{label}{days}" if days else label
    when = str(dates[0])
    if len(dates) > 1:
        when = f"each of {len(dates)} dates, {dates[0]} to {dates[-1]}"
    return f"{label}{days} after {when}"
