"""Evaluate a churn score: ranking, calibration and money, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from narwhals.typing import IntoFrameT

from crmkit._churn.evaluation import calibration, money, ranking
from crmkit._churn.evaluation.campaign import AcquisitionCampaign, RetentionCampaign
from crmkit._churn.evaluation.scored import Campaign, Scored, read, require_both
from crmkit._door import frames
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_seed, require_whole
from crmkit._words.rates import require_level

_BINS: Final = 10
_DECILE: Final = 0.1
_MOST_DRAWS: Final = 10_000

Metrics: TypeAlias = Callable[[Floats, bool], dict[str, float]]
"""Takes the weight of each row, and whether it is a resample; gives each metric."""


def evaluate(
    scored: IntoFrameT,
    *,
    outcome: str,
    by: str | Sequence[str] | None = None,
    score: str = "p_churn",
    campaign: RetentionCampaign | AcquisitionCampaign | None = None,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
) -> IntoFrameT:
    """Evaluate a churn score: ranking, calibration and money, with intervals.

    A model may rank well and state probabilities that are far off, or the other way round; which
    matters depends on what the score is for. The customers must be later ones than the model was
    trained on, or the figures flatter.

    Parameters
    ----------
    scored
        One row per customer, or per customer and date, with `customer_id`, the score and the
        outcome.
    outcome
        The column that says who left: a flag, or 1 and 0.
    by
        One or more columns of segments, each evaluated alone.
    score
        The column of probabilities.
    campaign
        What a contact costs and brings, for the figures in money.
    level
        Coverage of the intervals.
    draws
        Number of resamples of customers that the intervals come from; 0 for none.
    seed
        Decides the resamples.

    Returns
    -------
    One row per metric, and segment if there are any:

    ===============  =====  ================================================================
    ``metric``       text   its name, below
    ``estimate``     float  its value; null where it cannot be computed, as with one outcome only
    ``lower``        float  lower end of the interval
    ``upper``        float  upper end
    ``n_customers``  int    rows
    ``n_churned``    int    those of them that left
    ===============  =====  ================================================================

    The metrics are ``churn_rate``; ``roc_auc``, ``gini`` (2 AUC - 1), ``average_precision`` and
    ``lift_top_10_percent`` of the ranking; ``log_loss``, ``brier``, ``brier_skill`` (1 less the
    Brier score over that of the churn rate for all), ``calibration_slope``,
    ``calibration_intercept_joint`` (fitted together with the slope),
    ``calibration_intercept_in_the_large`` (with the slope held at 1), ``observed_to_expected`` and
    ``calibration_error_10_equal_count_bins_l1`` of the probabilities. With a `RetentionCampaign` of
    one value for all come ``mpc`` and ``empc``, with a column of values ``empb`` and ``auepc``,
    with an `AcquisitionCampaign` ``mpa`` and ``empa``: the profit per customer of contacting the
    best share, with ``_share`` and ``_threshold``, the least score to contact.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If a column is missing, a score is outside 0 to 1, or an outcome is null.
    InvalidArgumentError
        If all left or all stayed, and `by` is not given.

    Notes
    -----
    Equal scores never depend on the order of rows: where a share cuts a group of them, a part
    of those who left counts, in proportion. EMPC and EMPA are the mean over what is uncertain
    of the best profit; EMPB is the best of the mean profit. Intervals are percentiles over
    resamples of customers, with all their rows. At most about 500,000 rows come to this machine.

    References
    ----------
    Verbraken, T., Verbeke, W. & Baesens, B. (2013). A novel profit maximizing metric for measuring
    classification performance of customer churn prediction models. *IEEE TKDE* 25(5), 961-973.
    https://doi.org/10.1109/TKDE.2012.50. Janssens, B., Bogaert, M., Bagué, A. & Van den Poel, D.
    (2022). B2Boost: instance-dependent profit-driven modelling of B2B churn. *Annals of Operations
    Research*. https://doi.org/10.1007/s10479-022-04631-5. Van Calster, B. et al. (2016). A
    calibration hierarchy for risk models was defined. *Journal of Clinical Epidemiology* 74,
    167-176. https://doi.org/10.1016/j.jclinepi.2015.12.005

    Examples
    --------
    >>> import pandas as pd
    >>> scored = pd.DataFrame(
    ...     {
    ...         "customer_id": list("abcdefgh"),
    ...         "p_churn": [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9],
    ...         "left": [0, 1, 0, 1, 0, 1, 0, 1],
    ...     }
    ... )
    >>> offer = RetentionCampaign(value=200, contact_cost=1, offer_cost=10)
    >>> table = evaluate(scored, outcome="left", campaign=offer, draws=0)
    >>> wanted = table["metric"].isin(["roc_auc", "brier", "mpc", "empc"])
    >>> print(table[wanted][["metric", "estimate"]].round(3).to_string(index=False))
     metric  estimate
    roc_auc     0.625
      brier     0.261
        mpc    23.875
       empc    23.876
    """
    require_level(level)
    require_seed(seed)
    require_whole(draws, argument="draws", least=0, most=_MOST_DRAWS, advice="Write 200.")
    data, frame = read(scored, outcome=outcome, score=score, campaign=campaign, by=by)
    columns: dict[str, list[Any]] = {name: [] for name in (*data.groups, *_COLUMNS)}
    if not data.groups:
        require_both(data.churned, outcome=outcome)
    for key, part in _parts(data):
        found = _estimates(part, campaign, level=level, draws=int(draws), seed=int(seed))
        for metric, (estimate, lower, upper) in found.items():
            row = (metric, estimate, lower, upper, len(part.churned), int(part.churned.sum()))
            for name, each in zip(columns, (*key, *row), strict=True):
                columns[name].append(each)
    arrays = {
        name: np.array(values, dtype=float) if name in ("estimate", "lower", "upper") else values
        for name, values in columns.items()
    }
    made = frames.table_like(arrays, like=frame)
    numbers = [frames.known(name).alias(name) for name in ("estimate", "lower", "upper")]
    return frames.give(frames.with_columns(made, *numbers), like=scored)


_COLUMNS: Final = ("metric", "estimate", "lower", "upper", "n_customers", "n_churned")


def _parts(data: Scored) -> list[tuple[tuple[Any, ...], Scored]]:
    """The segments in order, or all as one."""
    if not data.groups:
        return [((), data)]
    keys = list(zip(*data.groups.values(), strict=True))
    distinct = sorted(set(keys), key=lambda key: tuple((each is None, str(each)) for each in key))
    return [(key, data.only(np.array([each == key for each in keys]))) for key in distinct]


def _estimates(
    data: Scored, campaign: Campaign | None, *, level: float, draws: int, seed: int
) -> dict[str, tuple[float, float, float]]:
    metrics = _metrics(data, campaign)
    estimate = metrics(np.ones(len(data.churned)), False)  # noqa: FBT003
    rng = np.random.default_rng(seed)
    n = int(data.customer.max()) + 1
    seen: dict[str, list[float]] = {name: [] for name in estimate}
    for _ in range(draws):
        times = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)
        for name, value in metrics(times[data.customer], True).items():  # noqa: FBT003
            seen[name].append(value)
    ends = [(1 - level) / 2, (1 + level) / 2]
    found = {}
    for name, value in estimate.items():
        drawn = np.array(seen[name], dtype=float)
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.quantile(drawn, ends) if len(drawn) else (np.nan, np.nan)
        shown = value if np.isfinite(value) else float("nan")
        found[name] = (shown, float(low), float(high))
    return found


def _metrics(data: Scored, campaign: Campaign | None) -> Metrics:
    bins = calibration.bins_of(data.stated, _BINS)

    def compute(weight: Floats, is_resample: bool) -> dict[str, float]:  # noqa: FBT001
        found = ranking.ranked(data.churned, data.stated, weight)
        rate = float(found.left.sum() / weight.sum())
        if not 0 < rate < 1:
            only: dict[str, float] = {"churn_rate": rate}
            return only | dict.fromkeys(_NAMES, float("nan")) | _no_money(campaign)
        auc = ranking.auc_of(found)
        brier = calibration.brier(data.churned, data.stated, weight)
        line = calibration.line(data.churned, data.stated, weight)
        error = calibration.expected_error(data.churned, data.stated, weight, bins)
        values = (
            auc,
            2 * auc - 1,
            ranking.average_precision_of(found),
            ranking.lift_of(found, _DECILE),
            calibration.log_loss(data.churned, data.stated, weight),
            brier,
            1 - brier / (rate * (1 - rate)),
            line.slope,
            line.intercept,
            line.in_the_large,
            rate / float((weight * data.stated).sum() / weight.sum()),
            error,
        )
        named = {"churn_rate": rate, **dict(zip(_NAMES, values, strict=True))}
        return named | _in_money(data, found, weight, campaign, is_resample=is_resample)

    return compute


_NAMES: Final = (
    "roc_auc",
    "gini",
    "average_precision",
    "lift_top_10_percent",
    "log_loss",
    "brier",
    "brier_skill",
    "calibration_slope",
    "calibration_intercept_joint",
    "calibration_intercept_in_the_large",
    "observed_to_expected",
    "calibration_error_10_equal_count_bins_l1",
)


def _in_money(
    data: Scored,
    found: ranking.Ranked,
    weight: Floats,
    campaign: Campaign | None,
    *,
    is_resample: bool,
) -> dict[str, float]:
    if campaign is None:
        return {}
    if isinstance(campaign, RetentionCampaign) and data.value is not None:
        best = money.own_value(data.churned, data.stated, data.value, weight, campaign)
        rows = np.repeat(np.arange(len(weight)), weight.astype(np.int64))
        area = money.share_of_perfect(
            data.churned[rows], data.stated[rows], data.value[rows], campaign
        )
        return _as_named("empb", best) | {"auepc": area}
    lines = money.lines(found, campaign)
    if is_resample:
        lines = money.fewer(lines)
    if isinstance(campaign, AcquisitionCampaign):
        best = money.maximum(lines, campaign.contribution)
        return _as_named("mpa", best) | _as_named("empa", money.expected_maximum(lines, campaign))
    best = money.maximum(lines, campaign.acceptance_rate)
    return _as_named("mpc", best) | _as_named("empc", money.expected_maximum(lines, campaign))


def _as_named(name: str, best: money.Best) -> dict[str, float]:
    return {name: best.profit, f"{name}_share": best.share, f"{name}_threshold": best.threshold}


def _no_money(campaign: Campaign | None) -> dict[str, float]:
    """Names of the figures in money, without a value."""
    if campaign is None:
        return {}
    nobody = money.Best(float("nan"), float("nan"), float("nan"))
    if isinstance(campaign, AcquisitionCampaign):
        return _as_named("mpa", nobody) | _as_named("empa", nobody)
    if isinstance(campaign.value, str):
        return _as_named("empb", nobody) | {"auepc": float("nan")}
    return _as_named("mpc", nobody) | _as_named("empc", nobody)
