"""Learn from an experiment whom a contact changes, and test whether that is worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._campaigns.experiment import ARM, OUTCOME, one_treatment, read
from crmkit._campaigns.uplift import curves, learners
from crmkit._campaigns.uplift.learners import LEARNERS, Fitted, Learner
from crmkit._door import draw, feature_matrix, frames
from crmkit._door.feature_matrix import Features
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_column_name, require_seed
from crmkit._words.rates import require_level
from crmkit.errors import FitError

_FOLDS: Final = 5
_FEWEST: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class UpliftModel:
    """What a contact changes, learned from an experiment.

    Attributes
    ----------
    features
        The columns that it was trained on.
    treatment, control, outcome
        The values of the treatment that it compares, and the column of the outcome.
    learner
        "t" or "x", whichever ranked better on customers that it was not trained on.
    n_customers
        Customers of the experiment that it was trained on.
    is_flag
        Whether the outcome is 0 or 1, so that what is expected is a probability.
    validation
        One row per ranking, on customers that it was not trained on: `ranking`, `autoc`, `qini`,
        `gain_best_third` and `over_all`, the gain beyond that of all, with `_lower` and `_upper`
        each.
    verdict
        What the validation says, in one sentence: whether ranking by uplift is worth it.
    """

    features: Features
    treatment: str
    control: str
    outcome: str
    learner: Learner
    n_customers: int
    is_flag: bool
    validation: tuple[dict[str, Any], ...]
    verdict: str
    fitted: Fitted

    def __repr__(self) -> str:
        """Show what it compares, and how well."""
        return (
            f"UpliftModel({self.treatment} against {self.control}, {self.learner}-learner, "
            f"{self.n_customers:,} customers: {self.verdict})"
        )


def fit_uplift(
    experiment: IntoFrame,
    *,
    treated: str,
    outcome: str,
    features: Sequence[str],
    control: str | float | bool | None = None,
    risk: str | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> UpliftModel:
    """Learn from an experiment whom a contact changes, and test it on others.

    Effects differ less between customers than people hope. The model is judged on customers that
    it was not trained on, and `verdict` says whether ranking by it beats contacting everybody.

    Parameters
    ----------
    experiment
        One row per customer of an experiment in which chance decided who was treated, with one
        treatment. At most about 200,000 customers with a `customer_id` come to this machine,
        drawn by a hash of it.
    treated
        The column that says who was treated: a flag, 0 and 1, or two names.
    outcome
        The column that says what happened: a flag, 0 and 1, or an amount.
    features
        Columns known before the contact: numbers, flags and text.
    control
        The value of `treated` that means no treatment; by default False or 0.
    risk
        A column of numbers to rank by in comparison, such as the churn risk.
    level
        Level of the intervals, such as 0.9.
    seed
        Decides how customers are divided for the validation.

    Returns
    -------
    A frozen `UpliftModel`. It holds objects of scikit-learn, so it is not kept: fit it anew from
    the experiment.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, or the outcome is null.
    InvalidArgumentError
        If nobody was treated or everybody was, there are several treatments, or `features` has
        the outcome or the treatment in it.
    FitError
        If one of the groups has fewer than 100 customers, or all have the same outcome.

    Notes
    -----
    Two learners are tried, of boosted trees: the T-learner forecasts the outcome in each group,
    the X-learner the effects themselves. Each forecasts a fifth of the customers from the others
    (cross-fitting); the effects that judge them are doubly robust, and made of the outcomes of
    that fifth. AUTOC sees effects on few, Qini effects on many; both are 0 for a ranking by
    chance. ``gain_best_third`` is the mean effect on the third that is ranked first.

    References
    ----------
    Künzel, S. R. et al. (2019). Metalearners for estimating heterogeneous treatment effects using
    machine learning. *PNAS* 116(10), 4156-4165. https://doi.org/10.1073/pnas.1804597116.
    Yadlowsky, S. et al. (2025). Evaluating treatment prioritization rules via rank-weighted average
    treatment effects. *JASA* 120(549), 38-51. https://doi.org/10.1080/01621459.2024.2393466

    Examples
    --------
    Only the young are changed by the contact.

    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> people = pd.DataFrame(
    ...     {"age": rng.integers(18, 80, 4000), "treated": rng.random(4000) < 0.5}
    ... )
    >>> chance = 0.1 + 0.3 * (people["treated"] & (people["age"] < 40))
    >>> people["bought"] = rng.random(4000) < chance
    >>> model = fit_uplift(people, treated="treated", outcome="bought", features=["age"])
    >>> print(model.verdict)
    Ranking by uplift is worth it: the best third gains 0.29 a customer, all gain 0.11.
    """
    require_seed(seed)
    require_level(level)
    require_column_name(treated, argument="treated")
    require_column_name(outcome, argument="outcome")
    names = feature_matrix.require_features(features, never=(treated, outcome))
    if risk is not None:
        require_column_name(risk, argument="risk")
    numbers = [] if risk is None else [risk]
    frame = read(experiment, treated=treated, outcome=outcome, numbers=numbers, others=names)
    wanted = [*names, ARM, OUTCOME, *numbers]
    data = (
        draw.collect_draw(frame, *wanted)
        if frames.has(frame, "customer_id")
        else feature_matrix.collected(frame, wanted)
    )
    arm, name = one_treatment(data[ARM], control, treated=treated)
    seen = _seen(data, arm)
    known = feature_matrix.learned(frame, data, names)
    matrix = known.matrix(data)
    folds = np.random.default_rng(seed).integers(0, _FOLDS, len(matrix))
    effect, scores = _cross_fitted(matrix, seen, folds, known.is_category, seed=seed)
    if risk is not None:
        scores["risk"] = np.nan_to_num(np.asarray(data[risk], dtype=float), nan=-np.inf)
    best = max(LEARNERS, key=lambda each: curves.rank(effect, scores[each]).autoc)
    judged = {"uplift": scores[best], **{name: scores[name] for name in ("risk",) if risk}}
    rows = [_row(each, effect, score, level=level, seed=seed) for each, score in judged.items()]
    fitted = learners.fit(
        matrix,
        seen.treated,
        seen.outcome,
        is_category=known.is_category,
        learner=best,
        seed=seed,
    )
    return UpliftModel(
        features=known,
        treatment=arm,
        control=name,
        outcome=outcome,
        learner=best,
        n_customers=len(matrix),
        is_flag=bool(np.isin(seen.outcome, (0, 1)).all()),
        validation=tuple(rows),
        verdict=_verdict(rows, float(effect.mean())),
        fitted=fitted,
    )


class _Seen(NamedTuple):
    treated: npt.NDArray[np.bool_]
    outcome: Floats


def _seen(data: dict[str, Any], arm: str) -> _Seen:
    outcome = np.asarray(data[OUTCOME], dtype=float)
    is_treated = np.asarray(data[ARM]) == arm
    few = min(int(is_treated.sum()), int((~is_treated).sum()))
    if few < _FEWEST:
        msg = (
            f"uplift: one of the groups has {few} customers; at least {_FEWEST} are needed.\n"
            "Compare the groups as a whole with crmkit.campaigns.result()."
        )
        raise FitError(msg)
    if np.isnan(outcome).any():
        msg = f"uplift: the outcome is null in {int(np.isnan(outcome).sum()):,} rows."
        raise FitError(msg)
    if np.ptp(outcome) == 0:
        msg = "uplift: all customers have the same outcome, so nothing can be learned."
        raise FitError(msg)
    return _Seen(is_treated, outcome)


def _cross_fitted(
    matrix: Floats,
    seen: _Seen,
    folds: npt.NDArray[np.int64],
    is_category: list[bool],
    *,
    seed: int,
) -> tuple[Floats, dict[str, Floats]]:
    """Effects that judge, and the scores of each learner, each from the other customers."""
    n = len(matrix)
    scores: dict[str, Floats] = {name: np.zeros(n) for name in LEARNERS}
    without, with_ = np.zeros(n), np.zeros(n)
    for fold in range(_FOLDS):
        out = folds == fold
        fitted = learners.fit(
            matrix[~out],
            seen.treated[~out],
            seen.outcome[~out],
            is_category=is_category,
            learner="x",
            seed=seed,
        )
        without[out], with_[out] = fitted.outcomes(matrix[out])
        scores["x"][out] = fitted.uplift(matrix[out])
        scores["t"][out] = with_[out] - without[out]
    chance = float(seen.treated.mean())
    effect = curves.doubly_robust_effects(seen.outcome, seen.treated, chance, without, with_)
    return effect, scores


def _row(name: str, effect: Floats, score: Floats, *, level: float, seed: int) -> dict[str, Any]:
    z = NormalDist().inv_cdf((1 + level) / 2)
    found = curves.rank(effect, score)
    errors = curves.standard_errors(effect, score, seed=seed)
    n = max(len(effect) // 3, 1)
    third = float(curves.with_ties_averaged(effect, score)[:n].mean())
    mine = np.where(np.argsort(np.argsort(-score, kind="stable")) < n, effect / n, 0.0)
    over = mine - effect / len(effect)
    spread = {"third": _error_of_sum(mine), "over": _error_of_sum(over)}
    row: dict[str, Any] = {"ranking": name}
    for column, value, error in (
        ("autoc", found.autoc, errors.autoc),
        ("qini", found.qini, errors.qini),
        ("gain_best_third", third, spread["third"]),
        ("over_all", third - float(effect.mean()), spread["over"]),
    ):
        row |= {
            column: value,
            f"{column}_lower": value - z * error,
            f"{column}_upper": value + z * error,
        }
    return row


def _error_of_sum(parts: Floats) -> float:
    """Standard error of a sum over customers drawn at random."""
    return float(parts.std() * np.sqrt(len(parts)))


def _verdict(rows: Sequence[dict[str, Any]], everybody: float) -> str:
    mine = next(row for row in rows if row["ranking"] == "uplift")
    gains = (
        f"the best third gains {mine['gain_best_third']:.2g} a customer, all gain {everybody:.2g}"
    )
    ranks = mine["autoc_lower"] > 0 or mine["qini_lower"] > 0
    if not ranks or mine["over_all_lower"] <= 0:
        return (
            "Ranking by uplift is not shown to beat contacting everybody or a draw by chance: "
            f"{gains}."
        )
    risk = next((row for row in rows if row["ranking"] == "risk"), None)
    if risk is not None and risk["autoc"] >= mine["autoc"]:
        return f"Ranking by risk is as good as by uplift: {gains}."
    return f"Ranking by uplift is worth it: {gains}."
