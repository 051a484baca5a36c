"""Learn how to calibrate churn risk from held-out days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from narwhals.typing import IntoFrame

from crmkit._churn.calibration import (
    CalibrationMethod,
    Floats,
    RiskCalibration,
    calibrated,
    log_odds,
)
from crmkit._churn.held_out import HeldOutRisk, held_out_risk
from crmkit.errors import FitError

N_FOLDS: Final = 5
LEAST_CUSTOMERS: Final = 50
"""With fewer customers of each outcome, a calibration would be noise."""

_LEAST_GAIN: Final = 0.01
_STANDARD_ERRORS: Final = 2.0
_STEPS, _CLOSE = 50, 1e-10
_N_GROUPS: Final = 50
_TINY: Final = 1e-12


def fit_calibration(customers: IntoFrame) -> RiskCalibration:
    """Learn from held-out days how far stated risks are from what then happened.

    Two methods compete with the risk as stated: Platt's logistic curve, and an isotonic curve,
    which follows any rising shape. A method is used only if it improves the log score on
    customers that it was not learned from by more than chance, and by enough to be worth it;
    else the risk stays as it is. The assumption that may fail is that the days to come are
    like those held out: a season moves all risks at once, and no calibration foresees it.

    Parameters
    ----------
    customers
        One row per customer of `crmkit.rfm.holdout`, with `churn_risk` from
        `crmkit.churn.risk`: of a model fitted up to the split, over the days of the holdout
        period, and not calibrated.

    Returns
    -------
    A frozen `RiskCalibration`, for `crmkit.churn.risk`.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `customers` breaks its contract.
    FitError
        If fewer than 50 customers bought in the holdout period, or fewer than 50 did not.

    Notes
    -----
    At most about 200,000 customers come to this machine, drawn by a hash of `customer_id`, and
    the same hash puts them in five folds. The gain of a method is the mean difference in log
    score on the folds left out; it must exceed two standard errors and 0.01 a customer, and an
    isotonic curve must exceed a logistic one by as much. A smaller gain is lost again when the
    level of the risk moves from one period to the next.

    References
    ----------
    Platt, J. (1999). Probabilistic outputs for support vector machines. *Advances in Large
    Margin Classifiers*, 61-74. Zadrozny, B. & Elkan, C. (2002). Transforming classifier scores
    into accurate multiclass probability estimates. *KDD*, 694-699.
    https://doi.org/10.1145/775047.775151

    Examples
    --------
    >>> from datetime import date, timedelta
    >>> from crmkit import churn, clv, rfm
    >>> from crmkit.datasets import load_cdnow
    >>> orders = load_cdnow(backend="pandas")
    >>> split, as_of = date(1997, 6, 30), date(1997, 12, 31)
    >>> seen = rfm.summarize(orders, as_of=split)
    >>> rated = churn.risk(
    ...     rfm.holdout(orders, split=split, as_of=as_of),
    ...     purchases=clv.fit(seen, model="pareto_nbd"),
    ...     horizon_days=(as_of - split).days,
    ... )
    >>> learned = fit_calibration(rated)
    >>> learned.method, round(learned.slope, 1), round(learned.log_score_gain, 3)
    ('platt', 0.8, 0.013)
    """
    held_out = held_out_risk(customers)
    n_bought = int((held_out.inactive == 0).sum())
    if min(n_bought, held_out.n_customers - n_bought) < LEAST_CUSTOMERS:
        msg = (
            f"churn calibration: {n_bought:,} of {held_out.n_customers:,} customers bought in the "
            f"holdout period; at least {LEAST_CUSTOMERS} must have bought, and as many not.\n"
            "Take another split, or use the risk without a calibration."
        )
        raise FitError(msg)
    scores = {
        method: _log_scores(cross_fitted(held_out, method), held_out.inactive)
        for method in ("identity", *_FITTED)
    }
    method: CalibrationMethod = "identity"
    for other in _FITTED:
        gains = scores[other] - scores[method]
        noise = _STANDARD_ERRORS * gains.std() / np.sqrt(len(gains))
        if gains.mean() > max(noise, _LEAST_GAIN):
            method = other
    chosen = fitted(held_out, method)
    return RiskCalibration(
        method=method,
        horizon_days=held_out.horizon_days,
        n_customers=held_out.n_customers,
        intercept=chosen.intercept,
        slope=chosen.slope,
        stated=chosen.stated,
        observed=chosen.observed,
        log_score=float(scores["identity"].mean()),
        log_score_gain=float((scores[method] - scores["identity"]).mean()),
    )


def fitted(held_out: HeldOutRisk, method: CalibrationMethod) -> RiskCalibration:
    """Fit one method, whether it is worth it or not."""
    days, n = held_out.horizon_days, held_out.n_customers
    fit = _FITTED.get(method)
    return RiskCalibration("identity", days, n) if fit is None else fit(held_out)


def cross_fitted(held_out: HeldOutRisk, method: CalibrationMethod) -> Floats:
    """Calibrate each fold by a fit to the others."""
    if method == "identity":
        return held_out.risk
    found = held_out.risk.copy()
    for fold in range(N_FOLDS):
        inside = held_out.numbers % N_FOLDS == fold
        if inside.any() and not inside.all():
            others = fitted(held_out.at(~inside), method)
            found[inside] = calibrated(others, held_out.risk[inside])
    return found


def _platt(held_out: HeldOutRisk) -> RiskCalibration:
    """Fit intercept and slope by Newton's method; a slope that is not above 0 is refused."""
    x = np.column_stack([np.ones(held_out.n_customers), log_odds(held_out.risk)])
    found = np.array([0.0, 1.0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-x @ found))
        curvature = (x * (p * (1 - p))[:, np.newaxis]).T @ x
        curvature[np.diag_indices(2)] += _TINY * max(curvature.trace(), 1.0)
        step = np.linalg.solve(curvature, x.T @ (held_out.inactive - p))
        step = step / max(1.0, float(np.abs(step).max()))
        found = found + step
        if np.abs(step).max() < _CLOSE:
            break
    intercept, slope = found.tolist()
    if not (np.isfinite(found).all() and slope > 0):
        intercept, slope = 0.0, 1.0
    days, n = held_out.horizon_days, held_out.n_customers
    return RiskCalibration("platt", days, n, intercept=intercept, slope=slope)


def _isotonic(held_out: HeldOutRisk) -> RiskCalibration:
    """Fit a rising curve through groups of like risk, from 0 to 1."""
    order = np.argsort(held_out.risk, kind="stable")
    groups = np.array_split(order, min(_N_GROUPS, len(order)))
    n = np.array([len(each) for each in groups], dtype=float)
    stated = np.array([held_out.risk[each].mean() for each in groups])
    share = np.array([(held_out.inactive[each].sum() + 0.5) / (len(each) + 1) for each in groups])
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - loaded where it is used

    level = isotonic_regression(share, weights=n)
    starts = np.asarray(level.blocks)[:-1]
    weight = np.add.reduceat(n, starts)
    x = np.add.reduceat(n * stated, starts) / weight
    y = np.asarray(level.x)[starts]
    inside = (x > _TINY) & (x < 1 - _TINY) & np.append(np.diff(x) > _TINY, [True])
    return RiskCalibration(
        "isotonic",
        held_out.horizon_days,
        held_out.n_customers,
        stated=(0.0, *x[inside].tolist(), 1.0),
        observed=(0.0, *y[inside].tolist(), 1.0),
    )


def _log_scores(risk: Floats, inactive: Floats) -> Floats:
    of_outcome = np.where(inactive > 0, risk, 1 - risk)
    return np.asarray(np.log(np.maximum(of_outcome, _TINY)))


_FITTED: Final[dict[CalibrationMethod, Callable[[HeldOutRisk], RiskCalibration]]] = {
    "platt": _platt,
    "isotonic": _isotonic,
}
